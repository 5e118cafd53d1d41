//! Cancellation, and the close of a descriptor, which cancels nothing.
//!
//! An armed request is cancelled: the cancellation completes first, with 0 or the count, then the request with
//! -ECANCELED, or a partial send with its count. A request that a worker has begun cannot be cancelled: -EALREADY.
//! Without `all`, only one match is cancelled (io_uring_prep_cancel(3)); -ENOENT means that there was none. With `all`,
//! a count of 0 means that; requests that a worker has begun do not count. The kernel finds requests through a hash of
//! their user data, so a cancellation by descriptor may find any of several first.
//!
//! Closing a descriptor cancels nothing: a request keeps the socket open, and completes normally.

use lastref::random;

use super::abi::{Cqe, Errno, Fd, RingId, Target, UserData};
use super::request::{Attempt, Request, Work};
use super::state::State;
use super::uring::Issued;

impl State {
    pub(super) fn cancel(&mut self, ring: RingId, user_data: UserData, target: Target, all: bool) -> Issued {
        let endpoint = match target {
            Target::Fd(fd) => self.file(ring, fd).map(|file| file.endpoint),
            Target::User(_) => None,
        };
        if matches!(target, Target::Fd(_)) && endpoint.is_none() {
            return self.cancelled_with(ring, user_data, Errno::Badf.res());
        }
        let matches = |request: &Request| {
            request.ring == ring
                && match target {
                    Target::Fd(_) => endpoint == Some(request.endpoint) && !matches!(request.work, Work::Accept { .. }),
                    Target::User(user_data) => request.user_data == user_data,
                }
        };
        let (running, mut found): (Vec<usize>, Vec<usize>) = (0..self.requests.len())
            .filter(|nth| matches(&self.requests[*nth]))
            .partition(|nth| matches!(self.requests[*nth].work, Work::Shutdown { running: true }));
        if !all {
            // Any one of them.
            found = found.get(random::below(found.len() as u64) as usize).copied().into_iter().collect();
        }
        let res = match (found.len(), all) {
            (count, true) => count as i32,
            (0, false) if running.is_empty() => Errno::Noent.res(),
            (0, false) => Errno::Already.res(),
            (_, false) => 0,
        };
        let mut cancelled: Vec<Request> = Vec::new();
        while let Some(nth) = found.pop() {
            let request = self.requests.remove(nth);
            cancelled.insert(random::below(cancelled.len() as u64 + 1) as usize, request);
        }
        let issued = self.cancelled_with(ring, user_data, res);
        for request in cancelled {
            self.cancelled(request);
        }
        issued
    }

    fn cancelled_with(&mut self, ring: RingId, user_data: UserData, res: i32) -> Issued {
        self.post(ring, Cqe { user_data, res, flags: 0 });
        if res < 0 { Issued::Failed } else { Issued::Done }
    }

    fn cancelled(&mut self, mut request: Request) {
        let done = match &request.work {
            Work::Send(send) if send.done > 0 => send.done as i32,
            _ => Errno::Canceled.res(),
        };
        if matches!(request.work, Work::Send(_)) {
            if let Attempt::Over(res, flags) = self.send_over(&mut request, done) {
                self.complete(request, res, flags);
            }
        } else {
            self.complete(request, done, 0);
        }
    }

    /// Closes a descriptor. A second close fails, or closes another socket's descriptor.
    pub(super) fn close(&mut self, ring: RingId, user_data: UserData, skip_success: bool, fd: Fd) -> Issued {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.rings[ring].files.get_mut(fd));
        let Some(file) = slot.and_then(Option::take) else {
            self.post(ring, Cqe { user_data, res: Errno::Badf.res(), flags: 0 });
            return Issued::Failed;
        };
        file.memory.release(super::abi::KERNEL);
        self.release(file.endpoint);
        if !skip_success {
            self.post(ring, Cqe { user_data, res: 0, flags: 0 });
        }
        Issued::Done
    }
}
