//! A cache of connections. The first user of a peer opens the connection, and the last one closes it.

use std::collections::BTreeMap;

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicUsize, Ordering};
use lastref::sync::{Arc, Mutex};

/// The cache, correct or with one bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// No defect.
    Fixed,
    /// The number of users drops to zero outside the lock, where another user can still raise it again.
    CountsOutsideLock,
}

impl lastref::scenario::Variant for Variant {
    const COMPONENT: &'static str = "cache";
    const ALL: &'static [Variant] = &[Variant::Fixed, Variant::CountsOutsideLock];

    fn name(self) -> &'static str {
        match self {
            Variant::Fixed => "fixed",
            Variant::CountsOutsideLock => "counts_outside_lock",
        }
    }
}

const CACHE: Owner = Owner::new("cache", 0);

/// A connection and the number of its users.
#[derive(Debug)]
pub struct Connection {
    /// Its peer.
    pub peer: u32,
    fd: Resource,
    users: AtomicUsize,
}

/// Connections by peer.
#[derive(Debug)]
pub struct Cache {
    variant: Variant,
    open: Mutex<BTreeMap<u32, Arc<Connection>>>,
}

impl Cache {
    /// A cache without connections.
    pub fn new(variant: Variant) -> Cache {
        Cache { variant, open: Mutex::default() }
    }

    /// The connection to `peer`, which is opened if there is none.
    pub fn get(&self, peer: u32) -> Arc<Connection> {
        let mut open = self.open.lock();
        let connection = open.entry(peer).or_insert_with(|| {
            Arc::new(Connection { peer, fd: Resource::acquire("fd", CACHE), users: AtomicUsize::new(0) })
        });
        let before = connection.users.fetch_add(1, Ordering::AcqRel);
        sometimes("a connection is shared", before == 1);
        Arc::clone(connection)
    }

    /// Gives a connection back; the last user closes it.
    pub fn put(&self, connection: &Connection) {
        let is_last = || connection.users.fetch_sub(1, Ordering::AcqRel) == 1;
        match self.variant {
            Variant::Fixed => {
                let mut open = self.open.lock();
                if is_last() {
                    open.remove(&connection.peer);
                    connection.fd.release(CACHE);
                }
            }
            Variant::CountsOutsideLock => {
                if is_last() {
                    self.open.lock().remove(&connection.peer);
                    connection.fd.release(CACHE);
                }
            }
        }
    }
}
