//! A crate that depends on `lastref` for its tests: resources of the ledger, rare states and faults, in a run of the
//! stand-in and without it.

mod scratch;

use std::path::{Path, PathBuf};
use std::process::Command;

use scratch::{Run, Scratch};

/// A pool of connections, and its user's mistake: the connection is taken from the pool twice.
const POOL: &str = r#"use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use std::sync::Mutex;

pub struct Pool {
    idle: Mutex<Vec<Resource>>,
}

const POOL: Owner = Owner::new("pool", 0);

impl Pool {
    pub fn with_one() -> Pool {
        Pool { idle: Mutex::new(vec![Resource::acquire("connection", POOL)]) }
    }

    /// The racy version looks and takes under two locks.
    pub fn take(&self, user: Owner) -> Option<Resource> {
        let connection = *self.idle.lock().unwrap().last()?;
        TAKE
        connection.transfer(POOL, user);
        Some(connection)
    }

    pub fn give_back(&self, user: Owner, connection: Resource) {
        connection.transfer(user, POOL);
        self.idle.lock().unwrap().push(connection);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for connection in self.idle.get_mut().unwrap().drain(..) {
            connection.release(POOL);
        }
    }
}

pub fn two_users() {
    let pool = std::sync::Arc::new(Pool::with_one());
    let users: Vec<_> = (0..2)
        .map(|nth| {
            let (pool, user) = (pool.clone(), Owner::new("user", nth));
            std::thread::spawn(move || {
                let taken = pool.take(user);
                sometimes("a user finds the pool empty", taken.is_none());
                if let Some(connection) = taken {
                    connection.access(user);
                    pool.give_back(user, connection);
                }
            })
        })
        .collect();
    users.into_iter().for_each(|user| user.join().unwrap());
}
"#;

/// The pool; the racy version looks and takes under two locks.
fn pool(is_racy: bool) -> String {
    let take = "self.idle.lock().unwrap().pop();";
    let whole = "let connection = self.idle.lock().unwrap().pop()?;";
    match is_racy {
        true => POOL.replace("TAKE", take),
        false => POOL.replace("let connection = *self.idle.lock().unwrap().last()?;", whole).replace("TAKE", ""),
    }
}

const TESTS: &str = r#"use lastref::ledger::{Owner, Resource};
use lastref::property::{always, eventually, sometimes};
use lastref::{Network, random, simulate, task};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

#[test]
fn two_users() {
    pool::two_users();
}

#[test]
fn forgotten() {
    let lock = Mutex::new(());
    let resource = Resource::acquire("connection", Owner::new("test", 0));
    let _guard = lock.lock();
    resource.touch(Owner::new("test", 0));
}

#[test]
fn never() {
    let _ = eventually("the answer comes");
}

#[test]
fn always_holds() {
    always("one is one", 1 == 1);
    sometimes("it rains", false);
}

/// Correct without faults, and with those that are planned.
fn request(is_careful: bool) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let answers = std::thread::spawn(move || {
        let Ok((mut stream, _)) = server.accept() else { return };
        let mut bytes = [0; 4];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes);
        }
    });
    let mut answer = [0; 4];
    let answered = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(b"ping")?;
        stream.read_exact(&mut answer)
    });
    sometimes("an answer is lost", answered.is_err());
    assert!(is_careful || answered.is_ok(), "the answer is lost");
    answers.join().unwrap();
}

#[test]
fn careful() {
    simulate(Network::with_faults("reset,half-close"), || request(true));
}

#[test]
fn careless() {
    simulate(Network::with_faults("reset,half-close"), || request(false));
}

#[test]
fn reliable() {
    simulate(Network::reliable(), || request(false));
}

#[test]
fn without_traffic() {
    simulate(Network::with_faults("reset"), || ());
}

#[test]
fn once() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static BODIES: AtomicUsize = AtomicUsize::new(0);
    simulate(Network::reliable(), || BODIES.fetch_add(1, SeqCst));
    assert_eq!(BODIES.load(SeqCst), 1);
}

