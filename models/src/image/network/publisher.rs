//! A publisher's process, on a host of its own: one stream after the other, each over one or more connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lastref::net::{TcpStream, sleep, timeout};
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frame::Frame;
use super::publication::Publication;
use crate::image::plan::{Ending, NetPlan};

/// Time for which a duty cycle waits for frames of the receiver.
const CYCLE: Duration = Duration::from_millis(10);
/// Delay before the next attempt to connect; doubled after each failed attempt.
const RETRY: Duration = Duration::from_millis(10);
/// Failed attempts in a row after which the process ends: the receiver is unreachable.
const ATTEMPTS_MAX: u32 = 7;
/// Timeout of a connection attempt, of a write, and of the wait for the receiver's FIN.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time without progress after which the publisher's process is stopped.
const STUCK_MAX: Duration = Duration::from_millis(800);
/// The same without faults: longer, since slow subscribers still make progress.
const LAG_MAX: Duration = Duration::from_secs(5);

/// Why the transmission of a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Every frame was sent.
    Done,
    /// Its process died.
    Died,
    /// Its connection is lost; there may be another.
    Lost,
    /// No connection was made.
    Refused,
}

/// Runs one publisher, starting with life number `begun`, and counts the lives that it starts in `begun`.
pub(super) async fn run(plan: Arc<NetPlan>, number: usize, server: SocketAddr, begun: Arc<AtomicUsize>) {
    let Some(publisher) = plan.publishers.get(number) else { return };
    let patience = if plan.is_faultless() { LAG_MAX } else { STUCK_MAX };
    while let Some(life) = publisher.lives.get(begun.load(Ordering::SeqCst)) {
        let nth = begun.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(life.pause_ms)).await;
        let mut publication = Publication::new(NetPlan::initial_term_id(number, nth), *life, Instant::now());
        let mut failed = 0;
        while failed < ATTEMPTS_MAX {
            match over_a_connection(&mut publication, server, patience).await {
                End::Done => break,
                End::Died => {
                    sometimes("a publisher dies without notice", life.ending == Ending::Die);
                    break;
                }
                End::Lost => failed = 0,
                End::Refused => failed += 1,
            }
            sleep(RETRY * (1 << failed)).await;
        }
    }
}

/// Sends the stream over a new connection, until the stream or the connection ends.
async fn over_a_connection(publication: &mut Publication, server: SocketAddr, patience: Duration) -> End {
    let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(server)).await else {
        sometimes("a publisher is refused", true);
        let now = Instant::now();
        return if publication.stands_still(now, patience) || publication.dies(now) { End::Died } else { End::Refused };
    };
    publication.connected();
    let (mut unread, mut octets) = (Vec::new(), [0; 64]);
    loop {
        let now = Instant::now();
        if publication.stands_still(now, patience) || publication.dies(now) {
            return End::Died;
        }
        for frame in publication.send(now) {
            if !matches!(timeout(PATIENCE, stream.write_all(&frame.encode())).await, Ok(Ok(()))) {
                sometimes("a publisher cannot send", true);
                return End::Lost;
            }
        }
        if publication.is_done(now) {
            leave(stream).await;
            return End::Done;
        }
        match timeout(CYCLE, stream.read(&mut octets)).await {
            Err(_) => continue,
            Ok(Ok(count)) if count > 0 => unread.extend_from_slice(&octets[..count]),
            Ok(_) => {
                sometimes("a publisher loses its connection", true);
                return End::Lost;
            }
        }
        while let Some((length, frame)) = Frame::decode(&unread) {
            unread.drain(..length);
            if let Some(frame) = frame {
                publication.on_frame(frame);
            }
        }
    }
}

/// Sends FIN, and reads the receiver's frames until its FIN.
async fn leave(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut octets = [0; 64];
    while let Ok(Ok(count)) = timeout(PATIENCE, stream.read(&mut octets)).await {
        if count == 0 {
            return;
        }
    }
    sometimes("a publisher times out waiting for the end of its connection", true);
}
