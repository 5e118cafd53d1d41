//! The media driver of a subscriber's host: one thread that receives and dispatches frames and maintains the images.
//!
//! upstream: `AERON_THREADING_MODE_SHARED`: the agents of receiver and conductor in turn (aeron_driver_receiver.c,
//! aeron_data_packet_dispatcher.c, aeron_driver_conductor.c). Deviates: the state `ON_COOL_DOWN` of a session, which
//! its receiver enters and its conductor ends in one duty cycle, is left out, and so is the session limit.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::property::{always, sometimes};
use lastref::time::{Duration, Instant, sleep};

use super::frame::{Asks, Frame, Kind, Standing};
use super::publication_image::{Context, PublicationImage, State};
use super::sockets::{Endpoint, Sockets};
use crate::image::driver::Driver;
use crate::image::patience::Patience;
use crate::image::plan::DriverOp;
use crate::image::shm::RawLog;
use crate::kit::harness::Unscheduled;

/// The driver's sleep between two duty cycles.
const IDLE: Duration = Duration::from_millis(10);
/// `AERON_DRIVER_RECEIVER_PENDING_SETUP_TIMEOUT_NS`.
const PENDING_SETUP_TIMEOUT: Duration = Duration::from_millis(60);

/// The driver.
#[derive(Debug)]
pub(super) struct MediaDriver {
    driver: Driver,
    context: Context,
    sockets: Arc<Sockets>,
    desk: Arc<Desk>,
    images: Vec<PublicationImage>,
    /// Sessions from which a SETUP was requested, and the time of the request.
    pending_setups: BTreeMap<i32, Instant>,
    /// Sessions whose images wait until clients have freed space in shared memory.
    waiting: BTreeMap<i32, Patience>,
}

/// The messages between the application and the driver's thread. Harness state.
pub(super) type Desk = Unscheduled<Notes>;

/// The pending messages.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Pending events of the driver.
    pub(super) orders: Vec<DriverOp>,
    /// The driver must end.
    pub(super) stop: bool,
    /// The number of images that were announced to clients and have not ended.
    pub(super) images: usize,
    /// The position up to which each unrevoked stream was read, by its first term.
    pub(super) read: BTreeMap<i32, i64>,
}

impl MediaDriver {
    pub(super) fn new(driver: Driver, context: Context, sockets: Arc<Sockets>, desk: Arc<Desk>) -> MediaDriver {
        let (images, pending_setups, waiting) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        MediaDriver { driver, context, sockets, desk, images, pending_setups, waiting }
    }

    /// The thread's function: runs duty cycles until the driver must end or dies.
    pub(super) fn run(mut self) -> Driver {
        loop {
            let (orders, stop) = {
                let mut notes = self.desk.lock();
                (std::mem::take(&mut notes.orders), notes.stop)
            };
            self.driver.run(&orders);
            if stop || orders.contains(&DriverOp::Die) {
                self.desk.lock().images = 0;
                self.sockets.close();
                return self.driver;
            }
            self.do_work(Instant::now());
            sleep(IDLE);
        }
    }

    fn do_work(&mut self, now: Instant) {
        self.driver.on_commands();
        for (connection, frame) in self.sockets.receive(now) {
            match frame.kind {
                Kind::Setup => self.on_setup(frame, connection, now),
                Kind::Data(_) | Kind::Heartbeat(_) => self.on_data(frame, connection, now),
                Kind::Nak { .. } | Kind::StatusMessage { .. } => {}
            }
        }
        self.pending_setups.retain(|_, since| now.saturating_duration_since(*since) < PENDING_SETUP_TIMEOUT);
        for image in &mut self.images {
            let nak = image.track_rebuild(&self.driver, now);
            image.on_time_event(&mut self.driver, now);
            let status_message = image.pending_status_message(now);
            for frame in [nak, status_message].into_iter().flatten() {
                self.sockets.send(image.connection, frame);
            }
        }
        let mut notes = self.desk.lock();
        for image in self.images.iter().filter(|image| !image.is_dispatched() && !image.is_publication_revoked) {
            notes.read.insert(image.initial_term_id, image.rcv_pos_position);
        }
        self.images.retain(|image| image.state != State::Done);
        notes.images = self.images.iter().filter(|image| image.is_dispatched()).count();
    }

    fn dispatched(&mut self, session_id: i32) -> Option<&mut PublicationImage> {
        self.images.iter_mut().find(|image| image.session_id == session_id && image.is_dispatched())
    }

    /// `aeron_data_packet_dispatcher_on_setup`.
    fn on_setup(&mut self, setup: Frame, connection: Endpoint, now: Instant) {
        let session_id = setup.session_id;
        if let Some(image) = self.dispatched(session_id) {
            if image.initial_term_id == setup.term_id {
                image.add_connection_if_unknown(connection);
            }
            return;
        }
        if !self.driver.has_subscriptions() {
            return;
        }
        let Some(log) = self.create_log(session_id) else { return };
        self.pending_setups.remove(&session_id);
        let is_known = self.images.iter().any(|image| image.session_id == session_id);
        sometimes("a session comes back while its last image lingers", is_known);
        // upstream: aeron_driver_conductor_on_create_publication_image
        let stream = self.driver.announce(session_id, log, i64::from(setup.term_offset));
        self.images.push(PublicationImage::create(self.context, setup, stream, connection, now));
    }

    /// A log, if shared memory has room for one. If it has none, upstream's driver writes an error to its log, and the
    /// publisher's next SETUP tries again. Here it is a finding once the client has had every turn that it needs to
    /// unmap the logs that the driver has unlinked.
    fn create_log(&mut self, session_id: i32) -> Option<Arc<RawLog>> {
        if let Some(log) = self.driver.shm.create() {
            let waited = self.waiting.remove(&session_id).is_some();
            sometimes("a publisher waits for room in shared memory", waited);
            return Some(log);
        }
        if !self.driver.shm.has_room_for_linked_logs() {
            self.waiting.remove(&session_id);
            return None;
        }
        let progress = &self.driver.client.progress;
        let patience = self.waiting.entry(session_id).or_insert_with(|| Patience::new(progress));
        always("a new stream finds room in shared memory", !patience.is_over(progress));
        None
    }

    /// `aeron_data_packet_dispatcher_on_data`.
    fn on_data(&mut self, frame: Frame, connection: Endpoint, now: Instant) {
        let session_id = frame.session_id;
        if let Some(image) = self.dispatched(session_id) {
            return image.insert_packet(frame, connection, now);
        }
        let is_end = matches!(frame.kind, Kind::Heartbeat(Standing::Ended | Standing::Revoked));
        if is_end || !self.driver.has_subscriptions() || self.pending_setups.contains_key(&session_id) {
            return;
        }
        self.pending_setups.insert(session_id, now);
        let elicits = Kind::StatusMessage { receiver_window: 0, asks: Asks::Setup };
        self.sockets.send(connection, Frame { session_id, term_id: 0, term_offset: 0, kind: elicits });
    }
}
