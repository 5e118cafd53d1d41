//! The task of one socket: connects, and moves bytes between a carrier's buffers and the network until its descriptor
//! is closed and what was written is on its way.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use lastref::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::carrier::{Carrier, Stage};
use super::http2::Decoder;
use super::status::Error;

/// What upstream calls it.
fn cause(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::ConnectionReset => Error::ConnectionReset,
        io::ErrorKind::TimedOut => Error::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => Error::BrokenPipe,
        other => lastref::bug!("a socket of the network failed by {other}, which it does not simulate"),
    }
}

/// The carrier's task: connects, and carries until the descriptor is closed.
pub(super) async fn carry(socket: Arc<Carrier>, address: SocketAddr) {
    match connect(&socket, address).await {
        None => {}
        Some(Err(error)) => socket.answer(Err(cause(&error))),
        Some(Ok(stream)) => {
            let mut carried = Carried::new(stream);
            socket.answer(Ok(()));
            poll_fn(|context| carried.turn(&socket, context)).await;
            if !socket.is_closed() {
                // Nobody has closed the descriptor, and nobody will: the socket stays, for the network to find.
                std::mem::forget(carried);
            }
        }
    }
    socket.end();
}

/// What became of the attempt; nothing if the descriptor was closed before.
async fn connect(socket: &Carrier, address: SocketAddr) -> Option<io::Result<TcpStream>> {
    let mut connect = pin!(TcpStream::connect(address));
    poll_fn(|context| {
        if socket.stage(context) != Stage::Open {
            return Poll::Ready(None);
        }
        connect.as_mut().poll(context).map(Some)
    })
    .await
}

/// The task's own.
struct Carried {
    stream: TcpStream,
    decoder: Decoder,
    unsent: Vec<u8>,
    write_is_over: bool,
    read_is_over: bool,
}

impl Carried {
    fn new(stream: TcpStream) -> Carried {
        let decoder = Decoder::default();
        Carried { stream, decoder, unsent: Vec::new(), write_is_over: false, read_is_over: false }
    }

    fn turn(&mut self, socket: &Carrier, context: &mut Context<'_>) -> Poll<()> {
        let stage = socket.stage(context);
        self.send(socket, context);
        match stage {
            Stage::Over => Poll::Ready(()),
            // What was written before a close still goes out, and nobody reads what comes.
            Stage::Closed if self.write_is_over => Poll::Ready(()),
            Stage::Closed => Poll::Pending,
            Stage::Open => {
                self.receive(socket, context);
                Poll::Pending
            }
        }
    }

    fn send(&mut self, socket: &Carrier, context: &mut Context<'_>) {
        while !self.write_is_over {
            let is_last = self.unsent.is_empty() && socket.take(&mut self.unsent);
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
                    socket.fail(cause(&error));
                }
                Poll::Pending => return,
            }
        }
    }

    fn receive(&mut self, socket: &Carrier, context: &mut Context<'_>) {
        let mut octets = [0; 1024];
        while !self.read_is_over {
            let mut read = ReadBuf::new(&mut octets);
            match Pin::new(&mut self.stream).poll_read(context, &mut read) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    socket.received(self.decoder.decode(read.filled()));
                }
                Poll::Ready(Ok(())) => {
                    self.read_is_over = true;
                    socket.fin();
                }
                Poll::Ready(Err(error)) => {
                    self.read_is_over = true;
                    socket.fail(cause(&error));
                }
            }
        }
    }
}
