//! `aeron_publication_image_t`: one stream as the driver receives it, from its SETUP to the end of its linger.
//!
//! | state | meaning | ends when |
//! | --- | --- | --- |
//! | `Active` | frames are written at their positions | no frame for the liveness timeout; ended without a gap; unread |
//! | `Draining` | status messages say EOS | all is read, and the publisher notified often enough; or revoked |
//! | `Linger` | announced as unavailable; log and counters stay | liveness timeout passes, or no subscriber is left |
//! | `Done` | log and counters are freed | |
//!
//! upstream: aeron_publication_image.c of 63c11a69, `insert_packet`, `track_rebuild`, `send_pending_status_message` and
//! `on_time_event`. Times are shorter than upstream's, as in `publication`.

use lastref::ledger;
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};

use super::frame::{Asks, Frame, Kind, Standing, TERM_LENGTH, offset};
use super::publication::payload;
use super::sockets::Endpoint;
use crate::image::driver::{Driver, Stream};
use crate::image::image_poll::fragment;
use crate::image::shm::FRAME_LENGTH;

/// `AERON_RCV_STATUS_MESSAGE_TIMEOUT_NS_DEFAULT`.
const STATUS_MESSAGE_TIMEOUT: Duration = Duration::from_millis(24);
/// `AERON_IMAGE_SM_EOS_MULTIPLE`.
const SM_EOS_MULTIPLE: u32 = 2;
/// Delay before a gap is requested again.
const NAK_DELAY: Duration = Duration::from_millis(10);

/// `aeron_publication_image_state_enum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Draining,
    Linger,
    Done,
}

/// The driver's configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// `image_liveness_timeout_ns`.
    pub(super) liveness: Duration,
    /// The window of `aeron_static_window_congestion_control_strategy`.
    pub(super) window: i64,
}

/// The image.
#[derive(Debug)]
pub(super) struct PublicationImage {
    context: Context,
    pub(super) session_id: i32,
    pub(super) initial_term_id: i32,
    stream: Stream,
    /// The connection of its last frame, over which its status messages are sent.
    pub(super) connection: Endpoint,
    pub(super) state: State,
    time_of_last_state_change: Instant,
    time_of_last_packet: Instant,
    is_end_of_stream: bool,
    /// Subscribers need not have read all of it.
    pub(super) is_publication_revoked: bool,
    rcv_hwm_position: i64,
    /// The position up to which it was received without a gap; once it lingers, the position up to which subscribers
    /// have read.
    pub(super) rcv_pos_position: i64,
    next_sm_position: i64,
    last_sm_position: i64,
    last_overrun_threshold: i64,
    /// `None`: due at once.
    next_sm_deadline: Option<Instant>,
    next_nak: Option<Instant>,
}

impl PublicationImage {
    /// `aeron_publication_image_create`, from a SETUP.
    pub(super) fn create(
        context: Context,
        setup: Frame,
        stream: Stream,
        connection: Endpoint,
        now: Instant,
    ) -> PublicationImage {
        let position = i64::from(setup.term_offset);
        sometimes("an image joins a stream in the middle", position > 0);
        PublicationImage {
            context,
            session_id: setup.session_id,
            initial_term_id: setup.term_id,
            stream,
            connection,
            state: State::Active,
            time_of_last_state_change: now,
            time_of_last_packet: now,
            is_end_of_stream: false,
            is_publication_revoked: false,
            rcv_hwm_position: position,
            rcv_pos_position: position,
            next_sm_position: position,
            last_sm_position: position,
            last_overrun_threshold: position + TERM_LENGTH / 2,
            next_sm_deadline: None,
            next_nak: None,
        }
    }

    /// Whether frames of its session are dispatched to it: until it lingers.
    pub(super) fn is_dispatched(&self) -> bool {
        matches!(self.state, State::Active | State::Draining)
    }

    /// `aeron_publication_image_add_connection_if_unknown`.
    pub(super) fn add_connection_if_unknown(&mut self, connection: Endpoint) {
        sometimes("a publisher comes back over another connection", connection != self.connection);
        self.connection = connection;
    }

