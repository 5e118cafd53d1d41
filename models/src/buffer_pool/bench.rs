//! The workbench: an engine with clients.
//!
//! [`run`] carries a [`Plan`] out from start to end: it starts the engine and the clients, does the faults from the
//! main task, waits for the clients and for what handlers have left behind, and stops the engine.

use std::sync::Arc;

use lastref::thread::{Builder, JoinHandle};
use lastref::time::{Duration, sleep};

use super::client;
use super::engine::Engine;
use super::plan::{Fault, Plan};
use super::variant::Variant;

/// Carries the plan out.
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
    // The main task is the first client if it has nothing else to do: exhaustive exploration has few threads.
    let own = plan.faults.is_empty() && !plan.clients.is_empty();
    let others: Vec<JoinHandle<()>> = numbers.skip(usize::from(own)).map(|number| start(&engine, number)).collect();
    if own {
        client::run(&engine, 0);
    }
    for fault in &plan.faults {
        match *fault {
            Fault::Collect => engine.collect(),
            Fault::Pause(ms) => sleep(Duration::from_millis(ms)),
            Fault::Stop => engine.stop(),
        }
    }
    others.into_iter().for_each(JoinHandle::join);
    engine.join_goroutines();
    if !plan.faults.contains(&Fault::Stop) {
        engine.stop();
    }
}

fn start(engine: &Arc<Engine>, number: u32) -> JoinHandle<()> {
    let engine = Arc::clone(engine);
    Builder::new().name(format!("client.{number}")).spawn(move || client::run(&engine, number))
}
