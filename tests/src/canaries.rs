//! For each kind of violation, a program that has it and a correct twin.
//!
//! A checker that never reports may be broken, and so may one that always reports. Each kind therefore has two programs
//! that differ in one step: the search must report the broken one, with this kind and this property, and find nothing
//! in the correct one. The programs are minimal, since they test the harness and not a component.

use lastref::ViolationKind;
use lastref::cell::RaceCell;
use lastref::explore::{Case, CaseName, Limits};
use lastref::ledger::{Counted, Owner, Resource, Slot, Tag, deliver};
use lastref::property::always;
use lastref::sync::atomic::{AtomicBool, Ordering};
use lastref::sync::{Arc, Mutex};
use lastref::thread;
use proptest::strategy::Just;

/// A pair of programs about one kind of violation.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    /// The kind that the broken one commits.
    pub kind: ViolationKind,
    /// The property that it violates.
    pub property: &'static str,
    broken: fn(),
    sound: fn(),
}

/// The component that canaries name in their tokens.
pub const COMPONENT: &str = "canary";
/// The variant that must be found.
pub const BROKEN: &str = "broken";
/// The variant that must stay clean.
pub const SOUND: &str = "fixed";

/// Far more steps than any canary needs, except for the one that never ends.
const STEPS_MAX: u32 = 500;

const ALICE: Owner = Owner::new("alice", 0);
const BOB: Owner = Owner::new("bob", 0);

impl Canary {
    /// The case of the broken or the sound twin.
    pub fn case(&self, variant: &str) -> Option<Case> {
        let run = match variant {
            BROKEN => self.broken,
            SOUND => self.sound,
            _ => return None,
        };
        let name = CaseName {
            component: COMPONENT.to_owned(),
            scenario: self.kind.word().to_owned(),
            variant: variant.to_owned(),
        };
        let limits = Limits { steps_max: STEPS_MAX, ..Limits::default() };
        Some(Case::new(name, || Just(()), move |(): &()| run()).small(()).limits(limits))
    }
}

/// The case of that name, if it is a canary's.
pub fn case(name: &CaseName) -> Option<Case> {
    let canary = CANARIES.iter().find(|canary| canary.kind.word() == name.scenario)?;
    canary.case(&name.variant).filter(|_| name.component == COMPONENT)
}