    /// `aeron_publication_image_insert_packet`, of DATA and of heartbeats.
    pub(super) fn insert_packet(&mut self, frame: Frame, connection: Endpoint, now: Instant) {
        let Frame { term_id, term_offset, kind, .. } = frame;
        if term_id < self.initial_term_id || i64::from(term_offset) % FRAME_LENGTH != 0 {
            sometimes("a frame of an earlier stream of its session is dropped", true);
            return;
        }
        let position = i64::from(term_id - self.initial_term_id) * TERM_LENGTH + i64::from(term_offset);
        let length = if matches!(kind, Kind::Data(_)) { FRAME_LENGTH } else { 0 };
        if position + length > self.last_overrun_threshold {
            sometimes("a frame beyond the window is dropped", true);
            return;
        }
        match kind {
            Kind::Data(written) if position >= self.last_sm_position => {
                // A frame from the wire must have the content that this stream's publisher wrote at its position.
                ledger::deliver(written, payload(self.initial_term_id, position));
                self.on_activity(connection, now);
                // upstream: aeron_term_rebuilder.h aeron_term_rebuilder_insert
                if !self.stream.log.is_written(position) {
                    self.stream.log.append(position, fragment(self.stream.correlation_id, position));
                }
            }
            Kind::Data(_) => {
                sometimes("a frame that was consumed comes again", true);
                return;
            }
            Kind::Heartbeat(standing) => {
                self.on_activity(connection, now);
                self.on_standing(standing, position);
            }
            Kind::Setup | Kind::Nak { .. } | Kind::StatusMessage { .. } => return,
        }
        self.rcv_hwm_position = self.rcv_hwm_position.max(position + length);
    }

    fn on_activity(&mut self, connection: Endpoint, now: Instant) {
        self.connection = connection;
        self.time_of_last_packet = now;
    }

    fn on_standing(&mut self, standing: Standing, position: i64) {
        if standing == Standing::Open || self.is_end_of_stream {
            return;
        }
        self.is_publication_revoked = standing == Standing::Revoked;
        self.stream.log.end(position);
        self.is_end_of_stream = true;
    }

    /// `aeron_publication_image_track_rebuild`, and the loss detector in it: what is to be asked for again.
    pub(super) fn track_rebuild(&mut self, driver: &Driver, now: Instant) -> Option<Frame> {
        if self.is_publication_revoked {
            return None;
        }
        let (min_sub_pos, max_sub_pos) = driver.subscriber_positions(&self.stream)?;
        self.rcv_pos_position = self.rcv_pos_position.max(max_sub_pos);
        while self.rcv_pos_position < self.rcv_hwm_position && self.stream.log.is_written(self.rcv_pos_position) {
            self.rcv_pos_position += FRAME_LENGTH;
        }
        if min_sub_pos > self.next_sm_position + self.context.window / 4 {
            self.next_sm_position = min_sub_pos;
            self.next_sm_deadline = None;
        }
        if self.rcv_pos_position >= self.rcv_hwm_position {
            self.next_nak = None;
            return None;
        }
        let is_due = self.next_nak.is_some_and(|at| at <= now);
        if is_due || self.next_nak.is_none() {
            self.next_nak = Some(now + NAK_DELAY);
        }
        is_due.then(|| self.nak())
    }

    fn nak(&self) -> Frame {
        let gap = (self.rcv_pos_position..self.rcv_hwm_position)
            .step_by(FRAME_LENGTH as usize)
            .take_while(|position| !self.stream.log.is_written(*position));
        let length = i32::try_from(gap.count()).unwrap_or(i32::MAX) * offset(FRAME_LENGTH);
        Frame::at(self.session_id, self.initial_term_id, self.rcv_pos_position, Kind::Nak { length })
    }

