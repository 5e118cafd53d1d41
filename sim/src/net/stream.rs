//! Sockets with tokio's names, over those of turmoil-net.
//!
//! Each remembers its host: what a task calls in the middle of a poll may have let tasks of other hosts run.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net as shim;

use super::fault::{End, Fault};
use super::{host, wire};
use crate::random::Choice;
use crate::time::{Duration, Instant};

/// A socket that accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    host: usize,
    inner: Option<shim::TcpListener>,
}

/// A connection.
#[derive(Debug)]
pub struct TcpStream {
    host: usize,
    inner: Option<shim::TcpStream>,
    /// The number of its connection and which end it is, if its transfers are short.
    short: Option<(u32, End)>,
    read: u64,
    written: u64,
    /// The fault that shuts the write side, and since when its byte is reached.
    finish: Option<Fault>,
    reached: Option<Instant>,
    finished: bool,
}

impl TcpListener {
    /// Listens on a port of the host that the task runs on.
    ///
    /// # Errors
    /// If the port is taken, or the address is another host's.
    pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        let host = host::current();
        let mut bind = Box::pin(shim::TcpListener::bind(address));
        let inner = poll_fn(|context| wire::on_host(host, || bind.as_mut().poll(context))).await?;
        Ok(TcpListener { host, inner: Some(inner) })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// As tokio's; none are simulated.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = poll_fn(|context| self.poll_accept(context)).await?;
        Ok((TcpStream::new(self.host, stream), peer))
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(shim::TcpStream, SocketAddr)>> {
        match &self.inner {
            Some(inner) => wire::on_host(self.host, || inner.poll_accept(context)),
            None => unreachable!("invariant: a listener has its socket until it is dropped"),
        }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// As tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Some(inner) => wire::on_host(self.host, || inner.local_addr()),
            None => unreachable!("invariant: a listener has its socket until it is dropped"),
        }
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        close(self.host, self.inner.take());
    }
}

/// Closes a socket on its host, if there still is a network.
fn close<S>(host: usize, socket: Option<S>) {
    if wire::exists() {
        wire::on_host(host, || drop(socket));
    } else {
        // Its network is gone, and turmoil-net would not know where to close it.
        std::mem::forget(socket);
    }
}

impl TcpStream {
    /// Connects from the host that the task runs on. A future that is dropped leaves no socket.
    ///
    /// # Errors
    /// `ConnectionRefused` if nobody listens there; `TimedOut` if nobody answers.
    pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let host = host::current();
        let mut connect = Connecting { host, inner: Some(Box::pin(shim::TcpStream::connect(address))) };
        let inner = poll_fn(|context| connect.poll(context)).await?;
        Ok(TcpStream::new(host, inner))
    }

    fn new(host: usize, inner: shim::TcpStream) -> TcpStream {
        let ends = wire::on_host(host, || (inner.local_addr(), inner.peer_addr()));
        let (short, finish) = match ends {
            (Ok(local), Ok(peer)) => wire::with(|wire| {
                let place = wire.accepted(local, peer);
                (place.filter(|_| wire.config.short), wire.finish(local, peer))
            }),
            _ => (None, None),
        };
        TcpStream { host, inner: Some(inner), short, read: 0, written: 0, finish, reached: None, finished: false }
    }

    fn with<R>(&mut self, f: impl FnOnce(Pin<&mut shim::TcpStream>) -> R) -> R {
        match &mut self.inner {
            Some(inner) => wire::on_host(self.host, || f(Pin::new(inner))),
            None => unreachable!("invariant: a stream has its socket until it is dropped"),
        }
    }

    /// Its own address.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn local_addr(&mut self) -> io::Result<SocketAddr> {
        self.with(|inner| inner.local_addr())
    }

    /// The other end's.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn peer_addr(&mut self) -> io::Result<SocketAddr> {
        self.with(|inner| inner.peer_addr())
    }

    /// What a read would find, without taking it: none of it is acknowledged as read.
    ///
    /// # Errors
    /// As a read's.
    pub fn poll_peek(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.with(|inner| inner.poll_peek(context, buf))
    }

    /// The FIN that is to come is a fault's.
    fn told_to_finish(&mut self) {
        if let (Ok(local), Ok(peer)) = (self.local_addr(), self.peer_addr()) {
            wire::with(|wire| wire.told_to_finish(local, peer));
        }
    }

    /// How many of `most` bytes a read transfers from where it stands. A poll that is repeated at the same position gets
    /// the same answer.
    fn part_to_read(&self, most: usize) -> usize {
        let choice =
            self.short.map(|(connection, end)| Choice::Read { connection, end: end.index(), position: self.read });
        part(choice, most)
    }

    /// How many of `most` bytes a write transfers from where it stands.
    fn part_to_write(&self, most: usize) -> usize {
        let choice =
            self.short.map(|(connection, end)| Choice::Write { connection, end: end.index(), position: self.written });
        part(choice, most)
    }
}

fn part(choice: Option<Choice>, most: usize) -> usize {
    match choice {
        Some(choice) if most > 1 => 1 + choice.below(most as u64) as usize,
        _ => most,
    }
}

struct Connecting<F> {
    host: usize,
    inner: Option<Pin<Box<F>>>,
}

impl<F: Future> Connecting<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.inner {
            Some(inner) => wire::on_host(self.host, || inner.as_mut().poll(context)),
            None => unreachable!("invariant: a connection attempt has its future until it is dropped"),
        }
    }
}

impl<F> Drop for Connecting<F> {
    fn drop(&mut self) {
        close(self.host, self.inner.take());
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = self.part_to_read(buf.remaining());
        if most == buf.remaining() {
            let before = buf.filled().len();
            ready!(self.with(|inner| inner.poll_read(context, buf)))?;
            self.read += (buf.filled().len() - before) as u64;
            return Poll::Ready(Ok(()));
        }
        let mut octets = vec![0; most];
        let mut part = ReadBuf::new(&mut octets);
        ready!(self.with(|inner| inner.poll_read(context, &mut part)))?;
        self.read += part.filled().len() as u64;
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut most = self.part_to_write(buf.len());
        if let Some(fault) = self.finish {
            let left = fault.after_bytes.saturating_sub(self.written);
            let now = Instant::now();
            if left == 0 && self.reached.is_none() {
                self.reached = Some(now);
            }
            let patience = Duration::from_millis(u64::from(fault.after_ms));
            if self.reached.is_some_and(|since| now.saturating_duration_since(since) >= patience) {
                if !self.finished {
                    self.told_to_finish();
                    ready!(self.with(|inner| inner.poll_shutdown(context)))?;
                    self.finished = true;
                }
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if left > 0 {
                most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
        }
        let written = ready!(self.with(|inner| inner.poll_write(context, &buf[..most])))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| inner.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.finished, true) {
            return Poll::Ready(Ok(()));
        }
        self.with(|inner| inner.poll_shutdown(context))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if wire::exists()
            && let (Ok(local), Ok(peer)) = (self.local_addr(), self.peer_addr())
        {
            wire::with(|wire| wire.dropped(local, peer));
        }
        close(self.host, self.inner.take());
    }
}
