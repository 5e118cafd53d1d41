//! The network by itself, without a run.

use std::net::SocketAddr;

use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A network with a listener at port 80.
fn network(faults: &str) -> (Network, i32) {
    let mut network = Network::new();
    network.begin(1, false, &faults.parse().expect("faults"));
    let listener = network.socket(false, true);
    network.bind(listener, address(80)).expect("the port is free");
    network.listen(listener, 8, || ObjectId(1)).expect("it is bound");
    (network, listener)
}

fn connect(network: &mut Network, listener: i32) -> (i32, i32) {
    let client = network.socket(false, true);
    network.connect(client, address(80), 0, || ObjectId(2)).expect("an attempt");
    network.connected(client).expect("there is no latency");
    let (server, _) = network.accept(listener, true).expect("it waits");
    (client, server)
}

impl Network {
    fn read(&mut self, descriptor: i32, most: usize, peeks: bool) -> Result<Vec<u8>, i32> {
        let mut bytes = Vec::new();
        let count = self.reads(descriptor, most, peeks, &mut |part| bytes.extend_from_slice(part))?;
        assert_eq!(count, bytes.len());
        Ok(bytes)
    }

    fn write(&mut self, descriptor: i32, bytes: &[u8], now_ns: u64) -> Result<usize, i32> {
        self.writes(descriptor, bytes.len(), now_ns, |count| bytes[..count].to_vec())
    }
}

#[test]
fn a_close_is_read_to_the_end_and_answers_later_data_with_a_reset() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.read(server, 9, false), Err(libc::EAGAIN));
    assert_eq!(network.write(client, b"last", 0), Ok(4));
    network.close(client, 0).expect("it is open");
    assert_eq!(network.read(server, 3, true).as_deref(), Ok(&b"las"[..]));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b"last"[..]));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b""[..]));
    assert_eq!(network.write(server, b"x", 0), Ok(1), "the peer's reset comes after the first write");
    assert_eq!(network.write(server, b"x", 0), Err(libc::EPIPE));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_close_with_unread_data_resets() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"unread", 0), Ok(6));
    network.close(server, 0).expect("it is open");
    assert_eq!(network.ready_of(client).map(|ready| ready & libc::EPOLLERR as u32 != 0), Some(true));
    assert_eq!(network.read(client, 9, false), Err(libc::ECONNRESET));
    assert_eq!(network.write(client, b"x", 0), Err(libc::EPIPE));
}

#[test]
fn a_writer_waits_for_space() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    let bytes = vec![7; 2 * options::BUFFER_BYTES + 5];
    assert_eq!(network.write(client, &bytes, 0), Ok(2 * options::BUFFER_BYTES));
    assert_eq!(network.write(client, &bytes, 0), Err(libc::EAGAIN));
    let edges = network.state().0;
    network.read(server, options::BUFFER_BYTES, false).expect("there are bytes");
    assert_eq!(network.state().0, edges + 1, "the writer gets one edge");
    assert_eq!(network.write(client, b"x", 0), Ok(1));
}

/// The sender's buffer and the receiver's hold the bytes of a direction together, as on Linux.
#[test]
fn a_buffer_size_bounds_the_directions_that_use_the_buffer() {
    let (mut network, listener) = network("");
    let sized = |network: &mut Network, descriptor: i32, name: i32| {
        network.set_option(descriptor, libc::SOL_SOCKET, name, &4_096_i32.to_ne_bytes()).expect("an option");
    };
    sized(&mut network, listener, libc::SO_RCVBUF);
    let (client, server) = connect(&mut network, listener);
    let bytes = vec![7; 4 * options::BUFFER_BYTES];
    let small = 8_192;
    assert_eq!(network.write(client, &bytes, 0), Ok(options::BUFFER_BYTES + small), "to the small receive buffer");
    assert_eq!(network.write(server, &bytes, 0), Ok(2 * options::BUFFER_BYTES), "to the other end");
    let (client, server) = connect(&mut network, listener);
    sized(&mut network, client, libc::SO_SNDBUF);
    assert_eq!(network.write(client, &bytes, 0), Ok(2 * small), "from the small send buffer");
    network.read(server, small / 2, false).expect("there are bytes");
    assert_eq!(network.ready_of(client).map(|ready| ready & libc::EPOLLOUT as u32), Some(0), "a third must be free");
    network.read(server, small / 2, false).expect("there are bytes");
    assert_eq!(network.ready_of(client).map(|ready| ready & libc::EPOLLOUT as u32), Some(libc::EPOLLOUT as u32));
}

