//! Connected sockets and what is on the wire between them.
//!
//! ```text
//! send ─► out (at most a window of bytes) ──deliver──► rx of the peer (at most a window) ─► recv
//!                 FIN and RST travel behind the bytes     │
//! shut or closed reader: the bytes are answered by RST ◄──┘
//! ```
//!
//! As measured: bytes that came before an RST are read first; then -ECONNRESET, once; from then on a read gives 0 and a
//! write -EPIPE. As in Linux's inet_shutdown: shutting a socket that was never connected, or was reset, is -ENOTCONN.
//!
//! Left out: the handshake, retransmission, urgent data, and lingering. A connection is made at once or refused.

use std::collections::VecDeque;

use super::abi::{Address, Errno, Octet, RingId};

/// Names an end of a connection.
pub(super) type EndpointId = usize;

/// What is on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    /// Copied when it was sent.
    Octet(Octet),
    /// Zero copy: still in the sender's memory.
    Pinned { ring: RingId, at: Address, notif: u64 },
    /// The writer is done.
    Fin,
    /// The writer broke the connection.
    Rst,
}

/// One end.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) peer: Option<EndpointId>,
    pub(super) rx: VecDeque<Octet>,
    pub(super) out: VecDeque<Wire>,
    /// The peer's FIN has arrived.
    fin: bool,
    /// The connection is broken.
    pub(super) reset: bool,
    /// What the next operation is told of that.
    error: Option<Errno>,
    shut_read: bool,
    shut_write: bool,
    pub(super) closed: bool,
}

impl Endpoint {
    /// Whether a read would not wait.
    pub(super) fn readable(&self) -> bool {
        !self.rx.is_empty() || self.fin || self.reset || self.shut_read || self.error.is_some()
    }

    /// How many bytes a read would find; 0 at the end.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or why the connection broke.
    pub(super) fn unread(&mut self) -> Result<usize, Errno> {
        if !self.rx.is_empty() {
            return Ok(self.rx.len());
        }
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        if self.fin || self.reset || self.shut_read { Ok(0) } else { Err(Errno::Again) }
    }

    /// Takes so many bytes.
    pub(super) fn read(&mut self, count: usize) -> Vec<Octet> {
        self.rx.drain(..count.min(self.rx.len())).collect()
    }

    /// Whether a write would not wait.
    pub(super) fn writable(&self, window: usize) -> bool {
        self.reset || self.shut_write || self.error.is_some() || self.out.len() < window
    }

    /// How many bytes a write may hand over, at least one.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or why the connection takes no more.
    pub(super) fn room(&mut self, window: usize) -> Result<usize, Errno> {
        if self.reset || self.shut_write || self.error.is_some() {
            return Err(self.error.take().unwrap_or(Errno::Pipe));
        }
        match window.saturating_sub(self.out.len()) {
            0 => Err(Errno::Again),
            room => Ok(room),
        }
    }

    /// Whether bytes that arrive here are answered by RST.
    fn deaf(&self) -> bool {
        self.closed || self.shut_read
    }

    /// `shutdown(SHUT_WR)`.
    pub(super) fn shut_write(&mut self) {
        if !std::mem::replace(&mut self.shut_write, true) && !self.reset {
            self.out.push_back(Wire::Fin);
        }
    }

    /// `shutdown(SHUT_RDWR)`.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if there is no connection, or none any more.
    pub(super) fn shutdown(&mut self) -> Result<(), Errno> {
        if self.peer.is_none() || self.reset {
            return Err(Errno::NotConn);
        }
        self.shut_read = true;
        self.shut_write();
        Ok(())
    }

    /// The last descriptor goes: FIN, or RST if something was not read.
    pub(super) fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) || self.reset || self.peer.is_none() {
            return;
        }
        if self.rx.is_empty() {
            self.shut_write();
        } else {
            self.out.push_back(Wire::Rst);
            self.reset = true;
        }
    }

    /// The end breaks the connection; of what it wrote, `kept` still goes out first. Gives what does not.
    pub(super) fn abort(&mut self, kept: usize) -> VecDeque<Wire> {
        let lost = self.out.split_off(kept.min(self.out.len()));
        self.out.push_back(Wire::Rst);
        (self.closed, self.reset) = (true, true);
        lost
    }

    /// The peer has broken the connection. Gives what was on the way to it.
    pub(super) fn broken(&mut self) -> VecDeque<Wire> {
        if !self.reset {
            self.error = Some(Errno::ConnReset);
        }
        self.reset = true;
        std::mem::take(&mut self.out)
    }

    /// How much of `out` can arrive at `peer` now: whether its front is a mark, or how many bytes.
    pub(super) fn deliverable(&self, peer: &Endpoint, window: usize) -> usize {
        match self.out.front() {
            None => 0,
            Some(Wire::Fin | Wire::Rst) => 1,
            Some(Wire::Octet(_) | Wire::Pinned { .. }) => {
                let is_byte = |wire: &&Wire| matches!(wire, Wire::Octet(_) | Wire::Pinned { .. });
                let bytes = self.out.iter().take_while(is_byte).count();
                if peer.deaf() { bytes } else { bytes.min(window.saturating_sub(peer.rx.len())) }
            }
        }
    }

    /// A byte arrives. False if it is answered by RST.
    pub(super) fn arrive(&mut self, octet: Octet) -> bool {
        if self.deaf() {
            return false;
        }
        self.rx.push_back(octet);
        true
    }

    /// FIN arrives.
    pub(super) fn fin(&mut self) {
        self.fin = true;
    }
}
