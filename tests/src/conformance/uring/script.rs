//! Scripts for provided-buffer rings over TCP: their steps, their text form, and a strategy that generates them.

use std::fmt;
use std::str::FromStr;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Number of sockets of a script.
pub const SOCKETS: u8 = 2;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Whether the receive group is incremental. Only the first step may be this one.
    Inc(bool),
    /// Provides this many of the free buffers, those with the lowest ids.
    Provide(u8),
    /// Unregisters the receive group.
    Unregister,
    /// Arms a receive.
    Arm {
        /// The socket.
        socket: u8,
        /// Whether the receive stays armed after a completion.
        multishot: bool,
        /// Whether a completion may cover several buffers.
        bundle: bool,
    },
    /// Sends the oldest buffer that was received.
    Send {
        /// The socket.
        socket: u8,
        /// The kind of send.
        how: How,
    },
    /// Sends from the send group.
    SendGroup {
        /// The socket.
        socket: u8,
        /// Whether the send takes all buffers of the group.
        bundle: bool,
    },
    /// Cancels by user data.
    CancelUser {
        /// The user data.
        user: u64,
        /// Whether all matching requests are cancelled.
        all: bool,
    },
    /// Cancels by descriptor.
    CancelFd {
        /// The socket.
        socket: u8,
        /// Whether all matching requests are cancelled.
        all: bool,
    },
    /// Closes a direct descriptor.
    Close(u8),
    /// Shuts a socket down both ways.
    Shutdown(u8),
    /// A shutdown, and a close that is linked to it.
    ShutClose(u8),
    /// The peer writes this many bytes.
    PeerSend(u8, u8),
    /// The peer reads all available bytes.
    PeerRead(u8),
    /// The peer shuts its writing side.
    PeerFin(u8),
    /// The peer resets the connection.
    PeerRst(u8),
    /// The peer closes its socket.
    PeerClose(u8),
    /// Puts the buffers that were received into the send group.
    OutMove,
    /// Frees the buffers that were received.
    Recycle,
}

/// The kind of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// Copied.
    Plain,
    /// With `MSG_WAITALL`.
    Waitall,
    /// Zero copy.
    ZeroCopy,
}

impl Step {
    fn socket(&mut self) -> Option<&mut u8> {
        match self {
            Step::Arm { socket, .. }
            | Step::Send { socket, .. }
            | Step::SendGroup { socket, .. }
            | Step::CancelFd { socket, .. }
            | Step::Close(socket)
            | Step::Shutdown(socket)
            | Step::ShutClose(socket)
            | Step::PeerSend(socket, _)
            | Step::PeerRead(socket)
            | Step::PeerFin(socket)
            | Step::PeerRst(socket)
            | Step::PeerClose(socket) => Some(socket),
            Step::Inc(_)
            | Step::Provide(_)
            | Step::Unregister
            | Step::CancelUser { .. }
            | Step::OutMove
            | Step::Recycle => None,
        }
    }
}

