//! The bounds of plans: an edited plan is accepted at each bound, and refused beyond it, with the place of the value;
//! the faults of a generated plan are at each byte up to the last one.

use std::collections::BTreeSet;

use lastref::net::{End, Fault, FaultKind};
use lastref::plan::Plan;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use models::kit::weather::{Event, Weather, faults};
use models::{buffer_pool, context_pool, http_pool, image, subchannel, uring_proxy};

/// Writes each value to its place in the plan, given by a JSON pointer, and checks the result against its bounds.
#[track_caller]
fn check<P: Plan>(plan: &P, edits: &[(&str, Value, &str)]) {
    for (pointer, value, said) in edits {
        let mut edited = serde_json::to_value(plan).expect("a plan is data");
        *edited.pointer_mut(pointer).unwrap_or_else(|| panic!("the plan has no {pointer}")) = value.clone();
        let edited: P = serde_json::from_value(edited).unwrap_or_else(|error| panic!("{pointer} {value}: {error}"));
        let refused = edited.check().err().map(|bad| bad.to_string()).unwrap_or_default();
        assert_eq!(refused, *said, "{pointer} {value}");
    }
}

#[test]
fn a_plan_of_buffer_pool_has_bounds() {
    let plan = buffer_pool::Plan::smallest();
    let ask = "/clients/0/asks/0";
    let at = |field: &str| format!("{ask}/{field}");
    let (body, steps) = (at("body"), at("steps"));
    let body_is = "plan.clients[0].asks[0].body";
    check(
        &plan,
        &[
            ("/threads/pollers", json!(4), ""),
            ("/threads/pollers", json!(5), "plan.threads.pollers is 5; at most 4"),
            ("/threads/workers", json!(0), "plan.threads.workers is 0; at least 1"),
            ("/window", json!(257), "plan.window is 257; at most 256"),
            ("/failing_write_in", json!(1_001), "plan.failing_write_in is 1001; at most 1000"),
            ("/max_http_body_size", json!(0), "plan.max_http_body_size is 0; at least 1"),
            ("/read_limit", json!(257), "plan.read_limit is 257; at most 256"),
            ("/max_write_buffer_size", json!(256), ""),
            ("/keepalive_ms", json!(200_001), "plan.keepalive_ms is 200001; at most 200000"),
            ("/write_timeout_ms", json!(0), "plan.write_timeout_ms is 0; at least 1"),
            ("/clients", json!([]), "plan.clients has 0 entries; at least 1"),
            ("/clients/0/visits", json!(5), "plan.clients[0].visits is 5; at most 4"),
            ("/clients/0/segment", json!(0), "plan.clients[0].segment is 0; at least 1"),
            ("/clients/0/ending", json!({"Reset": 256}), ""),
            ("/clients/0/ending", json!({"Reset": 257}), "plan.clients[0].ending.Reset is 257; at most 256"),
            (
                "/clients/0/ending",
                json!({"ResetReceived": 257}),
                "plan.clients[0].ending.ResetReceived is 257; at most 256",
            ),
            (&body, json!({"Length": 256}), ""),
            (&body, json!({"Length": 257}), &format!("{body_is}.Length is 257; at most 256")),
            (&body, json!({"Chunks": []}), &format!("{body_is}.Chunks has 0 entries; at least 1")),
            (&body, json!({"Chunks": [1, 0]}), &format!("{body_is}.Chunks[1] is 0; at least 1")),
            (&steps, json!([{"Read": 256}, "ReadAll"]), ""),
            (&steps, json!([{"Read": 257}]), "plan.clients[0].asks[0].steps[0].Read is 257; at most 256"),
            ("/acts", json!(["Collect", {"Pause": 1_000}]), ""),
            ("/acts", json!([{"Pause": 1_001}]), "plan.acts[0].Pause is 1001; at most 1000"),
        ],
    );
    check(
        &buffer_pool::NetPlan::of(plan),
        &[
            ("/plan/clients", json!([]), "plan.plan.clients has 0 entries; at least 1"),
            ("/plan/window", json!(0), "plan.plan.window is 0; at least 1"),
            ("/idle_ms", json!(10_001), "plan.idle_ms is 10001; at most 10000"),
            ("/weather/window", json!(0), "plan.weather.window is 0; at least 1"),
        ],
    );
}

