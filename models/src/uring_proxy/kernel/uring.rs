//! The application's half of a ring, and the issue of its submissions (liburing's names).

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::sync::{Condvar, MutexGuard};

use super::Kernel;
use super::abi::{Address, Cqe, Errno, GroupId, Iov, KERNEL, Octet, Op, RingId, Source, Sqe};
use super::buf_ring::{BufRing, Group};
use super::cq::{Shared, Writer};
use super::memory::Memory;
use super::request::{Attempt, Request, Send, Work};
use super::state::{File, Notif, Ring, State};
use crate::kit::harness::impl_debug;

/// `struct io_uring`.
pub struct Uring {
    kernel: Arc<Kernel>,
    id: RingId,
    sq: Vec<Sqe>,
    sq_entries: usize,
    cq: Arc<Shared>,
    head: u32,
    wake: Arc<Condvar>,
}

impl Uring {
    /// `io_uring_queue_init_params`.
    pub fn new(kernel: &Arc<Kernel>, sq_entries: u32, cq_entries: u32) -> Uring {
        let (cq, wake) = (Shared::new(cq_entries), Arc::new(Condvar::named("cq")));
        let ring = Ring {
            cq: Writer::new(Arc::clone(&cq)),
            head: 0,
            overflow: VecDeque::new(),
            wake: Arc::clone(&wake),
            waiting: false,
            called: false,
            files: Vec::new(),
            groups: Vec::new(),
            mapped_max: 1,
            memory: None,
        };
        let mut state = kernel.lock();
        state.rings.push(ring);
        let id = state.rings.len() - 1;
        drop(state);
        Uring { kernel: Arc::clone(kernel), id, sq: Vec::new(), sq_entries: sq_entries as usize, cq, head: 0, wake }
    }

    /// `ring_fd`.
    pub fn id(&self) -> RingId {
        self.id
    }

    /// `io_uring_setup_buf_ring`.
    #[track_caller]
    pub fn setup_buf_ring(&self, group: GroupId, entries: u32, incremental: bool, owner: Owner) -> BufRing {
        let ring = BufRing::new(entries, owner);
        let mut state = self.kernel.lock();
        state.rings[self.id].groups.push(Group::new(group, Arc::clone(ring.shared()), incremental));
        ring
    }

    /// `io_uring_free_buf_ring`, the kernel's half: receives of this group find no buffer from now on.
    pub fn unregister_buf_ring(&self, id: GroupId) {
        self.kernel.lock().rings[self.id].groups.retain(|group| group.id != id);
    }

    /// Sets the memory to which addresses of this ring refer.
    pub fn set_memory(&self, bufs: Vec<Resource>, buf_size: u32) {
        self.kernel.lock().rings[self.id].memory = Some(Memory::new(self.id, bufs, buf_size));
    }

    /// Writes bytes into the buffers' memory.
    pub fn store(&self, at: Address, octets: &[Octet]) {
        if let Some(memory) = &mut self.kernel.lock().rings[self.id].memory {
            memory.write(at, octets);
        }
    }

    /// The bytes in the buffers' memory.
    pub fn load(&self, iov: &Iov) -> Vec<Octet> {
        let state = self.kernel.lock();
        state.rings[self.id].memory.iter().flat_map(|memory| memory.read(iov, 0)).collect()
    }

    /// `io_uring_buf_ring_available`: the number of buffers left in a group; `None` if it is not registered.
    pub fn available(&self, group: GroupId) -> Option<u32> {
        self.kernel.lock().rings[self.id].group(group).map(|group| group.available())
    }

    /// `get_sqe`: adds an entry to the submission queue, which is first submitted if it is full (proxy.c).
    pub fn push(&mut self, sqe: Sqe) {
        if self.sq.len() == self.sq_entries {
            self.submit();
        }
        self.sq.push(sqe);
    }

    /// `get_sqe` twice, before the first entry is written: a link is valid only within one submit.
    pub fn push_linked(&mut self, mut first: Sqe, second: Sqe) {
        if self.sq.len() + 2 > self.sq_entries {
            self.submit();
        }
        first.link = true;
        self.sq.extend([first, second]);
    }

