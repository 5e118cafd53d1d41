//! The results of upstream's own tests (body_test.go, mempool_test.go, nbio_test.go), and of the documented calls, on
//! plain threads.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};

use super::body_reader::{BodyRef, Read};
use super::engine::Engine;
use super::error::{Errno, NbError};
use super::kernel::{Accepted, Received};
use super::octet::{Octet, Part};
use super::{Allocator, Ask, Client, Plan, Step, Threads, Variant, bench};

const BY: Owner = Owner::new("test", 0);
const TAG: Tag = Tag { peer: 0, request: 0 };

/// An engine without threads.
fn still(plan: Plan) -> Arc<Engine> {
    let threads = Threads { pollers: 0, workers: 0, listener: false, timer: false };
    Engine::start(Variant::Fixed, &Plan { threads, ..plan })
}

fn body(from: u32, count: u32) -> Vec<Octet> {
    (from..from + count).map(|place| Octet::new(TAG, Part::Body(place))).collect()
}

/// A connection that the engine has, and its peer's end.
fn connected(engine: &Arc<Engine>) -> (usize, Arc<super::conn::Conn>) {
    let socket = engine.kernel.connect(0).expect("it listens");
    let accepted: Accepted = engine.kernel.try_accept().expect("it is in the backlog");
    engine.add_conn(accepted);
    (socket, engine.get_conn(accepted.fd).expect("it is in the table"))
}

#[test]
fn a_body_is_read_as_it_was_appended() {
    let engine = still(Plan::smallest());
    let br = BodyRef::new(&engine, BY);
    for chunk in body(0, 7).chunks(3) {
        assert_eq!(br.append(&engine, chunk, BY), Ok(()));
    }
    assert_eq!(br.read(&engine, 5, BY), Ok(Read::Data(body(0, 5))));
    assert_eq!(br.read(&engine, 5, BY), Ok(Read::Data(body(5, 2))));
    assert_eq!(br.read(&engine, 5, BY), Ok(Read::Eof));
    assert_eq!(br.close(&engine, BY), Ok(()));
}

#[test]
fn a_closed_body_is_at_its_end_and_closes_again() {
    let engine = still(Plan::smallest());
    let br = BodyRef::new(&engine, BY);
    assert_eq!(br.append(&engine, &body(0, 5), BY), Ok(()));
    assert_eq!(br.close(&engine, BY), Ok(()));
    assert_eq!(br.read(&engine, 8, BY), Ok(Read::Eof));
    assert_eq!(br.close(&engine, BY), Ok(()));
}

#[test]
fn a_pooled_reader_is_got_empty_and_open() {
    let engine = still(Plan::smallest());
    let first = BodyRef::new(&engine, BY);
    assert_eq!(first.append(&engine, &body(0, 1), BY), Ok(()));
    assert_eq!(first.close(&engine, BY), Ok(()));
    first.put(&engine, BY);
    let second = BodyRef::new(&engine, BY);
    assert_eq!(second.read(&engine, 1, BY), Ok(Read::Eof));
    assert_eq!(second.append(&engine, &body(3, 2), BY), Ok(()));
    assert_eq!(second.read(&engine, 8, BY), Ok(Read::Data(body(3, 2))));
}

#[test]
fn a_body_beyond_its_size_is_too_long() {
    let engine = still(Plan { max_http_body_size: Some(4), ..Plan::smallest() });
    let br = BodyRef::new(&engine, BY);
    assert_eq!(br.append(&engine, &body(0, 4), BY), Ok(()));
    assert_eq!(br.append(&engine, &body(4, 1), BY), Err(NbError::TooLong));
}

#[test]
fn what_is_taken_over_is_not_in_the_body_any_more() {
    let engine = still(Plan::smallest());
    let br = BodyRef::new(&engine, BY);
    assert_eq!(br.append(&engine, &body(0, 3), BY), Ok(()));
    let taken = br.take_over(BY);
    assert_eq!(taken.iter().flat_map(|buffer| buffer.read(0, 8, BY)).collect::<Vec<_>>(), body(0, 3));
    assert_eq!(br.read(&engine, 1, BY), Ok(Read::Eof));
}

#[test]
fn both_allocators_append_and_keep_what_was_there() {
    for allocator in [Allocator::MemPool, Allocator::Aligned] {
        let engine = still(Plan { allocator, ..Plan::smallest() });
        let mut buffer = engine.body_allocator.malloc(0, BY);
        for place in 0..40 {
            buffer = engine.body_allocator.append(buffer, &body(place, 1), BY);
            assert_eq!(buffer.read(0, 64, BY), body(0, place + 1), "{allocator:?}");
            assert!(buffer.cap() >= buffer.len());
        }
        engine.body_allocator.free(&buffer, BY);
    }
}

