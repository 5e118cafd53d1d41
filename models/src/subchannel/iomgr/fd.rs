//! `grpc_fd`: a descriptor, and the wrapper that identifies it to the poller.
//!
//! Upstream (1.53.0, ev_epoll1_linux.cc). An fd is created, shut down any number of times, and orphaned exactly once.
//! Only its first shutdown has an effect: `shutdown(2)`, which leaves the descriptor open. Orphaning closes the
//! descriptor and puts the wrapper on a free list. Wrappers are never freed, so a late poller that sets a stale wrapper
//! ready does no harm: the wrapper's next user reads, finds no data, and waits again.
//!
//! Each use of a wrapper is one `grpc_fd` of the ledger. Descriptor numbers are reused, the lowest first. Left out: the
//! error queue (`error_closure`), which no transport waits for.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::note;

use crate::subchannel::iomgr::Edge;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::lockfree_event::{Closure, LockfreeEvent};
use crate::subchannel::network::Network;
use crate::subchannel::network::connection::Connection;
use crate::subchannel::status::Error;

/// The wrapper: the part of `grpc_fd` that the free list keeps.
pub(crate) struct GrpcFd {
    read_closure: LockfreeEvent,
    write_closure: LockfreeEvent,
}

impl GrpcFd {
    pub(crate) fn new(number: u32) -> Arc<GrpcFd> {
        Arc::new(GrpcFd {
            read_closure: LockfreeEvent::new(Owner::new("read_closure", number)),
            write_closure: LockfreeEvent::new(Owner::new("write_closure", number)),
        })
    }

    /// Resets the wrapper for a new descriptor.
    pub(crate) fn init(&self) {
        self.read_closure.init();
        self.write_closure.init();
    }

    /// `fd_become_readable`, `fd_become_writable`. No `touch` of the ledger's `grpc_fd`: the wrapper may already be
    /// free.
    pub(crate) fn handle(&self, exec_ctx: &mut ExecCtx, edge: Edge) {
        if edge.readable {
            self.read_closure.set_ready(exec_ctx);
        }
        if edge.writable {
            self.write_closure.set_ready(exec_ctx);
        }
    }
}

/// A descriptor in use: the `grpc_fd` to which upstream's users have a pointer.
#[derive(Clone)]
pub(crate) struct Fd {
    pub(crate) number: u32,
    pub(crate) socket: Arc<Connection>,
    memory: Resource,
    wrapper: Arc<GrpcFd>,
    network: Arc<Network>,
}

impl Fd {
    /// `grpc_fd_create`.
    pub(crate) fn create(network: &Arc<Network>, number: u32, wrapper: Arc<GrpcFd>, socket: Arc<Connection>) -> Fd {
        let memory = Resource::acquire("grpc_fd", Owner::new("fd", number));
        socket.watch(&wrapper);
        Fd { number, socket, memory, wrapper, network: Arc::clone(network) }
    }

    fn user(&self) -> Owner {
        Owner::new("fd", self.number)
    }

    /// `grpc_fd_notify_on_read`.
    pub(crate) fn notify_on_read(&self, exec_ctx: &mut ExecCtx, closure: Closure) {
        self.memory.touch(self.user());
        self.wrapper.read_closure.notify_on(exec_ctx, closure);
    }

    /// `grpc_fd_notify_on_write`.
    pub(crate) fn notify_on_write(&self, exec_ctx: &mut ExecCtx, closure: Closure) {
        self.memory.touch(self.user());
        self.wrapper.write_closure.notify_on(exec_ctx, closure);
    }

    /// `fd_shutdown`.
    pub(crate) fn shutdown(&self, exec_ctx: &mut ExecCtx, why: Error) {
        self.memory.touch(self.user());
        if self.wrapper.read_closure.set_shutdown(exec_ctx) {
            note!("LockfreeEvent::SetShutdown fd {}: {why}", self.number);
            self.socket.shutdown();
            self.wrapper.write_closure.set_shutdown(exec_ctx);
        }
    }

    /// `fd_orphan`: the only function that closes the descriptor.
    pub(crate) fn orphan(&self, exec_ctx: &mut ExecCtx) {
        let fd_orphan = Owner::new("fd_orphan", self.number);
        self.memory.touch(fd_orphan);
        if !self.wrapper.read_closure.is_shutdown() {
            self.shutdown(exec_ctx, Error::FdShutdown);
        }
        self.socket.close();
        self.wrapper.read_closure.destroy();
        self.wrapper.write_closure.destroy();
        self.memory.release(fd_orphan);
        self.network.give_back(self.number, &self.wrapper);
    }
}
