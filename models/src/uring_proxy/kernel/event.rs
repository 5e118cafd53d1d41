//! The kernel's own events, executed one at a time.
//!
//! The events that are possible are enumerated from the state, so that none can be forgotten; the seed picks one.
//!
//! A socket wakes all receives that wait for it, the newest first, and a ring tries those that were woken in that order
//! (task work). So the newest takes the available data. The others find the rest, or no buffer (-ENOBUFS), or nothing;
//! in that case they wait again, a multishot in its old position, a single-shot as the newest.

use lastref::random;

use super::abi::{Cqe, Errno, held_by_send};
use super::request::{Attempt, Request, Work};
use super::socket::{EndpointId, Wire};
use super::state::State;

#[derive(Clone, Copy)]
enum Event {
    /// Items that this end has sent arrive at the peer.
    Deliver(EndpointId),
    /// An armed request is woken.
    Wake(usize),
    /// A zero-copy send's memory is no longer read.
    Notify(usize),
    /// The network takes some of the bytes that zero-copy sends have queued.
    Transmit(EndpointId),
    /// Bytes have arrived from the network after the read side was shut down.
    Reject(EndpointId),
    /// A worker continues with the chain linked to the operation that it has ended.
    Link(usize),
}

impl State {
    /// Runs one event; false if none is possible.
    pub(super) fn run_event(&mut self) -> bool {
        self.look();
        let events: Vec<Event> = self.events().collect();
        if events.is_empty() {
            return false;
        }
        match events[random::below(events.len() as u64) as usize] {
            Event::Deliver(from) => self.deliver(from),
            Event::Wake(request) => self.wake(request),
            Event::Notify(notif) => self.notify(notif),
            Event::Transmit(from) => self.transmit_some(from),
            Event::Reject(end) => self.endpoints[end].drop_stream(),
            Event::Link(nth) => {
                if let Some((ring, chain)) = self.links.remove(nth) {
                    self.issue_chain(ring, chain);
                }
            }
        }
        true
    }

    pub(super) fn has_events(&mut self) -> bool {
        self.look();
        self.events().next().is_some()
    }

    /// True if a socket still has sent bytes that the network has not taken.
    pub(super) fn lingers(&self) -> bool {
        self.endpoints.iter().any(|end| end.stream.is_some() && !end.out.is_empty())
    }