#[test]
fn the_weather_of_a_plan_has_bounds() {
    check(
        &Weather::FAIR,
        &[
            ("/latency_ms", json!([3, 1]), "plan.latency_ms is [3,1]; the least comes first"),
            ("/window", json!(0), "plan.window is 0; at least 1"),
            ("/backlog", json!(0), "plan.backlog is 0; at least 1"),
            ("/events", json!([{"Pause": 60_000}, {"Crash": 7}, {"Restart": 7}]), ""),
            ("/events", json!([{"Pause": 60_001}]), "plan.events[0].Pause is 60001; at most 60000"),
        ],
    );
    for event in ["Crash", "Restart", "Partition", "Hold", "Heal"] {
        let said = format!("plan.events[0].{event} is 8; at most 7");
        check(&Weather::FAIR, &[("/events", json!([{event: 8}]), &said)]);
    }
}

#[test]
fn a_network_is_fair_if_it_only_delays_and_refuses_no_connection() {
    let fault = |kind| Fault { connection: 0, from: End::Client, after_bytes: 0, after_ms: 0, kind };
    let stalls = |count: usize| Weather { faults: vec![fault(FaultKind::Stall { ms: 20 }); count], ..Weather::FAIR };
    let events = |event: Event, ms| Weather { events: event.lasting(100, ms).to_vec(), ..Weather::FAIR };
    assert!(stalls(2).is_fair(40, 128) && !stalls(3).is_fair(40, 128) && !stalls(0).is_fair(40, 129));
    assert!(!Weather { faults: vec![fault(FaultKind::Reset)], ..Weather::FAIR }.is_fair(40, 1));
    assert!(events(Event::Hold(0), 40).is_fair(40, 1) && !events(Event::Hold(0), 41).is_fair(40, 1));
    assert!(events(Event::Heal(0), 41).is_fair(40, 1));
    assert!(!events(Event::Partition(0), 1).is_fair(40, 1) && !events(Event::Crash(0), 1).is_fair(40, 1));
}

/// A client on the network has a host of its own.
#[test]
fn a_plan_of_buffer_pool_has_no_more_clients_than_hosts() {
    let plan = buffer_pool::Plan::smallest();
    let most = (1..=8).take_while(|count| {
        let clients = vec![plan.clients[0].clone(); *count];
        buffer_pool::NetPlan::of(buffer_pool::Plan { clients, ..plan.clone() }).check().is_ok()
    });
    let most = most.count();
    assert!((2..8).contains(&most), "{most}");
    let clients = vec![plan.clients[0].clone(); most + 1];
    let more = buffer_pool::Plan { clients, ..plan };
    assert!(more.check().is_ok(), "without a network there is room");
    let bad = buffer_pool::NetPlan::of(more).check().expect_err("there are not as many hosts");
    assert_eq!(bad.to_string(), format!("plan.plan.clients has {} entries; at most {most}", most + 1));
}

#[test]
fn a_plan_of_context_pool_has_bounds() {
    let plan = context_pool::Plan::smallest();
    check(
        &plan,
        &[
            ("/threads/workers", json!(5), "plan.threads.workers is 5; at most 4"),
            ("/pipes", json!(5), "plan.pipes is 5; at most 4"),
            ("/capacity", json!(9), "plan.capacity is 9; at most 8"),
            ("/server_contexts", json!(9), "plan.server_contexts is 9; at most 8"),
            ("/resend_ms", json!(4), "plan.resend_ms is 4; at least 5"),
            ("/style", json!({"ContextPool": 8}), ""),
            ("/style", json!({"ContextPool": 9}), "plan.style.ContextPool is 9; at most 8"),
            ("/callers", json!([]), "plan.callers has 0 entries; at least 1"),
            ("/callers", json!([["Wait", {"Chain": 4}, {"Leave": 1_000}]]), ""),
            ("/callers", json!([["Wait", {"Chain": 5}]]), "plan.callers[0][1].Chain is 5; at most 4"),
            ("/callers", json!([[{"Leave": 1_001}]]), "plan.callers[0][0].Leave is 1001; at most 1000"),
            ("/callers", json!([[{"Timeout": 1_001}]]), "plan.callers[0][0].Timeout is 1001; at most 1000"),
            // Without the thread of the timers nothing expires.
            (
                "/callers",
                json!([[{"Timeout": 9}]]),
                "plan.threads.timers is false; a timeout or a resend time needs it",
            ),
            ("/resend_ms", json!(5), "plan.threads.timers is false; a timeout or a resend time needs it"),
            ("/acts", json!([{"Pause": 1_000}, {"Reset": 8}, "CloseReq"]), ""),
            ("/acts", json!([{"Pause": 1_001}]), "plan.acts[0].Pause is 1001; at most 1000"),
            ("/acts", json!([{"Reset": 9}]), "plan.acts[0].Reset is 9; at most 8"),
        ],
    );
    let timers = context_pool::Threads { timers: true, ..plan.threads };
    let timed = context_pool::Plan { threads: timers, ..plan };
    check(&timed, &[("/callers", json!([[{"Timeout": 1_000}]]), ""), ("/resend_ms", json!(5), "")]);
}

