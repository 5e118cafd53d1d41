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
    /// Their result, as in `--json`. With several, the speed of the machine decides.
    pub(crate) statuses: &'static [&'static str],
    /// The reason, as a sentence.
    pub(crate) why: &'static str,
}

pub(crate) const SUITES: &[Suite] = &[
    Suite { package: "arc-swap", flags: &[], exceptions: &[] },
    Suite { package: "async-channel", flags: &[], exceptions: &[] },
    Suite { package: "concurrent-queue", flags: &[], exceptions: &[] },
    Suite {
        package: "crossbeam-channel",
        flags: &[],
        exceptions: &[Exception {
            tests: &["crossbeam-channel::golang chan_test::test_multi_consumer"],
            statuses: &["skipped"],
            why: "it is long: 23 threads pass on 271,828 messages.",
        }],
    },
    Suite { package: "crossbeam-deque", flags: &[], exceptions: &[] },
    Suite {
        package: "crossbeam-epoch",
        flags: &[],
        exceptions: &[Exception {
            tests: &["crossbeam-epoch collector::tests::pin_holds_advance"],
            statuses: &["skipped"],
            why: "it is long: eight threads make 500,000 rounds each.",
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
            statuses: &["finding"],
            why: "the test starts an example program, which `--lib --tests` does not build.",
        }],
    },
    Suite {
        package: "parking_lot",
        flags: &[],
        exceptions: &[Exception {
            tests: &[
                "parking_lot condvar::webkit_queue_test::ten_producers_ten_consumers_hundred_slots_notify_all",
                "parking_lot condvar::webkit_queue_test::ten_producers_ten_consumers_hundred_slots_notify_one",
                "parking_lot condvar::webkit_queue_test::ten_producers_ten_consumers_one_slot",
            ],
            statuses: &["skipped"],
            why: "they are long: twenty threads pass on 500,000 messages, which takes 50 to 103 million steps.",
        }],
    },
    Suite {
        package: "tokio",
        flags: &["--all-features"],
        exceptions: &[
            Exception {
                tests: &["tokio::fs_try_exists try_exists"],
                statuses: &["finding"],
                why: "it needs a user for whom a folder without permissions is closed; it ran as root.",
            },
            Exception {
                tests: &["tokio::io_async_fd priority_event_on_oob_data"],
                statuses: &["finding"],
                why: "it waits for urgent data of TCP, which is not simulated.",
            },
            Exception {
                tests: &["tokio::rt_threaded many_multishot_futures"],
                statuses: &["skipped"],
                why: "it is long: fifty runtimes with 10,000 tasks each, each of which passes on five messages.",
            },
            Exception {
                tests: &["tokio::rt_threaded test_tuning"],
                statuses: &["finding", "skipped"],
                why: "it works until tokio has adapted to the real duration of a task, and virtual time has no such durations.",
            },
        ],
    },
];