    /// `io_uring_submit`.
    pub fn submit(&mut self) {
        let kernel = Arc::clone(&self.kernel);
        let mut state = kernel.lock();
        self.enter(&mut state);
        kernel.settle(&mut state);
    }

    /// `io_uring_submit_and_wait_timeout` for one completion. Returns without one after [`Kernel::call`].
    ///
    /// Deviates: in place of the timeout, which in the proxy only triggers a periodic check, the ring is woken when
    /// there is something to check.
    pub fn submit_and_wait(&mut self) {
        let kernel = Arc::clone(&self.kernel);
        let mut state = kernel.lock();
        self.enter(&mut state);
        kernel.settle(&mut state);
        while !self.is_called(&state) {
            state.rings[self.id].waiting = true;
            state = self.wake.wait(state);
            state.rings[self.id].flush_overflow();
        }
        state.rings[self.id].called = false;
    }

    fn enter(&mut self, state: &mut MutexGuard<'_, State>) {
        let ring = &mut state.rings[self.id];
        ring.head = self.head;
        ring.flush_overflow();
        let mut sqes: VecDeque<Sqe> = self.sq.drain(..).collect();
        while !sqes.is_empty() {
            let end = sqes.iter().position(|sqe| !sqe.link).map_or(sqes.len(), |last| last + 1);
            let chain = sqes.drain(..end).collect();
            state.issue_chain(self.id, chain);
        }
    }

    /// True if a wait would end at once.
    pub(super) fn is_called(&self, state: &State) -> bool {
        let ring = &state.rings[self.id];
        ring.called || ring.has_unread()
    }

    /// `io_uring_for_each_cqe`: the completion `nth` positions after the head, if it is posted.
    pub fn peek(&self, nth: u32) -> Option<Cqe> {
        self.cq.peek(self.head.wrapping_add(nth))
    }

    /// `io_uring_cq_advance`.
    pub fn cq_advance(&mut self, count: u32) {
        self.head = self.head.wrapping_add(count);
        self.cq.advance(self.head);
    }

    /// Wakes the thread of another ring.
    pub fn call(&self, ring: RingId) {
        self.kernel.call(ring);
    }

    /// Clears a pending wake-up: the thread is about to check its state anyway.
    pub fn take_call(&self) {
        self.kernel.lock().rings[self.id].called = false;
    }

    /// `io_uring_queue_exit`: drops requests without completions, and closes descriptors.
    pub fn exit(self) {
        let mut state = self.kernel.lock();
        let (gone, kept) = std::mem::take(&mut state.requests).into_iter().partition(|request| request.ring == self.id);
        state.requests = kept;
        state.links.retain(|(ring, _)| *ring != self.id);
        let gone: Vec<Request> = gone;
        let files: Vec<File> = std::mem::take(&mut state.rings[self.id].files).into_iter().flatten().collect();
        files.iter().for_each(|file| file.memory.release(KERNEL));
        for endpoint in files.iter().map(|file| file.endpoint).chain(gone.iter().map(|request| request.endpoint)) {
            state.release(endpoint);
        }
        self.kernel.settle(&mut state);
    }
}

impl_debug!(Uring { id });

impl State {
    /// Issues the first of a chain of linked submissions; the others follow when it has succeeded.
    pub(super) fn issue_chain(&mut self, ring: RingId, mut chain: VecDeque<Sqe>) {
        // The loop continues only after operations that complete at once; any other request takes the rest of the chain
        // along.
        while let Some(sqe) = chain.pop_front() {
            match self.issue(ring, sqe) {
                Issued::Done => {}
                Issued::Failed => return self.cancel_chain(ring, chain),
                Issued::Started(mut request) => {
                    request.link = chain.into();
                    return self.start(request);
                }
            }
        }
    }

