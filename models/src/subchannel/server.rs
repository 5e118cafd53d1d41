//! The backend on the simulated network: a host with a real h2 server, which plays a script on each connection.
//!
//! Address n is port 50051 + n of the one host, so that a channel with two addresses has two Subchannels to one
//! backend. The steps are those of `backend`, by what h2's server can do:
//!
//! | step | before SETTINGS | after |
//! | --- | --- | --- |
//! | `Settings` | the handshake, which begins with SETTINGS | nothing |
//! | `Take`, `Answer` | nothing | requests are accepted; answered, once they are whole |
//! | `Goaway(NoError)` | nothing | `graceful_shutdown`: GOAWAY, PING, GOAWAY with the last stream, the end |
//! | `Goaway(TooManyPings)` | nothing | `abrupt_shutdown(ENHANCE_YOUR_CALM)`: GOAWAY, the end |
//! | `Fin`, `Rst`, `Refuse`, `Ignore` | the socket is closed | the socket is closed, whatever is under way |
//!
//! A reset, a connection that is refused or not answered, and all that comes at a certain byte are faults of the
//! network (`lastref::net::Fault`). An answer is the body that was asked with, and trailers. A server that ends drops
//! its sockets at whatever point it is.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Response};
use lastref::net::{Host, Task, TcpListener, TcpStream, sleep, timeout};
use lastref::note;
use lastref::property::sometimes;
use lastref::time::Duration;

use super::backend::Step;
use super::frame::Goaway;
use super::network::Backends;

const FIRST_PORT: u16 = 50051;
/// Ports of one process.
const PORTS: u32 = 100;

/// The process that serves every address.
pub(super) struct Server {
    host: Host,
    /// What is still to be done on connections to each address.
    scripts: Vec<Mutex<VecDeque<Vec<Step>>>>,
    /// How long it takes to accept a connection.
    accept_takes: Duration,
    /// How often its process has begun: harness state, which orders nothing.
    begun: AtomicU32,
    listeners: Mutex<Vec<Task<()>>>,
    connections: Mutex<Vec<Task<()>>>,
    /// Sockets that it has: harness state, which orders nothing.
    sockets: Arc<AtomicU32>,
}

/// One socket in the count.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn new(sockets: &Arc<AtomicU32>) -> Counted {
        let others = sockets.fetch_add(1, Ordering::SeqCst);
        sometimes("a backend has two sockets of one client", others > 0);
        Counted(Arc::clone(sockets))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends tasks and waits for their ends.
fn end(tasks: &Mutex<Vec<Task<()>>>) {
    let tasks = tasks.lock().map(|mut tasks| std::mem::take(&mut *tasks)).unwrap_or_default();
    tasks.iter().for_each(Task::abort);
    for task in tasks {
        task.join();
    }
}

impl Server {
    /// Listens at every address before it returns.
    pub(super) fn start(host: Host, backends: Backends, accept_takes: Duration) -> Arc<Server> {
        let server = Arc::new(Server {
            host,
            scripts: backends.into_iter().map(|scripts| Mutex::new(VecDeque::from(scripts))).collect(),
            accept_takes,
            begun: AtomicU32::new(0),
            listeners: Mutex::default(),
            connections: Mutex::default(),
            sockets: Arc::new(AtomicU32::new(0)),
        });
        server.listen();
        server
    }

    /// The process begins, at first or after its host was down; what is left of the one before it is nothing.
    pub(super) fn listen(self: &Arc<Self>) {
        self.hang_up();
        self.begun.fetch_add(1, Ordering::SeqCst);
        for address in 0..self.scripts.len() {
            let at = self.address(address as u32);
            let bound = self.host.spawn("bind", TcpListener::bind(at)).join();
            let Some(Ok(listener)) = bound else { lastref::bug!("another socket has the port of {at}") };
            let accepting = accept(Arc::clone(self), listener, address);
            let task = self.host.spawn(&format!("accept.{address}"), accepting);
            if let Ok(mut listeners) = self.listeners.lock() {
                listeners.push(task);
            }
        }
    }

    /// What is done on the next connection to an address.
    fn script(&self, address: usize) -> Vec<Step> {
        let scripts = self.scripts.get(address).and_then(|scripts| scripts.lock().ok());
        scripts.and_then(|mut scripts| scripts.pop_front()).unwrap_or_else(|| vec![Step::Settings])
    }

    /// How many sockets it has that it has accepted.
    pub(super) fn sockets(&self) -> usize {
        self.sockets.load(Ordering::SeqCst) as usize
    }

    /// Where an address of the channel's is. Another process has other ports: what is left in the kernel of connections
    /// to the one before it may keep theirs.
    pub(super) fn address(&self, address: u32) -> SocketAddr {
        let before = self.begun.load(Ordering::SeqCst).saturating_sub(1);
        self.host.address(FIRST_PORT + (PORTS * before + address) as u16)
    }

    /// The process ends: nobody listens, every socket is closed.
    pub(super) fn hang_up(&self) {
        end(&self.listeners);
        end(&self.connections);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("host", &self.host).finish_non_exhaustive()
    }
}

async fn accept(server: Arc<Server>, listener: TcpListener, address: usize) {
    while let Ok((stream, peer)) = listener.accept().await {
        let counted = Counted::new(&server.sockets);
        let serving = serve(stream, counted, server.script(address));
        let task = server.host.spawn(&format!("h2.{}", peer.port()), serving);
        if let Ok(mut connections) = server.connections.lock() {
            connections.push(task);
        }
        if !server.accept_takes.is_zero() {
            sleep(server.accept_takes).await;
        }
    }
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, counted: Counted, steps: Vec<Step>) {
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
    drop(session);
    drop(counted);
}

/// An ordinary server of one connection.
struct Session {
    connection: Connection<TcpStream, Bytes>,
    taken: Vec<Request>,
    /// There will be no more requests.
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

    /// Fails if the stream is over already, which is the client's affair.
    fn answer(mut self) -> Result<(), h2::Error> {
        let mut stream = self.respond.send_response(Response::new(()), false)?;
        stream.send_data(Bytes::from(self.octets), false)?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        stream.send_trailers(trailers)
    }
}

impl Session {
    /// Moves the connection on as far as it goes now.
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

    /// Serves until it has enough, or there will be no more.
    async fn until(&mut self, enough: impl Fn(&[Request]) -> bool) {
        poll_fn(|context| {
            self.turn(context);
            if self.is_over || enough(&self.taken) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Answers what it has taken, when it has all of it.
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

    /// Says now what it has to say, and not when the next request is waited for.
    async fn flush(&mut self) {
        poll_fn(|context| {
            self.turn(context);
            Poll::Ready(())
        })
        .await;
    }
}
