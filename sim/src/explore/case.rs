//! The unit of exploration: a body, its plans, and the bounds of a run.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kernel::Bounds;
use kernel::record::Keep;
use kernel::strategy::{Profile, Strategy};
use proptest::strategy::Strategy as PlanStrategy;

use super::name::CaseName;
use crate::engine::Engine;
use crate::engine::scheduled::Setup;
use crate::plan::{self, AnyPlan, BadPlan, Generator, Plan};
use crate::watch::Watched;

/// The bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decisions after which a run counts as stalled.
    pub steps_max: u32,
    /// The total virtual time by which sleepers may overtake ready tasks in a run. To explore races of timeouts, set it
    /// to many times their length: a smaller value makes such races rare. For a timer that re-arms, set it to a few
    /// periods: a larger value makes runs long.
    pub timer_slack: Duration,
    /// loom: how many times an execution may preempt a task that could continue. The bound begins at
    /// [`Limits::PREEMPTIONS_FIRST`] and is raised, up to this value, while the budget of executions lasts; `None`:
    /// until the exploration has no bound.
    pub preemptions_max: Option<u8>,
    /// loom: how many branches an execution may have.
    pub branches_max: usize,
    /// The stack of each task under the scheduled engines, in bytes; 16 KiB at least. An overflow ends the process with
    /// a report.
    pub stack_bytes: usize,
    /// Longest wall time without a step, after which a run counts as hanging and is abandoned.
    pub patience: Duration,
}

impl Default for Limits {
    /// 20,000 steps, 100 s of timer slack, any number of preemptions, 5,000 branches, stacks of 256 KiB, 10 s of
    /// patience.
    fn default() -> Limits {
        Limits {
            steps_max: 20_000,
            timer_slack: Duration::from_secs(100),
            preemptions_max: None,
            branches_max: 5_000,
            stack_bytes: 256 * 1024,
            patience: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// loom's first bound on preemptions: most bugs need no more than two (Musuvathi and Qadeer, PLDI 2007).
    pub const PREEMPTIONS_FIRST: u8 = 2;

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { steps_max: self.steps_max, slack_ns: kernel::as_ns(self.timer_slack) }
    }
}

/// A scenario with a variant: the unit of exploration. Cloning is cheap.
#[derive(Clone)]
pub struct Case(pub(super) Arc<Inner>);

pub(super) struct Inner {
    name: Arc<CaseName>,
    limits: Limits,
    watched: Watched,
    small: Option<AnyPlan>,
    is_network: bool,
    experiment: Arc<dyn Experiment>,
    pub(super) profile: OnceLock<Profile>,
}

trait Experiment: Send + Sync {
    fn generator(&self) -> Box<dyn Generator>;
    fn run(&self, plan: &AnyPlan);
    fn decode(&self, plan: &serde_json::Value) -> Result<AnyPlan, BadPlan>;
}

struct Typed<P, F, R> {
    strategy: F,
    run: R,
    plan: std::marker::PhantomData<fn() -> P>,
}

impl<P, S, F, R> Experiment for Typed<P, F, R>
where
    P: Plan,
    S: PlanStrategy<Value = P> + 'static,
    F: Fn() -> S + Send + Sync,
    R: Fn(&P) + Send + Sync,
{
    fn generator(&self) -> Box<dyn Generator> {
        plan::generator((self.strategy)())
    }

    fn run(&self, plan: &AnyPlan) {
        (self.run)(plan.get());
    }

    fn decode(&self, plan: &serde_json::Value) -> Result<AnyPlan, BadPlan> {
        AnyPlan::decode::<P>(plan)
    }
}

impl Case {
    /// A case whose runs take plans from the strategy that `plan` returns.
    pub fn new<P, S>(
        name: CaseName,
        plan: impl Fn() -> S + Send + Sync + 'static,
        run: impl Fn(&P) + Send + Sync + 'static,
    ) -> Case
    where
        P: Plan,
        S: PlanStrategy<Value = P> + 'static,
    {
        let experiment = Typed { strategy: plan, run, plan: std::marker::PhantomData };
        let (name, limits) = (Arc::new(name), Limits::default());
        Case(Arc::new(Inner {
            watched: Watched { case: Arc::clone(&name), patience: limits.patience },
            name,
            limits,
            small: None,
            is_network: false,
            experiment: Arc::new(experiment),
            profile: OnceLock::new(),
        }))
    }

