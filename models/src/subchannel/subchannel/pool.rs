//! `GlobalSubchannelPool`: shares one Subchannel among all channels that use the same key.
//!
//! Upstream (1.53.0, global_subchannel_pool.cc). The map holds raw pointers. A lookup takes a strong ref only if one is
//! left (`RefIfNonZero`); otherwise the Subchannel is dying, and the lookup finds nothing. Registration replaces a
//! dying Subchannel. An orphaned Subchannel removes its own entry, unless a successor has replaced it. So one key may
//! have two Subchannels: a dying one and a live one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::Mutex;

use crate::kit::harness::Unscheduled;
use crate::subchannel::subchannel::Subchannel;
use crate::subchannel::variant::Variant;

/// `SubchannelKey`: the address, and the channel args, represented by one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubchannelKey {
    /// The number of the backend.
    pub address: u32,
    /// The number that represents the args.
    pub args: u32,
}

#[derive(Default)]
struct Map {
    subchannel_map: BTreeMap<SubchannelKey, Arc<Subchannel>>,
    /// Every Subchannel that is registered and not yet unregistered, for checks.
    registered: Vec<Arc<Subchannel>>,
}

/// `GlobalSubchannelPool`.
pub(crate) struct GlobalSubchannelPool {
    mu: Mutex<Map>,
    /// The keys of the Subchannels that are not deleted yet. Harness state: its lock is not a scheduling point.
    alive: Unscheduled<Vec<SubchannelKey>>,
}

impl GlobalSubchannelPool {
    pub(crate) fn new() -> GlobalSubchannelPool {
        let mu = Mutex::named("GlobalSubchannelPool.mu_", Map::default());
        GlobalSubchannelPool { mu, alive: Unscheduled::default() }
    }

    /// Records a new Subchannel.
    pub(crate) fn born(&self, key: SubchannelKey) {
        let mut alive = self.alive.lock();
        sometimes("two Subchannels of one key are alive", alive.contains(&key));
        alive.push(key);
    }

    /// Records the end of a Subchannel.
    pub(crate) fn died(&self, key: SubchannelKey) {
        let mut alive = self.alive.lock();
        if let Some(place) = alive.iter().position(|other| *other == key) {
            alive.swap_remove(place);
        }
    }

    /// `FindSubchannel`. Takes a strong ref for `holder`.
    #[track_caller]
    pub(crate) fn find(&self, key: SubchannelKey, holder: Owner) -> Option<Arc<Subchannel>> {
        let map = self.mu.lock();
        let found = map.subchannel_map.get(&key)?;
        found.ref_for_finder(holder).then(|| Arc::clone(found))
    }

    /// `RegisterSubchannel`: returns the registered Subchannel, with a strong ref for `holder`. If it is another one,
    /// the caller still holds its ref to `constructed`.
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
        sometimes("a Subchannel is orphaned after a successor replaced it in the pool", entry.is_some() && !is_own);
        // upstream: global_subchannel_pool.cc UnregisterSubchannel
        if is_own || subchannel.grpc.variant == Variant::UnregisterErasesSuccessor {
            map.subchannel_map.remove(&subchannel.key);
        }
    }

    /// Checks that no Subchannel is registered, once every channel is destroyed.
    pub(crate) fn check_empty(&self) {
        let map = self.mu.lock();
        always(
            "the pool is empty when no Subchannel is left",
            map.subchannel_map.is_empty() && map.registered.is_empty(),
        );
    }

    /// The registered Subchannels. For checks at quiescence.
    pub(crate) fn registered(&self) -> Vec<Arc<Subchannel>> {
        self.mu.lock().registered.clone()
    }
}
