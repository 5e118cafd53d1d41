//! The application of a script: it tracks its buffers and handles completions.
//!
//! It is the same for the model and for the real kernel, which both implement [`Machine`]. There are eight buffers of
//! four bytes. Each is free, provided, received, in the send group, or being sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use super::script::{How, Step};

/// Number of buffers.
pub const BUFS: u16 = 8;
/// Their size in bytes.
pub const BUF_SIZE: u32 = 4;

/// A request to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A receive.
    Recv {
        /// The socket.
        socket: u8,
        /// Whether the receive stays armed after a completion.
        multishot: bool,
        /// Whether a completion may cover several buffers.
        bundle: bool,
    },
    /// A send from one buffer.
    Send {
        /// The socket.
        socket: u8,
        /// The id of the buffer.
        bid: u16,
        /// The number of bytes.
        len: u32,
        /// The kind of send.
        how: How,
    },
    /// A send from the send group.
    SendGroup {
        /// The socket.
        socket: u8,
        /// Whether the send takes all buffers of the group.
        bundle: bool,
    },
    /// A cancellation by user data.
    CancelUser {
        /// The user data.
        user: u64,
        /// Whether all matching requests are cancelled.
        all: bool,
    },
    /// A cancellation by descriptor.
    CancelFd {
        /// The socket.
        socket: u8,
        /// Whether all matching requests are cancelled.
        all: bool,
    },
    /// A close.
    Close(u8),
    /// A shutdown.
    Shutdown(u8),
}

/// A completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// User data.
    pub user: u64,
    /// Result.
    pub res: i32,
    /// Flags, as `linux/io_uring.h` numbers them.
    pub flags: u32,
}

impl Completion {
    const F_BUFFER: u32 = 1;
    const F_MORE: u32 = 1 << 1;
    const F_NOTIF: u32 = 1 << 3;
    const F_BUF_MORE: u32 = 1 << 4;

    fn has(self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn bid(self) -> u16 {
        (self.flags >> 16) as u16
    }
}

/// How a peer's read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No more data for now.
    Open,
    /// FIN.
    End,
    /// An error.
    Broken,
}

/// A kernel with one ring, two direct descriptors, the sockets at their other ends, and two groups of buffers.
pub trait Machine {
    /// The machine's own error.
    type Error;

    /// Provides a whole buffer to the receive group.
    fn provide(&mut self, bid: u16);
    /// Puts the first `len` bytes of a buffer into the send group.
    fn put_out(&mut self, bid: u16, len: u32);
    /// Unregisters the receive group.
    ///
    /// # Errors
    /// If the machine fails.
    fn unregister(&mut self) -> Result<(), Self::Error>;
    /// Submits these requests, linked to each other, with user data that counts up from `first`.
    ///
    /// # Errors
    /// If the machine fails.
    fn submit(&mut self, first: u64, ops: &[Op]) -> Result<(), Self::Error>;
    /// Waits until nothing more happens by itself, and returns the completions.
    ///
    /// # Errors
    /// If the machine fails.
    fn settle(&mut self) -> Result<Vec<Completion>, Self::Error>;
    /// A peer writes. Returns the number of bytes; `None` if the connection accepts no more.
    fn peer_write(&mut self, socket: u8, bytes: &[u8]) -> Option<usize>;
    /// A peer reads all available bytes.
    fn peer_read(&mut self, socket: u8) -> (Vec<u8>, End);
    /// A peer shuts its writing side.
    fn peer_fin(&mut self, socket: u8);
    /// A peer resets the connection, and its socket is gone.
    fn peer_reset(&mut self, socket: u8);
    /// A peer closes its socket.
    fn peer_close(&mut self, socket: u8);
}

/// The state of the application.
#[derive(Debug)]
pub struct Application<M> {
    /// The kernel.
    pub machine: M,
    next_user: u64,
    is_registered: bool,
    incremental: bool,
    free: BTreeSet<u16>,
    /// The buffers in the receive group, in the order of its ring.
    provided: VecDeque<u16>,
    /// The received buffers that were not passed on, the oldest first: id and length.
    received: VecDeque<(u16, u32)>,
    /// The buffers in the send group, in the order of its ring.
    out: VecDeque<u16>,
    /// The submitted requests, by user data.
    submitted: BTreeMap<u64, Op>,
    has_peer: Vec<bool>,
    written: Vec<u8>,
}

const SKIP: &str = "skip";

impl<M: Machine> Application<M> {
    /// Starts on a new machine. `incremental`: whether its receive group is incremental.
    pub fn new(machine: M, incremental: bool) -> Application<M> {
        let sockets = usize::from(super::script::SOCKETS);
        Application {
            machine,
            next_user: 1,
            is_registered: true,
            incremental,
            free: (0..BUFS).collect(),
            provided: VecDeque::new(),
            received: VecDeque::new(),
            out: VecDeque::new(),
            submitted: BTreeMap::new(),
            has_peer: vec![true; sockets],
            written: vec![0; sockets],
        }
    }

    /// Performs one step, settles, and returns the observation.
    ///
    /// # Errors
    /// If the machine fails.
    pub fn step(&mut self, step: &Step) -> Result<String, M::Error> {
        let mut seen = match self.act(step)? {
            Some(seen) if seen == SKIP => return Ok(seen),
            seen => seen.unwrap_or_default(),
        };
        for completion in self.machine.settle()? {
            self.handle(completion);
            if !seen.is_empty() {
                seen.push(' ');
            }
            seen.push_str(&text(completion));
        }
        Ok(seen)
    }

