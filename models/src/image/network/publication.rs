//! `aeron_network_publication_t`: one stream as its publisher sends it, without sockets.
//!
//! ```text
//! application ─► producer position ─► snd_pos ≤ snd_lmt ─► DATA        (SM moves snd_lmt: position + window)
//! no data for a while ─► heartbeat        closed, and all sent ─► heartbeats with EOS until an SM with EOS
//! no answer so far, or the receiver asks ─► SETUP                      (NAK ─► DATA again)
//! ```
//!
//! Upstream's times are 100 ms between heartbeats and between SETUPs, and 5 s of linger. They are shorter here, since a
//! run lasts about a second.

use lastref::ledger::Tag;
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};

use super::frame::{Asks, Frame, Kind, Standing};
use crate::image::plan::{Ending, Life};
use crate::image::shm::FRAME_LENGTH;

/// `AERON_NETWORK_PUBLICATION_HEARTBEAT_TIMEOUT_NS`.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(25);
/// `AERON_NETWORK_PUBLICATION_SETUP_TIMEOUT_NS`.
const SETUP_TIMEOUT: Duration = Duration::from_millis(25);
/// `aeron_driver_context_get_publication_linger_timeout_ns`.
const LINGER_TIMEOUT: Duration = Duration::from_millis(150);

/// The publication.
#[derive(Debug)]
pub(super) struct Publication {
    session_id: i32,
    initial_term_id: i32,
    life: Life,
    born: Instant,
    snd_pos: i64,
    snd_lmt: i64,
    has_initial_connection: bool,
    is_setup_elicited: bool,
    has_received_unicast_eos: bool,
    standing: Standing,
    time_of_last_setup: Option<Instant>,
    time_of_last_data_or_heartbeat: Option<Instant>,
    lingers_since: Option<Instant>,
    time_of_last_progress: Instant,
    /// The ranges of positions that NAKs have requested.
    retransmits: Vec<(i64, i64)>,
}

/// The payload that the publisher of a stream writes at a position.
pub(super) fn payload(initial_term_id: i32, position: i64) -> Tag {
    let peer = u32::try_from(initial_term_id).unwrap_or(u32::MAX);
    Tag { peer, request: u64::try_from(position / FRAME_LENGTH).unwrap_or(u64::MAX) }
}

impl Publication {
    pub(super) fn new(initial_term_id: i32, life: Life, now: Instant) -> Publication {
        Publication {
            session_id: life.session_id,
            initial_term_id,
            life,
            born: now,
            snd_pos: 0,
            snd_lmt: 0,
            has_initial_connection: false,
            is_setup_elicited: false,
            has_received_unicast_eos: false,
            standing: Standing::Open,
            time_of_last_setup: None,
            time_of_last_data_or_heartbeat: None,
            lingers_since: None,
            time_of_last_progress: now,
            retransmits: Vec::new(),
        }
    }

    /// Called when a new connection is established. Deviates (inferred): upstream's publisher has no connections, and a
    /// status message requests its SETUP if the receiver does not know it. Here each connection begins with SETUP.
    pub(super) fn connected(&mut self) {
        self.is_setup_elicited = true;
        self.time_of_last_setup = None;
    }

    /// Handles a frame of the receiver. `aeron_network_publication_on_status_message`, `_on_nak`.
    pub(super) fn on_frame(&mut self, frame: Frame) {
        if frame.session_id != self.session_id {
            return;
        }
        let position = i64::from(frame.term_offset);
        match frame.kind {
            Kind::StatusMessage { asks: Asks::Setup, .. } => {
                // upstream: aeron_network_publication_trigger_send_setup_frame
                sometimes("a receiver asks a publisher for SETUP", true);
                self.is_setup_elicited = true;
            }
            Kind::StatusMessage { receiver_window, asks } if frame.term_id == self.initial_term_id => {
                self.has_received_unicast_eos |= asks == Asks::Leave;
                self.has_initial_connection = true;
                self.is_setup_elicited = false;
                // upstream: aeron_flow_control.c aeron_unicast_flow_control_strategy_on_sm
                self.snd_lmt = self.snd_lmt.max(position + i64::from(receiver_window));
            }
            Kind::Nak { length } if frame.term_id == self.initial_term_id => {
                sometimes("a publisher retransmits lost frames", true);
                self.retransmits.push((position, position + i64::from(length)));
            }
            _ => {}
        }
    }

