//! Tasks on the server's host that carry octets between the kernel's sockets and the network's connections.
//!
//! | task | carries | ends |
//! | --- | --- | --- |
//! | `accept` | connections, into the kernel's backlog | when the listener is closed |
//! | `carrier.n` | received bytes, if there is room; written octets; FIN and RST | after the close, once all is sent |
//!
//! A closed descriptor is free at once, as in a real kernel; octets that were written to it are still sent. The network
//! resets a connection that is closed with unread bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Context;

use lastref::net::{End, Host, TcpListener};
use lastref::property::sometimes;

use super::text::{self, Decoder};
use crate::buffer_pool::engine::Engine;
use crate::kit::harness::Tasks;
use crate::kit::stream::{Buffers, Stage, carry_accepted};

/// The local port of a host's first connection; each further connection gets the next port.
const FIRST_PORT: u16 = 49152;

/// The number of a connection among those that its host has attempted.
pub(super) fn visit(address: SocketAddr) -> u32 {
    u32::from(address.port().saturating_sub(FIRST_PORT))
}

/// Accepts connections of these clients for the engine, until its listener is closed. Each carrier is a task of
/// `carriers`.
pub(crate) async fn accept(
    engine: Arc<Engine>,
    host: Host,
    listener: TcpListener,
    clients: Vec<IpAddr>,
    carriers: Arc<Tasks>,
) {
    while let Ok((stream, from)) = listener.accept().await {
        let client = clients.iter().zip(0..).find(|(address, _)| **address == from.ip());
        let Some((_, client)) = client else { continue };
        let address = engine.plan.address(client, visit(from));
        let Some(socket) = engine.kernel.connect(address) else { return };
        let carried = Arc::new(Carried { engine: Arc::clone(&engine), socket, address });
        carriers.push(host.spawn(&format!("carrier.{socket}"), carry_accepted(carried, stream)));
    }
}

/// A socket of the kernel, for its carrier task.
struct Carried {
    engine: Arc<Engine>,
    socket: usize,
    address: u32,
}

impl Buffers for Carried {
    type Reader = Option<Decoder>;

    fn stage(&self, context: &Context<'_>) -> Stage {
        match self.engine.kernel.is_closed(self.socket, Some(context.waker())) {
            true => Stage::Closed,
            false => Stage::Open,
        }
    }

    fn is_closed(&self) -> bool {
        self.engine.kernel.is_closed(self.socket, None)
    }

    fn has_room(&self) -> bool {
        self.engine.kernel.has_room(self.socket)
    }

    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let (octets, is_last) = self.engine.kernel.take(self.socket);
        bytes.extend(text::encode(&octets, None));
        is_last
    }

    fn received(&self, decoder: &mut Option<Decoder>, bytes: &[u8]) {
        let decoder = decoder.get_or_insert_with(|| Decoder::new(End::Client, self.address));
        let octets = decoder.decode(bytes);
        if !octets.is_empty() {
            self.engine.kernel.send(self.socket, &octets);
        }
    }

    fn fin(&self) {
        self.engine.kernel.finish(self.socket);
    }

    fn fail(&self, error: io::ErrorKind) {
        sometimes("the server's connection is reset", error == io::ErrorKind::ConnectionReset);
        // From here on the kernel refuses writes, until the descriptor is closed.
        self.engine.kernel.reset(self.socket);
    }
}
