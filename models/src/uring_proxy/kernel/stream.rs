//! Sockets of the kernel that are the simulated network's: an endpoint that has a [`Stream`] holds no bytes of its own.
//!
//! | operation | here | its result is |
//! | --- | --- | --- |
//! | accept, connect | a future of the network, polled | the network's: also refused, and timed out |
//! | receive | a read, when buffers for it are there | what one read gives: short, 0 at FIN, -ECONNRESET, -ETIMEDOUT |
//! | send | writes, until all is taken if `MSG_WAITALL` | a count, -EPIPE, -ECONNRESET, -ETIMEDOUT |
//! | zero-copy send | queued; written from the sender's memory later | a count; see `send` |
//! | shutdown | FIN; what comes after that is answered by RST | 0, or -ENOTCONN if the connection is gone |
//! | close | the network's close: FIN, or RST if bytes are unread | 0 |
//!
//! No thread waits in the kernel for a socket. A poll that has to wait leaves a waker, which marks the socket as
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
use crate::kit::harness::impl_debug;

/// Calls the kernel's task, if it has one on the network.
#[derive(Debug, Default)]
pub(super) struct Bell(Unscheduled<Option<Waker>>);

impl Bell {
    /// From now on this is called.
    pub(super) fn hang(&self, waker: &Waker) {
        *self.0.lock() = Some(waker.clone());
    }

    pub(super) fn ring(&self) {
        let waker = self.0.lock().clone();
        waker.iter().for_each(Waker::wake_by_ref);
    }
}

/// Whether a socket may have changed since it was looked at.
#[derive(Debug)]
struct News {
    is_due: AtomicBool,
    bell: Arc<Bell>,
}

impl News {
    fn new(bell: &Arc<Bell>) -> Arc<News> {
        Arc::new(News { is_due: AtomicBool::new(true), bell: Arc::clone(bell) })
    }

    fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// Polls, and there is no news until what was polled for happens; else there is at once.
    fn poll<T>(self: &Arc<News>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.is_due.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(self));
        let polled = poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.is_due.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl Wake for News {
    fn wake(self: Arc<News>) {
        self.is_due.store(true, Ordering::Relaxed);
        self.bell.ring();
    }
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

enum Link {
    Connecting(Attempt),
    Open(TcpStream),
}

/// A connection of the network, or the attempt to make one.
pub(super) struct Stream {
    link: Link,
    read_news: Arc<News>,
    write_news: Arc<News>,
    /// A read would not wait, and what it would find.
    found: Option<Found>,
}

/// What there is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Bytes,
    /// FIN, or an error.
    End,
}

impl Stream {
    fn new(link: Link, bell: &Arc<Bell>) -> Stream {
        Stream { link, read_news: News::new(bell), write_news: News::new(bell), found: None }
    }

    /// An attempt, which begins when it is polled first.
    pub(super) fn connect(address: SocketAddr, bell: &Arc<Bell>) -> Stream {
        Stream::new(Link::Connecting(Box::pin(TcpStream::connect(address))), bell)
    }

    /// Continues the attempt.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or why there is no connection.
    pub(super) fn poll_connect(&mut self) -> Result<(), Errno> {
        let Link::Connecting(attempt) = &mut self.link else { return Ok(()) };
        match self.write_news.poll(|context| attempt.as_mut().poll(context)) {
            Poll::Pending => Err(Errno::Again),
            Poll::Ready(Err(error)) => Err(errno(&error)),
            Poll::Ready(Ok(stream)) => {
                self.link = Link::Open(stream);
                Ok(())
            }
        }
    }

    /// Whether it is more than an attempt.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// Looks whether a read would wait, without reading.
    pub(super) fn look(&mut self) {
        let Link::Open(stream) = &mut self.link else { return };
        if self.found.is_some() || !self.read_news.is_due() {
            return;
        }
        let mut octet = [0];
        let mut peeked = ReadBuf::new(&mut octet);
        self.found = match self.read_news.poll(|context| stream.poll_peek(context, &mut peeked)) {
            Poll::Pending => None,
            Poll::Ready(Ok(1..)) => Some(Found::Bytes),
            Poll::Ready(_) => Some(Found::End),
        };
    }

    /// Whether a read would not wait, as far as was looked.
    pub(super) fn is_readable(&self) -> bool {
        self.found.is_some()
    }

    /// Whether a read would find bytes, as far as was looked.
    pub(super) fn has_bytes(&self) -> bool {
        self.found == Some(Found::Bytes)
    }

    /// Whether it is worth trying to write, or to go on connecting.
    pub(super) fn may_write(&self) -> bool {
        self.write_news.is_due()
    }

    /// Reads up to this many bytes; none at the end.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or why the connection broke.
    pub(super) fn read(&mut self, most: usize) -> Result<Vec<u8>, Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        let mut bytes = vec![0; most];
        let mut read = ReadBuf::new(&mut bytes);
        self.found = None;
        let polled = self.read_news.poll(|context| Pin::new(stream).poll_read(context, &mut read));
        let count = read.filled().len();
        match polled {
            Poll::Pending => Err(Errno::Again),
            Poll::Ready(Err(error)) => Err(errno(&error)),
            Poll::Ready(Ok(())) => {
                bytes.truncate(count);
                Ok(bytes)
            }
        }
    }

    /// Writes what is taken of these bytes.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, or why the connection takes no more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        match self.write_news.poll(|context| Pin::new(stream).poll_write(context, bytes)) {
            Poll::Pending => Err(Errno::Again),
            Poll::Ready(result) => result.map_err(|error| errno(&error)),
        }
    }

    /// FIN.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the connection is gone.
    pub(super) fn shut_write(&mut self) -> Result<(), Errno> {
        let Link::Open(stream) = &mut self.link else { return Err(Errno::NotConn) };
        match self.write_news.poll(|context| Pin::new(stream).poll_shutdown(context)) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Pending | Poll::Ready(Err(_)) => Err(Errno::NotConn),
        }
    }
}

/// A listening socket of the network.
pub(super) struct Acceptor {
    listener: Arc<TcpListener>,
    accepting: Option<Attempt>,
    news: Arc<News>,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, bell: &Arc<Bell>) -> Acceptor {
        Acceptor { listener: Arc::new(listener), accepting: None, news: News::new(bell) }
    }

    /// Whether a connection may be waiting.
    pub(super) fn may_accept(&self) -> bool {
        self.news.is_due()
    }

    /// The next connection that waits to be accepted.
    pub(super) fn accept(&mut self, bell: &Arc<Bell>) -> Option<Stream> {
        let listener = Arc::clone(&self.listener);
        let accept = || -> Attempt { Box::pin(async move { Ok(listener.accept().await?.0) }) };
        let accepting = self.accepting.get_or_insert_with(accept);
        let Poll::Ready(accepted) = self.news.poll(|context| accepting.as_mut().poll(context)) else { return None };
        self.accepting = None;
        accepted.ok().map(|stream| Stream::new(Link::Open(stream), bell))
    }
}

impl_debug!(Stream { found });

fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Errno::Pipe,
        io::ErrorKind::ConnectionRefused => Errno::ConnRefused,
        io::ErrorKind::NotConnected => Errno::NotConn,
        io::ErrorKind::TimedOut => Errno::TimedOut,
        _ => Errno::ConnReset,
    }
}
