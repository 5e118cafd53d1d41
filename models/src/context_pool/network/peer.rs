//! A server other than NNG, with a scripted action (`Habit`) for each request.
//!
//! A rep socket may answer a resent request twice; a device in between may drop or delay messages, or close
//! connections. SP guarantees only that a reply carries the id of its request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lastref::net::{Host, TcpListener, TcpStream, sleep, timeout};
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PORT;
use super::dialer::greet;
use super::wire::{self, Unread};
use crate::context_pool::plan::PAUSE_MS;
use crate::kit::harness::install;

/// Idle timeout of a connection.
const IDLE: Duration = Duration::from_secs(2);

lastref::plans! {
    /// Its action on one request.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Habit {
        /// Replies.
        Reply,
        /// Replies this many times.
        Again(times: u32 where 0..=4),
        /// Replies this many milliseconds later, and serves other requests meanwhile.
        Late(ms: u64 where PAUSE_MS),
        /// Does not reply.
        Ignore,
        /// Closes the connection in place of a reply.
        Hangup,
        /// Replies and closes the connection.
        ReplyAndHangup,
        /// Sends a reply to a request that does not exist, and then the right one.
        Stranger,
        /// Sends a message of this many bytes that is not a reply.
        Malformed(bytes: u32 where 0..=3),
        /// Sends the length of a message of a gigabyte.
        Oversize,
    }
}

impl Habit {
    /// True if the requester gets its reply in the end, and the connection stays open.
    pub(crate) fn replies(self) -> bool {
        matches!(self, Habit::Reply | Habit::Again(_) | Habit::Late(_) | Habit::Stranger)
    }
}

/// Its greeting on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Greeting {
    /// The greeting of rep0.
    Rep,
    /// The greeting of pub0, another protocol of SP.
    Pub,
    /// The first bytes of an HTTP server.
    Http,
    /// Nothing.
    Silence,
}

impl Greeting {
    /// `NNI_PROTO(2, 0)`.
    const PUB0: u16 = 0x20;

    /// Exchanges greetings; `None` if the connection ends there.
    async fn greet(self, mut stream: TcpStream) -> Option<TcpStream> {
        let greeting = match self {
            Greeting::Rep => return greet(stream, (wire::REP0, wire::REQ0)).await,
            Greeting::Pub => wire::greeting(Greeting::PUB0),
            Greeting::Http => *b"HTTP/1.1",
            Greeting::Silence => {
                sleep(IDLE).await;
                return None;
            }
        };
        // A server waits for a request first, and so notices the peer's close.
        stream.write_all(&greeting).await.ok()?;
        while timeout(IDLE, stream.read(&mut [0; 64])).await.ok()?.ok()? > 0 {}
        None
    }
}

/// Its process.
#[derive(Debug)]
pub(crate) struct Peer {
    host: Host,
    greetings: Vec<Greeting>,
    habits: Vec<Habit>,
    /// The number of requests that have arrived, over all connections and processes.
    seen: AtomicUsize,
}

impl Peer {
    /// Runs the peer on a host.
    pub(crate) fn start(host: Host, greetings: Vec<Greeting>, habits: Vec<Habit>) {
        let peer = Arc::new(Peer { host, greetings, habits, seen: AtomicUsize::new(0) });
        install(host, PORT, move |listener| Arc::clone(&peer).listen(listener));
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut greetings = self.greetings.clone().into_iter();
        while let Ok((stream, from)) = listener.accept().await {
            let (greeting, peer) = (greetings.next().unwrap_or(Greeting::Rep), Arc::clone(&self));
            self.host.spawn(&format!("serve.{}", from.port()), async move {
                if let Some(stream) = greeting.greet(stream).await {
                    // Any error of the connection ends the service.
                    let _ = Service { peer, stream, unread: Unread::default(), late: Vec::new() }.run().await;
                }
            });
        }
    }

    /// The next habit; the plan's list is repeated from its start.
    fn habit(&self) -> Habit {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        self.habits.get(seen % self.habits.len().max(1)).copied().unwrap_or(Habit::Reply)
    }
}

/// One connection.
struct Service {
    peer: Arc<Peer>,
    stream: TcpStream,
    unread: Unread,
    late: Vec<(Instant, Vec<u32>)>,
}

impl Service {
    async fn run(mut self) -> std::io::Result<()> {
        loop {
            while let Some(request) = self.unread.message() {
                if !self.serve(request).await? {
                    return Ok(());
                }
            }
            let due = self.late.iter().map(|(due, _)| *due).min();
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            match timeout(wait, self.unread.read(&mut self.stream)).await {
                Ok(Ok(0)) => return self.reply_late(true).await,
                Ok(read) => drop(read?),
                Err(_) if due.is_none() => return Ok(()),
                Err(_) => {}
            }
            self.reply_late(false).await?;
        }
    }

    /// Performs the next habit; returns whether the connection continues.
    async fn serve(&mut self, request: Vec<u32>) -> std::io::Result<bool> {
        let reply = wire::message(&request);
        match self.peer.habit() {
            Habit::Reply => self.stream.write_all(&reply).await?,
            Habit::Again(times) => self.stream.write_all(&reply.repeat(times as usize)).await?,
            Habit::Late(ms) => self.late.push((Instant::now() + Duration::from_millis(ms), request)),
            Habit::Ignore => {}
            Habit::Hangup => return Ok(false),
            Habit::ReplyAndHangup => {
                self.stream.write_all(&reply).await?;
                self.stream.shutdown().await?;
                return Ok(false);
            }
            Habit::Stranger => {
                let stranger = wire::message(&[&[u32::MAX], &request[1.min(request.len())..]].concat());
                self.stream.write_all(&[stranger, reply].concat()).await?;
            }
            Habit::Malformed(bytes) => {
                let length = u64::from(bytes.min(3)).to_be_bytes();
                self.stream.write_all(&[&length[..], &[7; 3][..bytes.min(3) as usize]].concat()).await?;
            }
            Habit::Oversize => self.stream.write_all(&(1_u64 << 30).to_be_bytes()).await?,
        }
        Ok(true)
    }

    /// Sends the late replies that are due, or all of them.
    async fn reply_late(&mut self, all: bool) -> std::io::Result<()> {
        let now = Instant::now();
        let (due, late): (Vec<_>, _) =
            std::mem::take(&mut self.late).into_iter().partition(|(due, _)| all || *due <= now);
        self.late = late;
        for (_, request) in due {
            sometimes("a reply is sent late", true);
            self.stream.write_all(&wire::message(&request)).await?;
        }
        Ok(())
    }
}
