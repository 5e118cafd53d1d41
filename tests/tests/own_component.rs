//! The component of `docs/your-own-component.md`, compiled and run: found broken, replayed, fixed.
//!
//! The document's blocks of Rust are pieces of this file, and the failure that it shows is what its test prints. The
//! broken cache cannot be tested by a test that must pass, so a child process does it.

#![expect(unreachable_pub, reason = "the document's component is a library's, and its parts are public")]

use std::process::Command;

use lastref::{Check, Engine};

/// Tells a child to test the broken cache.
const BROKEN: &str = "LASTREF_BROKEN_CACHE";
const TEST: &str = "a_connection_is_closed_by_its_last_user";
const DOCUMENT: &str = include_str!("../../docs/your-own-component.md");
const SOURCE: &str = include_str!("own_component.rs");

mod broken {
    use std::collections::BTreeMap;

    use lastref::ledger::{Owner, Resource};
    use lastref::sync::atomic::{AtomicUsize, Ordering};
    use lastref::sync::{Arc, Mutex};

    const CACHE: Owner = Owner::new("cache", 0);

    /// A connection and the number of its users.
    pub struct Connection {
        fd: Resource,
        users: AtomicUsize,
    }

    /// Connections by peer. The first user opens a connection, and the last user closes it.
    #[derive(Default)]
    pub struct Cache {
        open: Mutex<BTreeMap<u32, Arc<Connection>>>,
    }

    impl Cache {
        pub fn get(&self, peer: u32) -> Arc<Connection> {
            let mut open = self.open.lock();
            let connection = open.entry(peer).or_insert_with(|| {
                Arc::new(Connection { fd: Resource::acquire("fd", CACHE), users: AtomicUsize::new(0) })
            });
            connection.users.fetch_add(1, Ordering::AcqRel);
            Arc::clone(connection)
        }

        pub fn put(&self, peer: u32, connection: &Connection) {
            if connection.users.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.open.lock().remove(&peer);
                connection.fd.release(CACHE);
            }
        }
    }

    impl Connection {
        pub fn send(&self, user: Owner) {
            self.fd.touch(user);
        }
    }

    pub fn two_users() {
        use lastref::thread::Builder;

        let cache = Arc::new(Cache::default());
        let users = [0, 1].map(|number| {
            let cache = Arc::clone(&cache);
            Builder::new().name(format!("user.{number}")).spawn(move || {
                let connection = cache.get(7);
                connection.send(Owner::new("user", number));
                cache.put(7, &connection);
            })
        });
        users.into_iter().for_each(|user| user.join());
    }
}

mod fixed {
    use std::collections::BTreeMap;

    use lastref::ledger::{Owner, Resource};
    use lastref::property::sometimes;
    use lastref::sync::atomic::{AtomicUsize, Ordering};
    use lastref::sync::{Arc, Mutex};

    const CACHE: Owner = Owner::new("cache", 0);

    pub struct Connection {
        fd: Resource,
        users: AtomicUsize,
    }

    #[derive(Default)]
    pub struct Cache {
        open: Mutex<BTreeMap<u32, Arc<Connection>>>,
    }

    impl Cache {
        pub fn get(&self, peer: u32) -> Arc<Connection> {
            let mut open = self.open.lock();
            let connection = open.entry(peer).or_insert_with(|| {
                Arc::new(Connection { fd: Resource::acquire("fd", CACHE), users: AtomicUsize::new(0) })
            });
            let before = connection.users.fetch_add(1, Ordering::AcqRel);
            sometimes("a connection is shared", before == 1);
            Arc::clone(connection)
        }

        pub fn put(&self, peer: u32, connection: &Connection) {
            let mut open = self.open.lock();
            if connection.users.fetch_sub(1, Ordering::AcqRel) == 1 {
                open.remove(&peer);
                connection.fd.release(CACHE);
            }
        }
    }

    impl Connection {
        pub fn send(&self, user: Owner) {
            self.fd.touch(user);
        }
    }

    pub fn two_users() {
        use lastref::thread::Builder;

        let cache = Arc::new(Cache::default());
        let users = [0, 1].map(|number| {
            let cache = Arc::clone(&cache);
            Builder::new().name(format!("user.{number}")).spawn(move || {
                let connection = cache.get(7);
                connection.send(Owner::new("user", number));
                cache.put(7, &connection);
            })
        });
        users.into_iter().for_each(|user| user.join());
    }
}

