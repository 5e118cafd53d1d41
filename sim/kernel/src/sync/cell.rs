//! Plain memory: accesses that happens-before does not order are data races.

use std::panic::Location;

use crate::kernel::Kernel;
use crate::objects::Epoch;
use crate::record::{ObjectId, Op, OpKind, Subject, TaskId, Violation, ViolationKind, label};

impl Kernel {
    /// Checks an access to a plain cell against earlier ones (FastTrack; Flanagan and Freund, PLDI 2009), and returns
    /// the data race if there is one. Not a scheduling point: whether two accesses race does not depend on the order in
    /// which they ran.
    pub fn cell_access(
        &self,
        object: ObjectId,
        kind: OpKind,
        location: &'static Location<'static>,
    ) -> Option<Violation> {
        let state = &mut *self.state.borrow_mut();
        if state.halted {
            return None;
        }
        if !state.clocks.are_kept() {
            state.clocks.begin(state.tasks.len());
        }
        let me = state.log.task;
        let clock = &state.clocks.of(me).own;
        let here = Epoch { task: me, tick: clock.get(me), location };
        let cell = state.objects.cell(object);
        let unordered = |earlier: &Epoch| earlier.task != me && clock.get(earlier.task) < earlier.tick;
        let mut race = cell.write.filter(unordered).map(|earlier| ("wrote", earlier));
        if kind == OpKind::CellWrite {
            race = race.or_else(|| cell.reads.iter().copied().find(unordered).map(|earlier| ("read", earlier)));
            cell.reads.clear();
            cell.write = Some(here);
        } else {
            match cell.reads.last_mut() {
                Some(last) if last.task == me => *last = here,
                _ => {
                    cell.reads.retain(|read| read.task != me);
                    cell.reads.push(here);
                }
            }
        }
        state.log.operated(Op { kind, object, location });
        let (did, earlier) = race?;
        let doing = if kind == OpKind::CellWrite { "writes" } else { "reads" };
        let log = &state.log;
        let (class, nth) = label(&log.objects, object)?;
        let access = |task: TaskId, at: &Location<'_>| format!("{}, {}:{}", log.task_name(task), at.file(), at.line());
        let (me_named, other) = (log.task_name(me), log.task_name(earlier.task));
        let message =
            format!("{me_named} {doing} {class}#{nth}, which {other} {did} with nothing between to order them");
        let violation = Violation::about(ViolationKind::DataRace, class, message).concerning(Subject::Cell(class, nth));
        let violation = violation.fact("cell", format!("{class}#{nth}"));
        let violation = violation.fact("first", access(earlier.task, earlier.location));
        Some(violation.fact("second", access(me, location)))
    }
}
