//! `grpc_tcp`: the endpoint, which is an fd with a reference count.
//!
//! Upstream (1.53.0, tcp_posix.cc). `tcp_destroy` releases the creator's ref. A read in progress holds the ref "read",
//! a blocked write the ref "write". The release of the last ref calls `tcp_free`, which orphans the fd. The first read
//! waits for the fd at once; later ones first try to read. At most one read and one write are in progress.
//!
//! In the report of #38871 this is the count that goes from 2 to 1 and stays there.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::ledger::{Owner, Slot};
use lastref::note;
use lastref::sync::atomic::{AtomicBool, Ordering};

use crate::kit::http2::{ClientFrame, ServerFrame};
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::fd::Fd;
use crate::subchannel::iomgr::lockfree_event::Closure;
use crate::subchannel::network::connection::{Read, Written};
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::status::{Error, Outcome};

/// The callback at the end of a read.
pub(crate) type ReadCb = Box<dyn FnOnce(&mut ExecCtx, Result<Vec<ServerFrame>, Error>) + Send>;

/// `grpc_tcp`.
pub(crate) struct Tcp {
    refcount: RefCount,
    fd: Fd,
    is_first_read: AtomicBool,
    reading: Slot,
    writing: Slot,
}

impl Tcp {
    /// `grpc_tcp_create`.
    pub(crate) fn create(fd: Fd) -> Arc<Tcp> {
        let owner = Owner::new("tcp", fd.number);
        Arc::new(Tcp {
            refcount: RefCount::new("grpc_tcp", Owner::new("destroy", fd.number)),
            is_first_read: AtomicBool::named("is_first_read", true),
            reading: Slot::new("grpc_tcp read", owner),
            writing: Slot::new("grpc_tcp write", owner),
            fd,
        })
    }

    fn owner(&self, reason: &'static str) -> Owner {
        Owner::new(reason, self.fd.number)
    }

    #[track_caller]
    fn unref(&self, exec_ctx: &mut ExecCtx, reason: &'static str) {
        self.refcount.unref(self.owner(reason), || {
            // upstream: tcp_posix.cc tcp_free
            self.reading.retire(self.owner(reason));
            self.writing.retire(self.owner(reason));
            self.fd.orphan(exec_ctx);
        });
    }

    /// `tcp_read`.
    pub(crate) fn read(self: &Arc<Self>, exec_ctx: &mut ExecCtx, cb: ReadCb) {
        self.reading.begin(self.owner("read"));
        self.refcount.reference(self.owner("read"));
        if self.is_first_read.swap(false, Ordering::Relaxed) {
            self.notify_on_read(exec_ctx, cb);
        } else {
            let tcp = Arc::clone(self);
            exec_ctx.run(move |exec_ctx| tcp.handle_read(exec_ctx, cb, Ok(())));
        }
    }

    fn notify_on_read(self: &Arc<Self>, exec_ctx: &mut ExecCtx, cb: ReadCb) {
        let tcp = Arc::clone(self);
        let closure: Closure = Box::new(move |exec_ctx, result| tcp.handle_read(exec_ctx, cb, result));
        self.fd.notify_on_read(exec_ctx, closure);
    }

    /// `tcp_handle_read`.
    fn handle_read(self: &Arc<Self>, exec_ctx: &mut ExecCtx, cb: ReadCb, result: Outcome) {
        self.refcount.touch(self.owner("read"));
        let read = match result {
            Ok(()) => self.fd.socket.read(),
            Err(error) => Read::Failed(error),
        };
        let result = match read {
            Read::WouldBlock => return self.notify_on_read(exec_ctx, cb),
            Read::Frames(frames) => Ok(frames),
            Read::Failed(error) => {
                note!("tcp_read fd {}: {error}", self.fd.number);
                Err(error)
            }
        };
        self.reading.complete(self.owner("read"));
        cb(exec_ctx, result);
        self.unref(exec_ctx, "read");
    }

    /// `tcp_write`.
    pub(crate) fn write(self: &Arc<Self>, exec_ctx: &mut ExecCtx, mut frames: VecDeque<ClientFrame>, cb: Closure) {
        self.writing.begin(self.owner("write"));
        match self.flush(&mut frames) {
            Written::WouldBlock => {
                self.refcount.reference(self.owner("write"));
                self.notify_on_write(exec_ctx, frames, cb);
            }
            Written::Done => self.written(exec_ctx, cb, Ok(())),
            Written::Failed(error) => self.written(exec_ctx, cb, Err(error)),
        }
    }

    fn notify_on_write(self: &Arc<Self>, exec_ctx: &mut ExecCtx, frames: VecDeque<ClientFrame>, cb: Closure) {
        let tcp = Arc::clone(self);
        let closure: Closure = Box::new(move |exec_ctx, result| tcp.handle_write(exec_ctx, frames, cb, result));
        self.fd.notify_on_write(exec_ctx, closure);
    }

    /// `tcp_handle_write`.
    fn handle_write(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        mut frames: VecDeque<ClientFrame>,
        cb: Closure,
        result: Outcome,
    ) {
        self.refcount.touch(self.owner("write"));
        let flushed = match result {
            Ok(()) => self.flush(&mut frames),
            Err(error) => Written::Failed(error),
        };
        let result = match flushed {
            Written::WouldBlock => return self.notify_on_write(exec_ctx, frames, cb),
            Written::Done => Ok(()),
            Written::Failed(error) => Err(error),
        };
        self.written(exec_ctx, cb, result);
        self.unref(exec_ctx, "write");
    }

    /// `tcp_flush`.
    fn flush(&self, frames: &mut VecDeque<ClientFrame>) -> Written {
        while let Some(frame) = frames.front() {
            match self.fd.socket.write(*frame) {
                Written::Done => drop(frames.pop_front()),
                stopped => return stopped,
            }
        }
        Written::Done
    }

    fn written(&self, exec_ctx: &mut ExecCtx, cb: Closure, result: Outcome) {
        self.writing.complete(self.owner("write"));
        exec_ctx.run(move |exec_ctx| cb(exec_ctx, result));
    }

    /// `tcp_shutdown`.
    pub(crate) fn shutdown(&self, exec_ctx: &mut ExecCtx, why: Error) {
        self.refcount.touch(self.owner("shutdown"));
        self.fd.shutdown(exec_ctx, why);
    }

    /// `tcp_destroy`.
    #[track_caller]
    pub(crate) fn destroy(&self, exec_ctx: &mut ExecCtx) {
        self.unref(exec_ctx, "destroy");
    }

    /// The number of its fd, which also names the transport above it.
    pub(crate) fn number(&self) -> u32 {
        self.fd.number
    }
}
