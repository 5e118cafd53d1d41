//! The application: an engine and its clients, in memory or on hosts of the simulated network.
//!
//! Either way, the main task starts the engine and the clients, executes the acts, waits for the clients and for the
//! goroutines that handlers started, and stops the engine.

pub(super) mod client;

use std::sync::Arc;

use lastref::net::{Decoder, thread_on};
use lastref::property::sometimes;
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::engine::Engine;
use super::network::{self, PORT};
use super::plan::{Act, NetPlan, Plan};
use super::variant::Variant;
use crate::kit::harness::{Tasks, bind};
use crate::kit::http1::Http;
use crate::kit::weather::CLIENTS;

/// Runs the plan in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let engine = Engine::start(variant, plan);
    let numbers = 0..u32::try_from(plan.clients.len()).unwrap_or(u32::MAX);
    if plan.in_turn {
        for number in numbers {
            client::run(&engine, number);
            engine.join_goroutines();
        }
        return engine.stop();
    }
    // Without acts, the main task runs the first client: exhaustive exploration allows few threads.
    let own = plan.acts.is_empty() && !plan.clients.is_empty();
    let others = numbers.skip(usize::from(own)).map(|number| {
        let engine = Arc::clone(&engine);
        thread_on(None, &format!("client.{number}"), move || client::run(&engine, number))
    });
    let others: Vec<JoinHandle<()>> = others.collect();
    if own {
        client::run(&engine, 0);
    }
    act(&engine, plan);
    others.into_iter().for_each(JoinHandle::join);
    end(&engine, plan);
}

/// Runs the plan on a simulated network; the engine and each client have their own host.
pub fn run_on_network(variant: Variant, net_plan: &NetPlan) {
    let (plan, weather) = (&net_plan.plan, &net_plan.weather);
    weather.simulate("server", &CLIENTS[..plan.clients.len()], Decoder::Own(Http::of), |hosts| {
        let listener = bind(hosts.middle, PORT);
        let engine = Engine::start_on(variant, plan, Some(hosts.middle));
        let clients = hosts.peers.iter().map(|host| host.address(0).ip()).collect();
        let carriers = Arc::<Tasks>::default();
        let accept = network::accept(Arc::clone(&engine), hosts.middle, listener, clients, Arc::clone(&carriers));
        engine.kernel.accepts_by(hosts.middle.spawn("accept", accept));
        let start = |number: usize| {
            let client = network::client(net_plan.clone(), number as u32, hosts.middle.address(PORT));
            hosts.peers[number].spawn("client", client)
        };
        let clients = Tasks::default();
        for number in 0..hosts.peers.len() {
            clients.push(start(number));
            if plan.in_turn {
                clients.join();
                engine.join_goroutines();
            }
        }
        hosts.pass(&weather.events, |number| {
            sometimes("a client restarts after a crash of its host", true);
            clients.push(start(number));
        });
        act(&engine, plan);
        clients.join();
        end(&engine, plan);
        // They have sent everything and closed once the engine has stopped.
        carriers.join();
    });
}

fn act(engine: &Arc<Engine>, plan: &Plan) {
    for act in &plan.acts {
        match *act {
            Act::Collect => engine.collect(),
            Act::Pause(ms) => sleep(Duration::from_millis(ms)),
            Act::Stop => engine.stop(),
        }
    }
}

/// Waits for the handlers' goroutines, then stops the engine unless an act has stopped it.
fn end(engine: &Arc<Engine>, plan: &Plan) {
    engine.join_goroutines();
    if !plan.acts.contains(&Act::Stop) {
        engine.stop();
    }
}
