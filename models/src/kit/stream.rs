//! One connection of the simulated network as a pair of buffers: a task connects and moves bytes between the network
//! and a model that does not block, as a kernel does for a descriptor.
//!
//! ```text
//!  model ── take ──────► carry ──► TcpStream ═══ network
//!  model ◄── received ── carry ◄───────┘
//! ```
//!
//! The model's side is a [`Buffers`]. A model that sends, half-closes or closes must wake the waker of the last call of
//! [`Buffers::stage`]. The task itself takes no lock and makes no ledger call, so a model's locks are the only
//! scheduling points besides those of the network.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use lastref::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stage of a connection, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The model reads and writes.
    Open,
    /// The model has closed it; bytes written before the close are still sent.
    Closed,
    /// The run has ended, and an open connection stays open.
    Over,
}

/// A model's end of a connection.
pub(crate) trait Buffers: Send + Sync + Sized {
    /// The decoder of the peer's bytes into the model's frames; the task keeps it.
    type Reader: Default + Send;

    /// The stage of the connection. The model must wake the context's waker when it sends, half-closes or closes.
    fn stage(&self, context: &Context<'_>) -> Stage;

    /// Whether the model has closed the connection.
    fn is_closed(&self) -> bool;

    /// Called when the attempt to connect ends; never for an accepted connection.
    fn connected(self: &Arc<Self>, _: Result<(), io::ErrorKind>) {}

    /// Whether the model accepts bytes now. After `false`, the model must wake the waker of the last [`Buffers::stage`]
    /// once it has room.
    fn has_room(&self) -> bool {
        true
    }

    /// Appends the bytes to send; returns true if the model sends nothing after them.
    fn take(&self, bytes: &mut Vec<u8>) -> bool;

    /// Called with bytes that have arrived.
    fn received(&self, reader: &mut Self::Reader, bytes: &[u8]);

    /// Called when the peer has sent FIN.
    fn fin(&self);

    /// Called when the connection has failed for writing and, except after a broken pipe, for reading too.
    fn fail(&self, error: io::ErrorKind);

    /// Called when the task ends.
    fn end(&self) {}
}

/// The task of one connection: connects, and carries bytes until the model has closed the connection.
pub(crate) async fn carry<B: Buffers>(buffers: Arc<B>, address: SocketAddr) {
    match connect(&*buffers, address).await {
        None => {}
        Some(Err(error)) => buffers.connected(Err(error.kind())),
        Some(Ok(stream)) => {
            buffers.connected(Ok(()));
            return carry_accepted(buffers, stream).await;
        }
    }
    buffers.end();
}

/// The same for an established connection.
pub(crate) async fn carry_accepted<B: Buffers>(buffers: Arc<B>, stream: TcpStream) {
    let mut carried = Carried::<B>::new(stream);
    poll_fn(|context| carried.turn(&*buffers, context)).await;
    if !buffers.is_closed() {
        // The model has leaked the connection: the socket stays open, so that the network reports it.
        std::mem::forget(carried);
    }
    buffers.end();
}

/// The result of the attempt; `None` if the model closed the connection before the attempt ended.
async fn connect(buffers: &impl Buffers, address: SocketAddr) -> Option<io::Result<TcpStream>> {
    let mut connect = pin!(TcpStream::connect(address));
    poll_fn(|context| {
        if buffers.stage(context) != Stage::Open {
            return Poll::Ready(None);
        }
        connect.as_mut().poll(context).map(Some)
    })
    .await
}

/// The state of the task.
struct Carried<B: Buffers> {
    stream: TcpStream,
    reader: B::Reader,
    unsent: Vec<u8>,
    write_is_over: bool,
    read_is_over: bool,
}

impl<B: Buffers> Carried<B> {
    fn new(stream: TcpStream) -> Carried<B> {
        let reader = B::Reader::default();
        Carried { stream, reader, unsent: Vec::new(), write_is_over: false, read_is_over: false }
    }

    fn turn(&mut self, buffers: &B, context: &mut Context<'_>) -> Poll<()> {
        let stage = buffers.stage(context);
        self.send(buffers, context);
        match stage {
            Stage::Over => Poll::Ready(()),
            // Bytes written before a close are still sent; bytes that arrive have no reader and are dropped.
            Stage::Closed if self.write_is_over => Poll::Ready(()),
            Stage::Closed => Poll::Pending,
            Stage::Open => {
                self.receive(buffers, context);
                Poll::Pending
            }
        }
    }

    fn send(&mut self, buffers: &B, context: &mut Context<'_>) {
        while !self.write_is_over {
            let is_last = self.unsent.is_empty() && buffers.take(&mut self.unsent);
            let done = if !self.unsent.is_empty() {
                Pin::new(&mut self.stream).poll_write(context, &self.unsent)
            } else if is_last {
                self.write_is_over = true;
                Pin::new(&mut self.stream).poll_shutdown(context).map_ok(|()| 0)
            } else {
                return;
            };
            match done {
                Poll::Ready(Ok(written)) => drop(self.unsent.drain(..written)),
                Poll::Ready(Err(error)) => {
                    self.write_is_over = true;
                    buffers.fail(error.kind());
                }
                Poll::Pending => return,
            }
        }
    }

    fn receive(&mut self, buffers: &B, context: &mut Context<'_>) {
        let mut octets = [0; 1024];
        while !self.read_is_over && buffers.has_room() {
            let mut read = ReadBuf::new(&mut octets);
            match Pin::new(&mut self.stream).poll_read(context, &mut read) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    buffers.received(&mut self.reader, read.filled());
                }
                Poll::Ready(Ok(())) => {
                    self.read_is_over = true;
                    buffers.fin();
                }
                Poll::Ready(Err(error)) => {
                    self.read_is_over = true;
                    buffers.fail(error.kind());
                }
            }
        }
    }
}
