//! Tasks of the server's host that carry octets between the kernel's sockets and connections of the network.
//!
//! | task | carries | ends |
//! | --- | --- | --- |
//! | `accept` | connections, into the kernel's backlog | when the listener is closed |
//! | `carrier.n` | bytes that arrive, as far as the kernel has room; octets that were written; FIN and RST | when the descriptor is closed, and all of it was sent |
//!
//! A descriptor that is closed is free at once, as in a real kernel; what was written to it is sent after that. A
//! connection that is closed with bytes unread is reset, which is the network's own doing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Context;

use lastref::net::{End, Host, Task, TcpListener};
use lastref::property::sometimes;

use super::text::{self, Decoder};
use crate::buffer_pool::engine::Engine;
use crate::kit::harness::Unscheduled;
use crate::kit::stream::{Buffers, Stage, carry_accepted};

/// The port that a host gives its first connection; each gets the next one.
const FIRST_PORT: u16 = 49152;

/// The carrying tasks, for the end of the run to wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carrier {
    tasks: Arc<Unscheduled<Vec<Task<()>>>>,
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
        self.tasks.take().into_iter().for_each(|task| task.join().unwrap_or_default());
    }

    async fn accept(self, engine: Arc<Engine>, host: Host, listener: TcpListener, clients: Vec<IpAddr>) {
        while let Ok((stream, from)) = listener.accept().await {
            let client = clients.iter().zip(0..).find(|(address, _)| **address == from.ip());
            let Some((_, client)) = client else { continue };
            let address = engine.plan.address(client, visit(from));
            let Some(socket) = engine.kernel.connect(address) else { return };
            let carried = Arc::new(Carried { engine: Arc::clone(&engine), socket, address });
            self.tasks.lock().push(host.spawn(&format!("carrier.{socket}"), carry_accepted(carried, stream)));
        }
    }
}

/// A socket of the kernel, as its task sees it.
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
        // From here on the kernel refuses what is written, until the descriptor is closed.
        self.engine.kernel.reset(self.socket);
    }
}
