//! A connection is closed once, by its last user.
use lastref::scenario::prelude::*;
use sync::Arc;

use crate::model::{Cache, Variant};

/// The number of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    users: u32,
}
bounds!(Plan { users: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    Scenario::new("closed_by_last_user", "A connection is closed once, by its last user", "", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::CountsOutsideLock, "fd is released once")
        .loom_finds(&[Variant::CountsOutsideLock])
        .sometimes(&["a connection is shared"])
        .small(Plan { users: 2 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (2..=4_u32).prop_map(|users| Plan { users })
}

fn run(variant: Variant, plan: &Plan) {
    let cache = Arc::new(Cache::new(variant));
    let user = |number| {
        let cache = Arc::clone(&cache);
        thread::Builder::new().name(format!("user.{number}")).spawn(move || cache.put(&cache.get(7)))
    };
    let users: Vec<_> = (0..plan.users).map(user).collect();
    users.into_iter().for_each(|user| user.join());
}
