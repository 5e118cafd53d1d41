//! A zero-copy send's buffer belongs to the kernel until its notification, which may be the last completion of the
//! connection.
//!
//! Upstream: commit a3aebee0 counts the notifications, but a buffer still returns to the receives before its
//! notification, and handle_close frees all buffers without checking the count. Both follow from the source; not
//! reported.
//! Size: 1 or 2 clients with 2 rounds of up to 10 requests each, a slow network, 4 buffers, sends with one or more
//! vectors.
use crate::prelude::*;
use models::uring_proxy::{Habit, Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Buffers of zero-copy sends are reused and freed";
    Scenario::new("zero_copy_notification", about, "axboe/liburing@a3aebee0", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ReplenishBeforeNotif, "buf is touched only by its owner")
        .violates(Variant::CloseBeforeNotif, "buf is not used after its release")
        .violates(Variant::LateNotifWrongDir, "a notification is counted for the direction that sent")
        .sometimes(&["a notification is due after the close", "a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let server = prop_oneof![3 => Just(Habit::Answers), 1 => (1..5_u32).prop_map(Habit::FinAfter)];
    (plan::clients(2, 10), server, any::<bool>(), any::<bool>()).prop_map(|(clients, server, snd_msg, recv_mshot)| {
        Plan {
            options: Options { snd_zc: true, snd_msg, recv_mshot, nr_bufs: 4, ..Options::REPORTED },
            window: 16,
            clients,
            server,
            ..Plan::smallest()
        }
    })
}
