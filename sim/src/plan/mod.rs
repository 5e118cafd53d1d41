//! The plan of a run: workload and faults as plain data, made by a proptest strategy from the run's seed.
//!
//! A plan is an explicit value before anything runs: it is printed, saved, edited and shrunk like any proptest value.
//! Its type declares its valid values ([`Plan::check`]), so that an edited plan cannot exhaust memory or run for hours.

mod bounds;
mod decode;
mod tag;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::seed::{Purpose, Stream};

pub use bounds::{BadPlan, Bound, List, Maybe, Part, Span, field};

/// What a plan, or a part of one, has to be: plain data within bounds.
///
/// [`bounds!`](crate::bounds) implements it for a struct or an enumeration.
pub trait Plan: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Checks that the plan is within bounds: a run with it allocates little, it ends, and the body does not panic
    /// because of the plan. The default accepts every value.
    ///
    /// # Errors
    /// The first field that is out of its bound.
    fn check(&self) -> Result<(), BadPlan> {
        Ok(())
    }
}

/// A plan whose type only its case knows.
#[derive(Clone)]
pub struct AnyPlan {
    value: Arc<dyn Any + Send + Sync>,
    json: fn(&(dyn Any + Send + Sync)) -> serde_json::Value,
}

impl AnyPlan {
    /// A plan from the case's own strategy or scenario. Panics if it is out of bounds, which is a bug of the scenario.
    pub(crate) fn new<P: Plan>(plan: P) -> AnyPlan {
        match AnyPlan::checked(plan) {
            Ok(plan) => plan,
            Err(bad) => panic!("invariant: a scenario keeps to the bounds of its plan's type: {bad}"),
        }
    }

    /// A plan from outside, such as a saved case: an error if it is malformed or out of bounds.
    pub(crate) fn decode<P: Plan>(json: &serde_json::Value) -> Result<AnyPlan, BadPlan> {
        AnyPlan::checked(decode::decode::<P>(json)?)
    }

    fn checked<P: Plan>(plan: P) -> Result<AnyPlan, BadPlan> {
        plan.check()?;
        Ok(AnyPlan {
            value: Arc::new(plan),
            json: |value| {
                value
                    .downcast_ref::<P>()
                    .and_then(|plan| serde_json::to_value(plan).ok())
                    .unwrap_or(serde_json::Value::Null)
            },
        })
    }

    pub(crate) fn get<P: Plan>(&self) -> &P {
        match self.value.downcast_ref() {
            Some(plan) => plan,
            None => unreachable!("invariant: a case gets plans of its own type"),
        }
    }

    /// The plan as JSON, as repro files hold it.
    pub fn json(&self) -> serde_json::Value {
        (self.json)(&*self.value)
    }
}

impl fmt::Debug for AnyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.json())
    }
}

/// Makes plans from seeds. Lives on one OS thread, since proptest's strategies do.
pub(crate) trait Generator {
    fn plan(&mut self, seed: u64) -> AnyPlan;
    fn tree(&mut self, seed: u64) -> Box<dyn Tree>;
}

/// A plan that can be made simpler, as proptest's value trees can.
pub(crate) trait Tree {
    fn current(&self) -> AnyPlan;
    fn simplify(&mut self) -> bool;
    fn complicate(&mut self) -> bool;
}

struct Typed<S> {
    strategy: S,
    /// The plan, once made, of a type that has one value only.
    only: Option<AnyPlan>,
}

/// How often a strategy may reject before it counts as one that rejects everything.
const REJECTS_MAX: u32 = 64;

impl<P: Plan, S: Strategy<Value = P>> Typed<S> {
    fn value_tree(&self, seed: u64) -> S::Tree {
        let mut stream = Stream::new(seed, Purpose::Plan);
        for _ in 0..REJECTS_MAX {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&stream.next_u64().to_le_bytes());
            bytes[8..].copy_from_slice(&stream.next_u64().to_le_bytes());
            let rng = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
            let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
            if let Ok(tree) = self.strategy.new_tree(&mut runner) {
                return tree;
            }
        }
        panic!("invariant: the plan's strategy rejected everything in {REJECTS_MAX} attempts");
    }
}

impl<P: Plan, S: Strategy<Value = P>> Generator for Typed<S>
where
    S::Tree: 'static,
{
    fn plan(&mut self, seed: u64) -> AnyPlan {
        if let Some(only) = &self.only {
            return only.clone();
        }
        let plan = AnyPlan::new(self.value_tree(seed).current());
        if size_of::<P>() == 0 {
            self.only = Some(plan.clone());
        }
        plan
    }

    fn tree(&mut self, seed: u64) -> Box<dyn Tree> {
        Box::new(TypedTree(self.value_tree(seed)))
    }
}

struct TypedTree<T>(T);

impl<T: ValueTree> Tree for TypedTree<T>
where
    T::Value: Plan,
{
    fn current(&self) -> AnyPlan {
        AnyPlan::new(self.0.current())
    }

    fn simplify(&mut self) -> bool {
        self.0.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.0.complicate()
    }
}

pub(crate) fn generator<P: Plan, S: Strategy<Value = P> + 'static>(strategy: S) -> Box<dyn Generator>
where
    S::Tree: 'static,
{
    Box::new(Typed { strategy, only: None })
}