#[test]
fn two_networks() {
    simulate(Network::with_faults("reset"), || ());
    simulate(Network::reliable(), || ());
}

#[test]
fn futures_in_any_order() {
    let order = std::sync::Arc::new(Mutex::new(Vec::new()));
    task::block_on(async {
        let spawn = |nth: u32| {
            let order = order.clone();
            task::spawn(async move {
                task::yield_now().await;
                order.lock().unwrap().push(nth);
                nth
            })
        };
        let tasks = [0, 1, 2].map(spawn);
        for (nth, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await, Some(nth as u32));
        }
    });
    let order = order.lock().unwrap().clone();
    sometimes("the futures run in their order", order == [0, 1, 2]);
    // A queue of ready tasks never has this order.
    sometimes("the futures run in the reverse order", order == [2, 1, 0]);
}

#[test]
fn a_future_that_is_aborted() {
    let waits = task::spawn(std::future::pending::<()>());
    waits.abort();
    assert_eq!(waits.join(), None);
    assert_eq!(task::spawn(async { 7 }).join(), Some(7));
}

#[test]
fn a_future_that_nobody_wakes() {
    task::block_on(std::future::pending::<()>());
}

#[test]
fn draws() {
    let drawn = random::below(3);
    for (nth, sentence) in ["0 is drawn", "1 is drawn", "2 is drawn"].into_iter().enumerate() {
        sometimes(sentence, drawn == nth as u64);
    }
}
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the repository")
}

/// The crate `pool`, which depends on this repository's `lastref`.
fn user(is_racy: bool) -> Scratch {
    let sim = repository().join("sim");
    let manifest = format!(
        "[package]\nname = \"pool\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nlastref = {{ path = {sim:?}, \
         default-features = false }}\n"
    );
    // The lock file of this repository, whose crates are available offline.
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).expect("the lock file");
    Scratch::new(&[
        ("Cargo.toml", &manifest),
        ("Cargo.lock", &lock),
        ("src/lib.rs", &pool(is_racy)),
        ("tests/uses.rs", TESTS),
    ])
}

