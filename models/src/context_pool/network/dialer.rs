//! `nni_dialer` and `nni_listener`: they create the pipes of a socket.
//!
//! Upstream (v1.10.1, core/dialer.c, core/listener.c; `dialer_timer_start_locked` in core/socket.c;
//! `tcptran_pipe_nego_cb` in tcp.c). A dialer connects, exchanges greetings and makes a pipe. When the pipe is removed
//! from its socket, or the attempt fails, it connects again after a random delay below a limit, which doubles with each
//! attempt and is reset by each pipe. A listener exchanges greetings on each connection that it accepts.
//!
//! Both are futures of the network: their aios and their memory are not modelled, but the pipes that they create are.
//! They do not check whether the socket is closing: a closing socket refuses the pipe.

use std::net::SocketAddr;
use std::sync::Arc;

use lastref::net::{Host, Task, TcpListener, TcpStream, sleep, timeout};
use lastref::property::sometimes;
use lastref::random;
use lastref::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::conn::Conn;
use super::tcp::TcpPipe;
use super::wire;
use crate::context_pool::errno::Outcome;
use crate::context_pool::library::Nng;
use crate::context_pool::socket::Socket;

/// `NNG_OPT_RECONNMINT` and `NNG_OPT_RECONNMAXT`, as an application may set them; upstream: 1 s, no maximum.
const RECONNMINT_MS: u64 = 10;
const RECONNMAXT_MS: u64 = 100;
/// Timeout of the greeting: ten seconds upstream, shorter here, so that a run includes what follows it.
const NEGOTIATION: Duration = Duration::from_millis(500);

/// A socket with its process and its host.
pub(crate) struct Endpoint {
    nng: Arc<Nng>,
    sock: Arc<Socket>,
    host: Host,
    /// Its own protocol, and the one that it expects of the peer.
    protocols: (u16, u16),
}

impl Endpoint {
    pub(crate) fn new(nng: &Arc<Nng>, sock: &Arc<Socket>, host: Host, protocols: (u16, u16)) -> Arc<Endpoint> {
        Arc::new(Endpoint { nng: Arc::clone(nng), sock: Arc::clone(sock), host, protocols })
    }

    /// `nng_dial`: runs until it is aborted or the socket is closed.
    pub(crate) fn dial(self: &Arc<Self>, number: u32, address: SocketAddr) -> Task<()> {
        let end = Arc::clone(self);
        self.host.spawn(&format!("dialer.{number}"), async move {
            let mut limit_ms = RECONNMINT_MS;
            loop {
                if let Some(stream) = connect(address, end.protocols).await {
                    limit_ms = RECONNMINT_MS;
                    // `Notify` is not a scheduling point, and the model must have none where it removes a pipe.
                    let removed = Arc::new(Notify::new());
                    let told = Arc::clone(&removed);
                    if end.start(stream, move || told.notify_one()).is_err() {
                        return;
                    }
                    removed.notified().await;
                    sometimes("a dialer connects again", true);
                }
                sleep(Duration::from_millis(random::below(limit_ms))).await;
                limit_ms = (2 * limit_ms).min(RECONNMAXT_MS);
            }
        })
    }

    /// `nng_listen`: runs until it is aborted.
    pub(crate) fn listen(self: &Arc<Self>, listener: TcpListener) -> Task<()> {
        let end = Arc::clone(self);
        self.host.spawn("listener", async move {
            while let Ok((stream, from)) = listener.accept().await {
                let accepting = Arc::clone(&end);
                end.host.spawn(&format!("negotiate.{}", from.port()), async move {
                    if let Some(stream) = greet(stream, accepting.protocols).await {
                        // A closing socket refuses the pipe, which closes the connection.
                        let _ = accepting.start(stream, || ());
                    }
                });
            }
        })
    }

    /// Creates a pipe for a connection.
    fn start(&self, stream: TcpStream, removed: impl Fn() + Send + Sync + 'static) -> Outcome {
        self.sock.find()?;
        let number = self.sock.next_pipe();
        let conn = Conn::new(self.host, number, stream);
        let added = self.sock.add_pipe(TcpPipe::new(&self.nng, number, conn, removed));
        self.sock.rele();
        added
    }
}

/// Connects and exchanges greetings.
pub(super) async fn connect(address: SocketAddr, protocols: (u16, u16)) -> Option<TcpStream> {
    match TcpStream::connect(address).await {
        Ok(stream) => greet(stream, protocols).await,
        Err(_) => {
            sometimes("an attempt to connect fails", true);
            None
        }
    }
}

/// Sends the greeting and reads the peer's; `None` if the peer's protocol is not the expected one.
pub(super) async fn greet(mut stream: TcpStream, (own, wanted): (u16, u16)) -> Option<TcpStream> {
    let exchange = async {
        stream.write_all(&wire::greeting(own)).await?;
        let mut greeting = [0; wire::HEADER];
        stream.read_exact(&mut greeting).await?;
        std::io::Result::Ok(greeting)
    };
    let heard = timeout(NEGOTIATION, exchange).await.ok().and_then(Result::ok);
    let is_wanted = heard.and_then(wire::peer) == Some(wanted);
    sometimes("two ends do not complete their greetings", !is_wanted);
    is_wanted.then_some(stream)
}