    /// Checks the sockets of the network for data, and wakes the receives that wait for it.
    fn look(&mut self) {
        for nth in 0..self.endpoints.len() {
            let is_read = |request: &Request| request.endpoint == nth && matches!(request.work, Work::Recv { .. });
            let is_looked_at = self.endpoints[nth].shut_read || self.requests.iter().any(is_read);
            // A failed write may have ended a connection of the network.
            if is_looked_at && (self.endpoints[nth].look() || self.endpoints[nth].over) {
                self.wake_receives(nth);
            }
        }
    }

    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let deliveries =
            self.endpoints.iter().enumerate().filter(|(_, end)| {
                end.peer.is_some_and(|peer| end.deliverable(&self.endpoints[peer], self.window) > 0)
            });
        let wakes = self.requests.iter().enumerate().filter(|(_, request)| self.is_ready(request));
        let notifs = self.notifs.iter().enumerate().filter(|(_, notif)| notif.sent && notif.pinned == 0);
        let deliveries = deliveries.map(|(end, _)| Event::Deliver(end));
        let streams = self.endpoints.iter().enumerate().filter(|(_, end)| end.stream.is_some());
        let streams = streams.filter_map(|(nth, end)| match (end.transmits(), end.rejects()) {
            (true, _) => Some(Event::Transmit(nth)),
            (false, true) => Some(Event::Reject(nth)),
            (false, false) => None,
        });
        let wakes = wakes.map(|(nth, _)| Event::Wake(nth));
        let links = (0..self.links.len()).map(Event::Link);
        deliveries.chain(wakes).chain(notifs.map(|(nth, _)| Event::Notify(nth))).chain(streams).chain(links)
    }

    fn is_ready(&self, request: &Request) -> bool {
        match &request.work {
            Work::Accept { listener } => match &self.listeners[*listener].acceptor {
                Some(acceptor) => acceptor.may_accept(),
                None => !self.listeners[*listener].backlog.is_empty(),
            },
            Work::Connect { .. } => self.endpoints[request.endpoint].writable(self.window),
            Work::Shutdown { .. } => true,
            Work::Recv { .. } => {
                let woken =
                    self.requests.iter().filter(|other| other.ring == request.ring).filter_map(|other| other.woken);
                request.woken.is_some() && request.woken == woken.min()
            }
            Work::Send(_) => self.endpoints[request.endpoint].writable(self.window),
        }
    }

    fn deliver(&mut self, from: EndpointId) {
        let Some(peer) = self.endpoints[from].peer else { return };
        let most = self.endpoints[from].deliverable(&self.endpoints[peer], self.window);
        // Half of the time all bytes at once; otherwise a random part, as a network may split a stream.
        let count = if random::chance(1, 2) { most } else { 1 + random::below(most as u64) as usize };
        for wire in self.endpoints[from].out.drain(..count).collect::<Vec<_>>() {
            match wire {
                Wire::Fin => {
                    self.endpoints[peer].fin();
                    self.endpoints[from].fin_acked();
                }
                Wire::Rst => self.break_off(peer),
                Wire::Octet(_) | Wire::Pinned { .. } => {
                    let octet = self.transmit(wire);
                    if octet.is_some_and(|octet| !self.endpoints[peer].arrive(octet)) {
                        // upstream: tcp_rcv_state_process resets its own end too.
                        self.break_off(peer);
                        self.break_off(from);
                    }
                }
            }
        }
        self.wake_receives(peer);
        self.net_changed = true;
    }

    /// Passes the bytes that zero-copy sends have queued from the senders' memory to the network, and FIN after them.
    fn transmit_some(&mut self, from: EndpointId) {
        let bytes: Vec<u8> = self.endpoints[from].out.iter().map_while(|wire| self.peek_wire(wire)).collect();
        let end = &mut self.endpoints[from];
        let taken = match end.over {
            true => Err(Errno::ConnReset),
            false if bytes.is_empty() => Ok(0),
            false => end.write(&bytes),
        };
        match taken {
            Ok(count) => {
                for wire in end.out.drain(..count).collect::<Vec<_>>() {
                    self.transmit(wire);
                }
            }
            Err(Errno::Again) => return,
            Err(_) => {
                let lost = std::mem::take(&mut end.out);
                self.lose(lost);
            }
        }
        self.endpoints[from].finish();
    }

    fn break_off(&mut self, end: EndpointId) {
        let lost = self.endpoints[end].broken();
        self.lose(lost);
        self.wake_receives(end);
    }

    fn wake(&mut self, nth: usize) {
        let mut request = self.requests.remove(nth);
        request.woken = None;
        match self.attempt(&mut request) {
            Attempt::Armed => {
                if matches!(request.work, Work::Recv { multishot: false, .. }) {
                    // Its poll was one shot and is set up anew.
                    request.armed = self.stamp();
                }
                self.requests.insert(nth, request);
            }
            Attempt::Over(res, flags) => self.complete(request, res, flags),
            Attempt::Posted => self.over(request, true),
        }
    }

    /// Executes as much of a request as possible without blocking.
    pub(super) fn attempt(&mut self, request: &mut Request) -> Attempt {
        match &mut request.work {
            Work::Recv { .. } => self.receive(request),
            Work::Send(_) => self.send(request),
            Work::Connect { to } => match self.connect(request.endpoint, *to) {
                Ok(()) => Attempt::Over(0, 0),
                Err(Errno::Again) => Attempt::Armed,
                Err(errno) => Attempt::Over(errno.res(), 0),
            },
            Work::Accept { listener } => {
                let Some(endpoint) = self.accept(*listener) else { return Attempt::Armed };
                let fd = self.install(request.ring, endpoint);
                if self.post_more(request.ring, request.user_data, fd, 0) { Attempt::Armed } else { Attempt::Posted }
            }
            Work::Shutdown { running: running @ false } => {
                *running = true;
                Attempt::Armed
            }
            Work::Shutdown { running: true } => {
                let result = self.endpoints[request.endpoint].shutdown();
                self.wake_receives(request.endpoint);
                self.net_changed = true;
                Attempt::Over(result.map_or_else(|errno| errno.res(), |()| 0), 0)
            }
        }
    }

    fn notify(&mut self, nth: usize) {
        let notif = self.notifs.remove(nth);
        if let Some(memory) = &self.rings[notif.ring].memory {
            for bid in &notif.held {
                memory.give_back(*bid, held_by_send(notif.fd));
            }
        }
        self.post(notif.ring, Cqe { user_data: notif.user_data, res: 0, flags: Cqe::F_NOTIF });
    }
}
