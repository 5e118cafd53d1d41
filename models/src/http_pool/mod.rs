//! An HTTP client's connection pool, and servers at the other end.
//!
//! # Upstream
//!
//! hyper-util's legacy client: `src/client/legacy/pool.rs` (`Pool`, `Checkout`, `Pooled`, `Connecting`, `Poolable`,
//! `Reservation`, `Ver`) and `client.rs` (`send_request`, `one_connection_for`, `try_send_request`), read as stored at
//! commit 03ecbbc; below it hyper's dispatcher, `src/proto/h1/dispatch.rs` at commit 023c9b2. For HTTP/2 also Go's
//! `http2/client_conn_pool.go` (`clientConnPool`, `dialCall`, `shouldRetryDial`) and `ClientConn.setGoAway`, read as
//! stored at golang/net 1760f31. Where the two differ, a comment names the one that the model follows.
//!
//! # What is modelled
//!
//! | upstream | here | lifecycle |
//! | --- | --- | --- |
//! | `Client` | `client` | a request: checkout against connect, send, answer, retry |
//! | `PoolInner`, `IdlePopper`, `Checkout`, `Connecting`, `Pooled` | `pool` | idle by key, waiters, one connect by key over HTTP/2 |
//! | `PoolClient`, `SendRequest` | `conn::Handle` | counted; each has a named holder in the ledger |
//! | the dispatcher and its connection | `conn`, `state` | the diagram in `state`; one socket in the ledger |
//! | the oneshots of a request, `futures::select` | `mailbox` | one lock for all channels of a request |
//! | TCP, a server | `network`; `kit`: `server`, `stream` | a script for each connection, in memory or on a host |
//!
//! Where upstream drops a handle, the model releases it explicitly. The pool's list of idle connections, each request,
//! and each connect are holders; a connection without handles closes after its last request.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - bodies, and with them the state of a connection whose answer has come while its request is still being written
//!   (hyperium/hyper#4176); `Connection: close`; upgrades; CONNECT;
//! - the task that evicts idle connections: the next checkout drops a connection that is too old;
//! - ALPN, and with it `Connecting::alpn_h2`: the version of a connection is known before it is made;
//! - the limit of streams of one connection, flow control, PINGs of the client;
//! - the end of an answer and the readiness of its connection for another request are one step.

mod application;
mod client;
mod conn;
mod mailbox;
mod network;
pub mod plan;
mod pool;
pub mod state;
mod variant;

pub use application::{run, run_on_network};
pub use client::Outcome;
pub use conn::Ver;
pub use plan::{Ending, NetPlan, Plan, PlannedRequest};
pub use variant::Variant;

pub use crate::kit::http2::Goaway;
pub use crate::kit::server::Step;
