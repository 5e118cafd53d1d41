//! Connected sockets and what is on the wire between them.
//!
//! ```text
//! send ─► out (at most a window of bytes) ──deliver──► rx of the peer (at most a window) ─► recv
//!                 FIN and RST travel behind the bytes     │
//! shut or closed reader: the bytes are answered by RST ◄──┘
//! ```
//!
//! A connection is over (`TCP_CLOSE`) when it was reset, or when each end has received the other's FIN and the
//! acknowledgement of its own. As measured: bytes that came before an RST are read first; then the next operation gives
//! -ECONNRESET, once; from then on a read gives 0 and a write -EPIPE. After a FIN, a read gives 0 even if RST follows;
//! the next write then gives -EPIPE. Bytes that arrive after a shutdown are answered by RST, and the socket that was
//! shut down gets -ECONNRESET itself. As in Linux's inet_shutdown, the shutdown of a socket that was never connected,
//! or whose connection is over, gives -ENOTCONN.
//!
//! Left out: the handshake, retransmission, urgent data, and lingering. A connection is established at once or refused.
//!
//! For an endpoint with a [`Stream`], the simulated network does all of that, and what is left out here. Such an
//! endpoint has no peer; its `rx` holds bytes that the current receive has read and not yet stored, and its `out` the
//! bytes that zero-copy sends have queued.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::abi::{Address, Errno, Octet, RingId};
use super::stream::{KernelWaker, Stream};

/// Names an end of a connection.
pub(super) type EndpointId = usize;

/// An item on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    /// A byte that was copied when it was sent.
    Octet(Octet),
    /// A zero-copy byte, still in the sender's memory.
    Pinned { ring: RingId, at: Address, notif: u64 },
    /// The writer has ended its stream.
    Fin,
    /// The writer broke the connection.
    Rst,
}

/// One end of a connection.
#[derive(Default)]
pub(super) struct Endpoint {
    pub(super) peer: Option<EndpointId>,
    /// Its connection on the simulated network, if any.
    pub(super) stream: Option<Stream>,
    pub(super) rx: VecDeque<Octet>,
    pub(super) out: VecDeque<Wire>,
    /// The peer's FIN has arrived.
    fin: bool,
    /// FIN has arrived at the peer.
    fin_acked: bool,
    /// The connection is over.
    pub(super) over: bool,
    /// The error that the next operation gets.
    error: Option<Errno>,
    pub(super) shut_read: bool,
    shut_write: bool,
    pub(super) closed: bool,
}

impl Endpoint {
    /// Continues to connect to an address of the simulated network.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the failure.
    pub(super) fn connect(&mut self, address: SocketAddr, waker: &Arc<KernelWaker>) -> Result<(), Errno> {
        let connected = self.stream.get_or_insert_with(|| Stream::connect(address, waker)).poll_connect();
        if connected.is_err_and(|errno| errno != Errno::Again) {
            self.stream = None;
        }
        connected
    }

    fn is_connected(&self) -> bool {
        self.peer.is_some() || self.stream.as_ref().is_some_and(Stream::is_open)
    }

