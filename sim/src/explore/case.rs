//! One thing to explore: a body, the plans it takes, and the bounds of a run.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::strategy::Strategy;
use serde::{Deserialize, Serialize};

use super::reference;
use crate::engine::Engine;
use crate::engine::sched::Bounds;
use crate::plan::{self, AnyPlan, Generator, Plan};
use crate::strategy::Profile;

/// Names a case: which component, which scenario, which variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseName {
    /// The component, as `context_pool`.
    pub component: String,
    /// The scenario.
    pub scenario: String,
    /// `fixed`, or the name of a defect.
    pub variant: String,
}

impl fmt::Display for CaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.component, self.scenario, self.variant)
    }
}

/// The bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decisions after which a run counts as stalled.
    pub steps_max: u32,
    /// By how much, in all of a run, sleepers may advance the clock while other tasks are ready. Many times the timeouts
    /// that are to race, or they seldom do; few times the period of a timer that re-arms, or runs grow long.
    pub drift: Duration,
    /// loom: how many times an execution may take a task off that could have gone on.
    pub preemptions_max: usize,
    /// loom: how many branches an execution may have.
    pub branches_max: usize,
}

impl Default for Limits {
    /// 20,000 steps, 100 s of drift, 2 preemptions, 5,000 branches.
    fn default() -> Limits {
        Limits { steps_max: 20_000, drift: Duration::from_secs(100), preemptions_max: 2, branches_max: 5_000 }
    }
}

impl Limits {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { steps_max: self.steps_max, drift_ns: u64::try_from(self.drift.as_nanos()).unwrap_or(u64::MAX) }
    }
}

/// A scenario with a variant: what is explored. Cloning is cheap.
#[derive(Clone)]
pub struct Case(Arc<Inner>);

struct Inner {
    name: CaseName,
    limits: Limits,
    small: Option<AnyPlan>,
    is_network: bool,
    experiment: Arc<dyn Experiment>,
    profile: OnceLock<Profile>,
}

trait Experiment: Send + Sync {
    fn generator(&self) -> Box<dyn Generator>;
    fn run(&self, plan: &AnyPlan);
    fn decode(&self, plan: serde_json::Value) -> Result<AnyPlan, serde_json::Error>;
}

struct Typed<P, F, R> {
    strategy: F,
    run: R,
    plan: std::marker::PhantomData<fn() -> P>,
}

impl<P, S, F, R> Experiment for Typed<P, F, R>
where
    P: Plan,
    S: Strategy<Value = P> + 'static,
    F: Fn() -> S + Send + Sync,
    R: Fn(&P) + Send + Sync,
{
    fn generator(&self) -> Box<dyn Generator> {
        plan::generator((self.strategy)())
    }

    fn run(&self, plan: &AnyPlan) {
        (self.run)(plan.get());
    }

    fn decode(&self, plan: serde_json::Value) -> Result<AnyPlan, serde_json::Error> {
        serde_json::from_value::<P>(plan).map(AnyPlan::new)
    }
}

impl Case {
    /// A case whose runs take plans from the strategy that `plan` makes.
    pub fn new<P, S>(
        name: CaseName,
        plan: impl Fn() -> S + Send + Sync + 'static,
        run: impl Fn(&P) + Send + Sync + 'static,
    ) -> Case
    where
        P: Plan,
        S: Strategy<Value = P> + 'static,
    {
        let experiment = Typed { strategy: plan, run, plan: std::marker::PhantomData };
        Case(Arc::new(Inner {
            name,
            limits: Limits::default(),
            small: None,
            is_network: false,
            experiment: Arc::new(experiment),
            profile: OnceLock::new(),
        }))
    }

    fn rebuilt(&self, change: impl FnOnce(&mut Inner)) -> Case {
        let mut inner = Inner {
            name: self.0.name.clone(),
            limits: self.0.limits,
            small: self.0.small.clone(),
            is_network: self.0.is_network,
            experiment: Arc::clone(&self.0.experiment),
            profile: OnceLock::new(),
        };
        change(&mut inner);
        Case(Arc::new(inner))
    }

    /// The same case within other bounds.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Case {
        self.rebuilt(|inner| inner.limits = limits)
    }

    /// The plan that loom explores. A case without one does not run under loom: plans for search are too large for it.
    #[must_use]
    pub fn small<P: Plan>(self, plan: P) -> Case {
        self.rebuilt(|inner| inner.small = Some(AnyPlan::new(plan)))
    }

    /// What it is called.
    pub fn name(&self) -> &CaseName {
        &self.0.name
    }

    /// The bounds of a run.
    pub fn bounds(&self) -> Limits {
        self.0.limits
    }

    /// Its runs are on a simulated network ([`crate::net`]): engine turmoil takes it, and no other.
    #[must_use]
    pub fn network(self) -> Case {
        self.rebuilt(|inner| inner.is_network = true)
    }

    /// The engines that can run it.
    pub fn engines(&self) -> Vec<Engine> {
        if self.0.is_network {
            return vec![Engine::Turmoil];
        }
        let mut engines = vec![Engine::Shuttle, Engine::Loom, Engine::Threads];
        engines.retain(|engine| *engine != Engine::Loom || self.0.small.is_some());
        engines
    }

    pub(crate) fn small_plan(&self) -> Option<&AnyPlan> {
        self.0.small.as_ref()
    }

    pub(crate) fn generator(&self) -> Box<dyn Generator> {
        self.0.experiment.generator()
    }

    pub(crate) fn decode(&self, plan: serde_json::Value) -> Result<AnyPlan, serde_json::Error> {
        self.0.experiment.decode(plan)
    }

    /// The body of one run with this plan.
    pub(crate) fn body(&self, plan: AnyPlan) -> Arc<dyn Fn() + Send + Sync> {
        let experiment = Arc::clone(&self.0.experiment);
        Arc::new(move || experiment.run(&plan))
    }

    /// What strategies know of the case beforehand.
    pub(crate) fn profile(&self) -> &Profile {
        self.0.profile.get_or_init(|| reference::profile(self))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.0.name).field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
