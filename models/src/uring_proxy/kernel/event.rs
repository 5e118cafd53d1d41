//! What the kernel does by itself, one thing at a time.
//!
//! The events that are possible are enumerated from the state, so that none can be forgotten; the seed picks one.

use sim::random;

use super::abi::{Cqe, held_by_send};
use super::request::{Attempt, Request, Work};
use super::socket::{EndpointId, Wire};
use super::state::State;

#[derive(Clone, Copy)]
enum Event {
    /// What this end has sent arrives at the other.
    Deliver(EndpointId),
    /// An armed request is woken.
    Wake(usize),
    /// A zero-copy send's memory is no longer read.
    Notify(usize),
}

impl State {
    /// Runs one event; false if none is possible.
    pub(super) fn run_event(&mut self) -> bool {
        let events: Vec<Event> = self.events().collect();
        if events.is_empty() {
            return false;
        }
        match events[random::below(events.len() as u64) as usize] {
            Event::Deliver(from) => self.deliver(from),
            Event::Wake(request) => self.wake(request),
            Event::Notify(notif) => self.notify(notif),
        }
        true
    }

    pub(super) fn has_events(&self) -> bool {
        self.events().next().is_some()
    }

    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let deliveries =
            self.endpoints.iter().enumerate().filter(|(_, end)| {
                end.peer.is_some_and(|peer| end.deliverable(&self.endpoints[peer], self.window) > 0)
            });
        let wakes = self.requests.iter().enumerate().filter(|(nth, request)| self.is_ready(*nth, request));
        let notifs = self.notifs.iter().enumerate().filter(|(_, notif)| notif.sent && notif.pinned == 0);
        let deliveries = deliveries.map(|(end, _)| Event::Deliver(end));
        deliveries.chain(wakes.map(|(nth, _)| Event::Wake(nth))).chain(notifs.map(|(nth, _)| Event::Notify(nth)))
    }

    fn is_ready(&self, nth: usize, request: &Request) -> bool {
        match &request.work {
            Work::Accept { listener } => !self.listeners[*listener].backlog.is_empty(),
            Work::Connect { .. } | Work::Shutdown { .. } => true,
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
                Err(errno) => Attempt::Over(errno.res(), 0),
            },
            Work::Accept { listener } => {
                let Some(endpoint) = self.listeners[*listener].backlog.pop_front() else { return Attempt::Armed };
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
