//! What the kernel does by itself, one thing at a time.
//!
//! The events that are possible are enumerated from the state, so that none can be forgotten; the seed picks one.

use sim::random;

use super::abi::{Cqe, Errno, held_by_send};
use super::request::{Attempt, Request, Work};
use super::socket::{Endpoint, EndpointId, Wire};
use super::state::State;

#[derive(Clone, Copy)]
enum Event {
    /// What this end has sent arrives at the other.
    Deliver(EndpointId),
    /// An armed request is woken.
    Wake(usize),
    /// A zero-copy send's memory is no longer read.
    Notify(usize),
    /// The network takes some of what zero-copy sends have queued.
    Transmit(EndpointId),
    /// Bytes have come over the network for an end that reads no more.
    Reject(EndpointId),
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
        }
        true
    }

    pub(super) fn has_events(&mut self) -> bool {
        self.look();
        self.events().next().is_some()
    }

    /// Whether a socket has yet to hand over to the network what was sent before it was closed.
    pub(super) fn lingers(&self) -> bool {
        self.endpoints.iter().any(|end| end.stream.is_some() && !end.out.is_empty())
    }

    /// Looks whether sockets of the network have something for who waits to read it.
    fn look(&mut self) {
        let State { requests, endpoints, .. } = self;
        for (nth, end) in endpoints.iter_mut().enumerate() {
            let Endpoint { stream: Some(stream), .. } = end else { continue };
            let is_read = |request: &Request| request.endpoint == nth && matches!(request.work, Work::Recv { .. });
            if end.shut_read || requests.iter().any(is_read) {
                stream.look();
            }
        }
    }

    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let deliveries =
            self.endpoints.iter().enumerate().filter(|(_, end)| {
                end.peer.is_some_and(|peer| end.deliverable(&self.endpoints[peer], self.window) > 0)
            });
        let wakes = self.requests.iter().enumerate().filter(|(nth, request)| self.is_ready(*nth, request));
        let notifs = self.notifs.iter().enumerate().filter(|(_, notif)| notif.sent && notif.pinned == 0);
        let deliveries = deliveries.map(|(end, _)| Event::Deliver(end));
        let streams = self.endpoints.iter().enumerate().filter(|(_, end)| end.stream.is_some());
        let streams = streams.filter_map(|(nth, end)| match (end.transmits(), end.rejects()) {
            (true, _) => Some(Event::Transmit(nth)),
            (false, true) => Some(Event::Reject(nth)),
            (false, false) => None,
        });
        let wakes = wakes.map(|(nth, _)| Event::Wake(nth));
        deliveries.chain(wakes).chain(notifs.map(|(nth, _)| Event::Notify(nth))).chain(streams)
    }

    fn is_ready(&self, nth: usize, request: &Request) -> bool {
        match &request.work {
            Work::Accept { listener } => match &self.listeners[*listener].acceptor {
                Some(acceptor) => acceptor.may_accept(),
                None => !self.listeners[*listener].backlog.is_empty(),
            },
            Work::Connect { .. } => self.endpoints[request.endpoint].writable(self.window),
            Work::Shutdown { .. } => true,
            Work::Recv { .. } => {
                // Waiters are woken newest first, and the first takes what there is. Measured: of two armed receives
                // the later one gets all data.
                let same =
                    |other: &Request| matches!(other.work, Work::Recv { .. }) && other.endpoint == request.endpoint;
                let is_newest = !self.requests[nth + 1..].iter().any(same);
                is_newest && self.endpoints[request.endpoint].readable()
            }
            Work::Send(_) => self.endpoints[request.endpoint].writable(self.window),
        }
    }

    fn deliver(&mut self, from: EndpointId) {
        let Some(peer) = self.endpoints[from].peer else { return };
        let most = self.endpoints[from].deliverable(&self.endpoints[peer], self.window);
        // Half of the time all at once; else what a network may cut a stream into.
        let count = if random::chance(1, 2) { most } else { 1 + random::below(most as u64) as usize };
        for wire in self.endpoints[from].out.drain(..count).collect::<Vec<_>>() {
            match wire {
                Wire::Fin => self.endpoints[peer].fin(),
                Wire::Rst => self.break_off(peer),
                Wire::Octet(_) | Wire::Pinned { .. } => {
                    let octet = self.transmit(wire);
                    if octet.is_some_and(|octet| !self.endpoints[peer].arrive(octet)) {
                        self.break_off(from);
                    }
                }
            }
        }
        self.net_changed = true;
    }

    /// Hands over what zero-copy sends have queued, out of the senders' memory, and FIN behind it.
    fn transmit_some(&mut self, from: EndpointId) {
        let bytes: Vec<u8> = self.endpoints[from].out.iter().map_while(|wire| self.peek_wire(wire)).collect();
        let end = &mut self.endpoints[from];
        let taken = match end.reset {
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
    }

    fn wake(&mut self, nth: usize) {
        let mut request = self.requests.remove(nth);
        match self.attempt(&mut request) {
            Attempt::Armed => self.requests.insert(nth, request),
            Attempt::Over(res, flags) => self.complete(request, res, flags),
            Attempt::Posted => self.over(request, true),
        }
    }

    /// Does as much of a request as can be done without waiting.
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