    /// True if a read would not block.
    pub(super) fn readable(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_readable)
            || !self.rx.is_empty()
            || self.fin
            || self.over
            || self.shut_read
            || self.error.is_some()
    }

    /// The number of bytes that a read would find; 0 at the end of the stream. Reads at most `most` bytes from the
    /// network, as many as there is room for.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the break.
    pub(super) fn unread(&mut self, most: usize) -> Result<usize, Errno> {
        self.fetch(most);
        if !self.rx.is_empty() {
            return Ok(self.rx.len());
        }
        if self.fin {
            // upstream: tcp_recvmsg_locked looks at SOCK_DONE before it looks at the error, which stays.
            return Ok(0);
        }
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        if self.over || self.shut_read { Ok(0) } else { Err(Errno::Again) }
    }

    fn fetch(&mut self, most: usize) {
        let is_over = self.fin || self.over || self.shut_read || !self.rx.is_empty();
        let Some(stream) = self.stream.as_mut().filter(|_| !is_over) else { return };
        match stream.read(most) {
            Ok(bytes) if bytes.is_empty() => self.fin = true,
            Ok(bytes) => self.rx.extend(bytes.into_iter().map(Octet::untagged)),
            Err(Errno::Again) => {}
            Err(errno) => (self.error, self.over) = (Some(errno), true),
        }
    }

    /// The number of bytes left after a read, and one more for FIN (upstream: tcp_inq_hint). Reads at most `most` bytes
    /// from the network.
    pub(super) fn left(&mut self, most: usize) -> usize {
        self.look();
        if self.stream.as_ref().is_some_and(Stream::has_bytes) {
            self.fetch(most);
        }
        self.inq()
    }

    /// Like [`Endpoint::left`], but does not read from the network.
    pub(super) fn inq(&self) -> usize {
        self.rx.len() + usize::from(self.fin)
    }

    /// Checks whether the network has data to read; returns true if that is new.
    pub(super) fn look(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let was_readable = stream.is_readable();
        stream.look();
        !was_readable && stream.is_readable()
    }

    /// Passes bytes to the network. Returns the number that it takes.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the failure.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(stream) = &mut self.stream else { return Err(Errno::Pipe) };
        let written = stream.write(bytes);
        match written {
            Ok(_) | Err(Errno::Again) => {}
            Err(Errno::Pipe) => self.shut_write = true,
            Err(_) => self.over = true,
        }
        written
    }

    /// Takes this many bytes.
    pub(super) fn read(&mut self, count: usize) -> Vec<Octet> {
        self.rx.drain(..count.min(self.rx.len())).collect()
    }

    /// True if a write would not block.
    pub(super) fn writable(&self, window: usize) -> bool {
        let has_room = match &self.stream {
            Some(stream) if self.out.is_empty() => stream.may_write(),
            _ => self.out.len() < window,
        };
        self.over || self.shut_write || self.error.is_some() || has_room
    }

    /// The number of bytes that a write may queue, at least one.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the failure.
    pub(super) fn room(&mut self, window: usize) -> Result<usize, Errno> {
        if self.over || self.shut_write || self.error.is_some() {
            return Err(self.error.take().unwrap_or(Errno::Pipe));
        }
        match window.saturating_sub(self.out.len()) {
            0 => Err(Errno::Again),
            room => Ok(room),
        }
    }

    /// Whether bytes that arrive here are answered by RST.
    fn answers_with_rst(&self) -> bool {
        self.closed || self.shut_read || self.over
    }

    /// `shutdown(SHUT_WR)`.
    pub(super) fn shut_write(&mut self) {
        if std::mem::replace(&mut self.shut_write, true) || self.over {
            return;
        }
        match &mut self.stream {
            // A failure here is reported by the next operation on the connection.
            Some(stream) if self.out.is_empty() => self.over |= stream.shut_write().is_err(),
            _ => self.out.push_back(Wire::Fin),
        }
    }

    /// `shutdown(SHUT_RDWR)`.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the socket was never connected, or its connection is over.
    pub(super) fn shutdown(&mut self) -> Result<(), Errno> {
        if !self.is_connected() || self.over {
            return Err(Errno::NotConn);
        }
        self.shut_read = true;
        self.shut_write();
        if self.stream.is_some() && self.over { Err(Errno::NotConn) } else { Ok(()) }
    }

    /// True if bytes have arrived after the read side was shut down: the network must answer with RST.
    pub(super) fn rejects(&self) -> bool {
        self.shut_read && self.out.is_empty() && self.stream.as_ref().is_some_and(Stream::has_bytes)
    }

    /// True if the network may take queued bytes of zero-copy sends, or the FIN after them.
    pub(super) fn transmits(&self) -> bool {
        let goes_on = |stream: &Stream| self.over || stream.may_write();
        !self.out.is_empty() && self.stream.as_ref().is_some_and(goes_on)
    }

    /// Performs the FIN and the close that had to wait for an empty queue.
    pub(super) fn finish(&mut self) {
        if let (Some(Wire::Fin), Some(stream)) = (self.out.front(), &mut self.stream) {
            self.over |= stream.shut_write().is_err();
            self.out.clear();
        }
        if self.closed && self.out.is_empty() {
            self.drop_stream();
        }
    }

    /// True if it is closed, and still has its connection.
    pub(super) fn keeps_stream(&self) -> bool {
        self.closed && self.stream.is_some()
    }

    /// Releases its connection: the network sends FIN, or RST if bytes are unread.
    pub(super) fn drop_stream(&mut self) {
        (self.stream, self.over) = (None, true);
    }

    /// Closes the socket with its last descriptor: sends FIN, or RST if bytes are unread.
    pub(super) fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if self.stream.is_some() {
            if self.out.is_empty() {
                self.drop_stream();
            } else {
                // It lingers until all is transmitted.
                self.shut_write();
            }
            return;
        }
        if self.over || self.peer.is_none() {
            return;
        }
        if self.rx.is_empty() {
            self.shut_write();
        } else {
            self.out.push_back(Wire::Rst);
            self.over = true;
        }
    }

    /// Breaks the connection from this end. The first `kept` queued items are still sent; returns the others, which are
    /// lost.
    pub(super) fn abort(&mut self, kept: usize) -> VecDeque<Wire> {
        let lost = self.out.split_off(kept.min(self.out.len()));
        // upstream: tcp_disconnect sends no RST if both ends have sent FIN.
        if !(self.over || self.fin && self.shut_write) {
            self.out.push_back(Wire::Rst);
        }
        (self.closed, self.over) = (true, true);
        lost
    }

    /// Breaks the connection: RST has arrived, or answers bytes that have arrived. Returns the items on the way to the
    /// peer.
    pub(super) fn broken(&mut self) -> VecDeque<Wire> {
        if !std::mem::replace(&mut self.over, true) {
            // upstream: tcp_reset, which knows CLOSE_WAIT.
            let is_half_closed = self.fin && !self.shut_write;
            self.error = Some(if is_half_closed { Errno::Pipe } else { Errno::ConnReset });
        }
        std::mem::take(&mut self.out)
    }

    /// The number of items of `out` that can arrive at `peer` now: one FIN or RST, or a number of bytes.
    pub(super) fn deliverable(&self, peer: &Endpoint, window: usize) -> usize {
        match self.out.front() {
            None => 0,
            Some(Wire::Fin | Wire::Rst) => 1,
            Some(Wire::Octet(_) | Wire::Pinned { .. }) => {
                let is_byte = |wire: &&Wire| matches!(wire, Wire::Octet(_) | Wire::Pinned { .. });
                let bytes = self.out.iter().take_while(is_byte).count();
                if peer.answers_with_rst() { bytes } else { bytes.min(window.saturating_sub(peer.rx.len())) }
            }
        }
    }

    /// A byte arrives. False if it is answered by RST.
    pub(super) fn arrive(&mut self, octet: Octet) -> bool {
        if self.answers_with_rst() {
            return false;
        }
        self.rx.push_back(octet);
        true
    }

    /// FIN arrives.
    pub(super) fn fin(&mut self) {
        self.fin |= !self.over;
        self.over |= self.fin_acked;
    }

    /// FIN has arrived at the peer.
    pub(super) fn fin_acked(&mut self) {
        self.fin_acked = true;
        self.over |= self.fin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The socket lingers while its send queue has bytes.
    #[test]
    fn a_closed_socket_keeps_its_connection_until_all_is_sent() {
        let waker = Arc::default();
        let stream = Stream::connect("10.0.0.1:80".parse().expect("an address"), &waker);
        let mut end = Endpoint { stream: Some(stream), ..Endpoint::default() };
        end.out.push_back(Wire::Octet(Octet::untagged(7)));
        assert!(!end.keeps_stream(), "it is open");
        end.close();
        end.finish();
        assert!(end.keeps_stream());
        end.out.pop_front();
        end.finish();
        assert!(!end.keeps_stream());
    }
}
