//! The engines and their properties, as data: a new engine is a row here and a file beside this one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scheduled::Stacks;
use crate::session::Backend;

/// Properties of an engine.
#[derive(Clone, Copy, Debug)]
struct Properties {
    /// Name on the command line, in tokens and in JSON.
    word: &'static str,
    /// Implementation that the facade's types select.
    arm: Backend,
    /// Source of its tasks' stacks, if our kernel schedules them.
    stacks: Stacks,
    /// Whether it runs cases without a network.
    runs_tasks: bool,
    /// Whether it runs cases on a simulated network.
    runs_networks: bool,
    /// Whether it explores every interleaving of one small plan, in one piece.
    is_exhaustive: bool,
    /// Whether a token repeats the execution.
    replays: bool,
    /// Whether a hunt includes it by default.
    is_default: bool,
    /// Whether the features of this build include it.
    is_built: bool,
}

macro_rules! engines {
    ($( $(#[doc = $doc:literal])* $name:ident { $( $field:ident: $value:expr ),* $(,)? } )*) => {
        /// The scheduler of a run's tasks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Engine {
            $( $(#[doc = $doc])* $name, )*
        }

        impl Engine {
            /// Every engine, in the order of preference.
            pub const ALL: [Engine; [$( Engine::$name ),*].len()] = [$( Engine::$name ),*];

            fn properties(self) -> Properties {
                match self {
                    $( Engine::$name => Properties { $( $field: $value ),* }, )*
                }
            }
        }
    };
}

engines! {
    /// Seeded schedules of any size, by one of our own strategies on our own coroutines.
    Fiber {
        word: "fiber", arm: Backend::Sched, stacks: Stacks::Fiber,
        is_exhaustive: false, replays: true,
        runs_tasks: true, runs_networks: false, is_default: true, is_built: true,
    }
    /// Hosts on a simulated network ([`crate::net`]), whose tasks are scheduled like those of `fiber`.
    Turmoil {
        word: "turmoil", arm: Backend::Sched, stacks: Stacks::Fiber,
        is_exhaustive: false, replays: true,
        runs_tasks: false, runs_networks: true, is_default: true, is_built: cfg!(feature = "net"),
    }
    /// The same schedules as `fiber` and `turmoil` on shuttle's coroutines, to check ours: a run of one seed
    /// has the same trace under both.
    Shuttle {
        word: "shuttle", arm: Backend::Sched, stacks: Stacks::Shuttle,
        is_exhaustive: false, replays: true,
        runs_tasks: true, runs_networks: true, is_default: false, is_built: cfg!(feature = "shuttle"),
    }
    /// Every interleaving and C11 weak memory of a small configuration, within a preemption bound.
    Loom {
        word: "loom", arm: Backend::Loom, stacks: Stacks::Fiber,
        is_exhaustive: true, replays: true,
        runs_tasks: true, runs_networks: false, is_default: true, is_built: cfg!(feature = "loom"),
    }
    /// Real OS threads: sanity and conformance, no replay.
    Threads {
        word: "threads", arm: Backend::Threads, stacks: Stacks::Fiber,
        is_exhaustive: false, replays: false,
        runs_tasks: true, runs_networks: false, is_default: false, is_built: true,
    }
}

impl Engine {
    /// Whether our kernel decides each step: by a strategy, from a seed, with replay and shrinking.
    pub fn is_scheduled(self) -> bool {
        self.arm() == Backend::Sched
    }

    /// Whether the features of this build include it.
    pub fn is_built(self) -> bool {
        self.properties().is_built
    }

    /// Whether a hunt includes it by default.
    pub fn is_default(self) -> bool {
        self.properties().is_default
    }

    /// Whether it explores every interleaving of a case's small plan. Such a search cannot be divided into runs.
    pub fn is_exhaustive(self) -> bool {
        self.properties().is_exhaustive
    }

    /// Whether a token repeats the execution.
    pub fn replays(self) -> bool {
        self.properties().replays
    }

    /// The words that select an engine, for a help text.
    pub fn words() -> String {
        Engine::ALL.map(Engine::word).join(", ")
    }

    /// The engines that run a case with or without a network, the preferred one first; an exhaustive one only if the
    /// case has a small plan.
    pub fn running(is_network: bool, has_small_plan: bool) -> Vec<Engine> {
        let runs = |engine: &Engine| {
            let Properties { runs_tasks, runs_networks, is_exhaustive, .. } = engine.properties();
            let runs = if is_network { runs_networks } else { runs_tasks };
            runs && (has_small_plan || !is_exhaustive)
        };
        Engine::ALL.into_iter().filter(runs).collect()
    }

    /// The name on the command line and in tokens.
    pub fn word(self) -> &'static str {
        self.properties().word
    }

    pub(crate) fn arm(self) -> Backend {
        self.properties().arm
    }

    pub(crate) fn stacks(self) -> Stacks {
        self.properties().stacks
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an engine: one of {names}", names = Engine::ALL.map(Engine::word).join(", "))]
pub struct UnknownEngine(pub String);

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(word: &str) -> Result<Engine, UnknownEngine> {
        Engine::ALL.into_iter().find(|engine| engine.word() == word).ok_or_else(|| UnknownEngine(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(engines: impl IntoIterator<Item = Engine>) -> Vec<&'static str> {
        engines.into_iter().map(Engine::word).collect()
    }

    #[test]
    fn a_hunt_runs_the_engines_whose_runs_replay_and_loom() {
        assert_eq!(words(Engine::ALL.into_iter().filter(|engine| engine.is_default())), ["fiber", "turmoil", "loom"]);
    }

    #[test]
    fn a_case_runs_under_the_engines_that_can_run_it() {
        assert_eq!(words(Engine::running(false, true)), ["fiber", "shuttle", "loom", "threads"]);
        assert_eq!(words(Engine::running(false, false)), ["fiber", "shuttle", "threads"]);
        assert_eq!(words(Engine::running(true, false)), ["turmoil", "shuttle"]);
        assert_eq!(words(Engine::running(true, true)), ["turmoil", "shuttle"]);
    }

    #[test]
    fn a_word_names_an_engine_or_is_refused_with_the_list() {
        for engine in Engine::ALL {
            assert_eq!(engine.word().parse(), Ok(engine));
            assert_eq!(format!("{engine:>8}"), format!("{:>8}", engine.word()));
        }
        let refused = "tokio".parse::<Engine>().expect_err("it is none");
        assert_eq!(refused.to_string(), "`tokio` is not an engine: one of fiber, turmoil, shuttle, loom, threads");
    }
}
