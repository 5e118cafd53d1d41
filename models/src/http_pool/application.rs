//! The application: an HTTP client, its callers with their requests, and their shutdown.
//!
//! The main task cancels requests, at a time that the schedule chooses. In a run without cancels and without a network,
//! the main task is the first caller, since exhaustive exploration allows few threads.

use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::net::{Decoder, Host, thread_on};
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant, sleep};

use super::client::{Client, Outcome};
use super::conn::Ver;
use super::mailbox::Mailbox;
use super::network::Net;
use super::plan::{Ending, NetPlan, Plan, PlannedRequest};
use super::pool::Pool;
use super::variant::Variant;
use crate::kit::http1::Http;
use crate::kit::server::{self, Peers, Server};

/// The largest total delay, in milliseconds, of a network that still counts as fair.
const CALM_MS: u64 = 50;
/// On a network, the timeout of a request without its own: longer than a write takes to fail in a blackhole.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the plan, with servers in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let application = Application::open(variant, plan, Peers::Scripts(plan.backends.clone()), plan.is_sound());
    application.work(None, || ());
    application.close();
}

/// Runs the plan on a simulated network; the client and its server have a host each.
pub fn run_on_network(variant: Variant, NetPlan { plan, weather, accept_ms }: &NetPlan) {
    let (protocol, decoder) = match plan.ver {
        Ver::Http1 => (server::Protocol::Http1, Decoder::Own(Http::of)),
        Ver::Http2 => (server::Protocol::Http2, Decoder::Http2),
    };
    weather.simulate("client", &["server"], decoder, |hosts| {
        let accept_takes = Duration::from_millis(*accept_ms);
        let server = Server::start(hosts.peers[0], protocol, plan.backends.clone(), accept_takes);
        let is_fair = weather.is_fair(CALM_MS, plan.callers.len() + 1) && *accept_ms == 0;
        let peers = Peers::Server(hosts.middle, Arc::clone(&server));
        let application = Application::open(variant, plan, peers, plan.is_sound() && is_fair);
        application.work(Some(hosts.middle), || hosts.pass(&weather.events, |_| server.listen()));
        hosts.network.heal();
        application.close();
        server.hang_up();
    });
}

struct Application {
    client: Arc<Client>,
    /// The requests of each caller.
    callers: Vec<Vec<(PlannedRequest, Arc<Mailbox>)>>,
    is_sound: bool,
}

impl Application {
    fn open(variant: Variant, plan: &Plan, peers: Peers, is_sound: bool) -> Application {
        let pool = Pool::new(variant, plan.max_idle, plan.idle_timeout_ms.map(Duration::from_millis));
        let client = Arc::new(Client { variant, ver: plan.ver, pool, net: Net::new(peers) });
        let mut numbers = 0..;
        let mut request = |ask: &PlannedRequest| (*ask, Arc::new(Mailbox::new(numbers.next().unwrap_or(u32::MAX))));
        let callers = plan.callers.iter().map(|asks| asks.iter().map(&mut request).collect());
        Application { client, callers: callers.collect(), is_sound }
    }

    /// Makes every request and waits for the last to end; runs `meanwhile` on the main task.
    fn work(&self, host: Option<Host>, meanwhile: impl FnOnce()) {
        let asks = || self.callers.iter().flatten();
        let is_free = host.is_none() && asks().all(|(ask, _)| ask.ending != Ending::Cancel);
        let mut callers = self.callers.iter().zip(0..).map(|(asks, peer)| {
            let (client, asks) = (Arc::clone(&self.client), asks.clone());
            Caller { client, asks, peer, host, is_sound: self.is_sound }
        });
        let own = if is_free { callers.next() } else { None };
        let others: Vec<JoinHandle<()>> = callers.map(Caller::start).collect();
        own.into_iter().for_each(Caller::make);
        asks().filter(|(ask, _)| ask.ending == Ending::Cancel).for_each(|(_, mailbox)| mailbox.cancel());
        meanwhile();
        others.into_iter().for_each(JoinHandle::join);
    }

    fn close(self) {
        self.client.pool.check_at_rest();
        self.client.pool.close();
        self.client.net.end();
    }
}

/// A thread of the application.
struct Caller {
    client: Arc<Client>,
    asks: Vec<(PlannedRequest, Arc<Mailbox>)>,
    peer: u32,
    host: Option<Host>,
    is_sound: bool,
}

impl Caller {
    fn start(self) -> JoinHandle<()> {
        thread_on(self.host, &format!("caller.{}", self.peer), move || self.make())
    }

    fn make(self) {
        for ((ask, mailbox), request) in self.asks.iter().zip(0..) {
            if ask.after_ms > 0 {
                sleep(Duration::from_millis(ask.after_ms));
            }
            let patience = match ask.ending {
                Ending::Timeout(ms) => Some(Duration::from_millis(ms)),
                Ending::Wait | Ending::Cancel => self.host.map(|_| PATIENCE),
            };
            let deadline = patience.map(|patience| Instant::now() + patience);
            let outcome = self.client.send_request(ask.address, Tag { peer: self.peer, request }, mailbox, deadline);
            self.judge(*ask, outcome);
        }
    }

    fn judge(&self, ask: PlannedRequest, outcome: Outcome) {
        sometimes("a request is answered", outcome == Outcome::Answered);
        sometimes("a request fails because its connection has ended", outcome == Outcome::Incomplete);
        if self.is_sound && ask.ending == Ending::Wait {
            always("a request is answered on a network without faults", outcome == Outcome::Answered);
        }
    }
}