/// The broken cache in a child with the variable, the fixed one otherwise.
fn two_users() {
    if is_child() { broken::two_users() } else { fixed::two_users() }
}

#[test]
fn a_connection_is_closed_by_its_last_user() {
    Check::new("a_connection_is_closed_by_its_last_user").run(two_users);
}

#[test]
fn the_cache_is_sound_in_every_interleaving() -> Result<(), Box<lastref::Failure>> {
    let report = Check::new("the_cache_is_sound_in_every_interleaving").engine(Engine::Loom).search(two_users)?;
    assert!(report.complete, "{} executions were not enough", report.schedules);
    Ok(())
}

#[test]
fn the_two_users_do_share_a_connection() -> Result<(), Box<lastref::Failure>> {
    let report = Check::new("the_two_users_do_share_a_connection").search(two_users)?;
    assert!(report.reached.contains_key("a connection is shared"));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a variable tells a child which cache to test")]
fn is_child() -> bool {
    std::env::var_os(BROKEN).is_some()
}

/// Runs the document's test in a process of its own: whether it passes, and its output.
fn told(knobs: &[(&str, &str)]) -> (bool, String) {
    let mut test = Command::new(std::env::current_exe().expect("a test has a path"));
    for variable in ["LASTREF_SEED", "LASTREF_SCHEDULES", "LASTREF_SHRINK", BROKEN] {
        test.env_remove(variable);
    }
    test.envs(knobs.iter().copied());
    let output = test.args(["--exact", TEST]).output().expect("a test can be started");
    (output.status.success(), String::from_utf8(output.stdout).expect("what a test prints is text"))
}

/// The document's blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let parts = DOCUMENT.split(opening.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default()).collect()
}

/// The failure that the document shows, and the seed in its replay line.
fn shown() -> (&'static str, &'static str) {
    let begins = |block: &&str| block.starts_with("a_connection_is_closed");
    let failure = blocks("text").into_iter().find(begins).expect("it shows a failure");
    let seed = failure.split("LASTREF_SEED=").nth(1).and_then(|rest| rest.split(' ').next());
    (failure, seed.expect("a failure has a line that replays it"))
}

#[test]
fn the_broken_cache_fails_as_the_document_shows() {
    let (passed, text) = told(&[(BROKEN, "1")]);
    assert!(!passed);
    assert!(text.contains(shown().0), "the document shows another failure than this:\n{text}");
}

#[test]
fn the_line_in_the_document_replays_the_failure_and_the_fix_survives_it() {
    let (failure, seed) = shown();
    assert!(failure.contains(&format!("cargo test {TEST}\n")), "{failure}");
    let (passed, text) = told(&[(BROKEN, "1"), ("LASTREF_SEED", seed)]);
    assert!(!passed && text.contains(&without_schedule(failure)), "{text}");
    let (passed, text) = told(&[(BROKEN, "1"), ("LASTREF_SEED", seed), ("LASTREF_SHRINK", "1")]);
    assert!(!passed && text.contains("`fd is released once` does not hold"), "{text}");
    let again = format!("LASTREF_SEED={seed} cargo test {TEST}\n");
    assert!(text.contains(&format!("replay: LASTREF_SHRINK=1 {again}not shrunk: {again}")), "{text}");
    assert!(!text.contains("shrink: "), "{text}");
    let (passed, text) = told(&[(BROKEN, "1"), ("LASTREF_SHRINK", "1")]);
    assert!(!passed && text.contains("LASTREF_SHRINK needs LASTREF_SEED"), "{text}");
    let (passed, text) = told(&[("LASTREF_SEED", seed)]);
    assert!(passed, "{text}");
}

/// Removes the number of the schedule, which the run of a single seed does not print.
fn without_schedule(failure: &str) -> String {
    let (before, after) = failure.split_once(", found in schedule ").expect("a search says it");
    let (_, after) = after.split_once('\n').expect("more follows");
    format!("{before}\n{after}")
}

/// Compared without indentation, since the document's code is not in a module.
#[test]
fn every_block_of_rust_in_the_document_is_a_piece_of_this_file() {
    let plain = |text: &str| text.lines().map(|line| format!("{}\n", line.trim())).collect::<String>();
    let (source, blocks) = (plain(SOURCE), blocks("rust"));
    assert!(blocks.len() >= 3, "the document has lost its code");
    for block in blocks {
        assert!(source.contains(&plain(block)), "not in this file:\n{block}");
    }
}