#[test]
fn an_edge_is_reported_to_those_who_ask_for_its_direction() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    for (poller, asked) in [(1, libc::EPOLLOUT), (2, libc::EPOLLIN), (3, libc::EPOLLIN | libc::EPOLLOUT)] {
        let event = libc::epoll_event { events: (asked | libc::EPOLLET) as u32, u64: 0 };
        network.control(poller, libc::EPOLL_CTL_ADD, client, Some(event)).expect("it is open");
    }
    let reported = |network: &mut Network| [1, 2, 3].map(|poller| network.events(poller, 9).len());
    assert_eq!(reported(&mut network), [1, 0, 1], "the socket is writable");
    assert_eq!(network.write(server, b"x", 0), Ok(1));
    assert_eq!(reported(&mut network), [0, 1, 1], "there is a byte");
    network.shutdown(server, libc::SHUT_WR, 0).expect("it is connected");
    assert_eq!(reported(&mut network), [1, 1, 1], "the state has changed");
    assert_eq!(reported(&mut network), [0, 0, 0]);
}

/// After a write of fewer bytes than requested, tokio waits for an edge without an `EAGAIN` before it.
#[test]
fn a_write_that_a_full_buffer_cuts_is_followed_by_an_edge_when_there_is_space() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    let bytes = vec![7; 2 * options::BUFFER_BYTES + 5];
    assert_eq!(network.write(client, &bytes, 0), Ok(2 * options::BUFFER_BYTES));
    let edges = network.state().0;
    network.read(server, options::BUFFER_BYTES, false).expect("there are bytes");
    assert_eq!(network.state().0, edges + 1, "the writer gets an edge");
}

#[test]
fn an_attempt_is_refused_without_a_listener_and_unanswered_if_its_queue_is_full() {
    let (mut network, listener) = network("");
    let client = network.socket(false, true);
    network.connect(client, address(81), 0, || ObjectId(2)).expect("an attempt");
    assert_eq!(network.connected(client), Err(libc::ECONNREFUSED));
    network.listen(listener, 0, || ObjectId(1)).expect("the backlog may change");
    let clients: Vec<i32> = (0..2)
        .map(|_| {
            let client = network.socket(false, true);
            network.connect(client, address(80), 0, || ObjectId(2)).expect("an attempt");
            client
        })
        .collect();
    assert_eq!((network.connected(clients[0]), network.connected(clients[1])), (Ok(()), Err(libc::EAGAIN)));
    let mut last = Err(libc::EAGAIN);
    while last == Err(libc::EAGAIN) {
        let next_ns = network.next_ns().expect("the attempt ends");
        network.advance(next_ns);
        last = network.connected(clients[1]);
    }
    assert_eq!(last, Err(libc::ETIMEDOUT));
    let other = network.socket(false, true);
    assert_eq!(network.bind(other, address(80)), Err(libc::EADDRINUSE));
}

#[test]
fn an_attempt_that_found_the_queue_full_is_repeated() {
    let (mut network, listener) = network("");
    network.listen(listener, 0, || ObjectId(1)).expect("the backlog may change");
    let clients = [(); 2].map(|()| {
        let client = network.socket(false, true);
        network.connect(client, address(80), 0, || ObjectId(2)).expect("an attempt");
        client
    });
    network.accept(listener, true).expect("the first waits");
    assert_eq!(network.connected(clients[1]), Err(libc::EAGAIN));
    network.advance(1_000_000_000);
    assert_eq!(network.connected(clients[1]), Ok(()));
    network.accept(listener, true).expect("the second waits");
}

#[test]
fn a_socket_whose_attempt_failed_may_try_again() {
    let (mut network, _) = network("");
    let client = network.socket(false, true);
    network.connect(client, address(81), 0, || ObjectId(2)).expect("an attempt");
    assert_eq!(network.connected(client), Err(libc::ECONNREFUSED));
    network.connect(client, address(80), 0, || ObjectId(3)).expect("another attempt");
    assert_eq!(network.connected(client), Ok(()));
}