#[test]
fn a_plan_of_context_pool_on_the_network_has_bounds() {
    check(
        &context_pool::NetPlan { callers: vec![vec![context_pool::Request::Wait]], ..context_pool::NetPlan::quiet() },
        &[
            ("/dialers", json!(5), "plan.dialers is 5; at most 4"),
            ("/resend_ms", json!(60_001), "plan.resend_ms is 60001; at most 60000"),
            ("/patience_ms", json!(0), "plan.patience_ms is 0; at least 1"),
            ("/callers", json!([[{"Chain": 5}]]), "plan.callers[0][0].Chain is 5; at most 4"),
            ("/acts", json!([{"Pause": 1_000}, "ClosePipes"]), ""),
            ("/acts", json!([{"Pause": 1_001}]), "plan.acts[0].Pause is 1001; at most 1000"),
            ("/acts", json!([{"Reset": 0}]), "plan.acts has Reset; on a network it is a fault"),
            (
                "/weather/events",
                json!([{"Crash": 0}]),
                "plan.weather.events has Crash; only the host of a Peer crashes",
            ),
            ("/replier", json!({"Rep": {"contexts": 8, "works_ms": 1_000}}), ""),
            (
                "/replier",
                json!({"Rep": {"contexts": 9, "works_ms": null}}),
                "plan.replier.Rep.contexts is 9; at most 8",
            ),
            (
                "/replier",
                json!({"Rep": {"contexts": 1, "works_ms": 1_001}}),
                "plan.replier.Rep.works_ms is 1001; at most 1000",
            ),
            (
                "/replier",
                json!({"Peer": {"greetings": [], "habits": []}}),
                "plan.replier.Peer.habits has 0 entries; at least 1",
            ),
            (
                "/replier",
                json!({"Peer": {"greetings": [], "habits": [{"Again": 4}, {"Late": 1_000}, {"Malformed": 3}]}}),
                "",
            ),
            (
                "/replier",
                json!({"Peer": {"greetings": [], "habits": ["Reply", {"Again": 5}]}}),
                "plan.replier.Peer.habits[1].Again is 5; at most 4",
            ),
            (
                "/replier",
                json!({"Peer": {"greetings": [], "habits": [{"Late": 1_001}]}}),
                "plan.replier.Peer.habits[0].Late is 1001; at most 1000",
            ),
            (
                "/replier",
                json!({"Peer": {"greetings": [], "habits": [{"Malformed": 4}]}}),
                "plan.replier.Peer.habits[0].Malformed is 4; at most 3",
            ),
            ("/clients", json!([[{"Ask": {"requests": 8, "hops": 16}}, "Read", {"Pause": 1_000}]]), ""),
            (
                "/clients",
                json!([[{"Ask": {"requests": 9, "hops": 0}}]]),
                "plan.clients[0][0].Ask.requests is 9; at most 8",
            ),
            (
                "/clients",
                json!([[{"Ask": {"requests": 1, "hops": 17}}]]),
                "plan.clients[0][0].Ask.hops is 17; at most 16",
            ),
            ("/clients", json!([[{"Pause": 1_001}]]), "plan.clients[0][0].Pause is 1001; at most 1000"),
            (
                "/overtakers",
                json!([[{"send": 0, "recv": 1_001, "cancel": null, "next": 0}]]),
                "plan.overtakers[0][0].recv is 1001; at most 1000",
            ),
        ],
    );
}

