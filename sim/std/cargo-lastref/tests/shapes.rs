//! Shapes of std that programs rely on: names, attributes, thread-locals, channels, threads.

mod scratch;

use scratch::Scratch;

const SUITE: &str = r#"use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tools::prepared;

thread_local! {
    static UNSET: Cell<u32> = panic!("the initializer is not called");
    static ONCE: Cell<bool> = const { Cell::new(false) };
    static NESTED: Cell<u32> = {
        if !ONCE.replace(true) {
            NESTED.set(1);
        }
        Cell::new(2)
    };
    static BUFFER: [u8; KEY] = const { [0; KEY] };
}

const KEY: usize = 7;

/// Macros such as insta's take the name of the function around them.
#[test]
fn names() {
    fn inner() {}
    assert!(std::any::type_name_of_val(&inner).ends_with("::names::inner"));
}

/// The attribute's code runs on the test's thread, in each run.
#[test]
#[prepared]
fn attributes() {
    tools::PREPARED.with(|prepared| assert_eq!(prepared.replace(0), 1));
}

#[test]
#[prepared]
#[should_panic = "as it should"]
fn attributes_of_the_test() {
    panic!("as it should");
}

#[test]
fn lazy() {
    static TABLE: LazyLock<u32> = LazyLock::new(|| 7);
    assert_eq!(LazyLock::get(&TABLE), None);
    assert_eq!(*TABLE, 7);
    assert_eq!(LazyLock::get(&TABLE), Some(&7));
}

#[test]
fn locals() {
    UNSET.set(3);
    assert_eq!(UNSET.get(), 3);
    NESTED.with(|_| ());
    assert_eq!(NESTED.get(), 2);
    BUFFER.with(|buffer| assert_eq!(buffer.len(), KEY));
}

#[test]
#[should_panic = "interior null bytes"]
fn name_of_a_thread() {
    let _ = thread::Builder::new().name("a\0b".to_owned()).spawn(|| ());
}

/// The sender is ready all along, so the receiver finds the message before its time is over.
#[test]
fn polls_a_channel() {
    let (sender, receiver) = channel();
    let sends = thread::spawn(move || sender.send(1).unwrap());
    let end = Instant::now() + Duration::from_millis(50);
    while receiver.try_recv().is_err() {
        assert!(Instant::now() < end, "too late");
    }
    sends.join().unwrap();
}

#[test]
#[should_panic = "a scoped thread panicked"]
fn scope() {
    thread::scope(|scope| drop(scope.spawn(|| panic!("one"))));
}
"#;

const MANIFEST: &str = "[package]\nname = \"scratch\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n\
                        [dependencies]\ntools = { path = \"tools\" }\n";

/// A package with an attribute that prepares a thread-local of the thread that calls the function.
const TOOLS: [(&str, &str); 4] = [
    (
        "tools/Cargo.toml",
        "[package]\nname = \"tools\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nattributes = { path = \"attributes\" }\n",
    ),
    (
        "tools/src/lib.rs",
        "pub use attributes::prepared;\n\n\
         thread_local!(pub static PREPARED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });\n",
    ),
    (
        "tools/attributes/Cargo.toml",
        "[package]\nname = \"attributes\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[lib]\nproc-macro = true\n",
    ),
    (
        "tools/attributes/src/lib.rs",
        r#"use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

#[proc_macro_attribute]
pub fn prepared(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let body = tokens.pop().expect("a function has a body");
    let prepare = "tools::PREPARED.with(|prepared| prepared.set(1));".parse::<TokenStream>().expect("a statement");
    let body: TokenStream = prepare.into_iter().chain([body]).collect();
    tokens.push(TokenTree::Group(Group::new(Delimiter::Brace, body)));
    tokens.into_iter().collect()
}
"#,
    ),
];

#[test]
fn programs_that_rely_on_the_shapes_of_std_pass() {
    let files = [("Cargo.toml", MANIFEST), ("tests/suite.rs", SUITE)];
    let scratch = Scratch::new(&[&files[..], &TOOLS].concat());
    scratch.run(&["test", "--test", "suite", "--schedules", "200"]).check(0, &["8 tests: 8 passed"]);
    // Under pct a thread of low priority waits while another polls.
    let polls =
        ["test", "--test", "suite", "--schedules", "3000", "--strategy", "pct3", "--", "--exact", "polls_a_channel"];
    scratch.run(&polls).check(0, &["1 passed"]);
}

/// The initializer is not called outside a run either.
#[test]
fn a_thread_local_is_set_without_its_initializer_in_a_doc_test() {
    let library = "/// ```\n/// use std::cell::Cell;\n/// thread_local!(static X: Cell<i32> = panic!(\"called\"));\n\
                   /// X.set(1);\n/// assert_eq!(X.get(), 1);\n/// ```\npub fn documented() {}\n";
    let scratch = Scratch::new(&[("src/lib.rs", library)]);
    scratch.run(&["test", "--doc"]).check(0, &[]);
}

#[test]
fn a_crate_that_names_core_std_has_tests() {
    let library = "#![no_std]\nextern crate core as std;\n\n#[test]\nfn one() {\n    assert_eq!(1, 1);\n}\n";
    let scratch = Scratch::new(&[("src/lib.rs", library)]);
    scratch.run(&["test", "--lib", "--schedules", "20"]).check(0, &["1 passed"]);
}

/// As in std, the panic of a result's destructor ends the process.
#[test]
fn a_result_of_a_thread_that_panics_when_it_is_dropped_aborts() {
    let suite = r#"struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb");
    }
}

#[test]
fn detached() {
    drop(std::thread::spawn(|| Bomb));
    std::thread::yield_now();
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch.run(&["test", "--schedules", "50"]).check(1, &["crash in schedule 1: the process aborts"]);
}