#[test]
fn the_ledger_and_the_kernel_of_a_run_are_one() {
    let scratch = user(true);
    let arguments = ["test", "--no-fail-fast", "--json", "--test", "uses", "--"];
    let answer = scratch.run(&[&arguments[..], &["two_users", "forgotten", "never"]].concat()).json();
    let test = |name: &str| {
        let tests = answer["tests"].as_array().expect("a list");
        tests.iter().find(|test| test["test"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"))
    };
    let aliased = test("two_users");
    // Both users have the connection: one of them returns a connection that it does not own, or the pool frees it
    // twice.
    assert!(aliased["kind"] == "wrong_owner" || aliased["kind"] == "double_release", "{aliased}");
    assert!(aliased["message"].as_str().is_some_and(|text| text.contains("connection#0")), "{aliased}");
    // Operations of real std's locks, of threads and of the ledger, in one trace.
    let texts: Vec<&str> =
        aliased["events"].as_array().expect("a list").iter().filter_map(|event| event["text"].as_str()).collect();
    for part in ["lock Mutex#0", "spawn", "connection#0 acquired by pool#0", "connection#0 BROKEN"] {
        assert!(texts.iter().any(|text| text.contains(part)), "`{part}` is missing in {texts:?}");
    }
    let steps: Vec<u64> =
        aliased["events"].as_array().expect("a list").iter().filter_map(|event| event["step"].as_u64()).collect();
    assert!(steps.is_sorted(), "{steps:?}");
    let facts = aliased["facts"].to_string();
    assert!(facts.contains("acquired by") && facts.contains("src/lib.rs:13"), "{facts}");
    assert_eq!(test("forgotten")["kind"], "leak");
    assert!(test("forgotten")["message"].as_str().is_some_and(|text| text.contains("still held at quiescence")));
    assert_eq!(test("never")["kind"], "property");
    // The token repeats it.
    let token = aliased["token"].as_str().expect("a finding has a token");
    let replayed = scratch.run(&["replay", "--json", token]).json();
    assert_eq!((&replayed["kind"], &replayed["trace_hash"]), (&aliased["kind"], &aliased["trace_hash"]));
    // The kernel was not compiled again for the crate: a second copy would have its own state.
    let built = scratch.path().join("target/lastref");
    let found = Command::new("find").arg(&built).args(["-name", "*lastref_kernel*"]).output().expect("find starts");
    assert!(built.exists() && found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn rare_states_and_the_faults_of_a_test_are_counted() {
    let scratch = user(false);
    let run = |test: &str| scratch.run(&["test", "--no-shrink", "--json", "--test", "uses", "--", "--exact", test]);
    let first = |run: &Run| run.json()["tests"][0].clone();
    let clean = run("two_users");
    assert_eq!(clean.code, Some(0), "{}", clean.stdout);
    let reached = first(&clean)["reached"]["a user finds the pool empty"].as_u64();
    assert!(reached.is_some_and(|runs| (1..1_000).contains(&runs)), "{}", clean.stdout);
    let unreached = first(&run("always_holds"));
    assert_eq!((&unreached["status"], &unreached["reason"]), (&"failed".into(), &"no run reached `it rains`".into()));
    let careful = first(&run("careful"));
    assert_eq!(careful["status"], "passed", "{careful}");
    let kinds = careful["faults"]["kinds"].as_object().expect("kinds").keys().cloned().collect::<Vec<_>>();
    assert_eq!(kinds, ["half-close", "reset"], "{careful}");
    assert!(careful["reached"]["an answer is lost"].as_u64() > Some(0), "{careful}");
    let careless = first(&run("careless"));
    assert_eq!(careless["kind"], "panic", "{careless}");
    let token = careless["token"].as_str().expect("a token");
    assert!(token.contains("reset@0.") || token.contains("half-close@0."), "{token}");
    assert_eq!(scratch.run(&["replay", "--json", token]).json()["trace_hash"], careless["trace_hash"]);
    let untouched = run("without_traffic");
    untouched.check(0, &[]);
    assert!(
        untouched.stderr.contains("own plan happened in any run: pool::uses without_traffic"),
        "{}",
        untouched.stderr
    );
    let two = first(&run("two_networks"));
    assert!(two["message"].as_str().is_some_and(|text| text.contains("two different networks in one run")), "{two}");
    // The flag takes the place of the test's own plan.
    let other = scratch.run(&["test", "--json", "--faults", "short", "--test", "uses", "--", "--exact", "careful"]);
    assert!(first(&other)["faults"]["kinds"].get("reset").is_none(), "{}", other.stdout);
}

#[test]
fn futures_run_in_any_order_and_draws_depend_on_the_run() {
    let scratch = user(false);
    let tests = ["futures_in_any_order", "a_future_that_is_aborted", "draws"];
    let exact = ["test", "--no-fail-fast", "--no-shrink", "--test", "uses", "--", "--exact"];
    // Each `sometimes` is reached, or the test fails.
    scratch.run(&[&exact[..], &tests].concat()).check(0, &["3 passed"]);
    let waits = scratch.run(&[&exact[..], &["a_future_that_nobody_wakes"]].concat());
    waits.check(1, &["deadlock in schedule 1", "main is blocked"]);
}

/// Compiles the facade for a minute, so only a thorough run executes it.
#[test]
fn without_the_stand_in_a_body_runs_once() {
    if !scratch::is_thorough() {
        return;
    }
    let scratch = user(false);
    let mut command = Command::new("cargo");
    command.args(["test", "--offline", "--quiet", "--", "--skip", "nobody_wakes"]).current_dir(scratch.path());
    // The library itself is compiled here, with the dependencies of its facade.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain"));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    Run::of(command.output().expect("cargo starts")).check(0, &["13 passed"]);
}
