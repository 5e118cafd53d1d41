//! What carries octets between the kernel's sockets and connections of the network: tasks of the server's host.
//!
//! | task | carries | ends |
//! | --- | --- | --- |
//! | `accept` | connections, into the kernel's backlog | when the listener is closed |
//! | `reader.n` | bytes that arrive, as far as the kernel has room; FIN and RST | with the connection, at the latest |
//! | `writer.n` | what was written, and then FIN | when the descriptor is closed, and all of it was sent |
//!
//! A descriptor that is closed is free at once, as in a real kernel; what was written to it is sent after that. A
//! connection that is closed with bytes unread is reset, which is the network's own doing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use lastref::net::{End, Host, Task, TcpListener, TcpStream, block_on};
use lastref::property::sometimes;
use lastref::thread::JoinHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use super::text::{self, Decoder};
use crate::buffer_pool::engine::Engine;
use crate::buffer_pool::kernel::Received;
use crate::kit::harness::Unscheduled;

/// Bytes that are read at a time.
const READ: usize = 512;
/// The port that a host gives its first connection; each gets the next one.
const FIRST_PORT: u16 = 49152;

/// The tasks that write, to be waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carrier {
    writers: Arc<Unscheduled<Vec<JoinHandle<()>>>>,
}

/// The number of a connection among those that its host has tried.
pub(super) fn visit(address: SocketAddr) -> u32 {
    u32::from(address.port().saturating_sub(FIRST_PORT))
}

impl Carrier {
    /// Starts to accept for the engine, from these clients.
    pub(crate) fn start(engine: &Arc<Engine>, host: Host, listener: TcpListener, clients: Vec<IpAddr>) -> Carrier {
        let carrier = Carrier::default();
        let accept = carrier.clone().accept(Arc::clone(engine), host, listener, clients);
        engine.kernel.accepts_by(host.spawn("accept", accept));
        carrier
    }

    /// Waits until everything is sent and closed. The engine has stopped.
    pub(crate) fn join(&self) {
        while let Some(writer) = self.with_writers(Vec::pop) {
            writer.join();
        }
    }

    fn with_writers<R>(&self, change: impl FnOnce(&mut Vec<JoinHandle<()>>) -> R) -> R {
        change(&mut self.writers.lock())
    }

    async fn accept(self, engine: Arc<Engine>, host: Host, listener: TcpListener, clients: Vec<IpAddr>) {
        while let Ok((stream, from)) = listener.accept().await {
            let client = clients.iter().zip(0..).find(|(address, _)| **address == from.ip());
            let Some((_, client)) = client else { continue };
            let Some(socket) = engine.kernel.connect(engine.plan.address(client, visit(from))) else { return };
            let decoder = Decoder::new(End::Client, engine.plan.address(client, visit(from)));
            let (read_half, write_half) = split(stream);
            let reader = host.spawn(&format!("reader.{socket}"), read(Arc::clone(&engine), socket, read_half, decoder));
            let engine = Arc::clone(&engine);
            let writer = host.thread(&format!("writer.{socket}"), move || write(&engine, socket, write_half, reader));
            self.with_writers(|writers| writers.push(writer));
        }
    }
}

async fn read(engine: Arc<Engine>, socket: usize, mut half: ReadHalf<TcpStream>, mut decoder: Decoder) {
    let kernel = &engine.kernel;
    let mut bytes = [0; READ];
    while kernel.waits_for_room(socket) {
        match half.read(&mut bytes).await {
            Ok(0) => return kernel.finish(socket),
            Ok(count) => {
                let octets = decoder.decode(&bytes[..count]);
                if !octets.is_empty() {
                    kernel.send(socket, &octets);
                }
            }
            Err(_) => {
                sometimes("the server's connection is reset", true);
                return kernel.reset(socket);
            }
        }
    }
}

fn write(engine: &Arc<Engine>, socket: usize, mut half: WriteHalf<TcpStream>, reader: Task<()>) {
    let kernel = &engine.kernel;
    while let Received::Data(octets) = kernel.outgoing(socket) {
        match block_on(half.write_all(&text::encode(&octets, None))) {
            Ok(()) => kernel.sent(socket, octets.len()),
            // From here on the kernel refuses what is written, until the descriptor is closed.
            Err(_) => kernel.reset(socket),
        }
    }
    // Fails if the connection is gone already, which is what is wanted.
    let _ = block_on(half.shutdown());
    reader.abort();
    reader.join();
}
