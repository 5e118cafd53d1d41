//! Publishers on hosts of their own, beside the subscribers' machine: their start, the events that hit them, and the
//! checks after their end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use lastref::net::Task;
use lastref::property::{always_with, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::media_driver::{Desk, MediaDriver, Notes};
use super::publication_image::Context;
use super::publisher;
use super::sockets::Sockets;
use crate::image::driver::Driver;
use crate::image::plan::{DriverOp, NetPlan};
use crate::image::shm::FRAME_LENGTH;
use crate::kit::harness::{bind, holds_within};
use crate::kit::weather::Star;

/// The port of the channel.
const PORT: u16 = 40123;
/// Time limit for images to end after their publishers, if subscribers poll: liveness, linger and slow handlers.
const GOING_MAX: Duration = Duration::from_secs(10);
/// Time limit if some subscriber may never read: its images then wait forever, as upstream's do.
const WAITING_MAX: Duration = Duration::from_millis(400);
/// Interval between two checks.
const GLANCE: Duration = Duration::from_millis(20);

/// Publishers on hosts, and the driver that receives from them.
pub(crate) struct Publishers<'a> {
    hosts: &'a Star<'a>,
    plan: Arc<NetPlan>,
    desk: Arc<Desk>,
    driver: JoinHandle<Driver>,
    processes: Vec<Process>,
}

/// The process of a publisher.
#[derive(Default)]
struct Process {
    /// The number of its lives that have begun.
    begun: Arc<AtomicUsize>,
    task: Option<Task<()>>,
}

impl Process {
    /// Waits for its end.
    fn join(&mut self) {
        if let Some(task) = self.task.take() {
            sometimes("a publisher's host crashes under it", task.join().is_none());
        }
    }
}

impl<'a> Publishers<'a> {
    pub(crate) fn start(hosts: &'a Star<'a>, plan: &NetPlan, driver: Driver) -> Publishers<'a> {
        let host = hosts.middle;
        let sockets = Sockets::open(host, bind(host, PORT));
        let context = Context {
            liveness: Duration::from_millis(plan.liveness_ms),
            window: i64::from(plan.window) * FRAME_LENGTH,
        };
        let desk = Arc::<Desk>::default();
        let driver = MediaDriver::new(driver, context, sockets, Arc::clone(&desk));
        let driver = host.thread("driver", move || driver.run());
        let processes = hosts.peers.iter().map(|_| Process::default()).collect();
        let mut publishers = Publishers { hosts, plan: Arc::new(plan.clone()), desk, driver, processes };
        (0..hosts.peers.len()).for_each(|number| publishers.boot(number));
        publishers
    }

    /// Executes the events and the driver's steps. Then waits for the end of the publishers, and of their images unless
    /// `are_done` reports that no subscriber is left.
    pub(crate) fn run(&mut self, are_done: impl Fn() -> bool) {
        let (hosts, plan) = (self.hosts, Arc::clone(&self.plan));
        hosts.pass(&plan.weather.events, |number| self.boot(number));
        for op in &plan.plan.driver {
            match *op {
                DriverOp::Pause(ms) => sleep(Duration::from_millis(ms)),
                op => self.desk.lock().orders.push(op),
            }
        }
        // Hosts that are down stay without their publishers; links pass packets again.
        hosts.network.heal();
        self.processes.iter_mut().for_each(Process::join);
        self.await_images(are_done);
    }

    /// Ends the driver.
    pub(crate) fn stop(self) -> Driver {
        self.desk.lock().stop = true;
        let driver = self.driver.join();
        check_read(&self.plan, &self.desk.lock());
        driver
    }

    /// Starts a publisher's process, with the first life that has not begun.
    fn boot(&mut self, number: usize) {
        let (server, process) = (self.hosts.middle.address(PORT), &mut self.processes[number]);
        process.join();
        let lives = publisher::run(Arc::clone(&self.plan), number, server, Arc::clone(&process.begun));
        process.task = Some(self.hosts.peers[number].spawn("publish", lives));
    }

    /// Waits for every image to end after its publisher, and checks the time limit if subscribers read to the end.
    fn await_images(&self, are_done: impl Fn() -> bool) {
        let reads = self.plan.is_read();
        let images = || self.desk.lock().images;
        let most = if reads { GOING_MAX } else { WAITING_MAX };
        let are_gone = holds_within(most, GLANCE, || images() == 0 || are_done());
        always_with("an image goes when its publisher is gone", are_gone || !reads, || {
            vec![("images", images().to_string())]
        });
    }
}

/// Without faults, checks that every stream was received whole and read by every subscriber.
fn check_read(plan: &NetPlan, notes: &Notes) {
    if !plan.is_faultless() {
        return;
    }
    sometimes("every stream is read to its end", !notes.read.is_empty());
    for (number, publisher) in plan.publishers.iter().enumerate() {
        for (nth, life) in publisher.lives.iter().enumerate() {
            let read = notes.read.get(&NetPlan::initial_term_id(number, nth)).copied();
            let all = i64::from(life.frames) * FRAME_LENGTH;
            always_with("a stream is read to its end on a network without faults", read == Some(all), || {
                vec![("publisher", number.to_string()), ("life", nth.to_string()), ("read", format!("{read:?}"))]
            });
        }
    }
}