/// One for each kind.
pub const CANARIES: [Canary; ViolationKind::ALL.len()] = [
    Canary {
        kind: ViolationKind::DoubleRelease,
        property: "buffer is released once",
        broken: || {
            let buffer = Resource::acquire("buffer", ALICE);
            let other = thread::spawn(move || buffer.release(BOB));
            buffer.release(ALICE);
            other.join();
        },
        sound: || {
            let buffer = Resource::acquire("buffer", ALICE);
            let other = thread::spawn(move || buffer.touch(BOB));
            other.join();
            buffer.release(ALICE);
        },
    },
    Canary {
        kind: ViolationKind::UseAfterRelease,
        property: "buffer is not used after its release",
        broken: || {
            let buffer = Resource::acquire("buffer", ALICE);
            let other = thread::spawn(move || buffer.touch(BOB));
            buffer.release(ALICE);
            other.join();
        },
        sound: || {
            let buffer = Resource::acquire("buffer", ALICE);
            let other = thread::spawn(move || buffer.touch(BOB));
            other.join();
            buffer.release(ALICE);
        },
    },
    Canary {
        kind: ViolationKind::Leak,
        property: "buffer is released by quiescence",
        broken: || {
            Resource::acquire("buffer", ALICE).touch(ALICE);
        },
        sound: || {
            Resource::acquire("buffer", ALICE).keep("a cache outlives the run");
        },
    },
    Canary {
        kind: ViolationKind::Aliased,
        property: "buffer has one exclusive owner",
        broken: || {
            let buffer = Resource::acquire("buffer", ALICE);
            buffer.claim(BOB);
            buffer.release(BOB);
        },
        sound: || {
            let buffer = Resource::acquire("buffer", ALICE);
            buffer.unclaim(ALICE);
            buffer.claim(BOB);
            buffer.release(BOB);
        },
    },
    Canary {
        kind: ViolationKind::WrongOwner,
        property: "buffer is touched only by its owner",
        broken: || {
            let buffer = Resource::acquire("buffer", ALICE);
            buffer.access(BOB);
            buffer.release(ALICE);
        },
        sound: || {
            let buffer = Resource::acquire("buffer", ALICE);
            buffer.transfer(ALICE, BOB);
            buffer.access(BOB);
            buffer.release(BOB);
        },
    },
    Canary {
        kind: ViolationKind::RefcountUnderrun,
        property: "message reaches count zero only without holders",
        broken: || {
            let message = Counted::acquire("message", ALICE);
            message.retain(BOB);
            message.release(ALICE);
            message.release(ALICE);
        },
        sound: || {
            let message = Counted::acquire("message", ALICE);
            message.retain(BOB);
            message.release(ALICE);
            message.release(BOB);
        },
    },
    Canary {
        kind: ViolationKind::RefcountMismatch,
        property: "message count equals its named holders",
        broken: || {
            let message = Counted::acquire("message", ALICE);
            message.expect_count(2);
            message.release(ALICE);
        },
        sound: || {
            let message = Counted::acquire("message", ALICE);
            message.expect_count(1);
            message.release(ALICE);
        },
    },
    Canary {
        kind: ViolationKind::CrossDelivery,
        property: "a payload reaches only the request it is tagged for",
        broken: || deliver(Tag { peer: 1, request: 7 }, Tag { peer: 2, request: 7 }),
        sound: || deliver(Tag { peer: 1, request: 7 }, Tag { peer: 1, request: 7 }),
    },
    Canary {
        kind: ViolationKind::SecondPending,
        property: "receive has one operation pending",
        broken: || {
            let receive = Slot::new("receive", ALICE);
            receive.begin(ALICE);
            receive.begin(BOB);
        },
        sound: || {
            let receive = Slot::new("receive", ALICE);
            receive.begin(ALICE);
            receive.complete(BOB);
            receive.begin(BOB);
            receive.complete(BOB);
        },
    },
    Canary {
        kind: ViolationKind::CompletionCount,
        property: "receive completes exactly once",
        broken: || {
            let receive = Slot::new("receive", ALICE);
            receive.begin(ALICE);
        },
        sound: || {
            let receive = Slot::new("receive", ALICE);
            receive.begin(ALICE);
            receive.complete(BOB);
        },
    },
    Canary {
        kind: ViolationKind::CallbackAfterTeardown,
        property: "wrapper outlives its callback",
        broken: || {
            let wrapper = Resource::acquire("wrapper", ALICE);
            let worker = thread::spawn(move || wrapper.callback(BOB));
            wrapper.release(ALICE);
            worker.join();
        },
        sound: || {
            let wrapper = Resource::acquire("wrapper", ALICE);
            let worker = thread::spawn(move || wrapper.callback(BOB));
            worker.join();
            wrapper.release(ALICE);
        },
    },
    Canary {
        kind: ViolationKind::DataRace,
        property: "counter is accessed in order",
        broken: || {
            let counter = Arc::new(RaceCell::named("counter", 0));
            let shared = counter.clone();
            let other = thread::spawn(move || shared.set(1));
            counter.set(2);
            other.join();
        },
        sound: || {
            let counter = Arc::new((Mutex::new(()), RaceCell::named("counter", 0)));
            let shared = counter.clone();
            let other = thread::spawn(move || {
                let _held = shared.0.lock();
                shared.1.set(1);
            });
            let held = counter.0.lock();
            counter.1.set(2);
            drop(held);
            other.join();
        },
    },
    Canary {
        kind: ViolationKind::Deadlock,
        property: "no task waits forever",
        broken: || {
            let locks = Arc::new((Mutex::named("left", ()), Mutex::named("right", ())));
            let shared = locks.clone();
            let other = thread::spawn(move || {
                let _right = shared.1.lock();
                let _left = shared.0.lock();
            });
            let left = locks.0.lock();
            let right = locks.1.lock();
            drop((right, left));
            other.join();
        },
        sound: || {
            let locks = Arc::new((Mutex::named("left", ()), Mutex::named("right", ())));
            let shared = locks.clone();
            let other = thread::spawn(move || {
                let _left = shared.0.lock();
                let _right = shared.1.lock();
            });
            let left = locks.0.lock();
            let right = locks.1.lock();
            drop((right, left));
            other.join();
        },
    },
    Canary {
        kind: ViolationKind::Stall,
        property: "the run makes progress",
        broken: || {
            let ready = AtomicBool::new(false);
            while !ready.load(Ordering::Acquire) {
                thread::yield_now();
            }
        },
        sound: || {
            let ready = Arc::new(AtomicBool::new(false));
            let shared = ready.clone();
            let other = thread::spawn(move || shared.store(true, Ordering::Release));
            while !ready.load(Ordering::Acquire) {
                thread::yield_now();
            }
            other.join();
        },
    },
    Canary {
        kind: ViolationKind::Property,
        property: "two and two make four",
        broken: || always("two and two make four", false),
        sound: || always("two and two make four", true),
    },
    Canary {
        kind: ViolationKind::Panic,
        property: "no task panics",
        broken: || thread::spawn(|| panic!("the canary sings")).join(),
        sound: || thread::spawn(|| ()).join(),
    },
];
