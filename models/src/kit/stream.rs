//! One connection of the simulated network as a pair of buffers: a task connects and moves bytes between the network
//! and a model that does not block, as a kernel does for a descriptor.
//!
//! ```text
//!  model ── take ──────► carry ──► TcpStream ═══ network
//!  model ◄── received ── carry ◄───────┘
//! ```
//!
//! The model's side is a [`Buffers`]. Whatever makes the model send, half-close or close must wake the waker of the
//! last [`Buffers::stage`]. The task takes no lock and makes no ledger call of its own, so a model's locks are the only
//! scheduling points besides those of the network.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use lastref::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How far a connection is, from the model's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The model reads and writes.
    Open,
    /// The model has closed it: what it wrote before still goes out.
    Closed,
    /// The run is at its end, and what is open stays open.
    Over,
}

/// A model's end of a connection.
pub(crate) trait Buffers: Send + Sync + Sized {
    /// What turns the peer's bytes into the model's frames; the task keeps it.
    type Reader: Default + Send;

    /// How far the connection is. The context's waker is to be woken when the model has done something.
    fn stage(&self, context: &Context<'_>) -> Stage;

    /// Whether the model has closed the connection.
    fn is_closed(&self) -> bool;

    /// The attempt to connect has ended. A model that accepts makes none.
    fn connected(self: &Arc<Self>, _: Result<(), io::ErrorKind>) {}

    /// Whether the model takes bytes now. The waker of the last stage must be woken when it does again.
    fn has_room(&self) -> bool {
        true
    }

    /// Appends the bytes to be sent; whether the model sends nothing after them.
    fn take(&self, bytes: &mut Vec<u8>) -> bool;

    /// These bytes have arrived.
    fn received(&self, reader: &mut Self::Reader, bytes: &[u8]);

    /// The peer has sent FIN.
    fn fin(&self);

    /// The connection has failed: for writing, and unless the pipe is broken for reading too.
    fn fail(&self, error: io::ErrorKind);

    /// The task does nothing more.
    fn end(&self) {}
}

/// The task of one connection: connects, and carries until the model has closed it.
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

/// The same for a connection that is made.
pub(crate) async fn carry_accepted<B: Buffers>(buffers: Arc<B>, stream: TcpStream) {
    let mut carried = Carried::<B>::new(stream);
    poll_fn(|context| carried.turn(&*buffers, context)).await;
    if !buffers.is_closed() {
        // The model has not closed the connection, and never will: the socket stays, for the network to find.
        std::mem::forget(carried);
    }
    buffers.end();
}

/// The result of the attempt; none if the model closed the connection before there was one.
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

/// What the task keeps.
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
            // What was written before a close still goes out, and what arrives has no reader.
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
