//! What the tests of the facade share: the engines, and a search that must stay clean, or must find a violation.
#![allow(dead_code, reason = "each test program uses a part of it")]

use lastref::{Check, Engine, Failure, ViolationKind};

pub(crate) const ALL: [Engine; 3] = [Engine::Fiber, Engine::Loom, Engine::Threads];
pub(crate) const SCHEDULED: [Engine; 2] = [Engine::Fiber, Engine::Loom];

#[track_caller]
pub(crate) fn clean(engines: &[Engine], body: fn()) {
    for engine in engines {
        let schedules = if *engine == Engine::Threads { 20 } else { 500 };
        let result = Check::new("clean").engine(*engine).schedules(schedules).search(body);
        if let Err(failure) = result {
            panic!("under {engine}: {failure}{}", failure.full_table);
        }
    }
}

#[track_caller]
pub(crate) fn found(engines: &[Engine], kind: ViolationKind, body: fn()) -> Box<Failure> {
    let mut last = None;
    for engine in engines {
        match Check::new("found").engine(*engine).schedules(2_000).search(body) {
            Ok(report) => panic!("under {engine}: clean in {} schedules", report.schedules),
            Err(failure) => {
                assert_eq!(failure.violation.kind, kind, "under {engine}: {failure}");
                last = Some(failure);
            }
        }
    }
    last.expect("at least one engine")
}
