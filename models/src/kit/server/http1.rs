//! One connection of the server over HTTP/1.1.

use std::future::pending;
use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::net::{End, TcpStream, sleep};
use lastref::note;
use lastref::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Step;
use crate::kit::http1::{answer, take};

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, _socket: Arc<()>, steps: Vec<Step>) {
    let mut session = Session { stream, unread: Vec::new(), taken: Vec::new() };
    if session.play(&steps).await.is_some() {
        while session.take(1).await.is_some() && session.answer().await.is_some() {}
    }
}

/// A connection; each method returns `None` once the connection has ended.
struct Session {
    stream: TcpStream,
    unread: Vec<u8>,
    taken: Vec<Tag>,
}

impl Session {
    async fn play(&mut self, steps: &[Step]) -> Option<()> {
        for step in steps {
            note!("backend: {step:?}");
            match *step {
                Step::Settings | Step::Goaway(_) => {}
                Step::Pause(ms) => sleep(Duration::from_millis(ms)).await,
                Step::Take(requests) => self.take(requests as usize).await?,
                Step::Answer => self.answer().await?,
                Step::Fin | Step::Rst | Step::Refuse | Step::Ignore => return None,
                Step::Stall => pending().await,
            }
        }
        self.answer().await
    }

    /// Reads until this many requests are unanswered.
    async fn take(&mut self, requests: usize) -> Option<()> {
        while self.taken.len() < requests {
            if let Some(tag) = take(End::Client, &mut self.unread) {
                self.taken.push(tag);
                continue;
            }
            let mut bytes = [0; 256];
            let count = self.stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
            self.unread.extend_from_slice(&bytes[..count]);
        }
        Some(())
    }

    async fn answer(&mut self) -> Option<()> {
        for tag in std::mem::take(&mut self.taken) {
            self.stream.write_all(&answer(tag)).await.ok()?;
        }
        Some(())
    }
}