    fn rebuilt(&self, change: impl FnOnce(&mut Inner)) -> Case {
        let mut inner = Inner {
            name: Arc::clone(&self.0.name),
            limits: self.0.limits,
            watched: self.0.watched.clone(),
            small: self.0.small.clone(),
            is_network: self.0.is_network,
            experiment: Arc::clone(&self.0.experiment),
            profile: OnceLock::new(),
        };
        change(&mut inner);
        inner.watched.patience = inner.limits.patience;
        Case(Arc::new(inner))
    }

    /// The same case with other bounds.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Case {
        self.rebuilt(|inner| inner.limits = limits)
    }

    /// Sets the plan that loom explores. A case without one does not run under loom: plans for search are too large for
    /// it.
    #[must_use]
    pub fn small<P: Plan>(self, plan: P) -> Case {
        self.rebuilt(|inner| inner.small = Some(AnyPlan::new(plan)))
    }

    /// The name of the case.
    pub fn name(&self) -> &CaseName {
        &self.0.name
    }

    /// The bounds of a run.
    pub fn bounds(&self) -> Limits {
        self.0.limits
    }

    /// Declares that its runs are on a simulated network ([`crate::net`]): only the engines turmoil and shuttle run it.
    #[must_use]
    pub fn network(self) -> Case {
        self.rebuilt(|inner| inner.is_network = true)
    }

    /// The engines that can run it.
    pub fn engines(&self) -> Vec<Engine> {
        Engine::running(self.0.is_network, self.0.small.is_some())
    }

    pub(crate) fn small_plan(&self) -> Option<&AnyPlan> {
        self.0.small.as_ref()
    }

    pub(crate) fn generator(&self) -> Box<dyn Generator> {
        self.0.experiment.generator()
    }

    /// The plan of `seed`'s run, as repro files hold it.
    pub fn plan(&self, seed: u64) -> serde_json::Value {
        self.generator().plan(seed).json()
    }

    /// Checks that `plan` is valid for this case.
    ///
    /// # Errors
    /// The first value that does not fit the plan's type, or is out of its bounds.
    pub fn check_plan(&self, plan: &serde_json::Value) -> Result<(), BadPlan> {
        self.decode(plan).map(|_| ())
    }

    pub(crate) fn decode(&self, plan: &serde_json::Value) -> Result<AnyPlan, BadPlan> {
        self.0.experiment.decode(plan)
    }

    /// The body of one run with this plan.
    pub(crate) fn body(&self, plan: AnyPlan) -> impl Fn() + Send + Sync + 'static + use<> {
        let experiment = Arc::clone(&self.0.experiment);
        move || experiment.run(&plan)
    }

    /// The setup of the run with `seed` by `strategy`.
    pub(crate) fn setup(&self, seed: u64, strategy: Box<dyn Strategy>, keep: Keep, engine: Engine) -> Setup<'_> {
        /// The first frames of a task fit in it, so an overflow is the task's own and is reported.
        const STACK_BYTES_MIN: usize = 16 * 1024;
        let stack_bytes = self.bounds().stack_bytes.max(STACK_BYTES_MIN);
        let (bounds, watched, stacks) = (self.bounds().bounds(), self.watched(), engine.stacks());
        Setup { seed, strategy, bounds, keep, watched, stack_bytes, stacks }
    }

    /// The data that the watch over its runs needs.
    pub(crate) fn watched(&self) -> &Watched {
        &self.0.watched
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.0.name).field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