    /// `aeron_network_publication_send`, and the conductor's part in its end.
    pub(super) fn send(&mut self, now: Instant) -> Vec<Frame> {
        let mut frames = Vec::new();
        if !self.has_initial_connection || self.is_setup_elicited {
            frames.extend(self.setup_message_check(now));
        }
        for (from, to) in std::mem::take(&mut self.retransmits) {
            let positions = (from..to.min(self.snd_pos)).step_by(FRAME_LENGTH as usize);
            frames.extend(positions.map(|position| self.data(position)));
        }
        self.close_if_due(now);
        let producer_position = self.producer_position(now);
        let before = self.snd_pos;
        while self.standing != Standing::Revoked && self.snd_pos < producer_position {
            if self.snd_pos + FRAME_LENGTH > self.snd_lmt {
                sometimes("a publisher waits for a subscriber that lags", self.has_initial_connection);
                break;
            }
            frames.push(self.data(self.snd_pos));
            self.snd_pos += FRAME_LENGTH;
        }
        if self.snd_pos > before {
            self.time_of_last_data_or_heartbeat = Some(now);
            self.time_of_last_progress = now;
        } else {
            frames.extend(self.heartbeat_message_check(now));
        }
        frames
    }

    /// True if it has nothing more to send: the receiver has acknowledged its end, or the linger timeout has passed.
    pub(super) fn is_done(&self, now: Instant) -> bool {
        let Some(since) = self.lingers_since else { return false };
        self.has_received_unicast_eos || now.saturating_duration_since(since) > LINGER_TIMEOUT
    }

    /// True if its process ends now, without further frames: it dies, or it has sent nothing new for longer than
    /// `patience` although its stream has not ended.
    pub(super) fn is_stopped(&self, now: Instant, patience: Duration) -> bool {
        let is_over = now.saturating_duration_since(self.born) >= Duration::from_millis(self.life.lives_ms);
        let is_stuck = now.saturating_duration_since(self.time_of_last_progress) > patience;
        is_over && self.life.ending == Ending::Die || is_stuck && self.lingers_since.is_none()
    }

    /// `AERON_NETWORK_PUBLICATION_STATE_DRAINING` and `_LINGER`.
    fn close_if_due(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.born);
        if self.standing != Standing::Open || age < Duration::from_millis(self.life.lives_ms) {
            return;
        }
        match self.life.ending {
            Ending::Close if self.snd_pos == self.length() => self.standing = Standing::Ended,
            Ending::Revoke => self.standing = Standing::Revoked,
            Ending::Close | Ending::Die => return,
        }
        self.lingers_since = Some(now);
        // The last heartbeat did not announce the end, so the next one is due at once.
        self.time_of_last_data_or_heartbeat = None;
    }

    /// The position up to which the application has written.
    fn producer_position(&self, now: Instant) -> i64 {
        let age_ms = u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        let offered = age_ms.checked_div(self.life.between_ms).unwrap_or(u64::MAX).saturating_add(1);
        i64::from(self.life.frames).min(i64::try_from(offered).unwrap_or(i64::MAX)) * FRAME_LENGTH
    }

    /// The length of the stream.
    fn length(&self) -> i64 {
        i64::from(self.life.frames) * FRAME_LENGTH
    }

    fn setup_message_check(&mut self, now: Instant) -> Option<Frame> {
        if !is_due(self.time_of_last_setup, SETUP_TIMEOUT, now) {
            return None;
        }
        self.time_of_last_setup = Some(now);
        Some(self.frame(self.snd_pos, Kind::Setup))
    }

    fn heartbeat_message_check(&mut self, now: Instant) -> Option<Frame> {
        let is_quiet = is_due(self.time_of_last_data_or_heartbeat, HEARTBEAT_TIMEOUT, now);
        if !self.has_initial_connection || !is_quiet {
            return None;
        }
        self.time_of_last_data_or_heartbeat = Some(now);
        Some(self.frame(self.snd_pos, Kind::Heartbeat(self.standing)))
    }

    fn data(&self, position: i64) -> Frame {
        self.frame(position, Kind::Data(payload(self.initial_term_id, position)))
    }

    fn frame(&self, position: i64, kind: Kind) -> Frame {
        Frame::at(self.session_id, self.initial_term_id, position, kind)
    }
}

fn is_due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= every)
}
