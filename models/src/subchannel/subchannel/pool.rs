//! `GlobalSubchannelPool`: one Subchannel for all channels that ask for the same key.
//!
//! Upstream (1.53.0, global_subchannel_pool.cc). The map holds raw pointers. Who finds one takes a strong ref only if
//! there still is one (`RefIfNonZero`): else the Subchannel is dying, and counts as not found. Who registers replaces a
//! dying one. A Subchannel that is orphaned takes itself out, unless its place has been given to another meanwhile. So
//! two Subchannels of one key are normal: one that is dying and one that is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::Mutex;

use crate::kit::harness::impl_debug;
use crate::subchannel::subchannel::Subchannel;
use crate::subchannel::variant::Variant;

/// `SubchannelKey`: the address, and the channel args, of which a number stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubchannelKey {
    /// Which backend.
    pub address: u32,
    /// Which args.
    pub args: u32,
}

#[derive(Default)]
struct Map {
    subchannel_map: BTreeMap<SubchannelKey, Arc<Subchannel>>,
    /// Everything that was registered and is not unregistered, for checks.
    registered: Vec<Arc<Subchannel>>,
}

/// `GlobalSubchannelPool`.
pub(crate) struct GlobalSubchannelPool {
    mu: Mutex<Map>,
    /// The keys of the Subchannels that are not deleted yet: harness state, which is never waited for.
    alive: std::sync::Mutex<Vec<SubchannelKey>>,
}

impl GlobalSubchannelPool {
    pub(crate) fn new() -> GlobalSubchannelPool {
        let mu = Mutex::named("GlobalSubchannelPool.mu_", Map::default());
        GlobalSubchannelPool { mu, alive: std::sync::Mutex::default() }
    }

    /// A Subchannel was made.
    pub(crate) fn born(&self, key: SubchannelKey) {
        let Ok(mut alive) = self.alive.lock() else { return };
        sometimes("two Subchannels of one key are alive", alive.contains(&key));
        alive.push(key);
    }

    /// A Subchannel is deleted.
    pub(crate) fn died(&self, key: SubchannelKey) {
        let Ok(mut alive) = self.alive.lock() else { return };
        if let Some(place) = alive.iter().position(|other| *other == key) {
            alive.swap_remove(place);
        }
    }

    /// `FindSubchannel`: with a strong ref for `holder`.
    #[track_caller]
    pub(crate) fn find(&self, key: SubchannelKey, holder: Owner) -> Option<Arc<Subchannel>> {
        let map = self.mu.lock();
        let found = map.subchannel_map.get(&key)?;
        found.ref_for_finder(holder).then(|| Arc::clone(found))
    }

    /// `RegisterSubchannel`: the registered one, with a strong ref for `holder`. If that is not `constructed`, the
    /// caller has a ref to that one still.
    pub(crate) fn register(&self, constructed: &Arc<Subchannel>, holder: Owner) -> Arc<Subchannel> {
        let mut map = self.mu.lock();
        if let Some(existing) = map.subchannel_map.get(&constructed.key) {
            if existing.ref_for_finder(holder) {
                sometimes("two channels make a Subchannel for one key at once", true);
                return Arc::clone(existing);
            }
            sometimes("a dying Subchannel is replaced in the pool", true);
        }
        let alive = map.registered.iter().any(|other| other.key == constructed.key && other.has_strong());
        always("one key has one Subchannel that is not dying", !alive);
        map.subchannel_map.insert(constructed.key, Arc::clone(constructed));
        map.registered.push(Arc::clone(constructed));
        Arc::clone(constructed)
    }

    /// `UnregisterSubchannel`.
    pub(crate) fn unregister(&self, subchannel: &Arc<Subchannel>) {
        let mut map = self.mu.lock();
        map.registered.retain(|other| !Arc::ptr_eq(other, subchannel));
        let entry = map.subchannel_map.get(&subchannel.key);
        let is_own = entry.is_some_and(|found| Arc::ptr_eq(found, subchannel));
        sometimes("a Subchannel is orphaned after its place was given to another", entry.is_some() && !is_own);
        // upstream: global_subchannel_pool.cc UnregisterSubchannel
        if is_own || subchannel.grpc.variant == Variant::UnregisterErasesSuccessor {
            map.subchannel_map.remove(&subchannel.key);
        }
    }

    /// Nothing is registered once every channel is destroyed.
    pub(crate) fn check_empty(&self) {
        let map = self.mu.lock();
        always(
            "the pool is empty when no Subchannel is left",
            map.subchannel_map.is_empty() && map.registered.is_empty(),
        );
    }

    /// Everything that is registered. For checks, at rest.
    pub(crate) fn registered(&self) -> Vec<Arc<Subchannel>> {
        self.mu.lock().registered.clone()
    }
}

impl_debug!(GlobalSubchannelPool {});
