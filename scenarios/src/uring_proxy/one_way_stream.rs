//! One direction, the proxy's original use: buffers return in order, so counting them is correct.
//!
//! Upstream: proxy.c's default, `-B0`. Code that is wrong for two directions is correct here: a negative control.
//! Size: up to 3 clients with up to 20 requests each and no wait, every receive and send mode, 4 buffers.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One direction with every way to receive and to send";
    Scenario::new("one_way_stream", about, "axboe/liburing proxy.c", plans, run)
        .clean(Variant::Fixed)
        .clean(Variant::SlotByBid)
        .clean(Variant::BidByCount)
        .clean(Variant::SharedOutRing)
        .clean(Variant::StopByCounts)
        .sometimes(&["a receive fills several buffers", "a receive finds no provided buffer"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let requests = prop::collection::vec(1..=20_u32, 1..=3);
    let receive = (any::<bool>(), any::<bool>());
    let send = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (requests, receive, send).prop_map(
        |(requests, (recv_mshot, rcv_bundle), (send_ring, snd_bundle, snd_msg, snd_zc))| {
            let options = Options { bidi: false, nr_bufs: 4, recv_mshot, rcv_bundle, ..Options::REPORTED };
            Plan {
                options: Options { send_ring, snd_bundle, snd_msg, snd_zc, ..options },
                clients: requests.into_iter().map(|requests| vec![Step::Ping(requests)]).collect(),
                ..Plan::smallest()
            }
        },
    )
}
