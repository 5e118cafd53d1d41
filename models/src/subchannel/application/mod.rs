//! The application: channels to a few servers, with callers.
//!
//! A run opens the channels, starts the callers as tasks, acts from the main task, joins, and tears down. On a
//! simulated network the client is one host and the servers are another; the code from the channel down to the fd is
//! the same, and only the socket of a descriptor differs (`network::connection`).

pub(crate) mod moments;

use std::collections::BTreeSet;
use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::net::{Decoder, thread_on};
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant, sleep};

use crate::kit::harness::Unscheduled;
use crate::kit::server::{Peers, Protocol, Server};
use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::library::Grpc;
use crate::subchannel::plan::{Act, NetPlan, Plan, Teardown};
use crate::subchannel::status::Status;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::variant::Variant;

/// Runs the plan in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let grpc = Grpc::init(variant, plan.threads, plan.backends.clone(), plan.room);
    let application = Application::open(&grpc, plan, Expected::default());
    let callers = application.start_callers();
    application.perform(&plan.acts, &callers);
    application.close(callers);
}

/// Runs the plan on a simulated network, with the client and its servers on a host each.
pub fn run_on_network(variant: Variant, net_plan: &NetPlan) {
    let NetPlan { plan, resolvers, weather, accept_ms } = net_plan;
    weather.simulate("client", &["backend"], Decoder::Http2, |hosts| {
        let accept_takes = Duration::from_millis(*accept_ms);
        let server = Server::start(hosts.peers[0], Protocol::Http2, plan.backends.clone(), accept_takes);
        let grpc = Grpc::among(variant, plan.threads, Peers::Server(hosts.middle, Arc::clone(&server)), plan.room);
        let application = Arc::new(Application::open(&grpc, plan, net_plan.expected()));
        let callers = application.start_callers();
        let resolvers = resolvers.iter().zip(0..).map(|(results, number)| {
            let (application, results) = (Arc::clone(&application), results.clone());
            hosts.middle.thread(&format!("resolver.{number}"), move || application.perform(&results, &[]))
        });
        let resolvers: Vec<JoinHandle<()>> = resolvers.collect();
        hosts.pass(&weather.events, |_| server.listen());
        application.perform(&plan.acts, &callers);
        resolvers.into_iter().for_each(JoinHandle::join);
        application.close(callers);
    });
}

/// The guarantees of a plan that has no faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Every call is answered.
    pub(crate) answers: bool,
    /// At rest both ends of the network count the same sockets.
    pub(crate) same_sockets: bool,
}

/// The channels, and the library that they use.
struct Application {
    plan: Plan,
    grpc: Arc<Grpc>,
    channels: Vec<Arc<ClientChannel>>,
    expected: Expected,
    /// The indices of the destroyed channels.
    destroyed: Unscheduled<BTreeSet<usize>>,
}

fn keys(addresses: &[u32], args: u32) -> Vec<SubchannelKey> {
    addresses.iter().map(|&address| SubchannelKey { address, args }).collect()
}

/// Waits for the ends of tasks, up to a timeout.
fn await_ends(tasks: &[JoinHandle<()>], most: Duration) {
    let end = Instant::now() + most;
    let mut pause = Duration::from_millis(5);
    while tasks.iter().any(|task| !task.is_finished()) && Instant::now() < end {
        sleep(pause);
        pause = (2 * pause).min(end.saturating_duration_since(Instant::now()));
    }
}

impl Application {
    /// Opens the plan's channels.
    fn open(grpc: &Arc<Grpc>, plan: &Plan, expected: Expected) -> Application {
        let keepalive_time = plan.keepalive_ms.map(Duration::from_millis);
        let channels = plan.channels.iter().map(|channel| {
            let chand = ClientChannel::open(grpc, channel.policy, keepalive_time);
            ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys(&channel.addresses, 0)));
            chand
        });
        let channels = channels.collect();
        let (plan, grpc) = (plan.clone(), Arc::clone(grpc));
        Application { plan, grpc, channels, expected, destroyed: Unscheduled::default() }
    }

    /// The channel at that index, unless it is destroyed.
    fn channel(&self, place: usize) -> Option<&Arc<ClientChannel>> {
        let is_destroyed = self.destroyed.lock().contains(&place);
        self.channels.get(place).filter(|_| !is_destroyed)
    }

    /// Takes the channel at that index, which the caller must then destroy.
    fn take(&self, place: usize) -> Option<&Arc<ClientChannel>> {
        let is_first = self.destroyed.lock().insert(place);
        self.channels.get(place).filter(|_| is_first)
    }

    /// One task per caller.
    fn start_callers(&self) -> Vec<JoinHandle<()>> {
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
                        always("a call is answered on a network without faults", is_right);
                    }
                    chand.drop_stub(peer);
                }));
            }
        }
        tasks
    }

    /// Performs these acts in order.
    fn perform(&self, acts: &[Act], callers: &[JoinHandle<()>]) {
        for act in acts {
            match act {
                Act::Pause(ms) => sleep(Duration::from_millis(*ms)),
                Act::Calls(ms) => await_ends(callers, Duration::from_millis(*ms)),
                Act::HangUp => self.grpc.hang_up(),
                Act::Update { channel, addresses, args } => {
                    if let Some(chand) = self.channel(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys(addresses, *args)));
                    }
                }
                Act::ResetBackoff(channel) => {
                    if let Some(chand) = self.channel(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.reset_connect_backoff(exec_ctx));
                    }
                }
                Act::Destroy(channel) => {
                    if let Some(chand) = self.take(*channel) {
                        ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
                    }
                }
            }
        }
    }

    /// Waits for quiescence, and checks the properties that hold then.
    fn rest(&self) {
        let channels: Vec<_> = (0..self.channels.len()).filter_map(|place| self.channel(place)).collect();
        self.grpc.at_rest(|| {
            channels.iter().for_each(|chand| chand.check_at_rest());
            self.grpc.pool.registered().iter().for_each(|subchannel| subchannel.check_at_rest());
            self.count_sockets();
            sometimes("everything comes to rest", true);
        });
    }

    /// Compares the numbers of open sockets at both ends, unless a fault hid a close from one end. Returns the client's
    /// number.
    fn count_sockets(&self) -> usize {
        let open = self.grpc.network.open();
        if let Some(at_servers) = self.grpc.network.open_at_servers().filter(|_| self.expected.same_sockets) {
            always("both ends of the network count the same sockets at quiescence", open == at_servers);
            sometimes("both ends count two sockets", open == 2);
        }
        open
    }

    /// Tears everything down as the plan says.
    fn close(&self, callers: Vec<JoinHandle<()>>) {
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
            always("no descriptor is open at quiescence after every channel is destroyed", open == 0);
        }
        // A call in progress continues without its channel, until its server ends.
        self.grpc.hang_up();
        tasks.into_iter().for_each(JoinHandle::join);
        self.channels.iter().for_each(|chand| chand.wait_destroyed());
        self.grpc.shutdown();
    }
}
