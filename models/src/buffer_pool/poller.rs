//! The loops of the engine's threads: the listener's and the pollers' (v1.5.12, poller_epoll.go and nbhttp/engine.go).
//!
//! A poller looks up an event's descriptor in the table and calls the connection that has it *now*. For a read or a
//! write that is harmless, since both check the socket again. For a close it is not: an event of one connection closes
//! the next connection with the same descriptor.
//!
//! Left out: `AsyncRead`, which reads on a separate pool, and `OnRead`.

use std::sync::Arc;

use lastref::ledger::{Tag, deliver};
use lastref::property::sometimes;

use super::conn::Conn;
use super::engine::Engine;
use super::error::{Errno, NbError};
use super::kernel::Event;
use super::octet::Octet;
use super::variant::Variant;

/// `MaxConnReadTimesPerEventLoop`.
const READS_PER_EVENT: u32 = 3;

/// `listen`: accepts until the listener is closed.
pub(super) fn listen(engine: &Arc<Engine>) {
    while let Some(accepted) = engine.kernel.accept() {
        engine.add_conn(accepted);
    }
}

/// `readWriteLoop` of one poller; `poller` is its index and the number of pollers.
pub(super) fn read_write_loop(engine: &Arc<Engine>, poller: (usize, usize)) {
    let mut seen = 0;
    while let Some(events) = engine.kernel.epoll_wait(poller, &mut seen) {
        for event in events {
            if let Some(conn) = engine.get_conn(event.fd) {
                dispatch(&conn, event);
            }
        }
    }
}

fn dispatch(conn: &Arc<Conn>, event: Event) {
    let stale = conn.socket != event.socket;
    sometimes("an event refers to a closed connection", stale);
    if event.write {
        conn.flush();
    }
    if event.read {
        for _ in 0..READS_PER_EVENT {
            match conn.read() {
                Ok(octets) if octets.is_empty() => break,
                Ok(octets) => on_data(conn, &octets),
                Err(NbError::Sys(Errno::Again)) => break,
                Err(error) => {
                    conn.close_with_error(error);
                    break;
                }
            }
        }
    }
    // Deviates: upstream's events do not name a connection, so upstream closes the connection that has the descriptor
    // now.
    if event.error && (!stale || conn.engine.variant == Variant::StaleEventClosesNewConn) {
        conn.close_with_error(NbError::Eof);
    }
}

/// `DataHandler`.
fn on_data(conn: &Arc<Conn>, octets: &[Octet]) {
    for octet in octets.iter().filter(|_| conn.engine.plan.audit.octets()) {
        deliver(octet.tag, Tag { peer: conn.peer, ..octet.tag });
    }
    match conn.parser.parse(conn, octets) {
        Ok(()) => {}
        // Recovered and logged: the connection stays open, and its parser keeps the state that it had.
        Err(NbError::Panic(panic)) => lastref::note!("conn#{} execute ParserCloser failed: {panic:?}", conn.id),
        Err(error) => conn.close_with_error(error),
    }
}