impl super::super::Step for Step {
    fn simpler(&self) -> Vec<Step> {
        let mut simpler = Vec::new();
        let mut on_first = self.clone();
        if on_first.socket().is_some_and(|socket| std::mem::take(socket) != 0) {
            simpler.push(on_first);
        }
        match *self {
            Step::Inc(true) => simpler.push(Step::Inc(false)),
            Step::Provide(count) if count > 1 => simpler.extend([Step::Provide(1), Step::Provide(count - 1)]),
            Step::PeerSend(socket, count) if count > 1 => {
                simpler.extend([Step::PeerSend(socket, 1), Step::PeerSend(socket, count - 1)]);
            }
            Step::Arm { socket, multishot, bundle: true } => {
                simpler.push(Step::Arm { socket, multishot, bundle: false });
            }
            Step::Arm { socket, multishot: true, bundle } => {
                simpler.push(Step::Arm { socket, multishot: false, bundle });
            }
            Step::Send { socket, how: How::Waitall | How::ZeroCopy } => {
                simpler.push(Step::Send { socket, how: How::Plain });
            }
            Step::SendGroup { socket, bundle: true } => simpler.push(Step::SendGroup { socket, bundle: false }),
            Step::CancelUser { user, all } if user > 1 => simpler.push(Step::CancelUser { user: user - 1, all }),
            Step::CancelFd { socket, all: true } => simpler.push(Step::CancelFd { socket, all: false }),
            Step::ShutClose(socket) => simpler.extend([Step::Close(socket), Step::Shutdown(socket)]),
            _ => {}
        }
        simpler
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |all: bool| if all { " all" } else { "" };
        match self {
            Step::Inc(incremental) => write!(f, "inc {}", u8::from(*incremental)),
            Step::Provide(count) => write!(f, "provide {count}"),
            Step::Unregister => write!(f, "unregister"),
            Step::Arm { socket, multishot, bundle } => {
                let shots = if *multishot { "multi" } else { "single" };
                write!(f, "arm {socket} {shots}{}", if *bundle { " bundle" } else { "" })
            }
            Step::Send { socket, how: How::Plain } => write!(f, "send {socket}"),
            Step::Send { socket, how: How::Waitall } => write!(f, "send {socket} waitall"),
            Step::Send { socket, how: How::ZeroCopy } => write!(f, "sendzc {socket}"),
            Step::SendGroup { socket, bundle: false } => write!(f, "sendgroup {socket}"),
            Step::SendGroup { socket, bundle: true } => write!(f, "sendbundle {socket}"),
            Step::CancelUser { user, all: of } => write!(f, "canceluser {user}{}", all(*of)),
            Step::CancelFd { socket, all: of } => write!(f, "cancelfd {socket}{}", all(*of)),
            Step::Close(socket) => write!(f, "close {socket}"),
            Step::Shutdown(socket) => write!(f, "shutdown {socket}"),
            Step::ShutClose(socket) => write!(f, "shutclose {socket}"),
            Step::PeerSend(socket, count) => write!(f, "peersend {socket} {count}"),
            Step::PeerRead(socket) => write!(f, "peerread {socket}"),
            Step::PeerFin(socket) => write!(f, "peerfin {socket}"),
            Step::PeerRst(socket) => write!(f, "peerrst {socket}"),
            Step::PeerClose(socket) => write!(f, "peerclose {socket}"),
            Step::OutMove => write!(f, "outmove"),
            Step::Recycle => write!(f, "recycle"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Step, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let bad = || format!("`{text}` is not a step of an io_uring script");
        let socket = |word: &str| word.parse().ok().filter(|socket| *socket < SOCKETS).ok_or_else(bad);
        let number = |word: &str| word.parse().map_err(|_| bad());
        let step = match words[..] {
            ["inc", "0"] => Step::Inc(false),
            ["inc", "1"] => Step::Inc(true),
            ["provide", count] => Step::Provide(number(count)?),
            ["unregister"] => Step::Unregister,
            ["arm", of, shots @ ("single" | "multi"), ref rest @ ..] if matches!(rest, [] | ["bundle"]) => {
                Step::Arm { socket: socket(of)?, multishot: shots == "multi", bundle: !rest.is_empty() }
            }
            ["send", of] => Step::Send { socket: socket(of)?, how: How::Plain },
            ["send", of, "waitall"] => Step::Send { socket: socket(of)?, how: How::Waitall },
            ["sendzc", of] => Step::Send { socket: socket(of)?, how: How::ZeroCopy },
            ["sendgroup", of] => Step::SendGroup { socket: socket(of)?, bundle: false },
            ["sendbundle", of] => Step::SendGroup { socket: socket(of)?, bundle: true },
            ["canceluser", user, ref rest @ ..] if matches!(rest, [] | ["all"]) => {
                Step::CancelUser { user: user.parse().map_err(|_| bad())?, all: !rest.is_empty() }
            }
            ["cancelfd", of, ref rest @ ..] if matches!(rest, [] | ["all"]) => {
                Step::CancelFd { socket: socket(of)?, all: !rest.is_empty() }
            }
            ["close", of] => Step::Close(socket(of)?),
            ["shutdown", of] => Step::Shutdown(socket(of)?),
            ["shutclose", of] => Step::ShutClose(socket(of)?),
            ["peersend", of, count] => Step::PeerSend(socket(of)?, number(count)?),
            ["peerread", of] => Step::PeerRead(socket(of)?),
            ["peerfin", of] => Step::PeerFin(socket(of)?),
            ["peerrst", of] => Step::PeerRst(socket(of)?),
            ["peerclose", of] => Step::PeerClose(socket(of)?),
            ["outmove"] => Step::OutMove,
            ["recycle"] => Step::Recycle,
            _ => return Err(bad()),
        };
        Ok(step)
    }
}

/// Generates scripts: the kind of the receive group, nearly always some provided buffers, then up to 21 steps. Most
/// steps use the first socket, so that they affect each other. A script with an incremental group uses no bundles, and
/// sends nothing from the group's buffers.
pub fn scripts() -> BoxedStrategy<Vec<Step>> {
    let start = (proptest::bool::weighted(0.2), proptest::option::weighted(0.85, 1..=5_u8));
    let script = start.prop_flat_map(|(incremental, provided)| {
        let steps = proptest::collection::vec(step(incremental), 4..=20);
        steps.prop_map(move |steps| {
            let start = [Step::Inc(incremental)].into_iter().chain(provided.map(Step::Provide));
            start.chain(steps).collect()
        })
    });
    script.boxed()
}

fn socket() -> impl Strategy<Value = u8> + Clone {
    prop_oneof![4 => Just(0), 1 => Just(1)]
}

fn step(incremental: bool) -> BoxedStrategy<Step> {
    let of = socket;
    let bundle = proptest::bool::weighted(if incremental { 0.0 } else { 0.25 });
    let all = || proptest::bool::weighted(0.4);
    let common = prop_oneof![
        14 => (of(), any::<bool>(), bundle).prop_map(|(socket, multishot, bundle)| Step::Arm { socket, multishot, bundle }),
        16 => (of(), 1..=13_u8).prop_map(|(socket, count)| Step::PeerSend(socket, count)),
        9 => (1..=4_u8).prop_map(Step::Provide),
        4 => of().prop_map(Step::PeerRead),
        3 => (1..=8_u64, all()).prop_map(|(user, all)| Step::CancelUser { user, all }),
        3 => (of(), all()).prop_map(|(socket, all)| Step::CancelFd { socket, all }),
        2 => of().prop_map(Step::Close),
        1 => of().prop_map(Step::Shutdown),
        1 => of().prop_map(Step::ShutClose),
        2 => of().prop_map(Step::PeerFin),
        1 => of().prop_map(Step::PeerRst),
        1 => of().prop_map(Step::PeerClose),
        2 => Just(Step::Recycle),
        1 => Just(Step::Unregister),
    ];
    if incremental {
        return common.boxed();
    }
    let how = prop_oneof![4 => Just(How::Plain), 2 => Just(How::Waitall), 2 => Just(How::ZeroCopy)];
    prop_oneof![
        60 => common,
        9 => (of(), how).prop_map(|(socket, how)| Step::Send { socket, how }),
        4 => (of(), any::<bool>()).prop_map(|(socket, bundle)| Step::SendGroup { socket, bundle }),
        4 => Just(Step::OutMove),
    ]
    .boxed()
}