#[test]
fn a_plan_of_http_pool_has_bounds() {
    use http_pool::{NetPlan, Plan, PlannedRequest, Ver};
    let ask = |address: u32, after_ms: u64, ending: &Value| json!([[{"address": address, "after_ms": after_ms, "ending": ending}]]);
    let (wait, ask_is) = (json!("Wait"), "plan.plan.callers[0][0]");
    check(
        &NetPlan::of(Plan::of(Ver::Http2, vec![Vec::new()], vec![vec![PlannedRequest::WAIT]])),
        &[
            ("/plan/backends", json!([]), "plan.plan.backends has 0 entries; at least 1"),
            ("/plan/backends", json!([[["Settings", {"Pause": 60_000}, {"Take": 16}]]]), ""),
            ("/plan/backends", json!([[[{"Take": 17}]]]), "plan.plan.backends[0][0][0].Take is 17; at most 16"),
            ("/plan/max_idle", json!(0), "plan.plan.max_idle is 0; at least 1"),
            ("/plan/idle_timeout_ms", json!(0), "plan.plan.idle_timeout_ms is 0; at least 1"),
            ("/plan/callers", json!([]), "plan.plan.callers has 0 entries; at least 1"),
            ("/plan/callers", ask(2, 60_000, &json!({"Timeout": 60_000})), ""),
            ("/plan/callers", ask(3, 0, &wait), &format!("{ask_is}.address is 3; at most 2")),
            ("/plan/callers", ask(0, 60_001, &wait), &format!("{ask_is}.after_ms is 60001; at most 60000")),
            (
                "/plan/callers",
                ask(0, 0, &json!({"Timeout": 60_001})),
                &format!("{ask_is}.ending.Timeout is 60001; at most 60000"),
            ),
            ("/weather/window", json!(0), "plan.weather.window is 0; at least 1"),
            ("/accept_ms", json!(1_001), "plan.accept_ms is 1001; at most 1000"),
        ],
    );
}

#[test]
fn a_plan_of_image_has_bounds() {
    let plan = image::Plan { subscribers: vec![image::Subscriber::doing(Vec::new())], ..image::Plan::with(1, 1) };
    let frame = |text: &str| format!("plan.subscribers[0].ops[0].{text}");
    check(
        &plan,
        &[
            ("/conductor", json!({"Cycles": 16}), ""),
            ("/conductor", json!({"Cycles": 17}), "plan.conductor.Cycles is 17; at most 16"),
            ("/command_capacity", json!(17), "plan.command_capacity is 17; at most 16"),
            ("/shm_capacity", json!(0), "plan.shm_capacity is 0; at least 1"),
            ("/clearings", json!(9), "plan.clearings is 9; at most 8"),
            ("/subscribers/0/handles", json!([4]), "plan.subscribers[0].handles[0] is 4; at most 3"),
            (
                "/subscribers/0/handler/pause_ms",
                json!(1_001),
                "plan.subscribers[0].handler.pause_ms is 1001; at most 1000",
            ),
            (
                "/subscribers/0/ops",
                json!([{"Poll": 16}, {"PollHandle": 16}, {"Lookup": 3}, {"LookupThrowing": 3}, {"At": 8}, {"Pause": 1_000}]),
                "",
            ),
            ("/subscribers/0/ops", json!([{"Poll": 17}]), &frame("Poll is 17; at most 16")),
            ("/subscribers/0/ops", json!([{"PollHandle": 17}]), &frame("PollHandle is 17; at most 16")),
            ("/subscribers/0/ops", json!([{"Lookup": -1}]), &frame("Lookup is -1; at least 0")),
            ("/subscribers/0/ops", json!([{"LookupThrowing": 4}]), &frame("LookupThrowing is 4; at most 3")),
            ("/subscribers/0/ops", json!([{"At": 9}]), &frame("At is 9; at most 8")),
            ("/subscribers/0/ops", json!([{"Pause": 1_001}]), &frame("Pause is 1001; at most 1000")),
            ("/driver", json!([{"Publish": 3}, {"Write": [3, 6]}, {"Vanish": 3}, {"Pause": 1_000}, "Reuse"]), ""),
            ("/driver", json!([{"Publish": 4}]), "plan.driver[0].Publish is 4; at most 3"),
            ("/driver", json!([{"Vanish": 4}]), "plan.driver[0].Vanish is 4; at most 3"),
            ("/driver", json!([{"Write": [4, 0]}]), "plan.driver[0].Write is 4; at most 3"),
            ("/driver", json!([{"Write": [0, 7]}]), "plan.driver[0].Write is 7; at most 6"),
            ("/before", json!([{"Pause": 1_001}]), "plan.before[0].Pause is 1001; at most 1000"),
            ("/unnoticed", json!([{"Publish": -1}]), "plan.unnoticed[0].Publish is -1; at least 0"),
        ],
    );
}

