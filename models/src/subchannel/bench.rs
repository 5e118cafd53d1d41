//! The workbench: channels to a few servers, with callers.
//!
//! [`run`] carries a [`Plan`] out from start to end: it opens, starts the callers as tasks, does the faults from the
//! main task, joins, and tears down. A scenario that needs another order of things uses the parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::net::thread_on;
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant, sleep};

use super::client_channel::ClientChannel;
use super::exec_ctx::ExecCtx;
use super::library::Grpc;
use super::plan::{Fault, Plan, Teardown};
use super::pool::SubchannelKey;
use super::status::Status;
use super::variant::Variant;

/// Carries the plan out.
pub fn run(variant: Variant, plan: &Plan) {
    let bench = Bench::open(variant, plan);
    let callers = bench.start_callers();
    bench.inject(&callers);
    bench.close(callers);
}

/// What may be expected of a plan because of what does not go wrong in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Every call is answered.
    pub(super) answers: bool,
    /// At rest both ends of the network count the same sockets.
    pub(super) same_sockets: bool,
}

/// Channels, and the library that they are made with.
#[derive(Debug)]
pub struct Bench {
    plan: Plan,
    grpc: Arc<Grpc>,
    channels: Vec<Arc<ClientChannel>>,
    expected: Expected,
    /// Which of them are destroyed. Touched by the main task alone; a `std` lock because the bench is shared by
    /// reference.
    destroyed: std::sync::Mutex<BTreeSet<usize>>,
}

fn keys(addresses: &[u32], args: u32) -> Vec<SubchannelKey> {
    addresses.iter().map(|&address| SubchannelKey { address, args }).collect()
}

/// Waits for the ends of tasks, for so long at most.
fn await_ends(tasks: &[JoinHandle<()>], most: Duration) {
    let end = Instant::now() + most;
    let mut pause = Duration::from_millis(5);
    while tasks.iter().any(|task| !task.is_finished()) && Instant::now() < end {
        sleep(pause);
        pause = (2 * pause).min(end.saturating_duration_since(Instant::now()));
    }
}

impl Bench {
    /// Opens what the plan asks for.
    pub fn open(variant: Variant, plan: &Plan) -> Bench {
        let grpc = Grpc::init(variant, plan.threads, plan.backends.clone(), plan.room);
        Bench::with(&grpc, plan, Expected::default())
    }

    /// Opens the plan's channels.
    pub(super) fn with(grpc: &Arc<Grpc>, plan: &Plan, expected: Expected) -> Bench {
        let keepalive_time = plan.keepalive_ms.map(Duration::from_millis);
        let channels = plan.channels.iter().map(|channel| {
            let chand = ClientChannel::open(grpc, channel.policy, keepalive_time);
            ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys(&channel.addresses, 0)));
            chand
        });
        let channels = channels.collect();
        let destroyed = std::sync::Mutex::default();
        Bench { plan: plan.clone(), grpc: Arc::clone(grpc), channels, expected, destroyed }
    }

    /// The channel in that place, unless it is destroyed.
    fn channel(&self, place: usize) -> Option<&Arc<ClientChannel>> {
        let is_destroyed = self.destroyed.lock().is_ok_and(|destroyed| destroyed.contains(&place));
        self.channels.get(place).filter(|_| !is_destroyed)
    }

    /// The channel in that place, which is its taker's to destroy.
    fn take(&self, place: usize) -> Option<&Arc<ClientChannel>> {
        let is_first = self.destroyed.lock().is_ok_and(|mut destroyed| destroyed.insert(place));
        self.channels.get(place).filter(|_| is_first)
    }

    /// One task per caller.
    pub fn start_callers(&self) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        for (chand, plan) in self.channels.iter().zip(&self.plan.channels) {
            for calls in &plan.callers {
                let (chand, calls, peer) = (Arc::clone(chand), calls.clone(), tasks.len() as u32);
                let must_be_answered = self.expected.answers;
                chand.create_stub(peer);
                tasks.push(thread_on(self.grpc.host, &format!("caller.{peer}"), move || {
                    for (call, request) in calls.into_iter().zip(0..) {
                        let status = chand.call(call, Tag { peer, request });
                        let is_right = !must_be_answered || status == Status::Ok;
                        always("a call is answered where nothing goes wrong", is_right);
                    }
                    chand.drop_stub(peer);
                }));
            }
        }
        tasks
    }

    /// Does the plan's faults, one after the other.
    pub fn inject(&self, callers: &[JoinHandle<()>]) {
        self.perform(&self.plan.faults, callers);
    }

    /// Does these, one after the other.
    pub(super) fn perform(&self, faults: &[Fault], callers: &[JoinHandle<()>]) {
        for fault in faults {
            match fault {
                Fault::Pause(ms) => sleep(Duration::from_millis(*ms)),
                Fault::Calls(ms) => await_ends(callers, Duration::from_millis(*ms)),
                Fault::HangUp => self.grpc.hang_up(),
                Fault::Update { channel, addresses, args } => {
                    if let Some(chand) = self.channel(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys(addresses, *args)));
                    }
                }
                Fault::ResetBackoff(channel) => {
                    if let Some(chand) = self.channel(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.reset_connect_backoff(exec_ctx));
                    }
                }
                Fault::Destroy(channel) => {
                    if let Some(chand) = self.take(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
                    }
                }
            }
        }
    }

    /// Waits until nothing happens any more, and checks what must hold then.
    pub fn rest(&self) {
        let channels: Vec<_> = (0..self.channels.len()).filter_map(|place| self.channel(place)).collect();
        self.grpc.at_rest(|| {
            channels.iter().for_each(|chand| chand.check_at_rest());
            self.grpc.pool.registered().iter().for_each(|subchannel| subchannel.check_at_rest());
            self.count_sockets();
            sometimes("everything comes to rest", true);
        });
    }

    /// Compares what both ends have, if nothing kept one of them from hearing of the other. Returns the client's
    /// number.
    fn count_sockets(&self) -> usize {
        let open = self.grpc.network.open();
        if let Some(at_servers) = self.grpc.network.open_at_servers().filter(|_| self.expected.same_sockets) {
            always("both ends of a network have the same sockets at rest", open == at_servers);
            sometimes("both ends count two sockets", open == 2);
        }
        open
    }

    /// Tears everything down as the plan says.
    pub fn close(&self, callers: Vec<JoinHandle<()>>) {
        let mut tasks = callers;
        if matches!(self.plan.teardown, Teardown::AtRest | Teardown::Drained) {
            std::mem::take(&mut tasks).into_iter().for_each(JoinHandle::join);
            if self.plan.teardown == Teardown::AtRest {
                self.rest();
            }
        }
        for chand in (0..self.channels.len()).filter_map(|place| self.take(place)) {
            if self.plan.teardown == Teardown::AllAtOnce {
                let chand = Arc::clone(chand);
                let destroyer = move || ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
                tasks.push(thread_on(self.grpc.host, "destroyer", destroyer));
            } else {
                ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
            }
        }
        if self.plan.teardown == Teardown::Drained {
            let open = self.grpc.at_rest(|| self.count_sockets());
            always("no descriptor is open when every channel is destroyed and nothing happens any more", open == 0);
        }
        // A call that is under way goes on without its channel, until its server ends.
        self.grpc.hang_up();
        tasks.into_iter().for_each(JoinHandle::join);
        self.channels.iter().for_each(|chand| chand.wait_destroyed());
        self.grpc.shutdown();
    }
}
