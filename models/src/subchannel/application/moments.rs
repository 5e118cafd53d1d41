//! The rare states that scenarios must reach, with their bookkeeping: each names a fault and the state that it hit.
//!
//! A scenario that injects a fault at a random moment tests only the moments that it hits. So each fault of a
//! connection, and each act on a channel, reports the state that it found. This code is not upstream's, affects no
//! result, and adds no step to a schedule: [`Stage`] is stored apart from the component's own state, so that it can be
//! read without the component's locks.

use std::sync::atomic::{AtomicU8, Ordering};

use lastref::property::sometimes;

use crate::kit::http2::Goaway;
use crate::subchannel::status::Error;
use crate::subchannel::subchannel::pool::SubchannelKey;

/// The stage of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No attempt is in progress.
    None,
    /// The connection is being made.
    Handshake,
    /// The transport exists, and waits for SETTINGS.
    Settings,
    /// SETTINGS or an error came; the Subchannel is not notified yet.
    Notify,
}

/// The stage of one Subchannel's attempt. Harness state, which adds no ordering to the component.
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
pub(crate) enum ChannelAct {
    SameArgs,
    OtherArgs,
    NoAddress,
    Close,
}

impl ChannelAct {
    /// The effect of a resolver result on the Subchannel of that key; `None` if a result that is not empty lacks its
    /// address.
    pub(crate) fn update(addresses: &[SubchannelKey], key: SubchannelKey) -> Option<ChannelAct> {
        if addresses.is_empty() {
            Some(ChannelAct::NoAddress)
        } else if addresses.contains(&key) {
            Some(ChannelAct::SameArgs)
        } else {
            addresses.iter().any(|other| other.address == key.address).then_some(ChannelAct::OtherArgs)
        }
    }

    /// Reports that it found an attempt at that stage.
    pub(crate) fn finds(self, stage: Stage) {
        /// The sentences of an act, one for each stage: scenarios name them in full.
        macro_rules! at_stages {
            ($act:literal) => {
                [
                    concat!($act, " during the handshake"),
                    concat!($act, " before SETTINGS"),
                    concat!($act, " before the notification"),
                ]
            };
        }
        let [handshake, settings, notify] = match self {
            ChannelAct::SameArgs => at_stages!("a resolver result with the same args comes"),
            ChannelAct::OtherArgs => at_stages!("a resolver result with other args comes"),
            ChannelAct::NoAddress => at_stages!("an empty resolver result comes"),
            ChannelAct::Close => at_stages!("a channel is closed"),
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
    /// The cause of a failed read; `None` if the fd's owner shut it down.
    pub(crate) fn of_read(error: Error) -> Option<End> {
        match error {
            Error::SocketClosed => Some(End::Fin),
            Error::ConnectionReset => Some(End::Rst),
            _ => None,
        }
    }

    /// Reports that it found a connection in that state.
    pub(crate) fn finds(self, moment: Moment) {
        /// The sentences of an end, one for each state of the connection: scenarios name them in full.
        macro_rules! in_states {
            ($end:literal) => {
                [
                    concat!($end, " comes before SETTINGS"),
                    concat!($end, " comes before the transport is watched"),
                    concat!($end, " comes to an idle connection"),
                    concat!($end, " comes with streams open"),
                    concat!($end, " comes while a write is in progress"),
                ]
            };
        }
        let [early, unpublished, idle, streams, writing] = match self {
            End::Fin => in_states!("FIN"),
            End::Rst => in_states!("RST"),
            End::Goaway(Goaway::NoError) => in_states!("GOAWAY"),
            End::Goaway(Goaway::TooManyPings) => in_states!("GOAWAY with ENHANCE_YOUR_CALM"),
        };
        let Moment { is_first_frame, is_watched, has_streams, is_writing } = moment;
        sometimes(early, is_first_frame);
        sometimes(unpublished, !is_first_frame && !is_watched);
        sometimes(idle, is_watched && !has_streams && !is_writing);
        sometimes(streams, is_watched && has_streams);
        sometimes(writing, is_watched && is_writing);
    }
}