#[test]
fn a_socket_that_is_shut_down_in_both_directions_hangs_up_and_resets_later_data() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    network.shutdown(client, libc::SHUT_RDWR, 0).expect("it is open");
    let ready = network.ready_of(client).expect("it is open");
    assert_eq!(ready & (libc::EPOLLHUP | libc::EPOLLERR) as u32, libc::EPOLLHUP as u32);
    assert_eq!(network.read(client, 9, false).as_deref(), Ok(&b""[..]));
    assert_eq!(network.write(server, b"x", 0), Ok(1));
    assert_eq!(network.read(client, 9, false), Err(libc::ECONNRESET));
    assert_eq!(network.write(server, b"x", 0), Err(libc::EPIPE));
}

#[test]
fn a_connection_is_over_when_both_ends_have_sent_fin() {
    let (mut network, listener) = network("");
    let (client, server) = connect(&mut network, listener);
    network.shutdown(client, libc::SHUT_WR, 0).expect("it is open");
    assert!(network.peer(client).is_ok());
    network.shutdown(server, libc::SHUT_WR, 0).expect("it is open");
    assert_eq!(network.peer(client), Err(libc::ENOTCONN));
    assert_eq!(network.shutdown(client, libc::SHUT_RDWR, 0), Err(libc::ENOTCONN));
}

#[test]
fn a_listener_that_is_shut_down_accepts_nothing_and_resets_what_waits() {
    let (mut network, listener) = network("");
    let client = network.socket(false, true);
    network.connect(client, address(80), 0, || ObjectId(2)).expect("an attempt");
    assert_eq!(network.shutdown(listener, libc::SHUT_WR, 0), Ok(()), "without effect");
    let edges = network.state().0;
    assert_eq!(network.shutdown(listener, libc::SHUT_RD, 0), Ok(()));
    assert!(network.state().0 > edges, "a pending accept tries again");
    assert_eq!(network.accept(listener, true).map(drop), Err(libc::EINVAL));
    assert_eq!(network.read(client, 9, false), Err(libc::ECONNRESET));
    assert_eq!(network.shutdown(listener, libc::SHUT_RD, 0), Err(libc::ENOTCONN));
    network.listen(listener, 8, || ObjectId(3)).expect("it is bound");
    connect(&mut network, listener);
}

#[test]
fn an_unspecified_address_overlaps_those_of_its_family() {
    let on = 1_i32.to_ne_bytes();
    for (first, second, is_only, expected) in [
        ("0.0.0.0:80", "[::1]:80", false, Ok(())),
        ("0.0.0.0:80", "127.0.0.1:80", false, Err(libc::EADDRINUSE)),
        ("[::]:80", "[::1]:80", true, Err(libc::EADDRINUSE)),
        ("[::]:80", "0.0.0.0:80", false, Err(libc::EADDRINUSE)),
        ("[::]:80", "127.0.0.1:80", false, Err(libc::EADDRINUSE)),
        ("[::]:80", "0.0.0.0:80", true, Ok(())),
        ("[::1]:80", "127.0.0.1:80", false, Ok(())),
    ] {
        for (first, second) in [(first, second), (second, first)] {
            let mut network = Network::new();
            network.begin(1, false, &"".parse().expect("faults"));
            let bound = [first, second].map(|address| {
                let address: SocketAddr = address.parse().expect("an address");
                let socket = network.socket(address.is_ipv6(), true);
                if is_only && address.is_ipv6() {
                    network.set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &on).expect("it is open");
                }
                network.bind(socket, address)
            });
            assert_eq!(bound, [Ok(()), expected], "{first} {second} {is_only}");
        }
    }
}

#[test]
fn a_short_transfer_is_followed_by_an_edge() {
    let (mut network, listener) = network("stall=5@0.c.3");
    let (client, server) = connect(&mut network, listener);
    let poller = 5;
    let both = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32;
    for socket in [client, server] {
        let asked = libc::epoll_event { events: both, u64: socket as u64 };
        network.control(poller, libc::EPOLL_CTL_ADD, socket, Some(asked)).expect("it is new");
    }
    let told = |network: &mut Network| network.events(poller, 9).iter().map(|event| event.u64).collect::<Vec<_>>();
    assert_eq!(told(&mut network).len(), 2, "both are writable");
    assert_eq!(network.write(client, b"abcdef", 0), Ok(3));
    assert_eq!(told(&mut network), [client as u64], "the rest can be written");
    assert_eq!(network.write(client, b"def", 0), Ok(3));
    network.advance(5_000_000);
    assert_eq!(told(&mut network), [server as u64]);
    network.is_short = true;
    while network.read(server, 6, false).is_ok_and(|bytes| bytes.len() < 6) {
        let is_left = network.readable(server) > Ok(0);
        assert_eq!(told(&mut network).len(), usize::from(is_left));
    }
}

