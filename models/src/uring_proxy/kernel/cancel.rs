//! Cancellation, and closing, which is none.
//!
//! A request that is armed is cancelled: the canceller completes first, with 0 or the count, then the request with
//! -ECANCELED (a send that got part of the way: with what it sent). One that a worker has begun cannot be: -EALREADY.
//! Nothing found is -ENOENT. Without `all` the first match is cancelled and no other (io_uring_prep_cancel(3)).
//!
//! Closing a descriptor cancels nothing: a request keeps the socket, and completes as if nothing had happened.

use super::abi::{Cqe, Errno, Fd, RingId, Target, UserData};
use super::request::{Attempt, Request, Work};
use super::state::State;

impl State {
    pub(super) fn cancel(&mut self, ring: RingId, user_data: UserData, target: Target, all: bool) {
        let endpoint = match target {
            Target::Fd(fd) => self.file(ring, fd).map(|file| file.endpoint),
            Target::User(_) => None,
        };
        let matches = |request: &Request| {
            request.ring == ring
                && match target {
                    Target::Fd(_) => endpoint == Some(request.endpoint) && !matches!(request.work, Work::Accept { .. }),
                    Target::User(user_data) => request.user_data == user_data,
                }
        };
        let mut cancelled = Vec::new();
        let (mut found, mut already) = (0, false);
        let mut nth = 0;
        while nth < self.requests.len() && (all || found == 0) {
            if !matches(&self.requests[nth]) {
                nth += 1;
                continue;
            }
            found += 1;
            if matches!(self.requests[nth].work, Work::Shutdown { running: true }) {
                already = true;
                nth += 1;
            } else {
                cancelled.push(self.requests.remove(nth));
            }
        }
        let is_bad = matches!(target, Target::Fd(_)) && endpoint.is_none();
        let res = match found {
            _ if is_bad => Errno::Badf.res(),
            0 => Errno::Noent.res(),
            _ if already => Errno::Already.res(),
            _ if all => found,
            _ => 0,
        };
        self.post(ring, Cqe { user_data, res, flags: 0 });
        for request in cancelled {
            self.cancelled(request);
        }
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

    /// Closes a descriptor. A second time it is another's descriptor, or none.
    pub(super) fn close(&mut self, ring: RingId, user_data: UserData, fd: Fd) {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.rings[ring].files.get_mut(fd));
        let file = slot.and_then(Option::take);
        if let Some(file) = file {
            file.memory.release(super::abi::KERNEL);
            self.release(file.endpoint);
        }
        let res = if file.is_some() { 0 } else { Errno::Badf.res() };
        self.post(ring, Cqe { user_data, res, flags: 0 });
    }
}
