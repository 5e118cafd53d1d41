//! Parkers: one task parks, any task may unpark it, as threads do and as wakers do for futures.

use std::panic::Location;

use crate::kernel::Kernel;
use crate::record::{ObjectId, Op, OpKind};
use crate::state::State;
use crate::task::Need;

impl Kernel {
    /// Takes the permit, and waits for it if necessary, at most until `deadline_ns` of virtual time. Returns false if
    /// the permit was not given in time, or if the run is over.
    pub fn park(
        &self,
        parker: ObjectId,
        kind: OpKind,
        deadline_ns: Option<u64>,
        location: &'static Location<'static>,
    ) -> bool {
        match self.parks(parker, kind, deadline_ns, location) {
            None => return false,
            Some(true) => return true,
            Some(false) => self.block_current(parker, location),
        }
        self.unparked(parker)
    }

    /// Takes the permit and returns true, or prepares the task to wait for it and returns false. Returns `None` if the
    /// run is over.
    pub(crate) fn parks(
        &self,
        parker: ObjectId,
        kind: OpKind,
        deadline_ns: Option<u64>,
        location: &'static Location<'static>,
    ) -> Option<bool> {
        self.enter(Op { kind, object: parker, location }, Need::Nothing, |state| {
            let taken = state.take_permit(parker);
            if !taken {
                let me = state.log.task;
                state.objects.parker(parker).parked = Some(me);
                state.me().timed_out = false;
                match deadline_ns {
                    Some(deadline_ns) => state.sleep_until(deadline_ns),
                    None => state.make_blocked(me),
                }
            }
            taken
        })
    }

    /// Ends the wait, and takes the permit if it was given.
    pub(crate) fn unparked(&self, parker: ObjectId) -> bool {
        let mut state = self.state.borrow_mut();
        state.me().timed_out = false;
        state.objects.parker(parker).parked = None;
        state.take_permit(parker)
    }

    /// Takes the permit if it was given. Not a scheduling point.
    pub fn try_take_permit(&self, parker: ObjectId) -> bool {
        self.state.borrow_mut().take_permit(parker)
    }

    /// Gives the permit.
    pub fn unpark(&self, parker: ObjectId, location: &'static Location<'static>) {
        let op = Op { kind: OpKind::Unpark, object: parker, location };
        self.enter(op, Need::Nothing, |state| state.give_permit(parker));
    }

    /// Gives the permit, but not as a scheduling point: a waker is called from inside foreign code, which may hold a
    /// std lock or be in the middle of a poll, and a switch there could leave that lock held by a suspended task.
    pub fn wake(&self, parker: ObjectId) {
        let mut state = self.state.borrow_mut();
        if !state.halted {
            state.give_permit(parker);
        }
    }
}

impl State {
    fn give_permit(&mut self, parker: ObjectId) {
        let me = self.log.task;
        let own = self.objects.parker(parker);
        own.has_permit = true;
        if self.clocks.are_kept() {
            let clock = &mut self.clocks.of(me).own;
            own.clock.join(clock);
            clock.tick(me);
        }
        if let Some(parked) = own.parked.take() {
            self.unsleep(parked);
            self.make_ready(parked);
        }
    }

    fn take_permit(&mut self, parker: ObjectId) -> bool {
        let own = self.objects.parker(parker);
        let given = std::mem::take(&mut own.has_permit);
        if given && self.clocks.are_kept() {
            self.clocks.of(self.log.task).own.join(&own.clock);
        }
        given
    }
}