#[test]
fn a_plan_of_image_on_the_network_has_bounds() {
    let life = json!({
        "session_id": 63, "pause_ms": 0, "frames": 6, "between_ms": 0, "lives_ms": 1_000, "ending": "Die"
    });
    let lives = |key: &str, value: u32| {
        let mut life = life.clone();
        life[key] = json!(value);
        json!([{"lives": [life]}])
    };
    let publisher = image::Publisher { lives: Vec::new() };
    check(
        &image::NetPlan::of(vec![publisher], Vec::new()),
        &[
            ("/plan/clearings", json!(9), "plan.plan.clearings is 9; at most 8"),
            ("/publishers", json!([]), "plan.publishers has 0 entries; at least 1"),
            ("/publishers", json!([{"lives": [life]}]), ""),
            ("/publishers", lives("session_id", 64), "plan.publishers[0].lives[0].session_id is 64; at most 63"),
            ("/publishers", lives("frames", 7), "plan.publishers[0].lives[0].frames is 7; at most 6"),
            ("/publishers", lives("lives_ms", 1_001), "plan.publishers[0].lives[0].lives_ms is 1001; at most 1000"),
            ("/liveness_ms", json!(9), "plan.liveness_ms is 9; at least 10"),
            ("/window", json!(5), "plan.window is 5; at most 4"),
            ("/plan/driver", json!([{"Pause": 1_000}, "Reuse"]), ""),
        ],
    );
}

#[test]
fn a_plan_of_subchannel_has_bounds() {
    let plan = subchannel::Plan::smallest();
    check(
        &plan,
        &[
            ("/threads/pollers", json!(5), "plan.threads.pollers is 5; at most 4"),
            ("/backends", json!([[[{"Pause": 60_000}, {"Take": 16}, "Answer"]]]), ""),
            ("/backends", json!([[[{"Pause": 60_001}]]]), "plan.backends[0][0][0].Pause is 60001; at most 60000"),
            ("/backends", json!([[["Settings", {"Take": 17}]]]), "plan.backends[0][0][1].Take is 17; at most 16"),
            ("/room", json!(17), "plan.room is 17; at most 16"),
            ("/keepalive_ms", json!(9_999), "plan.keepalive_ms is 9999; at least 10000"),
            ("/channels", json!([]), "plan.channels has 0 entries; at least 1"),
            ("/channels/0/addresses", json!([4]), "plan.channels[0].addresses[0] is 4; at most 3"),
            ("/channels/0/callers", json!([["Wait", {"After": 60_000}, {"Deadline": 60_000}]]), ""),
            (
                "/channels/0/callers",
                json!([["Wait", {"After": 60_001}]]),
                "plan.channels[0].callers[0][1].After is 60001; at most 60000",
            ),
            (
                "/channels/0/callers",
                json!([[{"Deadline": 60_001}]]),
                "plan.channels[0].callers[0][0].Deadline is 60001; at most 60000",
            ),
            ("/acts", json!([{"Pause": 60_001}]), "plan.acts[0].Pause is 60001; at most 60000"),
        ],
    );
    let threads = subchannel::Threads { pollers: 1, timers: true };
    check(
        &subchannel::NetPlan::of(subchannel::Plan { threads, ..plan }),
        &[
            ("/weather/short", json!(true), ""),
            ("/plan/room", json!(0), "plan.plan.room is 0; at least 1"),
            ("/plan/threads/pollers", json!(0), "plan.plan.threads.pollers is 0; at least 1"),
            (
                "/plan/threads/timers",
                json!(false),
                "plan.plan.threads.timers is false; on a network the library needs a thread for timers",
            ),
            ("/resolvers", json!([[{"Destroy": 4}]]), "plan.resolvers[0][0].Destroy is 4; at most 3"),
            ("/accept_ms", json!(1_001), "plan.accept_ms is 1001; at most 1000"),
        ],
    );
}

