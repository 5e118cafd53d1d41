//! The peers of connections: scripts in memory, or a server on another host of the simulated network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::net::thread_on;
use lastref::note;
use lastref::property::always;
use lastref::thread::JoinHandle;

use super::conn::Conn;
use super::mailbox::Mailbox;
use super::pool::Connecting;
use super::variant::Variant;
use crate::kit::harness::{Tasks, Unscheduled};
use crate::kit::http2::{ClientFrame, ServerFrame};
use crate::kit::server::memory::{ServerEnd, Session};
use crate::kit::server::{Peers, Step, script};
use crate::kit::stream::{Buffers, carry};

/// The network of one run. Its locks are harness state, which orders nothing in the component.
pub(super) struct Net {
    peers: Peers,
    /// The number of connections to each address.
    made: Unscheduled<BTreeMap<u32, usize>>,
    conns: Unscheduled<Vec<Arc<Conn>>>,
    backends: Unscheduled<Vec<JoinHandle<()>>>,
    carriers: Tasks,
    carried_out: Unscheduled<BTreeSet<Tag>>,
}

impl Net {
    pub(super) fn new(peers: Peers) -> Arc<Net> {
        let (made, carried_out) = (Unscheduled::default(), Unscheduled::default());
        let (conns, backends, carriers) = (Unscheduled::default(), Unscheduled::default(), Tasks::default());
        Arc::new(Net { peers, made, conns, backends, carriers, carried_out })
    }

    /// Begins to connect, for this request.
    pub(super) fn connect(self: &Arc<Self>, variant: Variant, connecting: Connecting, to: &Arc<Mailbox>) -> Arc<Conn> {
        let key = connecting.key;
        let mut made = self.made.lock();
        let nth = *made.entry(key).and_modify(|made| *made += 1).or_insert(1) - 1;
        let number = made.values().sum::<usize>() as u32;
        drop(made);
        let conn = Conn::new(variant, number, connecting, to);
        self.conns.lock().push(Arc::clone(&conn));
        match &self.peers {
            Peers::Scripts(backends) => {
                let script = script(backends, key, nth);
                let (net, served) = (Arc::clone(self), Arc::clone(&conn));
                let backend = thread_on(None, &format!("backend.{number}"), move || serve(&net, &served, &script));
                self.backends.lock().push(backend);
            }
            Peers::Server(client, server) => {
                let carrying = carry(Arc::clone(&conn), server.address(key));
                self.carriers.push(client.spawn(&format!("conn.{number}"), carrying));
            }
        }
        conn
    }

    /// Ends the network after the client: drops pending connects, then ends scripts and carriers. A connection that the
    /// client has not closed stays open.
    pub(super) fn end(&self) {
        let pending = self.conns.lock().clone();
        pending.iter().for_each(Conn::abandon);
        loop {
            let conns = self.conns.take();
            if conns.is_empty() {
                return;
            }
            conns.iter().for_each(|conn| conn.hang_up());
            self.backends.take().into_iter().for_each(JoinHandle::join);
            self.carriers.join();
        }
    }
}

/// A connection of the server in memory. Its thread is the connection's dispatcher too.
struct InMemory<'a> {
    net: &'a Net,
    conn: &'a Arc<Conn>,
}

impl ServerEnd for InMemory<'_> {
    fn receive(&self) -> Option<ClientFrame> {
        self.conn.receive()
    }

    fn send(&self, frame: ServerFrame) {
        self.conn.arrived(frame);
    }

    fn carry_out(&self, tag: Tag) {
        always("a request is carried out at most once", self.net.carried_out.lock().insert(tag));
    }
}

/// Plays the script, and then answers every request until the client closes.
fn serve(net: &Net, conn: &Arc<Conn>, steps: &[Step]) {
    match steps.first() {
        Some(Step::Refuse) => return conn.refused(),
        Some(Step::Ignore) => return conn.wait_closed(),
        _ => conn.established(),
    }
    let end = InMemory { net, conn };
    let mut session = Session::new(&end);
    for step in steps {
        note!("backend: {step:?}");
        match *step {
            Step::Fin | Step::Rst => return conn.fin(),
            Step::Stall => return conn.wait_closed(),
            step => session.perform(step),
        }
    }
    session.serve();
}
