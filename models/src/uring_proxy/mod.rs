//! liburing's examples/proxy.c: a TCP proxy on io_uring with provided buffers, over a simulated kernel.
//!
//! # Upstream
//!
//! axboe/liburing at 27255f4 (2026-08): `examples/proxy.c`, `examples/proxy.h`. The reported bug, #1338, was fixed by
//! 7f008999 (2025-02). The following repairs, marked `Deviates:`, are of bugs that were found by reading the source of
//! that version and are not reported. Each has a variant that removes the repair:
//!
//! | where | upstream's behaviour | variant with that behaviour |
//! | --- | --- | --- |
//! | `receive` (`recv_enobufs`) | treats the receiving direction as the sending one; arms 0 | `enobufs_wrong_dir` |
//! | `rings` (`out_add`) | one `out_br` for both directions | `shared_out_ring` |
//! | `rings` (`recv_bids`) | uses a buffer's id as its index in the ring | `slot_by_bid` |
//! | `rings` (`recv_inc`) | forwards only full buffers, to the destination of their last byte | `inc_whole_buffer` |
//! | `send` (`sent`) | infers the buffer of a completed send by counting | `bid_by_count` |
//! | `send` (`handle_send`) | replenishes a zero-copy buffer before the notification | `replenish_before_notif` |
//! | `send` (`handle_send`) | drops the unsent rest of a short send | `short_send_drops_tail` |
//! | `stop` (`should_shutdown`) | compares the numbers of receives and sends | `stop_by_counts` |
//! | `stop` (`queue_cancel`) | cancels one of two requests | `cancel_first_match` |
//! | `receive` | arms after the cancellations; so does `send`, for which no variant exists | `arm_after_stop` |
//! | `stop` (`handle_close`) | frees at each close that finds both descriptors closed | `second_close_frees` |
//! | `stop` (`try_disconnect`) | frees memory that a zero-copy send may still read | `close_before_notif` |
//! | `conn` (`dir_of`) | compares with a descriptor that is closed already | `late_notif_wrong_dir` |
//! | `conn` (`default_error`) | ends the thread, also on the -ECANCELED of its own stop | `error_ends_thread` |
//! | `conn` (`Shared::set`) | changes the flags on two threads without a lock | `stop_sent_twice` |
//!
//! # What is modelled
//!
//! | upstream | here | lifetime |
//! | --- | --- | --- |
//! | io_uring, sockets, the network | `kernel` | its own task; see its table of measured facts |
//! | main, `parent_loop`, `house_keeping` | `parent` | accepts; starts, stops and joins threads |
//! | `struct conn`, `thread_main`, `__event_loop` | `conn` | connecting, open, stopping, disconnected |
//! | `struct conn_dir`, `msg_vec` | `conn_dir` | at most one receive and one send pending in each |
//! | `conn_buf_ring`, `in_br`, `out_br` | `rings` | each buffer has one owner; see its diagram |
//! | `__submit_receive`, `__handle_recv`, `recv_enobufs`, `close_cd` | `receive` | |
//! | `prep_next_send`, `submit_send`, `__handle_send` | `send` | |
//! | `should_shutdown`, `handle_stop` to `handle_close` | `stop` | stop, cancel, shut down and close, free |
//! | the client and the redis of #1338 | `application`; on hosts `network` | event loops that speak RESP, bytes tagged |
//!
//! Custody: each upstream allocation (`iovec`, `conn_buf_ring`, `rcv_bucket`, `snd_bucket`), each provided buffer
//! (`buf`) and each descriptor (`fd`) is one resource of the ledger. A buffer passes from its buffer ring to the
//! connection when the kernel posts the buffer's completion. `pending_recv` and `pending_send` are slots for one
//! operation.
//!
//! Memory that two sides share without a lock consists of atomics and cells: the completion queues, the buffer rings,
//! and the part of a connection that the parent reads. `thread_lock` guards only `open_conns`, as upstream. The kernel
//! has one lock.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - recvmsg (`-R`), with its header in front of the data; acting as a sink (`-s`); options that only change speed
//!   (`-d`, `-S`, `-a`, `-N`, `-w`, `-t`); ipv6; `MSG_MORE`;
//! - files outside of the table of direct descriptors (`-f0`); registered buffers, whose index upstream guesses
//!   together with the buffer id;
//! - the proxy's close of an accepted socket: as upstream, the parent's own descriptor table keeps the socket until the
//!   process ends, so peers see only its shutdown;
//! - house keeping without a change: the parent is woken only after a change.

mod application;
mod conn;
mod conn_dir;
pub mod kernel;
mod network;
mod parent;
pub mod plan;
mod receive;
mod rings;
mod send;
mod stop;
mod variant;

pub use application::{run, run_on_network};
pub use kernel::Kernel;
pub use plan::{Act, Backend, Burst, Ending, Habit, Leaves, NetPlan, Options, Plan, Step, Visit};
pub use variant::Variant;
