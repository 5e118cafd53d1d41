//! Hosts crash and restart, links are partitioned or held, and connections are blackholed, with pings in flight: an end
//! that receives no notice times out, and every connection is freed.
//!
//! Upstream: proxy.c has no timeouts of its own: a connection ends with its peers, or with the process.
//! Size: 1 to 3 clients with up to 2 connections and 10 requests each; up to 5 events; up to 2 blackholes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Crashes, partitions and blackholed connections around the proxy";
    Scenario::on_network("net_hosts_and_links", about, "axboe/liburing proxy.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a client times out",
            "an error stops a connection",
            "a connection without peers is stopped by the application",
            "a connection ends with requests unanswered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    // The server is the first peer of the proxy.
    let peer = || prop_oneof![Just(0), 1..4_usize];
    let event = prop_oneof![
        4 => (1..=60_u64).prop_map(Event::Pause),
        1 => peer().prop_map(Event::Partition),
        1 => peer().prop_map(Event::Hold),
        2 => peer().prop_map(Event::Heal),
        2 => peer().prop_map(Event::Crash),
        1 => Just(Event::Restart(0)),
    ];
    let ending = prop_oneof![Just(Ending::HalfClose), Just(Ending::Drop), Just(Ending::Linger)];
    let clients = plan::visits((1, 3), 5, 8, ending);
    let events = prop::collection::vec(event, 1..=5);
    let blackholes = faults(6, &[FaultKind::Blackhole], 0..=2, 300);
    let plans = (clients, events, blackholes, any::<[bool; 2]>());
    plans.prop_map(|(clients, events, faults, [recv_mshot, snd_zc])| NetPlan {
        weather: Weather { faults, events, ..Weather::SHORT },
        ..NetPlan::of(Options { recv_mshot, snd_zc, ..Options::NETWORK }, clients)
    })
}
