//! NNG's request/reply contexts, and the applications at both ends of them.
//!
//! # Upstream
//!
//! nanomsg/nng v1.10.1: `src/core/{aio,taskq,reap,pipe,socket,message}.c`, `src/nng.c`,
//! `src/sp/protocol/reqrep0/{req,rep}.c`; for the transport the shape of `inproc.c` and the custody of `tcp.c`. The
//! fixed variant is that version with
//! - 784bfd66 (2024-12-04): `nni_aio_stop` waits for an expiration in progress;
//! - 3ca7bcc0 (2024-12-07): `a_abort` in place of `nni_task_abort`;
//! - fe692071 (2023-11-25, part of v1.10.1): the fix of #1702;
//!
//! both of the first two being in v2.0.0-alpha.1 and later, and with the repairs marked `Deviates:`. Nine of these bugs
//! are derived from the source and not reported; upstream's main branch at 2ab9b45b (July 2026) still has all of them.
//! One of them, `send_cancel_strands_recv`, was seen on the real library as well: 1.10.1 leaves the receive pending
//! forever.
//!
//! | where | what upstream does | the variant that does so |
//! | --- | --- | --- |
//! | `cancel` | frees a context while its cancel function is on its way | `cancel_fn_derefs_freed_ctx` |
//! | `aio` (`detach`) | leaves the cancel function in an aio that its context has let go of | `detached_aio_keeps_cancel_fn` |
//! | `aio` (`abort`) | puts the abort's code into the result of an operation that is done | `abort_overwrites_result` |
//! | `req_ctx` (`cancel_recv`) | aborts a queued send that is another request's | `stale_recv_cancel_aborts_new_send` |
//! | `req_ctx` (`cancel_send`) | leaves a receive that waits for the cancelled request | `send_cancel_strands_recv` |
//! | `context` (`rele`) | takes a context off its socket before it is torn down | `ctx_leaves_list_before_fini` |
//! | `req_pipe` (`start`) | starts a pipe that was closed meanwhile | `pipe_started_after_close` |
//! | `context` (`open`) | leaves a refused context on its socket's list | `refused_ctx_stays_listed` |
//! | `req_ctx` (`ctx_send`) | leaves an id in a context whose send was refused | none: it takes 2^31 requests to matter |
//!
//! # What is modelled
//!
//! | upstream | here | its life |
//! | --- | --- | --- |
//! | `nng_msg` | `message` | counted; each reference has a named holder: caller, aio, context, pipe's aio, transport |
//! | `nni_task`, `nni_taskq` | `task` | idle, prepared, queued, running; `busy` counts |
//! | `nni_aio` | `aio`, `cancel` | idle, begun, scheduled, finished, callback; stopped; freed |
//! | `nni_aio_expire_q` | `expire` | one thread; `a_expiring` pins the aio |
//! | `nni_ctx`, `nng_ctx` | `context` | `c_ref` counts calls, not operations; closed; destroyed by the last release |
//! | `nni_sock` | `socket` | open, closing (`s_closing`), closed (`s_closed`), freed |
//! | `nni_pipe` | `pipe` | started, closed once, reaped |
//! | `nni_reap` | `reap` | one thread |
//! | `req0_sock`, `req0_pipe`, `req0_ctx` | `req`, `req_pipe`, `req_ctx`, `req_state` | the table in `req_state` |
//! | `rep0_sock`, `rep0_pipe`, `rep0_ctx` | `rep`, `rep_ctx` | the diagram in `rep_ctx` |
//! | the transport | `transport` | frames of words; reset, shut; a full connection |
//! | the add-on of #2111, and the pool that cures it | `application` | one wrapper per operation, or kept |
//! | demo/async/server.c | `application::server` | receives and answers |
//!
//! What is one allocation in C is one resource of the ledger, and each read of it that C makes through a pointer which
//! could dangle is a `touch`. Locks have upstream's names, order and points of release; no callback runs with a lock
//! held. Lock order: `sock_lk`, `s_mx`, `req0_sock.mtx` or `rep0_sock.lk`, `tran.mtx`, `eq_mtx`, `task_mtx`, `tq_mtx`.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - dialers, listeners and their reconnection timers, except on the network (`network`); elsewhere a scenario connects
//!   again by itself: no bug of an endpoint's life;
//! - sockets' own contexts, raw mode, devices, options but the resend time: no bug of `nng_sendmsg` on a socket that
//!   `nng_ctx_sendmsg` does not have;
//! - bytes, partial reads and writes, lengths, except on the network; memory exhaustion (`NNG_ENOMEM`) anywhere;
//! - sharing of one message between two processes' worth of pointers, as inproc does it: the transport copies;
//! - other threads' view of `a_result`, which C reads without a lock: a race on it is not reported, its consequences
//!   are;
//! - the free list of the heap: memory that is freed is not handed out again, so that the use of a freed body is seen
//!   at the use and not by what somebody else has put there since.

pub mod aio;
mod application;
mod cancel;
pub mod context;
pub mod errno;
mod expire;
pub mod library;
pub mod message;
mod network;
mod pipe;
pub mod plan;
mod reap;
mod rep;
mod rep_ctx;
pub mod req;
mod req_ctx;
mod req_pipe;
pub mod req_state;
pub mod socket;
mod task;
#[cfg(test)]
mod tests;
pub mod transport;
mod variant;

pub use aio::{Aio, Timeout};
pub use application::{Attempt, Forgotten, Server, Wrapper, run, run_on_network};
pub use context::Ctx;
pub use errno::{Errno, Outcome};
pub use library::{Nng, Threads};
pub use message::Message;
pub use network::{Greeting, Habit, Step};
pub use plan::{Act, NetPlan, Plan, Replier, Request, Style};
pub use req::ReqOptions;
pub use socket::Socket;
pub use transport::{Frame, Link, Script, echo};
pub use variant::Variant;
