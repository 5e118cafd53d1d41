//! Socket close at any octet of SETUP, data and status messages: a publisher reconnects with the same session, and its
//! image continues or has ended meanwhile. Image handlers run once for each image.
//!
//! Upstream: c54c263d and 3c1984b6 together (derived): a wrapper made for an unavailable image.
//! Size: 2 publishers with up to 2 lives, 1 subscriber with image handlers; up to 4 FINs, resets and cuts.
use crate::prelude::*;
use models::image::{After, Callback, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Socket close at any octet between publishers and their receiver";
    Scenario::on_network("net_media_socket_close", about, "aeron 3c1984b6 (derived)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::RetainRequiresMembership, "aeron_image_refcnt reaches count zero only without holders")
        .sometimes(&[
            "a connection ends in the middle of a frame",
            "a receiver's connection is reset",
            "a receiver closes a silent connection",
            "a publisher comes back over another connection",
            "a publisher retransmits lost frames",
            "an image joins a stream in the middle",
        ])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let callback = prop_oneof![Just(Callback::Wrapper), Just(Callback::Counting)];
    let kinds = [FaultKind::HalfClose, FaultKind::Reset, FaultKind::Blackhole];
    let publishers = plan::publishers(2, 2, plan::any_ending());
    (publishers, callback, faults(5, &kinds, 0..=4, 500), 30..120_u64).prop_map(
        |(publishers, callback, faults, liveness_ms)| {
            let ops = [Op::Poll(2), Op::Pause(20), Op::ForEach].repeat(3);
            let subscriber = Subscriber { callback, after: After::Poll, ..Subscriber::doing(ops) };
            NetPlan {
                weather: Weather { faults, ..Weather::SHORT },
                liveness_ms,
                ..NetPlan::of(publishers, vec![subscriber])
            }
        },
    )
}
