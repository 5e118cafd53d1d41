//! nbio's HTTP server: pooled bodies, requests and responses, pooled buffers, connections by descriptor, and their
//! clients.
//!
//! # Upstream
//!
//! lesismal/nbio v1.5.12: `conn.go`, `conn_unix.go`, `poller_epoll.go`, `engine.go`, `mempool/*.go`,
//! `taskpool/taskpool.go`, `timer/timer.go`, `nbhttp/{body,processor,parser,response,engine}.go`. The fixed variant is
//! that version with
//! - 00a897c (pull request #502, v1.6.10): `Close` clears the freed buffers, `Read` checks `closed`, `NewBodyReader`
//!   resets the struct;
//! - the `releaseResponse` of v1.6, which frees the buffers of a response that was not flushed;
//!
//! and with the repairs marked `Deviates:`. The repaired bugs follow from the source and were not reported; v1.6.12
//! still has all of them:
//!
//! | where | what upstream does | the variant that does so |
//! | --- | --- | --- |
//! | `body` | gives the handler the pooled reader, which a late `Close` reaches | `late_close_retained_body` |
//! | `body` | does not serialise `Read` and `Close` | `read_overlaps_close` |
//! | `processor` (`serve`) | releases nothing when a handler panics | `handler_panic_keeps_request` |
//! | `processor` (`on_complete`) | drops the response of a request that is refused | `refused_keeps_response` |
//! | `poller` (`dispatch`) | ends whichever connection has the descriptor of an event | `stale_event_closes_new_conn` |
//! | `engine` (`stop`) | does not wait for the listeners before closing connections | `stop_misses_accepted_conn` |
//!
//! # The reported defect
//!
//! In v1.5.4 to v1.5.11 `Close` puts the reader into its pool. If a handler closes its body, as net/http allows, the
//! reader is put twice:
//!
//! ```text
//! handler(A): R.Close()              frees A's buffers, zeroes R, Put(R)          pool: R
//! releaseRequest(A): R.Close()       nothing to free, zeroes R, Put(R)            pool: R R
//! parser(B): NewBodyReader           Get = R, append B's octets                   pool: R
//! parser(C): NewBodyReader           Get = R, append C's octets behind B's
//! handler(B): R.Read                 B's octets, and C's: into B's answer
//! ```
//!
//! # What is modelled
//!
//! | upstream | here | lifecycle |
//! | --- | --- | --- |
//! | `sync.Pool` | `sync_pool` | no identity; last in first out or any; emptied by collections |
//! | `MemPool`, `AlignedAllocator` | `mempool` | a buffer is a header; the backing array reveals aliasing |
//! | `BodyReader` | `body_reader`, `body` | the diagram in `body_reader` |
//! | `http.Request`, `releaseRequest` | `request` | parsing, queued, served, released |
//! | `Response`, `releaseResponse` | `response` | head, body, flushed, released |
//! | `ServerProcessor` | `processor` | the diagram there |
//! | `Parser` | `parser`, `parser_state` | the diagram in `parser_state`; half a request is cached |
//! | `nbio.Conn` | `conn`, `conn_state` | open, closed once; write list, job list, two deadlines |
//! | pollers, listeners | `poller` | level-triggered events by descriptor |
//! | `Engine` | `engine` | pools, `connsUnix`, start, stop |
//! | `TaskPool` | `task_pool` | handlers of different connections run concurrently |
//! | `Timer` | `timer` | `Async`, `AfterFunc` |
//! | the kernel | `kernel` | sockets, lowest free descriptor, short reads and writes, FIN, RST |
//! | handlers, clients | `handler`, `plan`, `application` | a list of steps; a list of requests |
//! | clients on hosts, HTTP/1.1 | `network`; `kit`: `http1`, `weather` | bytes; the network's behaviour |
//!
//! Each Get or Malloc begins a loan, a resource of the ledger, which Put or Free ends. Each pointer carries its loan
//! (`audit`). Every octet carries the tag of its connection and request (`octet`). Lock order: `Parser.mux`,
//! `Body.mux`, `Conn.mux`, then any one of `connsUnix`, `asyncMux`, `chQqueue`, `wgConn`, `kernel`, a pool.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - websocket, TLS, UDP, and nbio's own HTTP client (`ClientProcessor`, `clientResponsePool`): no bug of a message
//!   cache or an upgrade (#458, #490, 84bf8b8's websocket part, 968bed5, 64090fd);
//! - edge-triggered and asynchronous reading (`AsyncRead`), blocking connections;
//! - Go's memory model beyond the happens-before of its locks: fields are checked for unordered access, but a torn or
//!   stale read of one is not modelled; upstream marks these functions `norace`;
//! - goroutines started on demand: all workers of the task pool run from the start;
//! - text: a header line is one octet, so a bug in the parsing of a line cannot be observed.

mod application;
pub mod audit;
mod body;
pub mod body_reader;
pub mod conn;
pub mod conn_state;
pub mod engine;
pub mod error;
mod handler;
pub mod kernel;
pub mod mempool;
mod network;
pub mod octet;
pub mod parser;
pub mod parser_state;
pub mod plan;
mod poller;
mod processor;
mod request;
mod response;
pub mod sync_pool;
mod task_pool;
mod timer;
mod variant;

pub use application::{run, run_on_network};
pub use audit::Audit;
pub use body_reader::CloseStyle;
pub use mempool::Allocator;
pub use plan::{Act, Client, Ending, Framing, NetPlan, Plan, PlannedRequest, Step, Threads};
pub use sync_pool::Pick;
pub use variant::Variant;