    fn act(&mut self, step: &Step) -> Result<Option<String>, M::Error> {
        let skip = Ok(Some(SKIP.to_owned()));
        match *step {
            Step::Inc(_) => {}
            Step::Provide(_) if !self.is_registered => return skip,
            Step::Provide(count) => {
                for _ in 0..count {
                    let Some(bid) = self.free.pop_first() else { break };
                    self.machine.provide(bid);
                    self.provided.push_back(bid);
                }
            }
            Step::Unregister if !self.is_registered => return skip,
            Step::Unregister => {
                self.is_registered = false;
                self.machine.unregister()?;
            }
            Step::OutMove => {
                for (bid, len) in std::mem::take(&mut self.received) {
                    self.machine.put_out(bid, len);
                    self.out.push_back(bid);
                }
            }
            Step::Recycle => self.free.extend(self.received.drain(..).map(|(bid, _)| bid)),
            Step::PeerSend(socket, _)
            | Step::PeerRead(socket)
            | Step::PeerFin(socket)
            | Step::PeerRst(socket)
            | Step::PeerClose(socket)
                if !self.has_peer[usize::from(socket)] =>
            {
                return skip;
            }
            Step::PeerSend(socket, count) => return Ok(Some(self.peer_send(socket, count))),
            Step::PeerRead(socket) => return Ok(Some(self.peer_read(socket))),
            Step::PeerFin(socket) => self.machine.peer_fin(socket),
            Step::PeerRst(socket) => {
                self.has_peer[usize::from(socket)] = false;
                self.machine.peer_reset(socket);
            }
            Step::PeerClose(socket) => {
                self.has_peer[usize::from(socket)] = false;
                self.machine.peer_close(socket);
            }
            _ => return self.submit(step),
        }
        Ok(None)
    }

    fn submit(&mut self, step: &Step) -> Result<Option<String>, M::Error> {
        let ops = match *step {
            Step::Arm { socket, multishot, bundle } => vec![Op::Recv { socket, multishot, bundle }],
            Step::Send { socket, how } => match self.received.pop_front() {
                Some((bid, len)) => vec![Op::Send { socket, bid, len, how }],
                None => {
                    self.next_user += 1;
                    return Ok(Some(SKIP.to_owned()));
                }
            },
            Step::SendGroup { socket, bundle } => vec![Op::SendGroup { socket, bundle }],
            Step::CancelUser { user, all } => vec![Op::CancelUser { user, all }],
            Step::CancelFd { socket, all } => vec![Op::CancelFd { socket, all }],
            Step::Close(socket) => vec![Op::Close(socket)],
            Step::Shutdown(socket) => vec![Op::Shutdown(socket)],
            Step::ShutClose(socket) => vec![Op::Shutdown(socket), Op::Close(socket)],
            _ => Vec::new(),
        };
        let first = self.next_user;
        self.machine.submit(first, &ops)?;
        for op in ops {
            self.submitted.insert(self.next_user, op);
            self.next_user += 1;
        }
        Ok(None)
    }

    fn peer_send(&mut self, socket: u8, count: u8) -> String {
        let written = &mut self.written[usize::from(socket)];
        let bytes: Vec<u8> = (0..count).map(|nth| written.wrapping_add(nth)).collect();
        match self.machine.peer_write(socket, &bytes) {
            Some(count) => {
                *written = written.wrapping_add(count as u8);
                format!("wrote {count}")
            }
            None => "wrote -".to_owned(),
        }
    }

    fn peer_read(&mut self, socket: u8) -> String {
        let (bytes, end) = self.machine.peer_read(socket);
        let end = match end {
            End::Open => "open",
            End::End => "end",
            End::Broken => "broken",
        };
        format!("read {bytes:?} {end}")
    }

    /// Takes back the buffers that a completion returns.
    fn handle(&mut self, completion: Completion) {
        match self.submitted.get(&completion.user) {
            Some(Op::Recv { .. }) if completion.has(Completion::F_BUFFER) => self.received_into(completion),
            Some(Op::Send { bid, .. }) if !completion.has(Completion::F_NOTIF) => {
                self.free.insert(*bid);
            }
            Some(Op::SendGroup { bundle, .. }) if completion.has(Completion::F_BUFFER) => {
                // A bundle has taken all buffers of the group.
                let taken = if *bundle { self.out.len() } else { 1 };
                self.free.extend(self.out.drain(..taken.min(self.out.len())));
            }
            _ => {}
        }
    }

    fn received_into(&mut self, completion: Completion) {
        if completion.has(Completion::F_BUF_MORE) {
            return;
        }
        if self.incremental {
            self.provided.retain(|bid| *bid != completion.bid());
            return self.received.push_back((completion.bid(), BUF_SIZE));
        }
        let mut left = u32::try_from(completion.res).unwrap_or(0);
        while left > 0 {
            let Some(bid) = self.provided.pop_front() else { return };
            let len = left.min(BUF_SIZE);
            self.received.push_back((bid, len));
            left -= len;
        }
    }
}

/// `(user_data result flags)`.
fn text(completion: Completion) -> String {
    let Completion { user, res, .. } = completion;
    let mut text = format!("({user} {res}");
    if completion.has(Completion::F_BUFFER) {
        // Writing to a string does not fail.
        let _ = write!(text, " b{}", completion.bid());
    }
    for (flag, name) in [(Completion::F_MORE, "M"), (Completion::F_NOTIF, "N"), (Completion::F_BUF_MORE, "BM")] {
        if completion.has(flag) {
            let _ = write!(text, " {name}");
        }
    }
    text.push(')');
    text
}