#[test]
fn a_plan_of_uring_proxy_has_bounds() {
    let plan = uring_proxy::Plan::smallest();
    check(
        &plan,
        &[
            ("/options/nr_bufs", json!(1_024), ""),
            ("/options/nr_bufs", json!(3), "plan.options.nr_bufs is 3; a power of two is wanted"),
            ("/options/nr_bufs", json!(2_048), "plan.options.nr_bufs is 2048; at most 1024"),
            ("/options/buf_size", json!(0), "plan.options.buf_size is 0; at least 1"),
            ("/options/ring_size", json!(1), "plan.options.ring_size is 1; at least 2"),
            ("/options/cq_entries", json!(1_025), "plan.options.cq_entries is 1025; at most 1024"),
            ("/window", json!(257), "plan.window is 257; at most 256"),
            ("/clients", json!([[{"Ping": 32}, {"Get": 256}, "Await"]]), ""),
            ("/clients", json!([[{"Ping": 33}]]), "plan.clients[0][0].Ping is 33; at most 32"),
            ("/clients", json!([["Await", {"Get": 257}]]), "plan.clients[0][1].Get is 257; at most 256"),
            ("/server", json!({"FinAfter": 32}), ""),
            ("/server", json!({"FinAfter": 0}), "plan.server.FinAfter is 0; at least 1"),
            ("/server", json!({"ResetAfter": 33}), "plan.server.ResetAfter is 33; at most 32"),
            ("/acts", json!([{"Pause": 1_000}, "StopAll"]), ""),
            ("/acts", json!([{"Pause": 1_001}]), "plan.acts[0].Pause is 1001; at most 1000"),
        ],
    );
    let visit = json!({"wait_ms": 1_000, "goes": [], "ending": "HalfClose"});
    let burst = |pings: u32, bytes: u32, idle_ms: u32| {
        let burst = json!({"pings": pings, "is_get": false, "bytes": bytes, "idle_ms": idle_ms});
        json!([[{"wait_ms": 0, "goes": [burst], "ending": "Linger"}]])
    };
    check(
        &uring_proxy::NetPlan::of(uring_proxy::Options::NETWORK, vec![Vec::new()]),
        &[
            ("/options/buf_size", json!(257), "plan.options.buf_size is 257; at most 256"),
            ("/clients", json!([[visit]]), ""),
            ("/clients", json!([]), "plan.clients has 0 entries; at least 1"),
            ("/clients", burst(16, 256, 1_000), ""),
            ("/clients", burst(17, 0, 0), "plan.clients[0][0].bursts[0].pings is 17; at most 16"),
            ("/clients", burst(1, 257, 0), "plan.clients[0][0].bursts[0].bytes is 257; at most 256"),
            ("/clients", burst(1, 0, 1_001), "plan.clients[0][0].bursts[0].idle_ms is 1001; at most 1000"),
            ("/backend/lag_ms", json!(1_001), "plan.backend.lag_ms is 1001; at most 1000"),
            ("/backend/piece", json!(0), "plan.backend.piece is 0; at least 1"),
            ("/backend/leaves", json!({"Fin": 17}), "plan.backend.leaves.Fin is 17; at most 16"),
            ("/backend/leaves", json!({"Drop": 0}), "plan.backend.leaves.Drop is 0; at least 1"),
            ("/backend/leaves", json!({"Drop": 16}), ""),
            ("/acts", json!([{"Pause": 1_000}, "StopAll"]), ""),
        ],
    );
}

/// Draws up to 3 faults at up to 2 bytes, often.
#[track_caller]
fn check_drawn(faults: impl Strategy<Value = Vec<Fault>>) {
    let mut runner = TestRunner::deterministic();
    let drawn: Vec<Vec<Fault>> =
        (0..500).map(|_| faults.new_tree(&mut runner).expect("nothing is filtered").current()).collect();
    let bytes: BTreeSet<u64> = drawn.iter().flatten().map(|fault| fault.after_bytes).collect();
    assert_eq!(bytes, BTreeSet::from([0, 1, 2]));
    let counts: BTreeSet<usize> = drawn.iter().map(Vec::len).collect();
    assert_eq!(counts, BTreeSet::from([0, 1, 2, 3]));
    assert!(drawn.iter().flatten().all(|fault| fault.kind == FaultKind::Reset));
}

#[test]
fn faults_are_drawn_up_to_the_last_byte_and_not_beyond_it() {
    check_drawn(faults(4, &[FaultKind::Reset], 0..=3, 2));
}
