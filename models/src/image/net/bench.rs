//! The workbench of the network: a subscriber's host with driver and client, and each publisher on another host.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use lastref::net::{Config, Decoder, Host, Network, Task, TcpListener, simulate};
use lastref::property::{always_with, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant, sleep};

use super::frame;
use super::media_driver::{Desk, MediaDriver};
use super::plan::{Event, NetPlan, PUBLISHERS};
use super::publication_image::Context;
use super::publisher;
use super::sockets::Sockets;
use crate::image::bench::{Bench, World};
use crate::image::driver::Driver;
use crate::image::plan::DriverOp;
use crate::image::shm::{FRAME_LENGTH, FRAMES_MAX};
use crate::image::subscriber::Signals;
use crate::image::variant::Variant;

/// The host of driver and client.
const SUBSCRIBER: &str = "subscriber";
/// The port of the channel.
const PORT: u16 = 40123;
/// How long images may stay when their publishers are gone and subscribers poll: liveness, linger and slow handlers.
const GOING_MAX: Duration = Duration::from_secs(10);
/// How long they are given where some subscriber may never read: its images then wait for ever, as upstream's do.
const WAITING_MAX: Duration = Duration::from_millis(400);
/// How often that is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Carries the plan out.
///
/// # Panics
/// If the plan has more publishers than there are hosts for, or a window or a stream longer than a term allows.
pub fn run(variant: Variant, plan: &NetPlan) {
    let Some(publishers) = PUBLISHERS.get(..plan.publishers.len()) else {
        lastref::bug!("a plan has more than {} publishers", PUBLISHERS.len())
    };
    let mut lives = plan.publishers.iter().flat_map(|publisher| &publisher.lives);
    if lives.any(|life| i64::from(life.frames) > FRAMES_MAX) {
        lastref::bug!("a stream is longer than its term");
    }
    if i64::from(plan.window) * 2 > FRAMES_MAX {
        lastref::bug!("a window is larger than half a term");
    }
    let config = Config {
        hosts: std::iter::once(SUBSCRIBER).chain(publishers.iter().copied()).collect(),
        latency_ms: plan.latency_ms,
        short: true,
        backlog: plan.backlog,
        decoder: Decoder::Own(frame::protocol),
        faults: plan.faults.clone(),
        ..Config::default()
    };
    simulate(config, |network| {
        let mut world = Machines::new(network, plan);
        let bench = Bench::open(variant, &plan.base).work_in(&mut world);
        bench.close();
    });
}

/// Hosts, links, and what happens to them.
struct Machines<'a> {
    network: &'a Network,
    plan: Arc<NetPlan>,
    host: Host,
    desk: Arc<Desk>,
    driver: Option<JoinHandle<Driver>>,
    signals: Option<Arc<Signals>>,
    publishers: Vec<Machine>,
}

/// A publisher's.
struct Machine {
    host: Host,
    /// How many of its lives have begun.
    begun: Arc<AtomicUsize>,
    process: Option<Task<()>>,
    is_down: bool,
}

impl World for Machines<'_> {
    fn host(&self) -> Option<Host> {
        Some(self.host)
    }

    fn start(&mut self, driver: Driver, signals: &Arc<Signals>) {
        let address = self.host.address(PORT);
        let Ok(listener) = self.host.block_on(TcpListener::bind(address)) else {
            lastref::bug!("another socket listens on the channel's port")
        };
        let sockets = Sockets::open(self.host, listener);
        let context = Context {
            liveness: Duration::from_millis(self.plan.liveness_ms),
            window: i64::from(self.plan.window) * FRAME_LENGTH,
        };
        let driver = MediaDriver::new(driver, context, sockets, Arc::clone(&self.desk));
        self.driver = Some(self.host.thread("driver", move || driver.run()));
        self.signals = Some(Arc::clone(signals));
        (0..self.publishers.len()).for_each(|number| self.boot(number));
    }

    fn await_publishers(&mut self, are_done: &dyn Fn() -> bool) {
        for event in self.plan.events.clone() {
            self.happen(event);
        }
        // Hosts that are down stay without their publishers; links pass packets again.
        self.network.heal();
        for machine in &mut self.publishers {
            if let Some(process) = machine.process.take() {
                process.join();
            }
        }
        self.await_images(are_done);
        if let Some(signals) = &self.signals {
            signals.published.store(true, Ordering::Release);
        }
    }

    fn stop(&mut self) -> Driver {
        self.desk.notes().stop = true;
        let Some(driver) = self.driver.take() else { lastref::bug!("a world is stopped that was never started") };
        let driver = driver.join();
        self.check_read();
        driver
    }
}

