//! The rare states that scenarios must reach: each names a fault and the state in which it hit, with its bookkeeping.
//!
//! A scenario that injects a fault at a random moment tests only the moments that it hits. So each fault of a
//! connection, and each act on a channel, reports the state that it found. This code is not upstream's, affects no
//! result, and adds no step to a schedule: [`Stage`] is kept beside the component's own state, where it can be read
//! without the locks that guard that.

use std::sync::atomic::{AtomicU8, Ordering};

use lastref::property::sometimes;

use crate::kit::http2::Goaway;
use crate::subchannel::status::Error;
use crate::subchannel::subchannel::pool::SubchannelKey;

/// The stage of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none.
    None,
    /// The connection is being made.
    Handshake,
    /// There is a transport, which waits for SETTINGS.
    Settings,
    /// SETTINGS or an error came, and the Subchannel does not know yet.
    Notify,
}

/// The stage of one Subchannel's attempt: harness state, which orders nothing in the component.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU8);

impl Progress {
    pub(crate) fn is_now(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::SeqCst);
    }

    pub(crate) fn stage(&self) -> Stage {
        let stages = [Stage::None, Stage::Handshake, Stage::Settings, Stage::Notify];
        stages.into_iter().find(|stage| *stage as u8 == self.0.load(Ordering::SeqCst)).unwrap_or(Stage::None)
    }
}

/// An application's act on a channel, as one of its Subchannels sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    SameArgs,
    OtherArgs,
    NoAddress,
    Close,
}

impl Doing {
    /// What a resolver result does to the Subchannel of that key; nothing that is told apart if its address is not in
    /// it.
    pub(crate) fn update(addresses: &[SubchannelKey], key: SubchannelKey) -> Option<Doing> {
        if addresses.is_empty() {
            Some(Doing::NoAddress)
        } else if addresses.contains(&key) {
            Some(Doing::SameArgs)
        } else {
            addresses.iter().any(|other| other.address == key.address).then_some(Doing::OtherArgs)
        }
    }

    /// It finds an attempt at that stage.
    pub(crate) fn finds(self, stage: Stage) {
        let [handshake, settings, notify] = match self {
            Doing::SameArgs => [
                "a resolver result with the same args comes during the handshake",
                "a resolver result with the same args comes before SETTINGS",
                "a resolver result with the same args comes before the notification",
            ],
            Doing::OtherArgs => [
                "a resolver result with other args comes during the handshake",
                "a resolver result with other args comes before SETTINGS",
                "a resolver result with other args comes before the notification",
            ],
            Doing::NoAddress => [
                "an empty resolver result comes during the handshake",
                "an empty resolver result comes before SETTINGS",
                "an empty resolver result comes before the notification",
            ],
            Doing::Close => [
                "a channel is closed during the handshake",
                "a channel is closed before SETTINGS",
                "a channel is closed before the notification",
            ],
        };
        match stage {
            Stage::None => {}
            Stage::Handshake => sometimes(handshake, true),
            Stage::Settings => sometimes(settings, true),
            Stage::Notify => sometimes(notify, true),
        }
    }
}

/// A server's action on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Rst,
    Goaway(Goaway),
}

/// The state of the connection at that moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) is_first_frame: bool,
    pub(crate) is_watched: bool,
    pub(crate) has_streams: bool,
    pub(crate) is_writing: bool,
}

impl End {
    /// The end that a failed read tells of; nothing if the fd was shut down by its owner.
    pub(crate) fn of_read(error: Error) -> Option<End> {
        match error {
            Error::SocketClosed => Some(End::Fin),
            Error::ConnectionReset => Some(End::Rst),
            _ => None,
        }
    }

    /// It finds a connection at that moment.
    pub(crate) fn finds(self, moment: Moment) {
        let [early, unpublished, idle, streams, writing] = match self {
            End::Fin => [
                "FIN comes before SETTINGS",
                "FIN comes before the transport is watched",
                "FIN comes to an idle connection",
                "FIN comes with streams open",
                "FIN comes while a write is in progress",
            ],
            End::Rst => [
                "RST comes before SETTINGS",
                "RST comes before the transport is watched",
                "RST comes to an idle connection",
                "RST comes with streams open",
                "RST comes while a write is in progress",
            ],
            End::Goaway(Goaway::NoError) => [
                "GOAWAY comes before SETTINGS",
                "GOAWAY comes before the transport is watched",
                "GOAWAY comes to an idle connection",
                "GOAWAY comes with streams open",
                "GOAWAY comes while a write is in progress",
            ],
            End::Goaway(Goaway::TooManyPings) => [
                "GOAWAY for calm comes before SETTINGS",
                "GOAWAY for calm comes before the transport is watched",
                "GOAWAY for calm comes to an idle connection",
                "GOAWAY for calm comes with streams open",
                "GOAWAY for calm comes while a write is in progress",
            ],
        };
        let Moment { is_first_frame, is_watched, has_streams, is_writing } = moment;
        sometimes(early, is_first_frame);
        sometimes(unpublished, !is_first_frame && !is_watched);
        sometimes(idle, is_watched && !has_streams && !is_writing);
        sometimes(streams, is_watched && has_streams);
        sometimes(writing, is_watched && is_writing);
    }
}
