//! A scenario: one experiment on one component.
//!
//! Models differ in the types of their variants and plans, and the readers of the list must not depend on them.
//! So the types live only between [`Scenario::new`] and the case it builds: a scenario keeps a function from a
//! variant's *name* to a [`Case`], and everything a reader of the list may ask is plain data.
//!
//! Each method stores only its own data. The engines that must find a defect are computed from all of it on request, so
//! the order of the methods does not matter.
//!
//! What would break it: a name that differs from its file ([`Scenarios::check`](super::Scenarios::check) compares
//! them), expectations about a variant of another component, which [`Scenario::clean`] and [`Scenario::violates`]
//! refuse at once, and expectations that no hunt checks, which [`Scenario::unchecked`] lists for a project's own test.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use proptest::strategy::Strategy;

use super::expect::{Expect, Expectation};
use super::variant::Variant;
use crate::explore::{Case, CaseName, Engine, Limits};
use crate::plan::Plan;
use crate::time::Duration;

/// A few latencies of the network, and less than any timeout, so that a connection's delay does not overtake a ready
/// task.
const NETWORK_TIMER_SLACK: Duration = Duration::from_millis(5);

/// One experiment: a plan's generator, a body that runs a plan, and what each variant must do under it.
#[derive(Clone)]
pub struct Scenario {
    name: &'static str,
    component: &'static str,
    about: &'static str,
    upstream: &'static str,
    said: Vec<(&'static str, Expect)>,
    loom_finds: Vec<&'static str>,
    example: Option<&'static str>,
    sometimes: &'static [&'static str],
    limits: Limits,
    plan: TypeId,
    small: Option<Arc<dyn Any + Send + Sync>>,
    is_network: bool,
    build: Arc<Build>,
}

/// Builds a case from its name and from a small plan, if there is one; `None` if the component has no such variant.
type Build = dyn Fn(CaseName, Option<&(dyn Any + Send + Sync)>) -> Option<Case> + Send + Sync;

impl Scenario {
    /// An experiment on the component of variant type `V`: tasks of one process. loom runs it too if there is a
    /// [small plan](Scenario::small).
    ///
    /// `about` is one sentence: the bug or the guarantee, in the reader's words. `upstream` is where it comes from, as
    /// `project#number` or a commit; empty without a report. `plan` gives the strategy that plans are drawn from,
    /// `run` one execution of a plan.
    pub fn new<V, P, S>(
        name: &'static str,
        about: &'static str,
        upstream: &'static str,
        plan: fn() -> S,
        run: fn(V, &P),
    ) -> Scenario
    where
        V: Variant,
        P: Plan,
        S: Strategy<Value = P> + 'static,
    {
        let build = move |name: CaseName, small: Option<&(dyn Any + Send + Sync)>| {
            let variant = V::ALL.iter().copied().find(|variant| variant.name() == name.variant)?;
            let case = Case::new(name, plan, move |plan: &P| run(variant, plan));
            Some(match small.and_then(|small| small.downcast_ref::<P>()) {
                None => case,
                Some(small) => case.small(small.clone()),
            })
        };
        Scenario {
            name,
            component: V::COMPONENT,
            about,
            upstream,
            said: Vec::new(),
            loom_finds: Vec::new(),
            example: None,
            sometimes: &[],
            limits: Limits::default(),
            plan: TypeId::of::<P>(),
            small: None,
            is_network: false,
            build: Arc::new(build),
        }
    }

    /// An experiment whose runs are on a simulated network: turmoil runs it, and on request shuttle. The clock may run
    /// ahead of ready tasks by no more than 5 ms, unless [`Scenario::timer_slack`] says otherwise. The arguments are
    /// those of [`Scenario::new`].
    pub fn on_network<V, P, S>(
        name: &'static str,
        about: &'static str,
        upstream: &'static str,
        plan: fn() -> S,
        run: fn(V, &P),
    ) -> Scenario
    where
        V: Variant,
        P: Plan,
        S: Strategy<Value = P> + 'static,
    {
        let scenario = Scenario::new(name, about, upstream, plan, run);
        Scenario { is_network: true, ..scenario }.timer_slack(NETWORK_TIMER_SLACK)
    }

    /// Expects `variant` to stay clean on every engine.
    ///
    /// # Panics
    /// If the variant is of another component, is not in [`Variant::ALL`], or already has an expectation.
    pub fn clean<V: Variant>(self, variant: V) -> Scenario {
        self.expect(variant, Expect::Clean)
    }

