//! A connection that is read while it is written: writing everything before reading could wait forever.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use lastref::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// One end of a connection, with its unsent bytes.
#[derive(Debug)]
pub(super) struct Duplex {
    stream: TcpStream,
    outgoing: Vec<u8>,
    piece: usize,
}

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Some of the unsent bytes were sent.
    Wrote,
    /// Bytes arrived.
    Read(Vec<u8>),
    /// FIN.
    End,
}

impl Duplex {
    /// Reads up to `piece` bytes at a time.
    pub(super) fn new(stream: TcpStream, piece: usize) -> Duplex {
        Duplex { stream, outgoing: Vec::new(), piece }
    }

    /// Queues bytes to be sent.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// Whether every queued byte was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Discards the unsent bytes.
    pub(super) fn give_up(&mut self) {
        self.outgoing.clear();
    }

    /// Sends some of the unsent bytes, or waits for bytes to read.
    pub(super) async fn step(&mut self) -> io::Result<Step> {
        poll_fn(|context| self.poll_step(context)).await
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Step>> {
        if !self.outgoing.is_empty()
            && let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(context, &self.outgoing)
        {
            self.outgoing.drain(..written?);
            return Poll::Ready(Ok(Step::Wrote));
        }
        let mut bytes = vec![0; self.piece];
        let mut read = ReadBuf::new(&mut bytes);
        match Pin::new(&mut self.stream).poll_read(context, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) if read.filled().is_empty() => Poll::Ready(Ok(Step::End)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(Step::Read(read.filled().to_vec()))),
        }
    }

    /// Sends FIN.
    pub(super) async fn half_close(&mut self) {
        // Fails if the connection has already ended, which is fine here.
        let _ = self.stream.shutdown().await;
    }
}
