//! The state under the kernel's lock: rings with their queues, groups and descriptors, sockets, requests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use lastref::ledger::Resource;
use lastref::property::sometimes;
use lastref::sync::Condvar;

use super::abi::{Cqe, Errno, Fd, GroupId, KERNEL, ListenerId, Octet, RingId, Sqe, UserData};
use super::buf_ring::Group;
use super::cq::Writer;
use super::memory::Memory;
use super::request::{Request, Work};
use super::socket::{Endpoint, EndpointId, Wire};
use super::stream::{Acceptor, KernelWaker};

#[derive(Default)]
pub(super) struct State {
    pub(super) window: usize,
    pub(super) rings: Vec<Ring>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) listeners: Vec<Listener>,
    /// The pending requests, in the order in which they were armed.
    pub(super) requests: Vec<Request>,
    pub(super) notifs: Vec<Notif>,
    pub(super) next_notif: u64,
    /// The last sequence number given to an armed or woken request.
    pub(super) next_stamp: u64,
    /// The chains linked to operations that ended on a worker, which continues with them.
    pub(super) links: VecDeque<(RingId, VecDeque<Sqe>)>,
    pub(super) stopping: bool,
    pub(super) worker_waits: bool,
    /// True after a change for which a program with plain sockets may wait.
    pub(super) net_changed: bool,
    pub(super) peers_wait: u32,
    /// The kernel has no task of its own.
    pub(super) pumped: bool,
    /// Wakes the kernel's task on the simulated network.
    pub(super) waker: Arc<KernelWaker>,
}

/// The kernel's half of a ring.
pub(super) struct Ring {
    pub(super) cq: Writer,
    /// The application's head of the completion queue, as of its last call into the kernel.
    pub(super) head: u32,
    pub(super) overflow: VecDeque<Cqe>,
    pub(super) wake: Arc<Condvar>,
    pub(super) waiting: bool,
    /// True if the ring's thread must wake even without a completion.
    pub(super) called: bool,
    /// The table of direct descriptors.
    pub(super) files: Vec<Option<File>>,
    pub(super) groups: Vec<Group>,
    /// The largest number of buffers that a receive bundle has mapped at once.
    pub(super) mapped_max: u32,
    pub(super) memory: Option<Memory>,
}

#[derive(Clone, Copy)]
pub(super) struct File {
    pub(super) endpoint: EndpointId,
    pub(super) memory: Resource,
}

#[derive(Default)]
pub(super) struct Listener {
    pub(super) backlog: VecDeque<EndpointId>,
    /// Connection attempts are refused.
    pub(super) refuses: bool,
    /// It is a socket of the simulated network.
    pub(super) acceptor: Option<Acceptor>,
    /// The address of a listener on another host of the simulated network.
    pub(super) remote: Option<SocketAddr>,
}

/// A zero-copy send's second completion, until it is posted.
pub(super) struct Notif {
    pub(super) id: u64,
    pub(super) ring: RingId,
    pub(super) user_data: UserData,
    pub(super) fd: Fd,
    pub(super) held: Vec<super::abi::Bid>,
    /// Bytes of its memory that are on the wire.
    pub(super) pinned: u32,
    /// Its first completion is posted.
    pub(super) sent: bool,
}

impl Ring {
    pub(super) fn has_unread(&self) -> bool {
        self.cq.has_unread(self.head)
    }

    pub(super) fn group(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    /// Moves overflowed completions into the queue, as far as there is room.
    pub(super) fn flush_overflow(&mut self) {
        while let Some(cqe) = self.overflow.front().copied() {
            if !self.cq.post(cqe) {
                return;
            }
            self.overflow.pop_front();
        }
    }
}

impl State {
    /// Posts a completion, or appends it to the overflow list.
    pub(super) fn post(&mut self, ring: RingId, cqe: Cqe) {
        let ring = &mut self.rings[ring];
        if !ring.overflow.is_empty() || !ring.cq.post(cqe) {
            sometimes("a completion finds the queue full", true);
            ring.overflow.push_back(cqe);
        }
    }

    /// Posts a completion of a multishot request with `F_MORE`. False if there was no room: then it is posted without
    /// `F_MORE`, as the last of its request.
    pub(super) fn post_more(&mut self, ring: RingId, user_data: UserData, res: i32, flags: u32) -> bool {
        let more = Cqe { user_data, res, flags: flags | Cqe::F_MORE };
        let at = &mut self.rings[ring];
        if at.overflow.is_empty() && at.cq.post(more) {
            return true;
        }
        sometimes("a multishot ends because the completion queue is full", true);
        self.post(ring, Cqe { user_data, res, flags });
        false
    }

    /// Ends a request: posts its completion, starts or cancels the submissions linked to it, and releases its socket.
    pub(super) fn complete(&mut self, request: Request, res: i32, flags: u32) {
        if res < 0 || !request.skip_success {
            self.post(request.ring, Cqe { user_data: request.user_data, res, flags });
        }
        // upstream: io_shutdown does not call req_set_fail. Measured: a shutdown that fails does not cancel its link.
        let well = res >= 0 || matches!(request.work, Work::Shutdown { .. });
        self.over(request, well);
    }

