//! A client's connection on the network: encodes octets as text and decodes them.
//!
//! Each wait of a client has a timeout, since a connection may be blackholed. On a network without faults the timeout
//! must never expire.

use std::net::SocketAddr;

use lastref::net::{End, TcpStream, timeout};
use lastref::property::{always, sometimes};
use lastref::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::carrier::visit;
use super::text::{self, Decoder};
use crate::buffer_pool::application::client::{Line, Session, Traffic};
use crate::buffer_pool::octet::{Octet, Part};
use crate::buffer_pool::plan::NetPlan;

/// A client's timeout: longer than the slowest answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Size of a client's read buffer in bytes.
const READ: usize = 32;

/// Runs one client.
pub(crate) async fn run(net_plan: NetPlan, number: u32, server: SocketAddr) {
    let plan = &net_plan.plan;
    let Some(client) = plan.clients.get(number as usize) else { return };
    let (idle, is_calm) = (Duration::from_millis(net_plan.idle_ms), net_plan.is_calm());
    for _ in 0..client.visits {
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(server)).await else {
            sometimes("a client is refused", true);
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        let address = plan.address(number, visit(local));
        let line = Connection { stream, decoder: Decoder::new(End::Server, address), before: None };
        Session { plan, client, address, line, idle, is_calm, traffic: Traffic::default() }.run().await;
    }
}

struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    /// The last part that was sent.
    before: Option<Part>,
}

impl Line for Connection {
    async fn send(&mut self, octets: &[Octet]) -> bool {
        let text = text::encode(octets, self.before);
        self.before = octets.last().map(|octet| octet.part);
        let is_sent = matches!(timeout(PATIENCE, self.stream.write_all(&text)).await, Ok(Ok(())));
        sometimes("a client cannot send", !is_sent);
        is_sent
    }

    async fn receive(&mut self) -> Option<Vec<Octet>> {
        let mut bytes = [0; READ];
        loop {
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
            sometimes("a client times out", read.is_err());
            let count = read.ok()?.ok().filter(|count| *count > 0)?;
            let octets = self.decoder.decode(&bytes[..count]);
            let is_http = octets.iter().all(|octet| octet.part != Part::Malformed);
            always("a client receives only HTTP/1.1", is_http);
            if !octets.is_empty() {
                return Some(octets);
            }
        }
    }

    async fn finish(&mut self) {
        // Fails if the connection is gone already.
        let _ = self.stream.shutdown().await;
    }

    fn reset(&mut self) {}
}
