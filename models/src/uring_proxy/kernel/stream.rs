//! The kernel's sockets on the simulated network: the network, not the endpoint, buffers the bytes of a [`Stream`].
//!
//! | operation | here | result |
//! | --- | --- | --- |
//! | accept, connect | a future of the network, polled | the network's, including refused and timed out |
//! | receive | a read, once buffers are available | of one read: possibly short, 0 at FIN, -ECONNRESET, -ETIMEDOUT |
//! | send | writes, until all is taken if `MSG_WAITALL` | a count, -EPIPE, -ECONNRESET, -ETIMEDOUT |
//! | zero-copy send | queued; written from the sender's memory later | a count; see `send` |
//! | shutdown | FIN; later bytes are answered by RST | 0, or -ENOTCONN if the connection is gone |
//! | close | the network's close: FIN, or RST if bytes are unread | 0 |
//!
//! No thread blocks in the kernel on a socket. A poll that returns `Pending` leaves a waker, which marks the socket as
//! changed and wakes the kernel's task. Neither is a scheduling point, so the wire may call the waker.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use lastref::net::{TcpListener, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::abi::Errno;
use crate::kit::harness::Unscheduled;

/// Wakes the kernel's task on the simulated network, if there is one.
#[derive(Debug, Default)]
pub(super) struct KernelWaker(Unscheduled<Option<Waker>>);

impl KernelWaker {
    /// Sets the waker to call.
    pub(super) fn set(&self, waker: &Waker) {
        *self.0.lock() = Some(waker.clone());
    }

    pub(super) fn wake(&self) {
        let waker = self.0.lock().clone();
        waker.iter().for_each(Waker::wake_by_ref);
    }
}

/// Whether one direction of a socket, or a listener, may have changed since its last poll.
#[derive(Debug)]
struct Readiness {
    is_due: AtomicBool,
    waker: Arc<KernelWaker>,
}

impl Readiness {
    fn new(waker: &Arc<KernelWaker>) -> Arc<Readiness> {
        Arc::new(Readiness { is_due: AtomicBool::new(true), waker: Arc::clone(waker) })
    }

    fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// Clears `is_due` and polls. If the poll is ready, sets `is_due` again; otherwise its waker will.
    fn poll<T>(self: &Arc<Readiness>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.is_due.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(self));
        let polled = poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.is_due.store(true, Ordering::Relaxed);
        }
        polled
    }

    /// [`Readiness::poll`] of an operation that may fail.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if it would block, or the cause of the failure.
    fn attempt<T>(
        self: &Arc<Readiness>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Result<T, Errno> {
        match self.poll(poll) {
            Poll::Pending => Err(Errno::Again),
            Poll::Ready(result) => result.map_err(|error| errno(&error)),
        }
    }
}

impl Wake for Readiness {
    fn wake(self: Arc<Readiness>) {
        self.is_due.store(true, Ordering::Relaxed);
        self.waker.wake();
    }
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

enum Link {
    Connecting(Attempt),
    Open(TcpStream),
}

/// A connection of the network, or the attempt to establish one.
pub(super) struct Stream {
    link: Link,
    read_ready: Arc<Readiness>,
    write_ready: Arc<Readiness>,
    /// The result of the last check, if a read would not block.
    found: Option<Found>,
}

/// The kind of data that a read would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Bytes,
    /// FIN, or an error.
    End,
}

impl Stream {
    fn new(link: Link, waker: &Arc<KernelWaker>) -> Stream {
        Stream { link, read_ready: Readiness::new(waker), write_ready: Readiness::new(waker), found: None }
    }

    /// A connection attempt, which begins with its first poll.
    pub(super) fn connect(address: SocketAddr, waker: &Arc<KernelWaker>) -> Stream {
        Stream::new(Link::Connecting(Box::pin(TcpStream::connect(address))), waker)
    }

    /// Continues the connection attempt.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the failure.
    pub(super) fn poll_connect(&mut self) -> Result<(), Errno> {
        let Link::Connecting(attempt) = &mut self.link else { return Ok(()) };
        self.link = Link::Open(self.write_ready.attempt(|context| attempt.as_mut().poll(context))?);
        Ok(())
    }

    /// True once the connection is established.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// Checks whether a read would block, without reading.
    pub(super) fn look(&mut self) {
        let Link::Open(stream) = &mut self.link else { return };
        if self.found.is_some() || !self.read_ready.is_due() {
            return;
        }
        let mut octet = [0];
        let mut peeked = ReadBuf::new(&mut octet);
        self.found = match self.read_ready.poll(|context| stream.poll_peek(context, &mut peeked)) {
            Poll::Pending => None,
            Poll::Ready(Ok(1..)) => Some(Found::Bytes),
            Poll::Ready(_) => Some(Found::End),
        };
    }

    /// True if the last check found that a read would not block.
    pub(super) fn is_readable(&self) -> bool {
        self.found.is_some()
    }

    /// True if the last check found bytes to read.
    pub(super) fn has_bytes(&self) -> bool {
        self.found == Some(Found::Bytes)
    }

    /// True if a write, or the connection attempt, may make progress.
    pub(super) fn may_write(&self) -> bool {
        self.write_ready.is_due()
    }

    /// Reads up to `most` bytes; returns none at the end of the stream.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the break.
    pub(super) fn read(&mut self, most: usize) -> Result<Vec<u8>, Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        let mut bytes = vec![0; most];
        let mut read = ReadBuf::new(&mut bytes);
        self.found = None;
        self.read_ready.attempt(|context| Pin::new(stream).poll_read(context, &mut read))?;
        Ok(read.filled().to_vec())
    }

    /// Writes as many of these bytes as the network takes, and returns their number.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or the cause of the failure.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        self.write_ready.attempt(|context| Pin::new(stream).poll_write(context, bytes))
    }

    /// FIN.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the connection is gone.
    pub(super) fn shut_write(&mut self) -> Result<(), Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        self.write_ready.attempt(|context| Pin::new(stream).poll_shutdown(context)).map_err(|_| Errno::NotConn)
    }
}

/// A listening socket of the network.
pub(super) struct Acceptor {
    listener: Arc<TcpListener>,
    accepting: Option<Attempt>,
    news: Arc<Readiness>,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, waker: &Arc<KernelWaker>) -> Acceptor {
        Acceptor { listener: Arc::new(listener), accepting: None, news: Readiness::new(waker) }
    }

    /// Whether a connection may be waiting.
    pub(super) fn may_accept(&self) -> bool {
        self.news.is_due()
    }

    /// Accepts the next connection that waits, if any.
    pub(super) fn accept(&mut self, waker: &Arc<KernelWaker>) -> Option<Stream> {
        let listener = Arc::clone(&self.listener);
        let accept = || -> Attempt { Box::pin(async move { Ok(listener.accept().await?.0) }) };
        let accepting = self.accepting.get_or_insert_with(accept);
        let Poll::Ready(accepted) = self.news.poll(|context| accepting.as_mut().poll(context)) else { return None };
        self.accepting = None;
        accepted.ok().map(|stream| Stream::new(Link::Open(stream), waker))
    }
}

fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Errno::Pipe,
        io::ErrorKind::ConnectionRefused => Errno::ConnRefused,
        io::ErrorKind::NotConnected => Errno::NotConn,
        io::ErrorKind::TimedOut => Errno::TimedOut,
        _ => Errno::ConnReset,
    }
}
