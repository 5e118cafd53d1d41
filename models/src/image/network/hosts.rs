//! Publishers on hosts of their own, beside the subscribers' machine: their start, the events that hit them, and the
//! checks after their end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use lastref::net::{Host, Task};
use lastref::property::{always_with, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant, sleep};

use super::media_driver::{Desk, MediaDriver};
use super::publication_image::Context;
use super::publisher;
use super::sockets::Sockets;
use crate::image::application::Publishing;
use crate::image::application::subscriber::Signals;
use crate::image::driver::Driver;
use crate::image::plan::{DriverOp, NetPlan};
use crate::image::shm::FRAME_LENGTH;
use crate::kit::harness::bind;
use crate::kit::weather::{Change, Star};

/// The port of the channel.
const PORT: u16 = 40123;
/// Time limit for images to end after their publishers, if subscribers poll: liveness, linger and slow handlers.
const GOING_MAX: Duration = Duration::from_secs(10);
/// Time limit if some subscriber may never read: its images then wait forever, as upstream's do.
const WAITING_MAX: Duration = Duration::from_millis(400);
/// Interval between two checks.
const GLANCE: Duration = Duration::from_millis(20);

/// Publishers on hosts, and the driver that receives from them.
pub(crate) struct OnHosts<'a> {
    hosts: &'a Star<'a>,
    plan: Arc<NetPlan>,
    desk: Arc<Desk>,
    driver: Option<JoinHandle<Driver>>,
    signals: Option<Arc<Signals>>,
    publishers: Vec<Process>,
}

/// The process of a publisher.
#[derive(Default)]
struct Process {
    /// The number of its lives that have begun.
    begun: Arc<AtomicUsize>,
    task: Option<Task<()>>,
}

impl Publishing for OnHosts<'_> {
    fn host(&self) -> Option<Host> {
        Some(self.hosts.middle)
    }

    fn start(&mut self, driver: Driver, signals: &Arc<Signals>) {
        let host = self.hosts.middle;
        let sockets = Sockets::open(host, bind(host, PORT));
        let context = Context {
            liveness: Duration::from_millis(self.plan.liveness_ms),
            window: i64::from(self.plan.window) * FRAME_LENGTH,
        };
        let driver = MediaDriver::new(driver, context, sockets, Arc::clone(&self.desk));
        self.driver = Some(host.thread("driver", move || driver.run()));
        self.signals = Some(Arc::clone(signals));
        (0..self.publishers.len()).for_each(|number| self.boot(number));
    }

    fn await_publishers(&mut self, are_done: &dyn Fn() -> bool) {
        let (hosts, plan) = (self.hosts, Arc::clone(&self.plan));
        hosts.pass(&plan.weather.events, |change| match change {
            Change::Crashed(number) => {
                let ended = self.publishers[number].task.take().map(Task::join);
                sometimes("a publisher's host crashes under it", ended == Some(None));
            }
            Change::Restarted(number) => self.boot(number),
        });
        for op in &plan.plan.driver {
            match *op {
                DriverOp::Pause(ms) => sleep(Duration::from_millis(ms)),
                op => self.desk.lock().orders.push(op),
            }
        }
        // Hosts that are down stay without their publishers; links pass packets again.
        hosts.network.heal();
        let tasks = self.publishers.iter_mut().filter_map(|publisher| publisher.task.take());
        tasks.for_each(|task| task.join().unwrap_or_default());
        self.await_images(are_done);
        if let Some(signals) = &self.signals {
            signals.published.store(true, Ordering::Release);
        }
    }

    fn stop(&mut self) -> Driver {
        self.desk.lock().stop = true;
        let Some(driver) = self.driver.take() else { lastref::bug!("publishers are stopped that were never started") };
        let driver = driver.join();
        self.check_read();
        driver
    }
}

impl<'a> OnHosts<'a> {
    pub(crate) fn new(hosts: &'a Star<'a>, plan: &NetPlan) -> OnHosts<'a> {
        let publishers = hosts.peers.iter().map(|_| Process::default()).collect();
        let (plan, desk) = (Arc::new(plan.clone()), Arc::default());
        OnHosts { hosts, plan, desk, driver: None, signals: None, publishers }
    }

    /// Starts a publisher's process, with the first life that has not begun.
    fn boot(&mut self, number: usize) {
        let (server, publisher) = (self.hosts.middle.address(PORT), &mut self.publishers[number]);
        let process = publisher::run(Arc::clone(&self.plan), number, server, Arc::clone(&publisher.begun));
        publisher.task = Some(self.hosts.peers[number].spawn("publish", process));
    }

    /// Waits for every image to end after its publisher, and checks the time limit if subscribers read to the end.
    fn await_images(&self, are_done: &dyn Fn() -> bool) {
        let reads = self.plan.is_read();
        let deadline = Instant::now() + if reads { GOING_MAX } else { WAITING_MAX };
        loop {
            let images = self.desk.lock().images;
            if images == 0 || are_done() || (!reads && Instant::now() >= deadline) {
                return;
            }
            always_with("an image goes when its publisher is gone", Instant::now() < deadline, || {
                vec![("images", images.to_string())]
            });
            sleep(GLANCE);
        }
    }

    /// Without faults, checks that every stream was received whole and read by every subscriber.
    fn check_read(&self) {
        if !self.plan.is_faultless() {
            return;
        }
        let notes = self.desk.lock();
        sometimes("every stream is read to its end", !notes.read.is_empty());
        for (number, publisher) in self.plan.publishers.iter().enumerate() {
            for (nth, life) in publisher.lives.iter().enumerate() {
                let term = NetPlan::initial_term_id(number, nth);
                let read = notes.read.get(&term).copied();
                let all = i64::from(life.frames) * FRAME_LENGTH;
                always_with("a stream is read to its end on a network without faults", read == Some(all), || {
                    vec![("publisher", number.to_string()), ("life", nth.to_string()), ("read", format!("{read:?}"))]
                });
            }
        }
    }
}