#[test]
fn a_fault_happens_at_its_byte() {
    let (mut network, listener) = network("reset@0.c.3:refuse@1.c.0:stall=5@2.s.0:half-close@3.c.1:blackhole@4.c.0");
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"abcdef", 0), Ok(3));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b"abc"[..]), "data before the reset arrives");
    assert_eq!(network.read(server, 9, false), Err(libc::ECONNRESET));
    assert_eq!(network.write(client, b"x", 0), Err(libc::ECONNRESET));
    let refused = network.socket(false, true);
    network.connect(refused, address(80), 0, || ObjectId(2)).expect("an attempt");
    assert_eq!(network.connected(refused), Err(libc::ECONNREFUSED));
    let stalled = network.socket(false, true);
    network.connect(stalled, address(80), 0, || ObjectId(2)).expect("an attempt");
    let (server, _) = network.accept(listener, true).expect("it waits");
    assert_eq!(network.write(server, b"late", 0), Ok(4));
    assert_eq!(network.read(stalled, 9, false), Err(libc::EAGAIN));
    network.advance(5_000_000);
    assert_eq!(network.read(stalled, 9, false).as_deref(), Ok(&b"late"[..]));
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"ab", 0), Ok(1));
    assert_eq!(network.write(client, b"b", 0), Err(libc::EPIPE));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b"a"[..]));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b""[..]));
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"lost", 0), Ok(4));
    assert_eq!(network.read(server, 9, false), Err(libc::EAGAIN));
    network.advance(network.next_ns().expect("it ends"));
    assert_eq!(network.write(client, b"x", 0), Err(libc::ETIMEDOUT));
    assert_eq!(network.struck().len(), 5);
    assert!(
        network.struck()[0]
            .contains("reset of connection 0 (127.0.0.1:32768 to 127.0.0.1:80) after 3 bytes of the client")
    );
}

#[test]
fn a_hold_delays_a_reset_as_it_delays_data() {
    let (mut network, listener) = network("hold=5@0.s.0:reset@0.c.3");
    let (client, server) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"abc", 0), Ok(3));
    assert_eq!(network.write(client, b"d", 4_999_999), Ok(1), "the reset is on its way to this end, too");
    network.advance(5_000_000);
    assert_eq!(network.write(client, b"e", 5_000_000), Err(libc::ECONNRESET));
    assert_eq!(network.read(server, 9, false).as_deref(), Ok(&b"abc"[..]));
    assert_eq!(network.read(server, 9, false), Err(libc::ECONNRESET));
}

#[test]
fn a_hold_and_a_partition_delay_connections_that_are_opened_later() {
    for (fault, end_ns) in [("hold=5@0.s.0", 5_000_000), ("partition=5@0.s.0", 205_000_000)] {
        let (mut network, listener) = network(fault);
        connect(&mut network, listener);
        let later = network.socket(false, true);
        network.connect(later, address(80), 1, || ObjectId(3)).expect("an attempt");
        network.advance(end_ns - 1);
        assert_eq!(network.connected(later), Err(libc::EAGAIN), "{fault}");
        network.advance(end_ns);
        assert_eq!(network.connected(later), Ok(()), "{fault}");
        network.begin(1, false, &Faults::default());
        let listener = network.socket(false, true);
        network.bind(listener, address(80)).expect("the port is free");
        network.listen(listener, 8, || ObjectId(1)).expect("it is bound");
        connect(&mut network, listener);
    }
}