#[test]
fn a_freed_array_is_handed_out_again_and_two_frees_of_it_twice() {
    let engine = still(Plan { audit: super::Audit::Bytes, ..Plan::smallest() });
    let buffer = engine.body_allocator.malloc_copy(&body(0, 2), BY);
    engine.body_allocator.free(&buffer, BY);
    engine.body_allocator.free(&buffer, BY);
    assert!(engine.body_allocator.has_duplicates());
    let (one, other) = (engine.body_allocator.malloc(2, BY), engine.body_allocator.malloc(2, BY));
    one.write(0, &body(7, 2), BY);
    assert_eq!(other.read(0, 2, BY), body(7, 2));
}

#[test]
fn a_closed_connection_refuses_and_its_descriptor_is_the_next_ones() {
    let engine = still(Plan::smallest());
    let (_, conn) = connected(&engine);
    assert_eq!(conn.read(), Err(NbError::Sys(Errno::Again)));
    conn.close_with_error(NbError::Closed);
    conn.close_with_error(NbError::Closed);
    assert_eq!(conn.read(), Err(NbError::Closed));
    assert_eq!(conn.write(&body(0, 1)), Err(NbError::Closed));
    assert!(!conn.execute(Box::new(|| Ok(()))));
    assert!(engine.get_conn(conn.fd).is_none());
    let (_, next) = connected(&engine);
    assert_eq!(next.fd, conn.fd);
}

#[test]
fn what_the_kernel_does_not_take_is_written_by_flushes_in_order() {
    let engine = still(Plan { window: 3, ..Plan::smallest() });
    let (socket, conn) = connected(&engine);
    assert_eq!(conn.write(&body(0, 4)), Ok(4));
    assert_eq!(conn.write(&body(4, 4)), Ok(4));
    let mut received = Vec::new();
    while received.len() < 8 {
        let Received::Data(octets) = engine.kernel.receive(socket) else { panic!("the connection is open") };
        received.extend(octets);
        conn.flush();
    }
    assert_eq!(received, body(0, 8));
}

/// The unread octet keeps the descriptor readable, so `epoll_wait` returns an event each time.
#[test]
fn a_socket_is_writable_while_its_send_buffer_has_room() {
    let engine = still(Plan { window: 3, ..Plan::smallest() });
    let (socket, conn) = connected(&engine);
    engine.kernel.mod_write(conn.fd, true);
    engine.kernel.send(socket, &body(0, 1));
    let mut seen = 0;
    let mut is_writable = || engine.kernel.epoll_wait((0, 1), &mut seen).expect("pollers run")[0].write;
    assert_eq!(engine.kernel.write(conn.fd, &body(0, 2)), Ok(2));
    assert!(is_writable());
    assert_eq!(engine.kernel.write(conn.fd, &body(2, 2)), Ok(1));
    assert!(!is_writable());
    assert_eq!(engine.kernel.receive(socket), Received::Data(body(0, 3)));
    assert!(is_writable());
}

#[test]
fn a_write_beyond_the_limit_closes_the_connection() {
    let engine = still(Plan { window: 1, max_write_buffer_size: Some(4), ..Plan::smallest() });
    let (socket, conn) = connected(&engine);
    assert_eq!(conn.write(&body(0, 4)), Ok(4));
    assert_eq!(conn.write(&body(4, 4)), Err(NbError::Overflow));
    assert_eq!(conn.write(&body(8, 1)), Err(NbError::Closed));
    assert_eq!(engine.kernel.receive(socket), Received::Data(body(0, 1)));
    assert_eq!(engine.kernel.receive(socket), Received::Closed);
}

#[test]
fn octets_that_are_no_request_are_refused_with_upstreams_errors() {
    let parts = [
        (vec![Part::Malformed], NbError::InvalidMethod),
        (vec![Part::RequestLine, Part::Malformed], NbError::InvalidCharInHeader),
        (vec![Part::RequestLine, Part::Chunked, Part::HeaderOver, Part::Malformed], NbError::InvalidChunkSize),
    ];
    for (parts, error) in parts {
        let engine = still(Plan::smallest());
        let (_, conn) = connected(&engine);
        let octets: Vec<Octet> = parts.into_iter().map(|part| Octet::new(TAG, part)).collect();
        assert_eq!(conn.parser.parse(&conn, &octets), Err(error));
        conn.parser.close_and_clean(&conn);
        assert_eq!(conn.parser.parse(&conn, &octets), Err(NbError::Closed));
    }
}

#[test]
fn a_cache_beyond_the_read_limit_is_too_long() {
    let engine = still(Plan { read_limit: Some(3), ..Plan::smallest() });
    let (_, conn) = connected(&engine);
    let head = [Part::RequestLine, Part::ContentLength(9), Part::HeaderOver].map(|part| Octet::new(TAG, part));
    assert_eq!(conn.parser.parse(&conn, &head), Ok(()));
    assert_eq!(conn.parser.parse(&conn, &body(0, 3)), Ok(()));
    assert_eq!(conn.parser.parse(&conn, &body(3, 1)), Err(NbError::TooLong));
}

#[test]
fn clients_are_answered_on_real_threads() {
    let asks = vec![Ask::of(5, vec![Step::ReadAll, Step::Close]), Ask::chunked(vec![3, 1, 4], vec![Step::ReadAll])];
    bench::run(Variant::Fixed, &Plan::of(vec![Client::of(asks); 4]));
}
