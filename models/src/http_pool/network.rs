//! The peers of connections: scripts in memory, or a server on another host of the simulated network.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::task::Context;

use lastref::ledger::Tag;
use lastref::net::{End, Task, thread_on};
use lastref::note;
use lastref::property::always;
use lastref::thread::JoinHandle;

use super::conn::{Conn, Ver};
use super::mailbox::Mailbox;
use super::pool::Connecting;
use super::variant::Variant;
use crate::kit::harness::Unscheduled;
use crate::kit::http1;
use crate::kit::http2::{ClientFrame, Decoder, ServerFrame, encode};
use crate::kit::server::memory::{ServerEnd, Session};
use crate::kit::server::{Peers, Step, script};
use crate::kit::stream::{Buffers, Stage, carry};

/// The network of one run. Its locks are harness state, which orders nothing in the component.
pub(super) struct Net {
    peers: Peers,
    opened: Unscheduled<Opened>,
    carried_out: Unscheduled<BTreeSet<Tag>>,
}

#[derive(Default)]
struct Opened {
    by_address: BTreeMap<u32, usize>,
    conns: Vec<Arc<Conn>>,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<Task<()>>,
}

impl Net {
    pub(super) fn new(peers: Peers) -> Arc<Net> {
        Arc::new(Net { peers, opened: Unscheduled::default(), carried_out: Unscheduled::default() })
    }

    fn with_opened<R>(&self, use_it: impl FnOnce(&mut Opened) -> R) -> R {
        use_it(&mut self.opened.lock())
    }

    /// Begins to connect, for this request.
    pub(super) fn connect(self: &Arc<Self>, variant: Variant, connecting: Connecting, to: &Arc<Mailbox>) -> Arc<Conn> {
        let key = connecting.key;
        let (number, nth) = self.with_opened(|opened| {
            let nth = opened.by_address.entry(key).or_insert(0);
            *nth += 1;
            let nth = *nth - 1;
            (opened.by_address.values().sum::<usize>() as u32, nth)
        });
        let conn = Conn::new(variant, number, connecting, to);
        self.with_opened(|opened| opened.conns.push(Arc::clone(&conn)));
        match &self.peers {
            Peers::Scripts(backends) => {
                let script = script(backends, key, nth);
                let (net, served) = (Arc::clone(self), Arc::clone(&conn));
                let name = format!("backend.{number}");
                let thread = thread_on(None, &name, move || serve(&net, &served, &script));
                self.with_opened(|opened| opened.threads.push(thread));
            }
            Peers::Server(client, server) => {
                let carrying = carry(Arc::clone(&conn), server.address(key));
                let task = client.spawn(&format!("conn.{number}"), carrying);
                self.with_opened(|opened| opened.tasks.push(task));
            }
        }
        conn
    }

    /// Ends the network after the client: drops pending connects, then ends scripts and carriers. A connection that the
    /// client has not closed stays open.
    pub(super) fn end(&self) {
        self.with_opened(|opened| opened.conns.clone()).iter().for_each(Conn::abandon);
        loop {
            let (conns, threads, tasks) = self.with_opened(|opened| {
                let Opened { conns, threads, tasks, .. } = opened;
                (std::mem::take(conns), std::mem::take(threads), std::mem::take(tasks))
            });
            if conns.is_empty() {
                return;
            }
            conns.iter().for_each(|conn| conn.hang_up());
            threads.into_iter().for_each(JoinHandle::join);
            tasks.into_iter().for_each(|task| task.join().unwrap_or_default());
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

/// Decodes the server's bytes, according to the connection's version.
#[derive(Debug, Default)]
pub(super) struct Reader {
    http1: Vec<u8>,
    http2: Decoder,
}

impl Buffers for Conn {
    type Reader = Reader;

    fn stage(&self, context: &Context<'_>) -> Stage {
        Conn::stage(self, context)
    }

    fn is_closed(&self) -> bool {
        Conn::is_closed(self)
    }

    fn connected(self: &Arc<Self>, result: Result<(), io::ErrorKind>) {
        match result {
            Ok(()) => self.established(),
            Err(_) => self.refused(),
        }
    }

    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let (frames, is_last) = Conn::take(self);
        for frame in frames {
            match (self.ver, frame) {
                (Ver::Http1, ClientFrame::Request { tag, .. }) => bytes.extend(http1::request(tag)),
                (Ver::Http1, _) => {}
                (Ver::Http2, frame) => encode(frame, bytes),
            }
        }
        is_last
    }

    fn received(&self, reader: &mut Reader, bytes: &[u8]) {
        let frames = match self.ver {
            Ver::Http1 => {
                reader.http1.extend_from_slice(bytes);
                let answers = std::iter::from_fn(|| http1::take(End::Server, &mut reader.http1));
                answers.map(|payload| ServerFrame::Response { stream: 0, payload }).collect()
            }
            Ver::Http2 => reader.http2.decode(bytes),
        };
        frames.into_iter().for_each(|frame| self.arrived(frame));
    }

    fn fin(&self) {
        Conn::fin(self);
    }

    fn fail(&self, _: io::ErrorKind) {
        Conn::fin(self);
    }
}
