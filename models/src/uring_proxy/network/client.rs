//! A client: connections one after the other, each with bursts of requests, like memtier's pipelines.
//!
//! It waits with a timeout, since a connection may be blackholed. Without such faults the timeout must never expire: a
//! client gets its replies, or the end of its connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use lastref::net::{TcpStream, sleep, timeout};
use lastref::property::{always, sometimes};
use lastref::time::Duration;

use super::duplex::{Duplex, Step};
use super::resp::{Replies, get, payload, ping};
use crate::uring_proxy::application::score::Score;
use crate::uring_proxy::plan::{Burst, Ending, NetPlan, Options, Visit};

/// A client's timeout: longer than the slowest reply, and shorter than the server's idle timeout, so that a stall is
/// not mistaken for the server's close of an idle connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// Timeout for the peer to end the connection.
const LINGERS: Duration = Duration::from_secs(10);
/// Size of a read in bytes.
const PIECE: usize = 512;
/// Maximum number of connections of one client.
const VISITS: u32 = 8;

/// One connection of a client.
struct Session<'a> {
    plan: &'a NetPlan,
    score: &'a Score,
    stream: u32,
    duplex: Duplex,
    replies: Replies,
    asked: u64,
}

/// The result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    /// Every request is answered.
    Answered,
    /// The client has seen the end of the connection.
    Over,
    /// The timeout expired.
    Vain,
}

/// Runs one client.
pub(crate) async fn run(plan: NetPlan, number: u32, proxy: SocketAddr, score: Arc<Score>) {
    let Some(visits) = plan.clients.get(number as usize) else { return };
    for (visit, nth) in visits.iter().zip(number * VISITS..) {
        sleep(Duration::from_millis(u64::from(visit.wait_ms))).await;
        match timeout(PATIENCE, TcpStream::connect(proxy)).await {
            Ok(Ok(stream)) => {
                let (duplex, replies) = (Duplex::new(stream, PIECE), Replies::new(nth));
                Session { plan: &plan, score: &score, stream: nth, duplex, replies, asked: 0 }.run(visit).await;
            }
            Ok(Err(error)) => {
                sometimes("a client is refused", error.kind() == io::ErrorKind::ConnectionRefused);
                judge(&plan, Went::Over);
            }
            Err(_) => judge(&plan, Went::Vain),
        }
    }
}

/// A client with well-behaved peers must get its replies; every other client must at least see the end of its
/// connection.
fn judge(plan: &NetPlan, went: Went) {
    if plan.is_lossless() {
        always("a client that waits gets its replies", went == Went::Answered);
    }
    told(plan, went);
}

fn told(plan: &NetPlan, went: Went) {
    always("a client gets its replies or sees the end of its connection", went != Went::Vain || plan.is_silent());
    sometimes("a client times out", went == Went::Vain);
}

impl Session<'_> {
    async fn run(mut self, visit: &Visit) {
        for (burst, nth) in visit.bursts.iter().zip(1..) {
            self.ask(burst);
            let is_last = nth == visit.bursts.len();
            let went = match (visit.ending, is_last) {
                (Ending::Drop, true) => self.until(|it| it.duplex.is_sent(), PATIENCE).await,
                _ => self.answered().await,
            };
            judge(self.plan, went);
            sometimes("ten and more requests are in flight and answered", burst.pings >= 10 && went == Went::Answered);
            if went != Went::Answered {
                sometimes("a connection ends with requests unanswered", went == Went::Over);
                return;
            }
            if !is_last || visit.ending == Ending::HalfClose {
                self.idle(burst.idle_ms).await;
            }
        }
        match visit.ending {
            Ending::Drop => sometimes("a client leaves with requests under way", true),
            // If the proxy does not read from the server, it does not notice the server's FIN either.
            Ending::Linger if self.plan.options.bidi => told(self.plan, self.until(|_| false, LINGERS).await),
            Ending::HalfClose | Ending::Linger => {
                self.duplex.half_close().await;
                told(self.plan, self.until(|_| false, PATIENCE).await);
            }
        }
    }

    fn ask(&mut self, burst: &Burst) {
        for _ in 0..burst.pings {
            let payload = payload(self.stream, self.asked, burst.bytes);
            self.duplex.send(&match burst.is_get {
                true => get(self.stream, self.asked, burst.bytes),
                false => ping(&payload),
            });
            if self.plan.options.bidi {
                self.replies.expect(self.asked, &payload);
            }
            self.asked += 1;
        }
        self.score.sent(self.stream, self.asked);
    }

    /// Makes one step, within the timeout `patience`.
    async fn step(&mut self, patience: Duration) -> Result<(), Went> {
        match timeout(patience, self.duplex.step()).await {
            Err(_) => Err(Went::Vain),
            Ok(Ok(Step::End)) => Err(Went::Over),
            Ok(Ok(Step::Wrote)) => Ok(()),
            Ok(Ok(Step::Read(bytes))) => {
                self.replies.take(&bytes);
                Ok(())
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                // It cannot send, and may still read.
                self.duplex.give_up();
                Ok(())
            }
            Ok(Err(_)) => Err(Went::Over),
        }
    }

    /// Makes steps until the condition holds, the connection ends, or a step takes longer than `patience`.
    async fn until(&mut self, is_so: impl Fn(&Session<'_>) -> bool, patience: Duration) -> Went {
        while !is_so(self) {
            if let Err(went) = self.step(patience).await {
                return went;
            }
        }
        Went::Answered
    }

    /// Waits for the replies. If the proxy forwards one way only, waits until the server has all requests, if that is
    /// certain: with multishot receives the proxy may hold requests until half of the buffers are full, and it notices
    /// the end of its server only when it sends.
    async fn answered(&mut self) -> Went {
        let replied = self.until(|it| it.duplex.is_sent() && it.replies.are_complete(), PATIENCE).await;
        if replied != Went::Answered {
            return replied;
        }
        let mut waited = Duration::ZERO;
        let Options { bidi, recv_mshot, .. } = self.plan.options;
        let arrives = !bidi && !recv_mshot && self.plan.is_lossless();
        while arrives && !self.score.is_even(self.stream) {
            let glance = Duration::from_millis(20);
            match self.step(glance).await {
                Err(Went::Vain) if waited < PATIENCE => waited += glance,
                Err(went) => return went,
                Ok(()) => {}
            }
        }
        Went::Answered
    }

    /// While no request is pending, only the end of the connection may arrive; the next burst detects it.
    async fn idle(&mut self, ms: u32) {
        if ms > 0 && self.step(Duration::from_millis(u64::from(ms))).await == Err(Went::Over) {
            sometimes("a connection ends while it is idle", true);
        }
    }
}