    /// Expects `variant` to violate `property`; every scheduled engine that runs the scenario must find it.
    ///
    /// # Panics
    /// If the variant is of another component, is not in [`Variant::ALL`], or already has an expectation.
    pub fn violates<V: Variant>(self, variant: V, property: &'static str) -> Scenario {
        self.expect(variant, Expect::Violation { property })
    }

    /// Loom must find these defects too, in the small plan.
    pub fn loom_finds<V: Variant>(mut self, variants: &[V]) -> Scenario {
        self.loom_finds.extend(variants.iter().map(|variant| variant.name()));
        self
    }

    /// Shows the finding of this variant in full at the end of a hunt through many cells. If no scenario declares one,
    /// a hunt shows its first finding.
    pub fn example<V: Variant>(mut self, variant: V) -> Scenario {
        self.example = Some(variant.name());
        self
    }

    /// The rare states that at least one run of every clean variant must reach: without them a clean result proves
    /// nothing.
    pub fn sometimes(mut self, sentences: &'static [&'static str]) -> Scenario {
        self.sometimes = sentences;
        self
    }

    /// The plan that loom explores; without one the scenario does not run under loom.
    ///
    /// # Panics
    /// If its type differs from that of the generated plans.
    pub fn small<P: Plan>(mut self, plan: P) -> Scenario {
        assert_eq!(self.plan, TypeId::of::<P>(), "invariant: {} has one type of plan", self.name);
        self.small = Some(Arc::new(plan));
        self
    }

    /// Sets the number of steps after which a run counts as stalled, in place of the default.
    pub fn steps_max(mut self, steps: u32) -> Scenario {
        self.limits.steps_max = steps;
        self
    }

    /// Sets the timer slack, the total time by which the clock of a run may run ahead of ready tasks, in place of the
    /// default.
    pub fn timer_slack(mut self, timer_slack: Duration) -> Scenario {
        self.limits.timer_slack = timer_slack;
        self
    }

    /// Its name, unique over all components, and the name of its file.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The component it experiments on.
    pub fn component(&self) -> &'static str {
        self.component
    }

    /// The bug or the guarantee, as one sentence.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Where it comes from upstream; empty without a report.
    pub fn upstream(&self) -> &'static str {
        self.upstream
    }

    /// The expectations, in the order of the scenario's calls.
    pub fn expectations(&self) -> Vec<Expectation> {
        self.said.iter().map(|(variant, expect)| self.resolved(variant, *expect)).collect()
    }

    /// The expectation of `variant`; `None` if the scenario has none.
    pub fn expectation(&self, variant: &str) -> Option<Expectation> {
        let (variant, expect) = self.said.iter().find(|(said, _)| *said == variant)?;
        Some(self.resolved(variant, *expect))
    }

    /// The engines it runs on.
    pub fn engines(&self) -> Vec<Engine> {
        Engine::running(self.is_network, self.small.is_some())
    }

    /// The case that explores `variant`; `None` if the scenario has no expectation of it.
    pub fn case(&self, variant: &str) -> Option<Case> {
        let said = self.expectation(variant)?;
        let name = CaseName {
            component: self.component.to_owned(),
            scenario: self.name.to_owned(),
            variant: said.variant.to_owned(),
        };
        let case = (self.build)(name, self.small.as_deref())?.limits(self.limits);
        Some(if self.is_network { case.network() } else { case })
    }

    /// The expectations that no hunt checks, each as a sentence; empty for a sound scenario.
    pub fn unchecked(&self) -> Vec<String> {
        let engines = self.engines();
        let mut unchecked = Vec::new();
        for said in self.expectations() {
            if !engines.iter().any(|engine| said.is_hunted_on(*engine)) {
                unchecked.push(format!("no engine of the scenario hunts variant {}", said.variant));
            }
            for engine in said.found_by.iter().filter(|engine| !engines.contains(engine)) {
                unchecked.push(format!("{engine} must find {}, and does not run the scenario", said.variant));
            }
        }
        for variant in &self.loom_finds {
            if !self.said.iter().any(|(said, expect)| said == variant && *expect != Expect::Clean) {
                unchecked.push(format!("loom must find {variant}, which violates nothing"));
            }
        }
        if self.small.is_some() && !engines.iter().any(|engine| engine.is_exhaustive()) {
            unchecked.push(String::from("loom has a small plan, and does not run the scenario"));
        }
        if !self.sometimes.is_empty() && self.said.iter().all(|(_, expect)| *expect != Expect::Clean) {
            unchecked.push(String::from("no clean variant must reach the rare states"));
        }
        unchecked
    }

    /// The expectation with all that follows from the rest of the scenario.
    fn resolved(&self, variant: &'static str, expect: Expect) -> Expectation {
        match expect {
            Expect::Clean => Expectation { rare_states: self.sometimes, ..Expectation::clean(variant) },
            Expect::Violation { .. } => {
                let scheduled = self.engines().into_iter().filter(|engine| engine.is_scheduled());
                let loom = self.loom_finds.contains(&variant).then_some(Engine::Loom);
                Expectation {
                    variant,
                    expect,
                    found_by: scheduled.chain(loom).collect(),
                    rare_states: &[],
                    is_example: self.example == Some(variant),
                }
            }
        }
    }

    fn expect<V: Variant>(mut self, variant: V, expect: Expect) -> Scenario {
        assert_eq!(V::COMPONENT, self.component, "invariant: {} expects only its own component's variants", self.name);
        // A variant that is left out has no case.
        assert!(V::ALL.contains(&variant), "invariant: the list of variants of {} is complete", self.component);
        let variant = variant.name();
        assert!(self.expectation(variant).is_none(), "invariant: {} has one expectation of {variant}", self.name);
        self.said.push((variant, expect));
        self
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("component", &self.component)
            .field("name", &self.name)
            .field("expectations", &self.expectations())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Just;

    use super::*;
    use crate::scenario::variant::samples::Pool;

    const PROPERTY: &str = "a message is kept";

    fn scenario() -> Scenario {
        Scenario::new("pool", "A pool leaks", "none#1", || Just(()), |_: Pool, (): &()| ())
    }

    fn on_network() -> Scenario {
        Scenario::on_network("net_pool", "A pool leaks", "none#1", || Just(()), |_: Pool, (): &()| ())
    }

    #[track_caller]
    fn check(scenario: &Scenario, variant: &str, found_by: &[Engine]) {
        assert_eq!(scenario.expectation(variant).expect("the scenario speaks of it").found_by, found_by);
        assert_eq!(scenario.unchecked(), [""; 0]);
    }

    #[test]
    fn the_order_of_the_methods_does_not_matter() {
        let loom_last = scenario().violates(Pool::Leaks, PROPERTY).small(()).loom_finds(&[Pool::Leaks]);
        let loom_first = scenario().loom_finds(&[Pool::Leaks]).small(()).violates(Pool::Leaks, PROPERTY);
        for scenario in [loom_last, loom_first] {
            check(&scenario, "leaks", &[Engine::Fiber, Engine::Shuttle, Engine::Loom]);
        }
        let limited = on_network().steps_max(7).violates(Pool::Leaks, PROPERTY);
        check(&limited, "leaks", &[Engine::Turmoil, Engine::Shuttle]);
        let bounds = limited.case("leaks").expect("it has a case").bounds();
        assert_eq!((bounds.steps_max, bounds.timer_slack), (7, NETWORK_TIMER_SLACK));
    }

    #[test]
    fn rare_states_are_of_clean_variants_wherever_they_are_named() {
        for scenario in [
            scenario().sometimes(&["a message is late"]).clean(Pool::Fixed).violates(Pool::Leaks, PROPERTY),
            scenario().violates(Pool::Leaks, PROPERTY).clean(Pool::Fixed).sometimes(&["a message is late"]),
        ] {
            let rare_states = |variant| scenario.expectation(variant).map(|said| said.rare_states);
            assert_eq!(rare_states("fixed"), Some(&["a message is late"][..]));
            assert_eq!(rare_states("leaks"), Some(&[][..]));
        }
    }

    #[test]
    fn what_no_hunt_checks_is_listed() {
        let loom = "loom must find leaks, and does not run the scenario";
        let leaks = |scenario: Scenario| scenario.violates(Pool::Leaks, PROPERTY).loom_finds(&[Pool::Leaks]);
        assert_eq!(leaks(scenario()).unchecked(), [loom], "no small plan");
        let small = "loom has a small plan, and does not run the scenario";
        assert_eq!(leaks(on_network()).small(()).unchecked(), [loom, small]);
        let nothing = ["loom must find fixed, which violates nothing"];
        assert_eq!(scenario().small(()).clean(Pool::Fixed).loom_finds(&[Pool::Fixed]).unchecked(), nothing);
        let rare = ["no clean variant must reach the rare states"];
        assert_eq!(scenario().violates(Pool::Leaks, PROPERTY).sometimes(&["a message is late"]).unchecked(), rare);
    }
}
