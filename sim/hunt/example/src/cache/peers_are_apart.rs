//! Each user gets the connection of its own peer.
use lastref::scenario::prelude::*;
use sync::Arc;

use crate::model::{Cache, Variant};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Each user gets the connection of its own peer";
    Scenario::new("peers_are_apart", about, "", || Just(()), run).clean(Variant::Fixed)
}

fn run(variant: Variant, (): &()) {
    let cache = Arc::new(Cache::new(variant));
    let users = [1, 2].map(|peer| {
        let cache = Arc::clone(&cache);
        thread::spawn(move || {
            let connection = cache.get(peer);
            always("a user gets the connection of its peer", connection.peer == peer);
            cache.put(&connection);
        })
    });
    users.into_iter().for_each(|user| user.join());
}
