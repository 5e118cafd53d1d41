//! The suites, and the tests in them that do not pass.

/// The suite of a package. Its version is in `sim/std/known/suites/Cargo.toml`.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) package: &'static str,
    /// Flags for cargo: which features the suite needs.
    pub(crate) flags: &'static [&'static str],
    pub(crate) exceptions: &'static [Exception],
}

/// Tests that do not pass, for one reason.
#[derive(Debug)]
pub(crate) struct Exception {
    /// `executable test`, as lastref shows them.
    pub(crate) tests: &'static [&'static str],
    /// Their result, as in `--json`.
    pub(crate) status: &'static str,
    /// The reason, as a sentence.
    pub(crate) why: &'static str,
}

pub(crate) const SUITES: &[Suite] = &[
    Suite { package: "arc-swap", flags: &[], exceptions: &[] },
    Suite { package: "async-channel", flags: &[], exceptions: &[] },
    Suite { package: "concurrent-queue", flags: &[], exceptions: &[] },
    Suite { package: "crossbeam-channel", flags: &[], exceptions: &[] },
    Suite {
        package: "crossbeam-deque",
        flags: &[],
        exceptions: &[Exception {
            tests: &["crossbeam-deque::injector no_starvation"],
            status: "timed_out",
            why: "its runs took 300 s on two busy cores; on idle ones it may pass.",
        }],
    },
    Suite {
        package: "crossbeam-epoch",
        flags: &[],
        exceptions: &[Exception {
            tests: &[
                "crossbeam-epoch collector::tests::pin_holds_advance",
                "crossbeam-epoch sync::queue::test::push_try_pop_many_spmc",
            ],
            status: "skipped",
            why: "they are long: eight threads make 500,000 rounds each, and three try a million pops each.",
        }],
    },
    Suite { package: "crossbeam-queue", flags: &[], exceptions: &[] },
    Suite { package: "crossbeam-utils", flags: &[], exceptions: &[] },
    Suite { package: "event-listener", flags: &[], exceptions: &[] },
    Suite {
        package: "once_cell",
        flags: &[],
        exceptions: &[Exception {
            tests: &["once_cell::it sync_once_cell::reentrant_init"],
            status: "finding",
            why: "the test starts an example program, which `--lib --tests` does not build.",
        }],
    },
    Suite { package: "parking_lot", flags: &[], exceptions: &[] },
    Suite { package: "tokio", flags: &["--all-features"], exceptions: &[] },
];
