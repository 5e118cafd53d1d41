//! What a model needs of its harness, and upstream does not have: a lock that is not a scheduling point, a listener
//! that is bound before any client connects, a future whose waits block, and `Debug` of a few fields.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lastref::net::{Host, TcpListener};

/// A lock that is not a scheduling point: for state of the experiment, which orders nothing in the component.
#[derive(Debug, Default)]
pub(crate) struct Unscheduled<T>(Mutex<T>);

impl<T> Unscheduled<T> {
    pub(crate) const fn new(value: T) -> Unscheduled<T> {
        Unscheduled(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Unscheduled<T> {
    pub(crate) fn take(&self) -> T {
        std::mem::take(&mut *self.lock())
    }
}

/// A listener at this port of a host, before any client connects.
pub(crate) fn bind(host: Host, port: u16) -> TcpListener {
    match bind_again(host, port) {
        Some(listener) => listener,
        None => lastref::bug!("another socket has port {port} of {}", host.name()),
    }
}

/// The same on a host that has crashed; none while a connection of the process before still has the port.
pub(crate) fn bind_again(host: Host, port: u16) -> Option<TcpListener> {
    host.block_on(TcpListener::bind(host.address(port))).ok()
}

/// Carries a future out whose waits block the thread: in memory, where nothing else would poll it again.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => lastref::bug!("a future waits that nothing polls again"),
    }
}

/// `Debug` of a type by some of its fields.
macro_rules! impl_debug {
    ($type:ident $(<$parameter:ident>)? { $($field:ident),* }) => {
        impl $(<$parameter>)? std::fmt::Debug for $type $(<$parameter>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use impl_debug;
