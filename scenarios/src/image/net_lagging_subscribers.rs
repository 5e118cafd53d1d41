//! Subscribers lag on the network: windows stop their publishers, images wait for them, and no fragment is lost.
//!
//! Upstream: aeron_publication_image_send_pending_status_message, _is_drained and send_pending_loss of 63c11a69.
//! Size: 2 or 3 publishers with up to 6 frames in each of up to 2 lives, 1 or 2 subscribers; windows of 1 to 4 frames;
//! up to 2 stalls and resets, or none: then everything must be read to its end.
use crate::prelude::*;
use models::image::{After, Ending, Handler, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Subscribers on the network lag behind their publishers";
    Scenario::on_network("net_lagging_subscribers", about, "aeron_publication_image.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a publisher waits for a subscriber that lags",
            "an image waits for a subscriber that lags",
            "a publisher retransmits lost frames",
            "a publisher comes back over another connection",
            "every stream is read to its end",
        ])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let subscriber = (0..40_u64, 1..3_u32, 0..80_u64).prop_map(|(pause_ms, limit, between_ms)| Subscriber {
        handler: Handler { pause_ms, ..Handler::QUICK },
        after: After::Poll,
        ..Subscriber::doing([Op::Poll(limit), Op::Pause(between_ms)].repeat(4))
    });
    let publishers = (2..=3_usize).prop_flat_map(|count| plan::publishers(count, 2, Just(Ending::Close)));
    let kinds = [FaultKind::Stall { ms: 40 }, FaultKind::Stall { ms: 120 }, FaultKind::Reset];
    let faults = prop_oneof![2 => faults(5, &kinds, 0..=3, 400), 1 => Just(Vec::new())];
    (publishers, prop::collection::vec(subscriber, 1..=2), faults, 1..=4_u32).prop_map(
        |(publishers, subscribers, faults, window)| NetPlan {
            weather: Weather { faults, ..Weather::SHORT },
            window,
            ..NetPlan::of(publishers, subscribers)
        },
    )
}