    /// `aeron_publication_image_send_pending_status_message`.
    pub(super) fn pending_status_message(&mut self, now: Instant) -> Option<Frame> {
        if !self.is_dispatched() || self.next_sm_deadline.is_some_and(|deadline| now < deadline) {
            return None;
        }
        self.last_sm_position = self.next_sm_position;
        self.last_overrun_threshold = self.next_sm_position + TERM_LENGTH / 2;
        self.next_sm_deadline = Some(now + STATUS_MESSAGE_TIMEOUT);
        let asks = if self.state == State::Active { Asks::Nothing } else { Asks::Leave };
        let message = Kind::StatusMessage { receiver_window: offset(self.context.window), asks };
        Some(Frame::at(self.session_id, self.initial_term_id, self.next_sm_position, message))
    }

    /// `aeron_publication_image_on_time_event`.
    pub(super) fn on_time_event(&mut self, driver: &mut Driver, now: Instant) {
        let since_change = now.saturating_duration_since(self.time_of_last_state_change);
        match self.state {
            State::Active => {
                let is_dead = now.saturating_duration_since(self.time_of_last_packet) > self.context.liveness;
                let is_whole = self.is_end_of_stream && self.rcv_pos_position >= self.rcv_hwm_position;
                sometimes("an image ends by its liveness timeout", is_dead);
                let is_unread = driver.subscriber_positions(&self.stream).is_none();
                if is_dead || is_whole || is_unread || self.is_publication_revoked {
                    self.next_sm_deadline = None;
                    self.becomes(State::Draining, now);
                }
            }
            State::Draining => {
                let is_told = since_change > STATUS_MESSAGE_TIMEOUT * SM_EOS_MULTIPLE;
                let is_drained = self.is_drained(driver);
                sometimes("an image waits for a subscriber that lags", is_told && !is_drained);
                if (is_drained && is_told) || self.is_publication_revoked {
                    sometimes("a stream is revoked before its subscribers have read it", !is_drained);
                    // upstream: aeron_driver_conductor_image_transition_to_linger
                    driver.announce_end(&self.stream);
                    self.becomes(State::Linger, now);
                }
            }
            State::Linger => {
                if since_change > self.context.liveness || driver.subscriber_positions(&self.stream).is_none() {
                    // upstream: aeron_publication_image_entry_delete
                    driver.free(&self.stream);
                    self.becomes(State::Done, now);
                }
            }
            State::Done => {}
        }
    }

    fn is_drained(&self, driver: &Driver) -> bool {
        let positions = driver.subscriber_positions(&self.stream);
        positions.is_none_or(|(min_sub_pos, _)| min_sub_pos >= self.rcv_pos_position)
    }

    fn becomes(&mut self, state: State, now: Instant) {
        self.state = state;
        self.time_of_last_state_change = now;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::image::Variant;
    use crate::image::client::Client;
    use crate::image::shm::Shm;

    #[test]
    fn a_status_message_is_sent_once_in_each_timeout_until_the_image_lingers() {
        let (shm, client) = (Shm::new(4), Client::new(4));
        let mut driver = Driver::new(Variant::Fixed, &shm, &client, BTreeSet::from([0]));
        let stream = driver.announce(7, shm.create().expect("there is room"), 0);
        let context = Context { liveness: Duration::from_millis(100), window: 4 * FRAME_LENGTH };
        let start = Instant::now();
        let setup = Frame { session_id: 7, term_id: 1, term_offset: 0, kind: Kind::Setup };
        let mut image = PublicationImage::create(context, setup, stream, 0, start);
        let just_before = STATUS_MESSAGE_TIMEOUT - Duration::from_millis(1);
        assert!(image.pending_status_message(start).is_some());
        assert!(image.pending_status_message(start + just_before).is_none());
        assert!(image.pending_status_message(start + STATUS_MESSAGE_TIMEOUT).is_some());
        image.becomes(State::Linger, start + STATUS_MESSAGE_TIMEOUT);
        assert!(image.pending_status_message(start + STATUS_MESSAGE_TIMEOUT * 3).is_none());
    }
}