    fn start(&mut self, mut request: Request) {
        if matches!(request.work, Work::Shutdown { .. }) {
            // upstream: io_uring/net.c forces a shutdown to a worker.
            return self.requests.push(request);
        }
        match self.attempt(&mut request) {
            Attempt::Armed => {
                request.armed = self.stamp();
                self.requests.push(request);
            }
            Attempt::Over(res, flags) => self.complete(request, res, flags),
            Attempt::Posted => self.over(request, true),
        }
    }

    /// Executes an operation that completes at once; otherwise returns the request to start.
    fn issue(&mut self, ring: RingId, sqe: Sqe) -> Issued {
        let (user_data, skip_success) = (sqe.user_data, sqe.skip_success);
        let (fd, work) = match sqe.op {
            Op::Accept { listener } => (-1, Work::Accept { listener }),
            Op::Socket => {
                let endpoint = self.socket();
                let res = self.install(ring, endpoint);
                self.post(ring, Cqe { user_data, res, flags: 0 });
                return Issued::Done;
            }
            Op::Close { fd } => return self.close(ring, user_data, skip_success, fd),
            Op::Cancel { target, all } => return self.cancel(ring, user_data, target, all),
            Op::MsgRing { ring: to, user_data: message, pass } => {
                if let Some(file) = pass.and_then(|fd| self.file(ring, fd)) {
                    // Slot 0: the other ring has just been set up. The descriptor stays installed here too.
                    self.install(to, file.endpoint);
                }
                self.post(to, Cqe { user_data: message, res: 0, flags: 0 });
                self.post(ring, Cqe { user_data, res: 0, flags: 0 });
                return Issued::Done;
            }
            Op::Connect { fd, to } => (fd, Work::Connect { to }),
            Op::Recv { fd, group, multishot, bundle } => (fd, Work::Recv { group, multishot, bundle, saw_last: false }),
            Op::Shutdown { fd } => (fd, Work::Shutdown { running: false }),
            Op::Send { fd, from, waitall, zero_copy } => {
                let notif = zero_copy.then(|| self.next_notif());
                let (iovs, select) = match from {
                    Source::Vectors(iovs) => (iovs, None),
                    Source::Group { group, bundle } => (Vec::new(), Some((group, bundle))),
                };
                // upstream: io_sendmsg_prep sets MSG_WAITALL for a bundle.
                let waitall = waitall || select.is_some_and(|(_, bundle)| bundle);
                // The buffer ring still owns an incremental buffer while parts of it are sent.
                let incremental = self.rings[ring].groups.iter().any(|group| group.incremental);
                let parts = if incremental { &[][..] } else { &iovs[..] };
                let held: Vec<u16> = parts.iter().map(|iov| iov.base.buffer).collect();
                if let Some(id) = notif {
                    let held = held.clone();
                    self.notifs.push(Notif { id, ring, user_data, fd, held, pinned: 0, sent: false });
                }
                (fd, Work::Send(Send { iovs, select, is_selected: false, held, done: 0, waitall, notif }))
            }
        };
        // Without a file, the request fails before its start; a send returns its buffers as at its end.
        let endpoint = self.file(ring, fd).map(|file| file.endpoint);
        let is_open = endpoint.is_some() || matches!(work, Work::Accept { .. });
        let (armed, woken, link, endpoint) = (0, None, Vec::new(), endpoint.unwrap_or(usize::MAX));
        let mut request = Request { ring, user_data, fd, endpoint, skip_success, armed, woken, link, work };
        if is_open {
            return Issued::Started(request);
        }
        let over = match request.work {
            Work::Send(_) => self.send_over(&mut request, Errno::Badf.res()),
            _ => Attempt::Over(Errno::Badf.res(), 0),
        };
        if let Attempt::Over(res, flags) = over {
            self.post(ring, Cqe { user_data, res, flags });
        }
        Issued::Failed
    }

    fn next_notif(&mut self) -> u64 {
        self.next_notif += 1;
        self.next_notif
    }
}

/// The result of issuing a submission.
pub(super) enum Issued {
    /// It is over, and its linked submission may start.
    Done,
    /// It is over, and its linked submissions are cancelled.
    Failed,
    /// The request must be started.
    Started(Request),
}