#[test]
fn a_crashed_server_gives_no_notice_and_does_not_know_its_connections_when_it_is_up_again() {
    let (mut network, listener) = network("crash=5@1.c.3");
    let (idle, idle_server) = connect(&mut network, listener);
    let waiting = network.socket(false, true);
    let (client, server) = connect(&mut network, listener);
    network.connect(waiting, address(80), 0, || ObjectId(3)).expect("an attempt");
    assert_eq!(network.connected(waiting), Ok(()), "it waits in the queue");
    assert_eq!(network.write(idle_server, b"answer", 0), Ok(6));
    assert_eq!(network.write(client, b"abcdef", 0), Ok(3));
    for lost in [server, idle_server] {
        assert_eq!(network.read(lost, 9, false), Err(libc::ECONNRESET));
        assert_eq!(network.write(lost, b"x", 0), Err(libc::EPIPE));
    }
    assert_eq!(network.accept(listener, true).map(drop), Err(libc::EAGAIN), "the queue is lost");
    // Its clients have no notice: they read what was sent, and may write.
    assert_eq!(network.read(idle, 9, false).as_deref(), Ok(&b"answer"[..]));
    assert_eq!(network.read(idle, 9, false), Err(libc::EAGAIN));
    assert_eq!(network.write(client, b"lost", 1), Ok(4));
    let later = network.socket(false, true);
    network.connect(later, address(80), 1, || ObjectId(4)).expect("an attempt");
    assert_eq!(network.connected(later), Err(libc::EAGAIN), "its SYN is dropped");
    // After the outage the data is sent again, and answered with RST.
    network.advance(204_999_999);
    assert_eq!(network.read(client, 9, false), Err(libc::EAGAIN));
    network.advance(205_000_000);
    assert_eq!(network.read(client, 9, false), Err(libc::ECONNRESET));
    network.advance(1_000_000_001);
    assert_eq!(network.connected(later), Ok(()), "its second SYN is answered");
    network.accept(listener, true).expect("it waits");
    // A client that sends nothing waits forever.
    assert_eq!(network.next_ns(), None);
    assert_eq!(network.read(waiting, 9, false), Err(libc::EAGAIN));
    assert_eq!(network.write(waiting, b"x", 2_000_000_000), Ok(1));
    assert_eq!(network.read(waiting, 9, false), Err(libc::ECONNRESET));
    assert_eq!(
        network.struck(),
        ["crash for 5 ms of connection 1 (127.0.0.1:32769 to 127.0.0.1:80) after 3 bytes of the client, at 0 ms"]
    );
}

#[test]
fn a_crashed_server_that_does_not_listen_again_refuses() {
    let (mut network, listener) = network("crash=5@0.s.0");
    let first = network.socket(false, true);
    network.connect(first, address(80), 0, || ObjectId(2)).expect("an attempt");
    assert_eq!(network.connected(first), Ok(()), "the crash comes after the answer");
    assert_eq!(network.accept(listener, true).map(drop), Err(libc::EAGAIN));
    network.close(listener, 0).expect("it is open");
    let client = network.socket(false, true);
    network.connect(client, address(80), 1, || ObjectId(3)).expect("an attempt");
    assert_eq!(network.connected(client), Err(libc::EAGAIN), "the host is down");
    network.advance(1_000_000_001);
    assert_eq!(network.connected(client), Err(libc::ECONNREFUSED));
}

#[test]
fn a_partition_concerns_the_connections_of_one_host() {
    let (mut network, listener) = network("partition=5@0.c.0");
    let other_address: SocketAddr = "127.0.0.2:80".parse().expect("an address");
    let other_listener = network.socket(false, true);
    network.bind(other_listener, other_address).expect("the port is free");
    network.listen(other_listener, 8, || ObjectId(9)).expect("it is bound");
    connect(&mut network, listener);
    let other = network.socket(false, true);
    network.connect(other, other_address, 1, || ObjectId(3)).expect("an attempt");
    assert_eq!(network.connected(other), Ok(()));
    let held = network.socket(false, true);
    network.connect(held, address(80), 1, || ObjectId(4)).expect("an attempt");
    assert_eq!(network.connected(held), Err(libc::EAGAIN));
}

#[test]
fn a_client_times_out_if_the_answer_of_a_restarted_server_is_lost() {
    let (mut network, listener) = network("crash=5@0.c.3:blackhole@0.c.5");
    let (client, _) = connect(&mut network, listener);
    assert_eq!(network.write(client, b"abc", 0), Ok(3));
    assert_eq!(network.write(client, b"de", 0), Ok(2));
    network.advance(10_000_000_000);
    assert_eq!(network.read(client, 9, false), Err(libc::EAGAIN));
    network.advance(network.next_ns().expect("its data is not acknowledged"));
    assert_eq!(network.read(client, 9, false), Err(libc::ETIMEDOUT));
}
