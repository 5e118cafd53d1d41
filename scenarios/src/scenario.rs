//! A scenario: one experiment on one component.
//!
//! Models differ in the types of their variants and plans; the command line and the suite must not care. So the types
//! live only between [`Scenario::new`] and the case it builds: a scenario keeps a function from a variant's *name* to a
//! [`Case`], and everything a reader of the list may ask is plain data.
//!
//! What would break it: a name that differs from its file (a test compares them), and expectations about a variant of
//! another component, which [`Scenario::clean`] and [`Scenario::violates`] refuse at once.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use models::Variant;
use proptest::strategy::Strategy;
use sim::explore::{Case, CaseName, Engine, Limits};
use sim::plan::Plan;
use sim::time::Duration;

use crate::expect::{Expect, Expectation};

/// A few turns of the wire, and less than any timeout: what a connection takes does not overtake a task that is ready.
const NETWORK_DRIFT: Duration = Duration::from_millis(5);

/// One experiment: a plan's generator, a body that runs a plan, and what each variant must do under it.
#[derive(Clone)]
pub struct Scenario {
    name: &'static str,
    component: &'static str,
    about: &'static str,
    upstream: &'static str,
    expectations: Vec<Expectation>,
    sometimes: &'static [&'static str],
    limits: Limits,
    plan: TypeId,
    small: Option<Arc<dyn Any + Send + Sync>>,
    is_network: bool,
    build: Arc<Build>,
}

/// From a case's name and a small plan, if there is one, to the case; none if the component has no such variant.
type Build = dyn Fn(CaseName, Option<&(dyn Any + Send + Sync)>) -> Option<Case> + Send + Sync;

impl Scenario {
    /// An experiment on the component of variant type `V`.
    ///
    /// `about` is one sentence: the bug or the guarantee, in the reader's words. `upstream` is where it comes from, as
    /// `project#number` or a commit. `plan` gives the strategy that plans are drawn from, `run` one execution of a plan.
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
            let variant = V::all().iter().copied().find(|variant| variant.name() == name.variant)?;
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
            expectations: Vec::new(),
            sometimes: &[],
            limits: Limits::default(),
            plan: TypeId::of::<P>(),
            small: None,
            is_network: false,
            build: Arc::new(build),
        }
    }

    /// `variant` stays clean, on every engine.
    ///
    /// # Panics
    /// If the variant is of another component, or something was already said about it.
    pub fn clean<V: Variant>(self, variant: V) -> Scenario {
        self.expect(variant, Expect::Clean, Vec::new())
    }

    /// `variant` violates `property`, and shuttle must find it.
    ///
    /// # Panics
    /// If the variant is of another component, or something was already said about it.
    pub fn violates<V: Variant>(self, variant: V, property: &'static str) -> Scenario {
        self.expect(variant, Expect::Violation { property }, vec![Engine::Shuttle])
    }

    /// Loom must find these defects too, in the small plan.
    ///
    /// # Panics
    /// If nothing, or something else than a violation, was said about one of the variants.
    pub fn loom_finds<V: Variant>(mut self, variants: &[V]) -> Scenario {
        for variant in variants {
            let scenario = self.name;
            let said = self.expectations.iter_mut().find(|said| said.variant == variant.name());
            let Some(said) = said.filter(|said| said.expect != Expect::Clean) else {
                panic!("invariant: {scenario} says that loom finds {}, but not what", variant.name());
            };
            said.found_by.push(Engine::Loom);
        }
        self
    }

    /// What some run of every clean variant must reach: an experiment that never got to its rare state proves nothing.
    pub fn sometimes(mut self, sentences: &'static [&'static str]) -> Scenario {
        self.sometimes = sentences;
        self
    }

    /// The plan that loom explores; without one the scenario does not run under loom.
    ///
    /// # Panics
    /// If it is of another type than the plans that are generated.
    pub fn small<P: Plan>(mut self, plan: P) -> Scenario {
        assert_eq!(self.plan, TypeId::of::<P>(), "invariant: {} has one type of plan", self.name);
        self.small = Some(Arc::new(plan));
        self
    }

    /// Bounds of one execution, where the defaults do not fit.
    pub fn limits(mut self, limits: Limits) -> Scenario {
        self.limits = limits;
        self
    }

    /// Its runs are on a simulated network: engine turmoil takes it, and no other; what shuttle would have to find,
    /// turmoil has to.
    ///
    /// The clock may run ahead of what is ready by no more than 5 ms, unless limits are given after this.
    pub fn network(mut self) -> Scenario {
        self.is_network = true;
        self.limits.drift = NETWORK_DRIFT;
        for said in &mut self.expectations {
            said.found_by.iter_mut().for_each(|engine| *engine = Engine::Turmoil);
        }
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

    /// Where it comes from upstream.
    pub fn upstream(&self) -> &'static str {
        self.upstream
    }

    /// What each variant must do, in the order in which the scenario says it.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// What is expected of `variant`, if the scenario says anything about it.
    pub fn expectation(&self, variant: &str) -> Option<&Expectation> {
        self.expectations.iter().find(|said| said.variant == variant)
    }

    /// What some run of every clean variant must reach.
    pub fn rare_states(&self) -> &'static [&'static str] {
        self.sometimes
    }

    /// The engines it runs on.
    pub fn engines(&self) -> Vec<Engine> {
        if self.is_network {
            return vec![Engine::Turmoil];
        }
        let mut engines = vec![Engine::Shuttle, Engine::Loom, Engine::Threads];
        engines.retain(|engine| *engine != Engine::Loom || self.small.is_some());
        engines
    }

    /// The case that explores `variant`, or none if the scenario says nothing about such a variant.
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

    fn expect<V: Variant>(mut self, variant: V, expect: Expect, found_by: Vec<Engine>) -> Scenario {
        assert_eq!(V::COMPONENT, self.component, "invariant: {} speaks of its own component's variants", self.name);
        let variant = variant.name();
        assert!(self.expectation(variant).is_none(), "invariant: {} says one thing about {variant}", self.name);
        self.expectations.push(Expectation { variant, expect, found_by });
        self
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("component", &self.component)
            .field("name", &self.name)
            .field("expectations", &self.expectations)
            .finish_non_exhaustive()
    }
}