    /// Like [`State::complete`], for a completion that is posted already.
    pub(super) fn over(&mut self, request: Request, well: bool) {
        let link: VecDeque<Sqe> = request.link.into();
        match request.work {
            _ if !well => self.cancel_chain(request.ring, link),
            Work::Shutdown { .. } if !link.is_empty() => self.links.push_back((request.ring, link)),
            _ => self.issue_chain(request.ring, link),
        }
        self.release(request.endpoint);
    }

    /// Cancels the rest of a chain, after one of its submissions has failed.
    pub(super) fn cancel_chain(&mut self, ring: RingId, chain: VecDeque<Sqe>) {
        for sqe in chain {
            self.post(ring, Cqe { user_data: sqe.user_data, res: Errno::Canceled.res(), flags: 0 });
        }
    }

    pub(super) fn stamp(&mut self) -> u64 {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// The socket has data or an error: wakes the receives that wait for it, the most recently armed first.
    pub(super) fn wake_receives(&mut self, endpoint: EndpointId) {
        let is_waiting = |request: &Request| {
            request.endpoint == endpoint && request.woken.is_none() && matches!(request.work, Work::Recv { .. })
        };
        let mut waiting: Vec<usize> = (0..self.requests.len()).filter(|nth| is_waiting(&self.requests[*nth])).collect();
        waiting.sort_by_key(|nth| std::cmp::Reverse(self.requests[*nth].armed));
        for nth in waiting {
            self.requests[nth].woken = Some(self.stamp());
        }
    }

    pub(super) fn file(&self, ring: RingId, fd: Fd) -> Option<File> {
        *self.rings[ring].files.get(usize::try_from(fd).ok()?)?
    }

    /// Puts a socket into a free slot of a ring's table.
    pub(super) fn install(&mut self, ring: RingId, endpoint: EndpointId) -> Fd {
        let files = &mut self.rings[ring].files;
        let slot = files.iter().position(Option::is_none).unwrap_or(files.len());
        if slot == files.len() {
            files.push(None);
        }
        files[slot] = Some(File { endpoint, memory: Resource::acquire("fd", KERNEL) });
        slot as Fd
    }

    pub(super) fn socket(&mut self) -> EndpointId {
        self.endpoints.push(Endpoint::default());
        self.endpoints.len() - 1
    }

    /// Connects a socket to a new one, which waits to be accepted.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, on the simulated network only, or the cause of the failure.
    pub(super) fn connect(&mut self, near: EndpointId, to: ListenerId) -> Result<(), Errno> {
        if let Some(address) = self.listeners[to].remote {
            return self.endpoints[near].connect(address, &self.waker);
        }
        if self.listeners[to].refuses {
            return Err(Errno::ConnRefused);
        }
        let far = self.socket();
        self.endpoints[near].peer = Some(far);
        self.endpoints[far].peer = Some(near);
        self.listeners[to].backlog.push_back(far);
        self.net_changed = true;
        Ok(())
    }

    /// The next connection that waits to be accepted.
    pub(super) fn accept(&mut self, listener: ListenerId) -> Option<EndpointId> {
        let Listener { acceptor, backlog, .. } = &mut self.listeners[listener];
        let Some(acceptor) = acceptor else { return backlog.pop_front() };
        let stream = acceptor.accept(&self.waker)?;
        let endpoint = self.socket();
        self.endpoints[endpoint].stream = Some(stream);
        Some(endpoint)
    }

    /// Closes a socket if neither a descriptor nor a request refers to it any more.
    pub(super) fn release(&mut self, endpoint: EndpointId) {
        let by_file =
            self.rings.iter().flat_map(|ring| ring.files.iter().flatten()).any(|file| file.endpoint == endpoint);
        let has_socket = |request: &Request| !matches!(request.work, Work::Accept { .. });
        let by_request = self.requests.iter().any(|request| has_socket(request) && request.endpoint == endpoint);
        if let (false, false, Some(endpoint)) = (by_file, by_request, self.endpoints.get_mut(endpoint)) {
            endpoint.close();
            self.net_changed = true;
        }
    }

    /// Discards items from the wire, and unpins their memory.
    pub(super) fn lose(&mut self, lost: VecDeque<Wire>) {
        for wire in lost {
            if let Wire::Pinned { notif, .. } = wire {
                self.unpin(notif);
            }
        }
    }

    /// Takes an item off the wire: returns its byte, if any, and unpins its memory.
    pub(super) fn transmit(&mut self, wire: Wire) -> Option<Octet> {
        match wire {
            Wire::Octet(octet) => Some(octet),
            Wire::Pinned { ring, at, notif } => {
                let octet = self.rings[ring].memory.as_ref().and_then(|memory| memory.pinned(at));
                self.unpin(notif);
                octet
            }
            Wire::Fin | Wire::Rst => None,
        }
    }

    /// The byte of an item on the wire, as it is in memory now.
    pub(super) fn peek_wire(&self, wire: &Wire) -> Option<u8> {
        match *wire {
            Wire::Octet(octet) => Some(octet.byte),
            Wire::Pinned { ring, at, .. } => {
                let octet = self.rings[ring].memory.as_ref().and_then(|memory| memory.pinned(at));
                Some(octet.map_or(0, |octet| octet.byte))
            }
            Wire::Fin | Wire::Rst => None,
        }
    }

    fn unpin(&mut self, notif: u64) {
        if let Some(notif) = self.notifs.iter_mut().find(|known| known.id == notif) {
            notif.pinned -= 1;
        }
    }
}
