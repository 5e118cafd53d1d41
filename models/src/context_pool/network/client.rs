//! Clients of a rep socket that are not NNG: they send several requests at a time on one connection, with their own
//! backtraces, and may disconnect before the replies.
//!
//! Every reply must carry the backtrace of a request that this client has made on this connection, and the tag of that
//! request behind it.

use std::net::SocketAddr;

use lastref::ledger::{Tag, deliver};
use lastref::net::{TcpStream, sleep, timeout};
use lastref::property::{always, sometimes};
use lastref::time::Duration;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::dialer::connect;
use super::wire::{self, Unread};
use crate::context_pool::message;
use crate::context_pool::plan::PAUSE_MS;

/// Timeout of a reply: longer than the slowest reply takes.
const PATIENCE: Duration = Duration::from_secs(2);

lastref::plans! {
    /// One step of a client.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Step {
        /// Sends this many requests at once, each with this many hops before its id.
        Ask {
            /// The number of requests.
            requests: u32 where 0..=8,
            /// Words before the id: the peer drops a request with more than seven.
            hops: u32 where 0..=16,
        },
        /// Reads replies until every request has one.
        Read,
        /// Does nothing for this many milliseconds.
        Pause(ms: u64 where PAUSE_MS),
        /// Sends a message that ends before its backtrace does.
        Malformed,
        /// Sends FIN, and continues to read.
        HalfClose,
        /// Drops the connection, even with requests in flight, and opens another.
        Leave,
    }
}

/// The most words before an id that the peer accepts.
const HOPS_MAX: u32 = 7;

/// One connection of a client.
struct Session {
    number: u32,
    stream: TcpStream,
    unread: Unread,
    /// The backtraces of requests without a reply, and their tags.
    open: Vec<(Vec<u32>, Tag)>,
    asked: u64,
    /// True on a network without faults.
    is_sound: bool,
}

/// Runs one client.
pub(crate) async fn run(steps: Vec<Step>, number: u32, server: SocketAddr, is_sound: bool) {
    let mut asked = 0;
    for steps in steps.split_inclusive(|step| *step == Step::Leave) {
        let Some(stream) = connect(server, (wire::REQ0, wire::REP0)).await else { continue };
        let mut session = Session { number, stream, unread: Unread::default(), open: Vec::new(), asked, is_sound };
        for step in steps {
            if session.step(*step).await.is_none() {
                sometimes("a client's connection ends before its requests do", true);
                break;
            }
        }
        asked = session.asked;
    }
}

impl Session {
    async fn step(&mut self, step: Step) -> Option<()> {
        match step {
            Step::Ask { requests, hops } => {
                let mut octets = Vec::new();
                for _ in 0..requests {
                    octets.extend(self.request(hops));
                }
                self.write(&octets).await
            }
            Step::Read => {
                while !self.open.is_empty() {
                    let replied = self.reply().await;
                    always("a client is answered on a network without faults", replied.is_some() || !self.is_sound);
                    replied?;
                }
                Some(())
            }
            Step::Pause(ms) => {
                sleep(Duration::from_millis(ms)).await;
                Some(())
            }
            Step::Malformed => {
                self.is_sound = false;
                self.write(&wire::message(&[1])).await
            }
            Step::HalfClose => {
                self.is_sound = false;
                timeout(PATIENCE, self.stream.shutdown()).await.ok()?.ok()
            }
            Step::Leave => None,
        }
    }

    fn request(&mut self, hops: u32) -> Vec<u8> {
        let tag = Tag { peer: self.number, request: self.asked };
        self.asked += 1;
        let id = wire::LAST | (self.number << 16) | u32::try_from(self.asked).unwrap_or(0);
        let trace: Vec<u32> = (1..=hops).chain([id]).collect();
        let words = [&trace[..], &message::words(tag)].concat();
        if hops <= HOPS_MAX {
            self.open.push((trace, tag));
        }
        wire::message(&words)
    }

    async fn write(&mut self, octets: &[u8]) -> Option<()> {
        timeout(PATIENCE, self.stream.write_all(octets)).await.ok()?.ok()
    }

    /// Reads one reply.
    async fn reply(&mut self) -> Option<()> {
        let words = loop {
            if let Some(words) = self.unread.message() {
                break words;
            }
            let read = timeout(PATIENCE, self.unread.read(&mut self.stream)).await.ok()?.ok()?;
            (read > 0).then_some(())?;
        };
        let reply = wire::read(&words);
        always("a reply to a client has a backtrace and a tag", reply.is_some());
        let (trace, tag) = reply?;
        let place = self.open.iter().position(|(open, _)| *open == trace);
        always("a reply answers a request of its connection, once", place.is_some());
        let (_, asked) = self.open.remove(place?);
        deliver(tag, asked);
        sometimes("a client is answered", true);
        Some(())
    }
}
