//! `epoll` over sockets of the run. Real descriptors are registered with a real epoll, beside the simulated ones.

use super::Network;

/// One registration of a simulated socket.
#[derive(Debug)]
struct Interest {
    descriptor: i32,
    file: usize,
    event: libc::epoll_event,
    /// The edges of the socket that were reported.
    seen: u64,
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
        let edges = self.edges(file);
        let id = self.poller_of(poller);
        let interests = &mut self.pollers[id].interests;
        let known = interests.iter().position(|interest| interest.descriptor == descriptor && interest.file == file);
        // A registration or a change reports a ready socket even without a new edge.
        let new = |event| Interest { descriptor, file, event, seen: edges.wrapping_sub(1), is_armed: true };
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
            let asked = { interest.event.events };
            let has = |flag: i32| asked & flag as u32 != 0;
            let always = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
            let ready = self.ready(interest.file) & (asked | always);
            let edges = self.edges(interest.file);
            if ready == 0 || !interest.is_armed || (has(libc::EPOLLET) && edges == interest.seen) {
                continue;
            }
            if events.len() == most {
                break;
            }
            events.push(libc::epoll_event { events: ready, u64: interest.event.u64 });
            interest.seen = edges;
            interest.is_armed = !has(libc::EPOLLONESHOT);
        }
        self.pollers[id] = own;
        events
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

    /// Makes a copy of a descriptor lead to the same poller: tokio registers with one and waits with the other.
    pub(crate) fn copies_poller(&mut self, descriptor: i32, copy: i32) {
        if let Some(id) = self.poller_ids.get(&descriptor) {
            self.poller_ids.insert(copy, *id);
        }
    }

    /// Adds a new poller with this descriptor.
    pub(crate) fn adds_poller(&mut self, descriptor: i32) {
        self.poller_ids.remove(&descriptor);
        self.poller_of(descriptor);
    }

    /// Removes a closed real descriptor, which may belong to a poller.
    pub(crate) fn forgets_poller(&mut self, descriptor: i32) {
        self.poller_ids.remove(&descriptor);
    }

    /// Removes a closed socket from every poller.
    pub(super) fn forgets_interests(&mut self, file: usize) {
        for poller in &mut self.pollers {
            poller.interests.retain(|interest| interest.file != file);
        }
    }
}
