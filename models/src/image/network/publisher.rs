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
            match timeout(PATIENCE, TcpStream::connect(server)).await {
                Ok(Ok(stream)) => {
                    failed = 0;
                    if send(&mut publication, stream, patience).await {
                        break;
                    }
                }
                _ => {
                    sometimes("a publisher is refused", true);
                    failed += 1;
                }
            }
            if publication.is_stopped(Instant::now(), patience) {
                sometimes("a publisher dies without notice", life.ending == Ending::Die);
                break;
            }
            sleep(RETRY * (1 << failed)).await;
        }
    }
}

/// Sends the stream over this connection. Returns true once every frame is sent, and false if the connection is lost or
/// the publisher's process ends.
async fn send(publication: &mut Publication, mut stream: TcpStream, patience: Duration) -> bool {
    publication.connected();
    let (mut unread, mut octets) = (Vec::new(), [0; 64]);
    loop {
        let now = Instant::now();
        if publication.is_stopped(now, patience) {
            return false;
        }
        for frame in publication.send(now) {
            if !matches!(timeout(PATIENCE, stream.write_all(&frame.encode())).await, Ok(Ok(()))) {
                return false;
            }
        }
        if publication.is_done(now) {
            leave(stream).await;
            return true;
        }
        match timeout(CYCLE, stream.read(&mut octets)).await {
            Err(_) => continue,
            Ok(Ok(count)) if count > 0 => unread.extend_from_slice(&octets[..count]),
            Ok(_) => return false,
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
    let mut octets = [0; 64];
    // Fails if the connection is gone already.
    let _ = stream.shutdown().await;
    while matches!(timeout(PATIENCE, stream.read(&mut octets)).await, Ok(Ok(1..))) {}
}
