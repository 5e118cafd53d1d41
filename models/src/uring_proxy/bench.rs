//! The workbench: clients, the proxy, a server, and the network between them.
//!
//! [`run`] carries a [`Plan`] out from start to end. Tasks: `kernel`, `parent`, one `conn.N` and one `client.N` per
//! connection, `server`, and the main task, which does the faults. For exhaustive exploration all but the connections
//! run in turn on the main task, which leaves two for one connection.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use lastref::property::always_with;
use lastref::thread::Builder;
use lastref::time::{Duration, sleep};

use super::client::{Client, Manner, Score, Scores};
use super::kernel::Kernel;
use super::kernel::net::Progress;
use super::parent::Parent;
use super::plan::{Fault, Plan, ServerFault};
use super::server::Server;
use super::variant::Variant;

/// Carries the plan out.
pub fn run(variant: Variant, plan: &Plan) {
    let bench = Bench::open(variant, plan);
    let scores = Arc::clone(&bench.scores);
    if plan.two_tasks {
        bench.run_in_turn(plan)
    } else {
        bench.run_as_tasks(plan)
    }
    check_whole(plan, &scores);
}

struct Bench {
    kernel: Arc<Kernel>,
    parent: Parent,
    clients: Vec<Client>,
    server: Server,
    scores: Scores,
}

impl Bench {
    fn open(variant: Variant, plan: &Plan) -> Bench {
        let options = plan.options.settled();
        let kernel = Kernel::new(plan.window);
        let (proxy, upstream) = (kernel.listen(), kernel.listen());
        if plan.server == ServerFault::Refuses {
            kernel.refuse(upstream);
        }
        let manner = Manner { lossless: plan.is_lossless(), bidi: options.bidi };
        let scores = Score::new(plan.clients.len());
        let clients = plan.clients.iter().zip(0_u32..);
        let clients = clients.map(|(steps, number)| Client::new(number, steps, proxy, manner, &scores)).collect();
        let server = Server::new(upstream, plan.server, manner, &scores);
        let parent = Parent::new(variant, options, &kernel, [proxy, upstream]);
        Bench { kernel, parent, clients, server, scores }
    }

    fn run_as_tasks(self, plan: &Plan) {
        let Bench { kernel, parent, clients, mut server, .. } = self;
        let (orders, ring) = parent.orders();
        let closing = server.closing();
        let at = Arc::clone(&kernel);
        let kernel_task = Builder::new().name("kernel").spawn(move || at.run());
        let parent_task = Builder::new().name("parent").spawn(move || parent.run());
        let at = Arc::clone(&kernel);
        let server_task = Builder::new().name("server").spawn(move || at.drive(|net| server.step(net)));
        let clients = clients.into_iter().zip(0..).map(|(mut client, number)| {
            let at = Arc::clone(&kernel);
            let name = format!("client.{number}");
            Builder::new().name(name).spawn(move || at.drive(|net| client.step(net)))
        });
        let clients: Vec<_> = clients.collect();
        for fault in &plan.faults {
            match *fault {
                Fault::Pause(ms) => sleep(Duration::from_millis(ms)),
                Fault::StopAll => {
                    orders.stop_all.store(true, Ordering::Relaxed);
                    kernel.call(ring);
                }
            }
        }
        clients.into_iter().for_each(|client| client.join());
        orders.quit.store(true, Ordering::Relaxed);
        kernel.call(ring);
        parent_task.join();
        closing.store(true, Ordering::Relaxed);
        kernel.call_programs();
        server_task.join();
        kernel.stop();
        kernel_task.join();
    }

    fn run_in_turn(self, plan: &Plan) {
        let Bench { kernel, mut parent, mut clients, mut server, .. } = self;
        let (orders, _) = parent.orders();
        let closing = server.closing();
        orders.stop_all.store(plan.faults.contains(&Fault::StopAll), Ordering::Relaxed);
        loop {
            parent.turn_once();
            clients.retain_mut(|client| kernel.step(&mut |net| client.step(net)) != Progress::Done);
            orders.quit.store(clients.is_empty(), Ordering::Relaxed);
            kernel.step(&mut |net| server.step(net));
            while kernel.pump() {}
            if parent.is_over() {
                break;
            }
            kernel.wait_for_work(parent.ring());
        }
        parent.exit();
        closing.store(true, Ordering::Relaxed);
        while kernel.pump() || kernel.step(&mut |net| server.step(net)) != Progress::Done {}
    }
}

/// Nothing was done on purpose that loses bytes: what clients have sent has arrived.
fn check_whole(plan: &Plan, scores: &Scores) {
    if !plan.is_lossless() {
        return;
    }
    let scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
    for client in 0..plan.clients.len() as u32 {
        let (sent, arrived) = scores.totals(client);
        always_with("what came before the end is forwarded", sent == arrived, || {
            vec![("sent", sent.to_string()), ("arrived", arrived.to_string())]
        });
    }
}
