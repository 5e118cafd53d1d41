//! A token that one task waits for and any task may give: it wakes a future.
//!
//! Giving it is not a scheduling point. A waker is called from inside foreign code, which may hold a std lock or be in
//! the middle of a poll; a switch there could leave that lock held by a suspended task.

use std::panic::Location;

use super::clock::Clock;
use super::kernel::{Kernel, Need};
use super::{enter, give_way, with};
use crate::op::{ObjectId, Op, OpKind, TaskId};

/// A token given is kept until it is taken; a second one changes nothing.
#[derive(Debug, Default)]
pub(super) struct TokenState {
    given: bool,
    waiter: Option<TaskId>,
    /// The clock of the tasks that gave it.
    clock: Clock,
}

/// Takes the token; waits for it, until `deadline_ns` of virtual time at the latest. False: it was not given in time,
/// or the run is over.
pub(crate) fn take_token(token: ObjectId, deadline_ns: Option<u64>, location: &'static Location<'static>) -> bool {
    let op = Op { kind: OpKind::Wait, object: token, location };
    let taken = enter(op, Need::Nothing, |kernel| {
        let taken = kernel.take_token(token);
        if !taken {
            let me = kernel.current;
            kernel.objects.token(token).waiter = Some(me);
            kernel.me().timed_out = false;
            match deadline_ns {
                Some(deadline_ns) => kernel.sleep_until(deadline_ns),
                None => kernel.make_blocked(me),
            }
        }
        taken
    });
    match taken {
        None => return false,
        Some(true) => return true,
        Some(false) => give_way(token, location),
    }
    with(|kernel| {
        kernel.me().timed_out = false;
        kernel.objects.token(token).waiter = None;
        kernel.take_token(token)
    })
}

/// Takes the token if it was given. Not a scheduling point.
pub(crate) fn try_take_token(token: ObjectId) -> bool {
    with(|kernel| kernel.take_token(token))
}

/// Gives the token.
pub(crate) fn give_token(token: ObjectId) {
    with(|kernel| {
        if kernel.halted {
            return;
        }
        let me = kernel.current;
        let state = kernel.objects.token(token);
        state.given = true;
        if kernel.tracks {
            let clock = &mut kernel.tasks[me.index()].clock;
            state.clock.join(clock);
            clock.tick(me);
        }
        if let Some(waiter) = state.waiter.take() {
            kernel.unsleep(waiter);
            kernel.make_ready(waiter);
        }
    });
}

impl Kernel {
    fn take_token(&mut self, token: ObjectId) -> bool {
        let state = self.objects.token(token);
        let given = std::mem::take(&mut state.given);
        if given && self.tracks {
            let me = self.current;
            self.tasks[me.index()].clock.join(&state.clock);
        }
        given
    }
}
