//! `epoll` over sockets of the run. Real descriptors are registered with a real epoll, beside the simulated ones.

use super::Network;

/// Changes of readiness, counted for pollers that report an edge once. As in Linux, an edge of one direction is not
/// reported to a registration that asks only for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    reads: u64,
    writes: u64,
}

impl Edges {
    /// There is more to read or to accept.
    pub(super) fn reads(&mut self) {
        self.reads += 1;
    }

    /// There is space to write.
    pub(super) fn writes(&mut self) {
        self.writes += 1;
    }

    /// The state of the socket has changed.
    pub(super) fn both(&mut self) {
        self.reads();
        self.writes();
    }

    pub(super) fn sum(self) -> u64 {
        self.reads + self.writes
    }

    /// Whether there are edges that `seen` lacks in a direction of these events. A registration without a direction
    /// gets errors, which are edges of both.
    fn has_news(self, seen: Edges, asked: u32) -> bool {
        let asks = |flags: i32| asked & flags as u32 != 0;
        let reads = asks(libc::EPOLLIN | libc::EPOLLRDNORM | libc::EPOLLRDHUP | libc::EPOLLPRI);
        let writes = asks(libc::EPOLLOUT | libc::EPOLLWRNORM) || !reads;
        reads && self.reads != seen.reads || writes && self.writes != seen.writes
    }
}

/// One registration of a simulated socket.
#[derive(Debug)]
struct Interest {
    descriptor: i32,
    file: usize,
    event: libc::epoll_event,
    /// The edges of the socket that were reported; none since the registration, which reports a ready socket even
    /// without a new edge.
    seen: Option<Edges>,
    /// With `EPOLLONESHOT`, false after a report.
    is_armed: bool,
}

/// The simulated part of an epoll descriptor.
#[derive(Debug, Default)]
pub(super) struct Poller {
    interests: Vec<Interest>,
}

impl Network {
    /// `epoll_ctl` for a simulated socket.
    pub(crate) fn control(
        &mut self,
        poller: i32,
        operation: i32,
        descriptor: i32,
        event: Option<libc::epoll_event>,
    ) -> Result<(), i32> {
        let file = self.file_of(descriptor).ok_or(libc::EBADF)?;
        let id = self.poller_of(poller);
        let interests = &mut self.pollers[id].interests;
        let known = interests.iter().position(|interest| interest.descriptor == descriptor && interest.file == file);
        let new = |event| Interest { descriptor, file, event, seen: None, is_armed: true };
        match (operation, known, event) {
            (libc::EPOLL_CTL_ADD, None, Some(event)) => interests.push(new(event)),
            (libc::EPOLL_CTL_ADD, Some(_), _) => return Err(libc::EEXIST),
            (libc::EPOLL_CTL_MOD, Some(nth), Some(event)) => interests[nth] = new(event),
            (libc::EPOLL_CTL_DEL, Some(nth), _) => drop(interests.remove(nth)),
            (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, None, _) => return Err(libc::ENOENT),
            _ => return Err(libc::EINVAL),
        }
        Ok(())
    }

    /// The events to report now, at most this many.
    pub(crate) fn events(&mut self, poller: i32, most: usize) -> Vec<libc::epoll_event> {
        let id = self.poller_of(poller);
        let mut own = std::mem::take(&mut self.pollers[id]);
        let (mut events, count) = (Vec::new(), own.interests.len());
        // The system promises no order, and the order decides which task an async runtime polls first.
        let mut order: Vec<usize> = (0..count).collect();
        for left in (2..=count).rev() {
            order.swap(left - 1, self.draws.below(left as u64) as usize);
        }
        for nth in order {
            let interest = &mut own.interests[nth];
            let ready = self.due(interest);
            if ready == 0 {
                continue;
            }
            if events.len() == most {
                break;
            }
            events.push(libc::epoll_event { events: ready, u64: interest.event.u64 });
            interest.seen = Some(self.edges(interest.file));
            interest.is_armed = { interest.event.events } & libc::EPOLLONESHOT as u32 == 0;
        }
        self.pollers[id] = own;
        events
    }

    /// The events of a registration that are to be reported now.
    fn due(&self, interest: &Interest) -> u32 {
        let asked = { interest.event.events };
        let edges = self.edges(interest.file);
        let has_news = interest.seen.is_none_or(|seen| edges.has_news(seen, asked));
        if !interest.is_armed || asked & libc::EPOLLET as u32 != 0 && !has_news {
            return 0;
        }
        self.ready(interest.file) & (asked | (libc::EPOLLERR | libc::EPOLLHUP) as u32)
    }

    /// Whether the descriptor is a poller that has an event of a simulated socket to report.
    pub(crate) fn has_event(&self, descriptor: i32) -> bool {
        let poller = self.poller_ids.get(&descriptor).map(|id| &self.pollers[*id]);
        poller.is_some_and(|poller| poller.interests.iter().any(|interest| self.due(interest) != 0))
    }

    /// The poller of a descriptor; a new one at its first use.
    fn poller_of(&mut self, descriptor: i32) -> usize {
        let new = self.pollers.len();
        let id = *self.poller_ids.entry(descriptor).or_insert(new);
        if id == new {
            self.pollers.push(Poller::default());
        }
        id
    }

    /// Makes a copy of a descriptor lead to the same poller or timer: tokio registers with one and waits with the
    /// other.
    pub(crate) fn copies_real(&mut self, descriptor: i32, copy: i32) {
        self.timers.copies(descriptor, copy);
        if let Some(id) = self.poller_ids.get(&descriptor) {
            self.poller_ids.insert(copy, *id);
        }
    }

    /// Adds a new poller with this descriptor.
    pub(crate) fn adds_poller(&mut self, descriptor: i32) {
        self.poller_ids.remove(&descriptor);
        self.poller_of(descriptor);
    }

    /// Removes a closed real descriptor, which may belong to a poller or to a timer.
    pub(crate) fn forgets_real(&mut self, descriptor: i32) {
        self.timers.forgets(descriptor);
        self.poller_ids.remove(&descriptor);
    }

    /// Removes a closed socket from every poller.
    pub(super) fn forgets_interests(&mut self, file: usize) {
        for poller in &mut self.pollers {
            poller.interests.retain(|interest| interest.file != file);
        }
    }
}
