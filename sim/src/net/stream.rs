//! Sockets with tokio's names, over those of turmoil-net.
//!
//! Each socket selects its host at every call: in the middle of a poll, tasks of other hosts may have run.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net as shim;

use kernel::seed::Choice;

use super::directory::ConnectionEnd;
use super::socket::{Socket, locked};
use super::{host, wire};
use crate::random;

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
    socket: Option<Socket>,
    /// Its own address and its peer's, which it keeps after the connection has ended.
    addresses: io::Result<(SocketAddr, SocketAddr)>,
    /// Its connection in the network, and its end of that connection.
    place: Option<ConnectionEnd>,
    short: bool,
    read: u64,
    written: u64,
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

/// Closes a socket on its host, if the network still exists.
fn close<S>(host: usize, socket: Option<S>) {
    if wire::exists() {
        wire::on_host(host, || drop(socket));
    } else {
        // Its network is gone, so turmoil-net would not find the socket.
        std::mem::forget(socket);
    }
}

impl TcpStream {
    /// Connects from the host of the calling task. A future that is dropped leaves no socket.
    ///
    /// # Errors
    /// `ConnectionRefused` if no socket listens there; `TimedOut` if there is no answer.
    pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let host = host::current();
        let mut connect = Connecting { host, inner: Some(Box::pin(shim::TcpStream::connect(address))) };
        let inner = poll_fn(|context| connect.poll(context)).await?;
        Ok(TcpStream::new(host, inner))
    }

    fn new(host: usize, inner: shim::TcpStream) -> TcpStream {
        let addresses = wire::on_host(host, || Ok((inner.local_addr()?, inner.peer_addr()?)));
        let socket = Arc::new(Mutex::new(inner));
        let (place, short) = wire::with(|wire| {
            let place = addresses.as_ref().ok().and_then(|(local, peer)| wire.opened(*local, *peer, &socket));
            (place, wire.config.short)
        });
        TcpStream { host, socket: Some(socket), addresses, place, short, read: 0, written: 0 }
    }

    fn with<R>(&self, f: impl FnOnce(Pin<&mut shim::TcpStream>) -> R) -> R {
        match &self.socket {
            Some(socket) => wire::on_host(self.host, || locked(socket, |socket| f(Pin::new(socket)))),
            None => unreachable!("invariant: a stream has its socket until it is dropped"),
        }
    }

    fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        self.addresses.as_ref().copied().map_err(|error| error.kind().into())
    }

    /// Its own address.
    ///
    /// # Errors
    /// As tokio's; none are simulated.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|(local, _)| local)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// As tokio's; none are simulated.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|(_, peer)| peer)
    }

    /// Reads without consuming: the bytes stay unread for the next read.
    ///
    /// # Errors
    /// As for a read.
    pub fn poll_peek(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.with(|inner| inner.poll_peek(context, buf))
    }

    /// The number of bytes, of at most `most`, that a read transfers at the current position. A repeated poll at the
    /// same position gets the same answer.
    fn part_to_read(&self, most: usize) -> usize {
        let choice = self.place.map(|place| Choice::Read {
            connection: place.nth as u32,
            end: place.end.index(),
            position: self.read,
        });
        part(choice.filter(|_| self.short), most)
    }

    /// The number of bytes, of at most `most`, that a write transfers at the current position.
    fn part_to_write(&self, most: usize) -> usize {
        let choice = self.place.map(|place| Choice::Write {
            connection: place.nth as u32,
            end: place.end.index(),
            position: self.written,
        });
        part(choice.filter(|_| self.short), most)
    }
}

fn part(choice: Option<Choice>, most: usize) -> usize {
    match choice {
        Some(choice) if most > 1 => 1 + random::chosen(choice, most as u64) as usize,
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
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(self.with(|inner| inner.poll_read(context, &mut part)))?;
        let read = part.filled().len();
        buf.advance(read);
        self.read += read as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut most = self.part_to_write(buf.len());
        // The socket accepts no byte beyond the one at which a fault shuts down its write side: it
        // would send the byte before the FIN.
        let limit = self.place.and_then(|place| wire::with(|wire| wire.half_closes_after(place)));
        if let Some((place, limit)) = self.place.zip(limit) {
            let left = limit.saturating_sub(self.written);
            if left == 0 && !buf.is_empty() {
                wire::with(|wire| wire.half_close_before(place));
            } else {
                most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
        }
        let written = ready!(self.with(|inner| inner.poll_write(context, &buf[..most])))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.with(|inner| inner.poll_shutdown(context));
        if let Some(place) = self.place {
            wire::with(|wire| wire.shut(place));
        }
        shut
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if wire::exists()
            && let Ok((local, peer)) = self.addresses()
        {
            wire::with(|wire| wire.dropped(local, peer));
        }
        close(self.host, self.socket.take());
    }
}
