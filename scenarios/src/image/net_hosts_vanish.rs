//! Publishers' hosts crash and restart, and links are partitioned or held: images end by their liveness timeout,
//! several at once, and clients join streams again in the middle.
//!
//! Upstream: aeron-io/aeron#1728; aeron_publication_image_on_time_event of 63c11a69.
//! Size: 4 publishers with up to 3 lives; up to 6 crashes, restarts, partitions and holds; 1 subscriber that seldom
//! polls.
use crate::prelude::*;
use models::image::{After, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Publishers' hosts crash, restart, and are partitioned";
    Scenario::on_network("net_hosts_vanish", about, "aeron#1728", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::StaleLastIndex, "aeron_image_t is not used after its release")
        .sometimes(&[
            "a publisher's host crashes under it",
            "an image ends by its liveness timeout",
            "an image joins a stream in the middle",
            "a receiver asks a publisher for SETUP",
            "two images are freed in one lingering check",
        ])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let event = |to: fn(usize) -> Event| (0..4_usize).prop_map(to);
    let event = prop_oneof![
        event(Event::Crash),
        event(Event::Restart),
        event(Event::Partition),
        event(Event::Hold),
        event(Event::Heal)
    ];
    let events = prop::collection::vec(((5..120_u64).prop_map(Event::Pause), event), 1..=6);
    let publishers = plan::publishers(4, 3, plan::any_ending());
    (publishers, events, 60..200_u64, 1..4_u32).prop_map(|(publishers, events, pause_ms, limit)| {
        let events = events.into_iter().flat_map(|(pause, event)| [pause, event]).collect();
        let ops = [Op::Poll(8), Op::Copy, Op::Pause(pause_ms), Op::Poll(limit), Op::Drop, Op::Drop].repeat(3);
        let subscriber = Subscriber { after: After::Poll, ..Subscriber::doing(ops) };
        NetPlan { weather: Weather { events, ..Weather::SHORT }, ..NetPlan::of(publishers, vec![subscriber]) }
    })
}