impl<'a> Machines<'a> {
    fn new(network: &'a Network, plan: &NetPlan) -> Machines<'a> {
        let machine = |name: &&'static str| Machine {
            host: network.host(name),
            begun: Arc::default(),
            process: None,
            is_down: false,
        };
        Machines {
            network,
            plan: Arc::new(plan.clone()),
            host: network.host(SUBSCRIBER),
            desk: Arc::default(),
            driver: None,
            signals: None,
            publishers: PUBLISHERS[..plan.publishers.len()].iter().map(machine).collect(),
        }
    }

    /// Starts a publisher's process, with the first life that has not begun.
    fn boot(&mut self, number: usize) {
        let server = self.host.address(PORT);
        let Some(machine) = self.publishers.get_mut(number) else { return };
        let process = publisher::run(Arc::clone(&self.plan), number, server, Arc::clone(&machine.begun));
        machine.process = Some(machine.host.spawn("publish", process));
        machine.is_down = false;
    }

    fn happen(&mut self, event: Event) {
        let (network, subscriber) = (self.network, self.host);
        let host = |number: usize| self.publishers.get(number).map(|machine| machine.host);
        let order = |op: DriverOp| self.desk.notes().orders.push(op);
        match event {
            Event::Pause(ms) => sleep(Duration::from_millis(ms)),
            Event::Crash(number) => {
                let Some(machine) = self.publishers.get_mut(number).filter(|machine| !machine.is_down) else { return };
                machine.host.crash();
                machine.is_down = true;
                if let Some(process) = machine.process.take() {
                    sometimes("a publisher's host crashes under it", process.join().is_none());
                }
            }
            Event::Restart(number) => {
                if let Some(machine) = self.publishers.get(number).filter(|machine| machine.is_down) {
                    machine.host.restart();
                    self.boot(number);
                }
            }
            Event::Partition(number) => drop(host(number).map(|host| network.partition(host, subscriber))),
            Event::Hold(number) => drop(host(number).map(|host| network.hold(host, subscriber))),
            Event::Heal(number) => drop(host(number).map(|host| network.release(host, subscriber))),
            Event::Reuse => order(DriverOp::Reuse),
            Event::StallConductor => order(DriverOp::StallConductor),
            Event::Die => order(DriverOp::Die),
        }
    }

    /// Every publisher is gone, and so is every image, in time, as long as subscribers read what is left.
    fn await_images(&self, are_done: &dyn Fn() -> bool) {
        let reads = self.plan.is_read();
        let deadline = Instant::now() + if reads { GOING_MAX } else { WAITING_MAX };
        loop {
            let images = self.desk.notes().images;
            if images == 0 || are_done() || (!reads && Instant::now() >= deadline) {
                return;
            }
            always_with("an image goes when its publisher is gone", Instant::now() < deadline, || {
                vec![("images", images.to_string())]
            });
            sleep(GLANCE);
        }
    }

    /// Where nothing went wrong, everything was received, and read by every subscriber.
    fn check_read(&self) {
        if !self.plan.is_faultless() {
            return;
        }
        let notes = self.desk.notes();
        sometimes("every stream is read to its end", !notes.read.is_empty());
        for (number, publisher) in self.plan.publishers.iter().enumerate() {
            for (nth, life) in publisher.lives.iter().enumerate() {
                let term = NetPlan::initial_term_id(number, nth);
                let read = notes.read.get(&term).copied();
                let all = i64::from(life.frames) * FRAME_LENGTH;
                always_with("a stream is read to its end where nothing goes wrong", read == Some(all), || {
                    vec![("publisher", number.to_string()), ("life", nth.to_string()), ("read", format!("{read:?}"))]
                });
            }
        }
    }
}
