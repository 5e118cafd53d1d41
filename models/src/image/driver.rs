//! The media driver as a client sees it: streams that appear and end, their logs and their counters.

use std::collections::BTreeSet;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::time::{Duration, sleep};

use super::aeron_image::ImageKey;
use super::client::{Client, Response};
use super::counters::{CountersManager, Position};
use super::image_poll::fragment;
use super::patience::Patience;
use super::plan::DriverOp;
use super::shm::{FRAME_LENGTH, RawLog, Shm};
use super::variant::Variant;

/// The driver, as the owner of counters.
pub(super) const DRIVER: Owner = Owner::new("driver", 0);

/// The delay before a publisher tries again to create a log.
const RETRY: Duration = Duration::from_millis(50);

/// The driver.
#[derive(Debug)]
pub struct Driver {
    pub(super) shm: Arc<Shm>,
    pub(super) client: Arc<Client>,
    counters: CountersManager,
    subscriptions: BTreeSet<i64>,
    streams: Vec<Stream>,
    next_correlation_id: i64,
    /// Counters of other applications.
    others: Vec<Arc<Position>>,
}

/// The stream of one publisher.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    session_id: i32,
    pub(super) correlation_id: i64,
    pub(super) log: Arc<RawLog>,
    position: i64,
    /// The subscriptions to which it was announced, with their position counters.
    announced: Vec<(i64, Arc<Position>)>,
}

impl Driver {
    /// A driver that knows these subscriptions.
    pub fn new(variant: Variant, shm: &Arc<Shm>, client: &Arc<Client>, subscriptions: BTreeSet<i64>) -> Driver {
        Driver {
            shm: Arc::clone(shm),
            client: Arc::clone(client),
            counters: CountersManager::new(variant),
            subscriptions,
            streams: Vec::new(),
            next_correlation_id: 10,
            others: Vec::new(),
        }
    }

    /// Performs the steps in order, until none is left or the driver is dead.
    pub fn run(&mut self, ops: &[DriverOp]) {
        for op in ops {
            self.on_commands();
            match *op {
                DriverOp::Publish(session_id) => self.publish(session_id),
                DriverOp::Write(session_id, fragments) => self.write(session_id, fragments),
                DriverOp::Vanish(session_id) => self.vanish(session_id),
                DriverOp::Reuse => self.others.push(self.counters.allocate()),
                DriverOp::StallConductor => self.client.service_interval_exceeded.store(true, Ordering::Release),
                DriverOp::Die => {
                    self.client.driver_is_dead.store(true, Ordering::Release);
                    return;
                }
                DriverOp::Pause(ms) => sleep(Duration::from_millis(ms)),
            }
        }
    }

    /// Ends every stream.
    pub fn vanish_all(&mut self) {
        self.on_commands();
        while let Some(stream) = self.streams.pop() {
            self.end(stream);
        }
    }

    /// Ends the driver, after its client.
    pub fn close(self) {
        self.counters.close();
    }

    fn publish(&mut self, session_id: i32) {
        if self.streams.iter().any(|stream| stream.session_id == session_id) {
            return;
        }
        let Some(log) = self.create_log() else { return };
        self.announce(session_id, log, 0);
    }

    /// Announces a new stream, which every subscription reads from `join_position` on.
    pub(super) fn announce(&mut self, session_id: i32, log: Arc<RawLog>, join_position: i64) -> Stream {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let mut announced = Vec::new();
        for id in self.subscriptions.iter().copied() {
            let position = self.counters.allocate();
            if join_position > 0 {
                position.set_release(DRIVER, join_position);
            }
            announced.push((id, Arc::clone(&position)));
            let key = ImageKey { correlation_id, subscription_registration_id: id };
            self.client.send(Response::AvailableImage { key, session_id, log: Arc::clone(&log), position });
        }
        let stream = Stream { session_id, correlation_id, log, position: join_position, announced };
        self.streams.push(stream.clone());
        stream
    }

    /// Creates a log for a new stream, as soon as shared memory has room for it.
    fn create_log(&mut self) -> Option<Arc<RawLog>> {
        let mut patience = Patience::new(&self.client.progress);
        let mut waited = false;
        loop {
            let is_over = patience.is_over(&self.client.progress);
            if let Some(log) = self.shm.create() {
                sometimes("a publisher waits for room in shared memory", waited);
                return Some(log);
            }
            if is_over {
                always("a new stream finds room in shared memory", false);
                return None;
            }
            waited = true;
            sleep(RETRY);
            self.on_commands();
        }
    }

    fn write(&mut self, session_id: i32, fragments: u32) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.session_id == session_id) else { return };
        for _ in 0..fragments {
            if stream.log.append(stream.position, fragment(stream.correlation_id, stream.position)) {
                stream.position += FRAME_LENGTH;
            }
        }
    }

    fn vanish(&mut self, session_id: i32) {
        let Some(place) = self.streams.iter().position(|stream| stream.session_id == session_id) else { return };
        let stream = self.streams.remove(place);
        self.end(stream);
    }

    fn end(&mut self, stream: Stream) {
        stream.log.end(stream.position);
        self.announce_end(&stream);
        self.free(&stream);
    }

    /// Tells the subscriptions that the stream is unavailable.
    pub(super) fn announce_end(&self, stream: &Stream) {
        for (id, _) in stream.announced.iter().filter(|(id, _)| self.subscriptions.contains(id)) {
            let key = ImageKey { correlation_id: stream.correlation_id, subscription_registration_id: *id };
            self.client.send(Response::UnavailableImage { key });
        }
    }

    /// Frees the stream's counters, and unlinks its log.
    pub(super) fn free(&mut self, stream: &Stream) {
        self.streams.retain(|other| other.correlation_id != stream.correlation_id);
        for (_, position) in stream.announced.iter().filter(|(id, _)| self.subscriptions.contains(id)) {
            self.counters.free(position);
        }
        self.shm.unlink(&stream.log);
    }

    /// The positions of the subscriptions that still read the stream: the lowest and the highest.
    pub(super) fn subscriber_positions(&self, stream: &Stream) -> Option<(i64, i64)> {
        let linked = stream.announced.iter().filter(|(id, _)| self.subscriptions.contains(id));
        let positions: Vec<i64> = linked.map(|(_, position)| position.get_acquire(DRIVER)).collect();
        positions.iter().copied().min().zip(positions.iter().copied().max())
    }

    /// Whether any subscription is left.
    pub(super) fn has_subscriptions(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// `AERON_COMMAND_REMOVE_SUBSCRIPTION`: its counters are freed.
    pub(super) fn on_commands(&mut self) {
        while let Some(id) = self.client.next_removed_subscription() {
            self.subscriptions.remove(&id);
            for stream in &self.streams {
                for (_, position) in stream.announced.iter().filter(|(other, _)| *other == id) {
                    self.counters.free(position);
                }
            }
        }
    }
}
