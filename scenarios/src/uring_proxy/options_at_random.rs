//! Random combinations of options, steps and faults, including those that no other scenario has.
//!
//! Upstream: proxy.c's command line, nearly all of whose options can be combined.
//! Size: up to 2 clients with up to 4 steps, 1 to 8 buffers, 2 to 64 entries in the completion queue and 2 to 8 in the
//! submission queue, any fault of either peer or none, and half of the time a stop.
use crate::prelude::*;
use models::uring_proxy::{Act, Habit, Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Any combination of options and faults";
    Scenario::new("options_at_random", about, "axboe/liburing proxy.c", plans, run)
        .clean(Variant::Fixed)
        .timer_slack(Duration::from_millis(50))
}

fn plans() -> impl Strategy<Value = Plan> {
    let sizes = (0..=3_u32, 1..=4_u32, 2..=64_u32, 2..=8_u32, prop_oneof![Just(3_u32), Just(16), Just(64)]);
    let server = prop_oneof![
        3 => Just(Habit::Answers),
        1 => (1..5_u32).prop_map(Habit::FinAfter),
        1 => (1..5_u32).prop_map(Habit::ResetAfter),
        1 => Just(Habit::Refuses),
    ];
    let acts = prop_oneof![Just(Vec::new()), (1..10_u64).prop_map(|ms| vec![Act::Pause(ms), Act::StopAll])];
    (any::<[bool; 9]>(), sizes, clients(), server, acts).prop_map(|(flags, sizes, mut clients, server, acts)| {
        let [recv_mshot, bidi, send_ring, rcv_bundle, snd_bundle, snd_msg, snd_zc, buf_ring_inc, ext_stat] = flags;
        let (bufs, quarters, cq_entries, ring_size, window) = sizes;
        let (nr_bufs, buf_size) = (1 << bufs, 4 * quarters);
        let sizes = Options { nr_bufs, buf_size, cq_entries, ring_size, ..Options::REPORTED };
        let send = Options { send_ring, snd_bundle, snd_msg, snd_zc, ..sizes };
        let options = Options { recv_mshot, bidi, rcv_bundle, buf_ring_inc, ext_stat, ..send };
        if !bidi {
            // One direction alone is forwarded when half of the buffers are full, or at the end.
            clients.iter_mut().for_each(|steps| steps.retain(|step| *step != Step::Await));
        }
        Plan { options, window, clients, server, acts, two_tasks: false }
    })
}

fn clients() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        6 => (1..=6_u32).prop_map(Step::Ping),
        3 => (0..=20_u32).prop_map(Step::Get),
        4 => Just(Step::Await),
        1 => Just(Step::Reset),
        1 => Just(Step::Fin),
    ];
    let last = |steps: Vec<Step>| {
        let ends = |step: &Step| matches!(step, Step::Reset | Step::Fin);
        let end = steps.iter().position(ends).map_or(steps.len(), |end| end + 1);
        steps.into_iter().take(end).collect()
    };
    prop::collection::vec(prop::collection::vec(step, 1..=4).prop_map(last), 1..=2)
}
