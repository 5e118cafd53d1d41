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
//! and with the repairs marked `Deviates:`. The first two of these commits are in v2.0.0-alpha.1 and later. Nine of the
//! repaired bugs follow from the source and were not reported; upstream's main branch at 2ab9b45b (July 2026) still has
//! all of them. One, `send_cancel_strands_recv`, was reproduced with the real library: 1.10.1 leaves the receive
//! pending forever.
//!
//! | where | what upstream does | the variant that does so |
//! | --- | --- | --- |
//! | `cancel` | frees a context before its taken cancel function runs | `cancel_fn_derefs_freed_ctx` |
//! | `aio` (`detach`) | leaves the cancel function in an aio that left its context | `detached_aio_keeps_cancel_fn` |
//! | `aio` (`abort`) | overwrites a finished operation's result with the abort's code | `abort_overwrites_result` |
//! | `req_ctx` (`cancel_recv`) | aborts the queued send of another request | `stale_recv_cancel_aborts_new_send` |
//! | `req_ctx` (`cancel_send`) | leaves a receive that waits for the cancelled request | `send_cancel_strands_recv` |
//! | `context` (`rele`) | takes a context off its socket before it is torn down | `ctx_leaves_list_before_fini` |
//! | `req_pipe` (`start`) | starts a pipe that was closed meanwhile | `pipe_started_after_close` |
//! | `context` (`open`) | leaves a refused context on its socket's list | `refused_ctx_stays_listed` |
//! | `req_ctx` (`ctx_send`) | leaves an id in a context whose send was refused | none: it takes 2^31 requests to matter |
//!
//! # What is modelled
//!
//! | upstream | here | lifecycle |
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
//! | the add-on of #2111, and the pool that fixes it | `application` | one wrapper per operation, or reused |
//! | demo/async/server.c | `application::server` | receives and answers |
//!
//! Each allocation in C is one resource of the ledger, and each read through a C pointer that could dangle is a
//! `touch`. Locks have upstream's names and order, and are released where upstream releases them; no callback runs with
//! a lock held. Lock order: `sock_lk`, `s_mx`, `req0_sock.mtx` or `rep0_sock.lk`, `tran.mtx`, `eq_mtx`, `task_mtx`,
//! `tq_mtx`.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - dialers, listeners and their reconnection timers, except on the network (`network`); elsewhere a scenario
//!   reconnects explicitly, so bugs of endpoints cannot be observed;
//! - sockets' own contexts, raw mode, devices, options but the resend time: no bug of `nng_sendmsg` on a socket that
//!   `nng_ctx_sendmsg` does not have;
//! - bytes, partial reads and writes, lengths, except on the network; memory exhaustion (`NNG_ENOMEM`) anywhere;
//! - sharing of one message by both ends, as in inproc: the transport copies;
//! - races on `a_result`, which C reads without a lock: only their consequences are reported;
//! - the heap's free list: freed memory is not reused, so a use of a freed body is reported at the use, and not through
//!   the data of a later owner.

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
pub mod reap;
mod rep;
mod rep_ctx;
pub mod req;
mod req_ctx;
mod req_pipe;
pub mod req_state;
pub mod socket;
mod task;
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
