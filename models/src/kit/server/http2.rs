//! One connection of the server over HTTP/2, by the crate h2.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Response};
use lastref::net::{TcpStream, sleep, timeout};
use lastref::note;
use lastref::property::sometimes;
use lastref::time::Duration;

use super::Step;
use crate::kit::http2::Goaway;

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, _socket: Arc<()>, steps: Vec<Step>) {
    let mut steps = VecDeque::from(steps);
    loop {
        match steps.pop_front() {
            Some(Step::Settings) => break,
            Some(Step::Pause(ms)) => sleep(Duration::from_millis(ms)).await,
            Some(Step::Take(_) | Step::Answer | Step::Goaway(_)) => {}
            Some(Step::Fin | Step::Rst | Step::Refuse | Step::Ignore) => return,
            Some(Step::Stall) | None => pending().await,
        }
    }
    let Ok(connection) = h2::server::handshake(stream).await else { return };
    let mut session = Session { connection, taken: Vec::new(), is_over: false };
    for step in steps {
        note!("backend: {step:?}");
        match step {
            Step::Settings => {}
            Step::Pause(ms) => drop(timeout(Duration::from_millis(ms), session.until(|_| false)).await),
            Step::Take(requests) => session.until(|taken| taken.len() >= requests as usize).await,
            Step::Answer => session.answer().await,
            Step::Goaway(code) => session.goaway(code).await,
            Step::Stall => pending().await,
            Step::Fin | Step::Rst | Step::Refuse | Step::Ignore => return,
        }
    }
    while !session.is_over {
        session.answer().await;
        session.until(|taken| !taken.is_empty()).await;
    }
}

/// An ordinary server of one connection.
struct Session {
    connection: Connection<TcpStream, Bytes>,
    taken: Vec<Request>,
    /// No more requests will arrive.
    is_over: bool,
}

struct Request {
    body: RecvStream,
    respond: SendResponse<Bytes>,
    octets: Vec<u8>,
    is_whole: bool,
    is_reset: bool,
}

impl Request {
    fn read(&mut self, context: &mut Context<'_>) {
        while !self.is_whole && !self.is_reset {
            match self.body.poll_data(context) {
                Poll::Pending => return,
                Poll::Ready(None) => self.is_whole = true,
                Poll::Ready(Some(Err(_))) => self.is_reset = true,
                Poll::Ready(Some(Ok(part))) => {
                    self.octets.extend_from_slice(&part);
                    self.is_reset = self.body.flow_control().release_capacity(part.len()).is_err();
                }
            }
        }
    }

    /// Fails if the client has already reset the stream, which is not an error of the server.
    fn answer(mut self) -> Result<(), h2::Error> {
        let mut stream = self.respond.send_response(Response::new(()), false)?;
        stream.send_data(Bytes::from(self.octets), false)?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        stream.send_trailers(trailers)
    }
}

impl Session {
    /// Advances the connection as far as possible without waiting.
    fn turn(&mut self, context: &mut Context<'_>) {
        while !self.is_over {
            match self.connection.poll_accept(context) {
                Poll::Pending => break,
                Poll::Ready(None | Some(Err(_))) => self.is_over = true,
                Poll::Ready(Some(Ok((request, respond)))) => {
                    let body = request.into_body();
                    let octets = Vec::new();
                    self.taken.push(Request { body, respond, octets, is_whole: false, is_reset: false });
                }
            }
        }
        self.taken.iter_mut().for_each(|request| request.read(context));
        self.taken.retain(|request| !request.is_reset);
    }

    /// Serves until `enough` is true of the taken requests, or the connection ends.
    async fn until(&mut self, enough: impl Fn(&[Request]) -> bool) {
        poll_fn(|context| {
            self.turn(context);
            if self.is_over || enough(&self.taken) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until all taken requests are whole, then answers them.
    async fn answer(&mut self) {
        self.until(|taken| taken.iter().all(|request| request.is_whole)).await;
        for request in std::mem::take(&mut self.taken) {
            if request.answer().is_err() {
                sometimes("a server's answer finds its stream gone", true);
            }
        }
        self.flush().await;
    }

    async fn goaway(&mut self, code: Goaway) {
        match code {
            Goaway::NoError => self.connection.graceful_shutdown(),
            Goaway::TooManyPings => self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
        }
        self.flush().await;
    }

    /// Sends pending frames now; otherwise they would be sent when the server next waits for a request.
    async fn flush(&mut self) {
        poll_fn(|context| {
            self.turn(context);
            Poll::Ready(())
        })
        .await;
    }
}
