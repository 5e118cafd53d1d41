//! Hosts crash and come up again, links are partitioned or held, and connections are cut without a word, under pings:
//! who is not told gives up, and nothing is left of any connection.
//!
//! Upstream: proxy.c has no timeouts of its own: a connection ends with its peers, or with the process.
//! Size: 1 to 3 clients with up to 2 connections and 10 requests each; up to 5 events; up to 2 cuts.
use crate::prelude::*;
use lastref::net::FaultKind;
use models::uring_proxy::net::{self, Ending, Link, NetPlan, World};
use models::uring_proxy::{Options, Variant};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Crashes, partitions and cut connections around the proxy";
    Scenario::on_network("net_hosts_and_links", about, "axboe/liburing proxy.c", plans, net::run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a client waits in vain",
            "an error stops a connection",
            "a connection whose peers are gone is ended by hand",
            "a connection ends with requests unanswered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let link = || prop_oneof![Just(Link::Backend), (0..3_u32).prop_map(Link::Client)];
    let event = prop_oneof![
        4 => (1..=60_u32).prop_map(World::Pause),
        1 => link().prop_map(World::Partition),
        1 => link().prop_map(World::Hold),
        2 => Just(World::Mend),
        1 => Just(World::CrashBackend),
        1 => Just(World::RestartBackend),
        1 => (0..3_u32).prop_map(World::CrashClient),
    ];
    let ending = prop_oneof![Just(Ending::Finish), Just(Ending::Drop), Just(Ending::Linger)];
    let clients = net::clients((1, 3), 5, 8, ending);
    let world = prop::collection::vec(event, 1..=5);
    let cuts = net::faults([FaultKind::Blackhole], 2, 300);
    (clients, world, cuts, any::<[bool; 2]>()).prop_map(|(clients, world, faults, [recv_mshot, snd_zc])| NetPlan {
        faults,
        world,
        ..NetPlan::of(Options { recv_mshot, snd_zc, ..Options::NETWORK }, clients)
    })
}
