//! The results of upstream's own tests (body_test.go, mempool_test.go, nbio_test.go), and of the documented calls, on
//! plain threads.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::{Check, Limits};

use models::buffer_pool::body_reader::{BodyRef, Read};
use models::buffer_pool::engine::Engine;
use models::buffer_pool::error::{Errno, NbError};
use models::buffer_pool::kernel::Accepted;
use models::buffer_pool::mempool::Mempool;
use models::buffer_pool::octet::{Octet, Part};
use models::buffer_pool::{
    Allocator, Audit, Client, Ending, NetPlan, Pick, Plan, PlannedRequest, Step, Threads, Variant, run, run_on_network,
};

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

/// A connection of the engine: the peer's socket and the `Conn`.
fn connected(engine: &Arc<Engine>) -> (usize, Arc<models::buffer_pool::conn::Conn>) {
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
    let engine = still(Plan { audit: models::buffer_pool::Audit::Bytes, ..Plan::smallest() });
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
        received.extend(engine.kernel.receive(socket).expect("the connection is open"));
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
    assert_eq!(engine.kernel.receive(socket), Some(body(0, 3)));
    assert!(is_writable());
}

#[test]
fn a_write_beyond_the_limit_closes_the_connection() {
    let engine = still(Plan { window: 1, max_write_buffer_size: Some(4), ..Plan::smallest() });
    let (socket, conn) = connected(&engine);
    assert_eq!(conn.write(&body(0, 4)), Ok(4));
    assert_eq!(conn.write(&body(4, 4)), Err(NbError::Overflow));
    assert_eq!(conn.write(&body(8, 1)), Err(NbError::Closed));
    assert_eq!(engine.kernel.receive(socket), Some(body(0, 1)));
    assert_eq!(engine.kernel.receive(socket), None);
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
    let asks = vec![
        PlannedRequest::of(5, vec![Step::ReadAll, Step::Close]),
        PlannedRequest::chunked(vec![3, 1, 4], vec![Step::ReadAll]),
    ];
    run(Variant::Fixed, &Plan::of(vec![Client::of(asks); 4]));
}

fn pool(allocator: Allocator) -> Mempool {
    Mempool::new(allocator, Audit::Objects, Variant::Fixed, Pick::Lifo)
}

/// Empties the pools and returns the number of arrays in them. Go's collector drops an item at its second collection.
fn pooled(pool: &Mempool) -> usize {
    pool.collect() + pool.collect()
}

/// The capacities of fresh buffers of these sizes.
#[track_caller]
fn check_capacities(allocator: Allocator, expected: &[(usize, usize)]) {
    for (size, cap) in expected {
        let buffer = pool(allocator).malloc(*size, BY);
        assert_eq!((buffer.len(), buffer.cap()), (*size, *cap), "{allocator:?}, {size} octets");
    }
}

#[test]
fn a_fresh_buffer_has_the_capacity_of_its_allocator() {
    check_capacities(Allocator::MemPool, &[(0, 4), (4, 4), (5, 5), (24, 24), (25, 25)]);
    check_capacities(Allocator::Aligned, &[(0, 2), (2, 2), (3, 4), (8, 8), (9, 16), (16, 16), (17, 17)]);
}

#[test]
fn a_freed_buffer_is_handed_out_again_unless_it_is_too_large() {
    for (allocator, size, is_pooled) in [
        (Allocator::MemPool, 24, true),
        (Allocator::MemPool, 25, false),
        (Allocator::Aligned, 16, true),
        (Allocator::Aligned, 17, false),
    ] {
        let pool = pool(allocator);
        let buffer = pool.malloc_copy(&body(0, size), BY);
        pool.free(&buffer, BY);
        let again = pool.malloc(size as usize, BY);
        // The octets of the last owner are still in it.
        assert_eq!(again.read(0, 1, BY) == body(0, 1), is_pooled, "{allocator:?}, {size} octets");
        assert!(!pool.has_duplicates());
        pool.free(&again, BY);
        assert_eq!(pooled(&pool), usize::from(is_pooled));
        assert_eq!(pooled(&pool), 0);
    }
}

#[test]
fn a_pooled_buffer_that_is_too_small_is_replaced() {
    let pool = pool(Allocator::MemPool);
    pool.free(&pool.malloc(4, BY), BY);
    assert_eq!(pool.malloc(9, BY).cap(), 9);
    assert_eq!(pooled(&pool), 0, "the smaller one is garbage");
}

#[test]
fn a_buffer_that_is_freed_twice_is_in_its_pool_twice() {
    for allocator in [Allocator::MemPool, Allocator::Aligned] {
        let pool = pool(allocator);
        let buffer = pool.malloc(4, BY);
        pool.free(&buffer, BY);
        assert!(!pool.has_duplicates());
        pool.free(&buffer, BY);
        assert!(pool.has_duplicates(), "{allocator:?}");
    }
}

/// Go's append doubles the capacity, or grows it to the new length if that is more.
#[test]
fn an_append_beyond_the_capacity_keeps_the_octets_and_makes_room() {
    for (allocator, more, cap) in [
        (Allocator::MemPool, 1, 4),
        (Allocator::MemPool, 2, 8),
        (Allocator::MemPool, 5, 8),
        (Allocator::MemPool, 6, 9),
        (Allocator::Aligned, 1, 4),
        (Allocator::Aligned, 2, 8),
        (Allocator::Aligned, 6, 16),
    ] {
        let pool = pool(allocator);
        let buffer = pool.malloc_copy(&body(0, 3), BY);
        let grown = pool.append(buffer, &body(3, more), BY);
        assert_eq!((grown.len(), grown.cap()), (3 + more as usize, cap), "{allocator:?}, {more} octets");
        assert_eq!(grown.read(0, 99, BY), body(0, 3 + more));
        // Go's collector frees the old array; the aligned allocator pools it.
        let is_freed = allocator == Allocator::Aligned && more > 1;
        assert_eq!(pooled(&pool), usize::from(is_freed), "{allocator:?}, {more} octets");
    }
}

/// The number of runs in which a client with this ending, on the network, receives a complete answer.
fn answered(ending: Ending) -> u64 {
    let asks = vec![PlannedRequest::of(2, vec![Step::ReadAll])];
    let client = Client { ending, ..Client::of(asks) };
    let plan = NetPlan::of(Plan::of(vec![client]));
    let limits = Limits { timer_slack: std::time::Duration::from_millis(5), ..Limits::default() };
    let check = Check::new("answered").limits(limits).schedules(10);
    let report =
        check.search(move || run_on_network(Variant::Fixed, &plan)).unwrap_or_else(|failure| panic!("{failure}"));
    report.reached.get("a request is answered").copied().unwrap_or_default()
}

#[test]
fn a_client_that_resets_reads_no_further() {
    assert_eq!(answered(Ending::Finish), 10);
    for octets in [0, 1, 2] {
        assert_eq!(answered(Ending::ResetReceived(octets)), 0, "{octets}");
        assert_eq!(answered(Ending::Reset(octets)), 0, "{octets}");
    }
    assert_eq!(answered(Ending::Abandon), 0);
    assert_eq!(answered(Ending::ResetReceived(200)), 10, "the answer is shorter");
}
