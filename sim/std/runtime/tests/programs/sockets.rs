//! Programs that talk over descriptors of the system.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use lastref_runtime::thread;

/// An echo over a pair of sockets, with reads that wait.
pub(crate) fn pair() {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let echoes = thread::spawn(move || {
        let mut bytes = [0; 4];
        while far.read_exact(&mut bytes).is_ok() {
            far.write_all(&bytes).expect("the other end is open");
        }
    });
    for round in 0..3_u32 {
        near.write_all(&round.to_le_bytes()).expect("the other end is open");
        let mut bytes = [0; 4];
        near.read_exact(&mut bytes).expect("an answer");
        assert_eq!(u32::from_le_bytes(bytes), round);
    }
    near.set_read_timeout(Some(Duration::from_secs(3))).expect("a socket has timeouts");
    let error = near.read(&mut [0; 4]).expect_err("no more answers");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "the timeout is of virtual time");
    drop(near);
    echoes.join().expect("it does not panic");
}

/// A server and two clients over loopback.
pub(crate) fn loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let serves = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("a text");
            stream.write_all(text.to_uppercase().as_bytes()).expect("the client reads");
        }
    });
    let clients = ["one", "two"].map(|text| {
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.write_all(text.as_bytes()).expect("the server reads");
            stream.shutdown(std::net::Shutdown::Write).expect("it is open");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            assert_eq!(answer, text.to_uppercase());
        })
    });
    clients.into_iter().chain([serves]).for_each(|task| task.join().expect("it does not panic"));
}

/// Writes that are larger than the buffers of a pair and of a pipe: another task reads.
pub(crate) fn large_writes() {
    const BYTES: usize = 400_000;
    fn through(mut near: impl Write, mut far: impl Read + Send + 'static) {
        let reads = thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).map(|_| all.len())
        });
        near.write_all(&[7; BYTES]).expect("the other end reads");
        drop(near);
        assert_eq!(reads.join().expect("it does not panic").expect("the bytes"), BYTES);
    }
    let (near, far) = UnixStream::pair().expect("a pair");
    through(near, far);
    let (far, near) = std::io::pipe().expect("a pipe");
    through(near, far);
}

/// The same with writes of several parts.
pub(crate) fn large_vectored_writes() {
    const BYTES: usize = 100_000;
    /// The parts begin in the middle of a write that was cut before.
    fn parts(bytes: &[u8]) -> [IoSlice<'_>; 3] {
        let (head, rest) = bytes.split_at(bytes.len().min(1_000));
        let (middle, tail) = rest.split_at(rest.len() / 3);
        [head, middle, tail].map(IoSlice::new)
    }
    fn through(mut write: impl FnMut(&[IoSlice<'_>]) -> std::io::Result<usize>, mut far: impl Read + Send + 'static) {
        let all: Vec<u8> = (0..BYTES).map(|nth| (nth % 251) as u8).collect();
        let expected = all.clone();
        let reads = thread::spawn(move || {
            let mut got = vec![0; BYTES];
            far.read_exact(&mut got).expect("the bytes");
            assert!(got == expected, "the bytes arrive in their order");
        });
        let mut sent = 0;
        while sent < BYTES {
            sent += write(&parts(&all[sent..])).expect("the other end reads");
        }
        reads.join().expect("it does not panic");
    }
    let (mut near, far) = UnixStream::pair().expect("a pair");
    through(|parts| near.write_vectored(parts), far);
    let (far, mut near) = std::io::pipe().expect("a pipe");
    through(|parts| near.write_vectored(parts), far);
    let (near, far) = UnixStream::pair().expect("a pair");
    let send = |parts: &[IoSlice<'_>]| {
        // SAFETY: a message without an address and without control data; a part of it is laid out as libc's.
        let sent = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            (message.msg_iov, message.msg_iovlen) = (parts.as_ptr().cast_mut().cast(), parts.len());
            libc::sendmsg(near.as_raw_fd(), &raw const message, 0)
        };
        usize::try_from(sent).map_err(|_| std::io::Error::last_os_error())
    };
    through(send, far);
}

/// A call that does not wait, and one that waits for all of its bytes.
pub(crate) fn flags() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let mut bytes = [0_u8; 4];
    let receive = |bytes: &mut [u8; 4], flags: i32| {
        // SAFETY: the place has this size.
        unsafe { libc::recv(far.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), flags) }
    };
    assert_eq!(receive(&mut bytes, libc::MSG_DONTWAIT), -1);
    assert_eq!(std::io::Error::last_os_error().kind(), ErrorKind::WouldBlock);
    let writes = thread::spawn(move || {
        for byte in 1..=4 {
            (&near).write_all(&[byte]).expect("the other end is open");
        }
    });
    assert_eq!(receive(&mut bytes, libc::MSG_WAITALL), 4);
    assert_eq!(bytes, [1, 2, 3, 4]);
    writes.join().expect("it does not panic");
}

/// A read from a socket to which no task writes.
pub(crate) fn silence() {
    let (mut near, _far) = UnixStream::pair().expect("a pair");
    let _ = near.read(&mut [0; 4]);
}

/// A poller reports the change of an event counter only once. The wakers of async runtimes work this way.
pub(crate) fn edge() {
    let mut asked = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 7 };
    // SAFETY: the arguments are plain, and the places valid for the calls.
    let (poller, counter) = unsafe { (libc::epoll_create1(0), libc::eventfd(0, libc::EFD_NONBLOCK)) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::epoll_ctl(poller, libc::EPOLL_CTL_ADD, counter, &raw mut asked) }, 0);
    let writer = thread::spawn(move || {
        let one = 1_u64;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::write(counter, (&raw const one).cast(), 8) }, 8);
    });
    let mut told = asked;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::epoll_wait(poller, &raw mut told, 1, -1) }, 1);
    assert_eq!({ told.u64 }, 7);
    writer.join().expect("it writes");
    // SAFETY: as above.
    assert_eq!(unsafe { (libc::close(poller), libc::close(counter)) }, (0, 0));
}

/// A server that reads from a copy of its stream.
pub(crate) fn copies() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let answers = thread::spawn(move || {
        let mut copy = far.try_clone().expect("a copy");
        let mut byte = [0];
        copy.read_exact(&mut byte).expect("a question");
        (&far).write_all(&byte).expect("the other end is open");
    });
    thread::yield_now();
    (&near).write_all(&[5]).expect("the other end is open");
    let mut byte = [0];
    (&near).read_exact(&mut byte).expect("an answer");
    answers.join().expect("it does not panic");
}

/// A conversation, then two small writes in a row. The system holds the second back until the first is acknowledged,
/// and in a conversation it delays acknowledgements: no task is ready for 40 ms of real time.
pub(crate) fn small_writes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let answers = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut byte = [0];
        for _ in 0..20 {
            stream.read_exact(&mut byte).expect("a question");
            stream.write_all(&byte).expect("the client is there");
        }
        let mut both = [0; 2];
        stream.read_exact(&mut both).expect("two bytes");
        assert_eq!(both, [1, 2]);
    });
    let mut stream = TcpStream::connect(address).expect("a server");
    let mut byte = [0];
    for _ in 0..20 {
        stream.write_all(&[7]).expect("the server is there");
        stream.read_exact(&mut byte).expect("an answer");
    }
    stream.write_all(&[1]).expect("the server is there");
    stream.write_all(&[2]).expect("the server is there");
    answers.join().expect("it does not panic");
}

/// Waits for bytes that another task sends, with `poll`, with and without a timeout.
#[expect(clippy::disallowed_methods, reason = "in a run, std reads the clock of the run")]
pub(crate) fn late_event() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut near = TcpStream::connect(listener.local_addr().expect("its address")).expect("it listens");
    let (far, _) = listener.accept().expect("a client");
    let sends = thread::spawn(move || {
        near.write_all(b"x").expect("the other end is open");
        near.write_all(b"y").expect("the other end is open");
        near
    });
    for timeout_ms in [-1, 5_000] {
        let begun = std::time::Instant::now();
        let mut asked = libc::pollfd { fd: far.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the place is valid.
        assert_eq!(unsafe { libc::poll(&raw mut asked, 1, timeout_ms) }, 1);
        (&far).read_exact(&mut [0]).expect("a byte");
        assert!(begun.elapsed() < Duration::from_secs(5), "the byte came earlier");
    }
    sends.join().expect("it does not panic");
}

/// std copies from a pipe to a socket within the system, where the socket is not known.
pub(crate) fn copy_of_pipe() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut near = TcpStream::connect(listener.local_addr().expect("its address")).expect("it listens");
    let (mut far, _) = listener.accept().expect("a client");
    let (mut reads, mut writes) = std::io::pipe().expect("a pipe");
    writes.write_all(b"text").expect("the pipe has room");
    drop(writes);
    assert_eq!(std::io::copy(&mut reads, &mut near).expect("it is copied"), 4);
    drop(near);
    let mut text = String::new();
    far.read_to_string(&mut text).expect("the bytes");
    assert_eq!(text, "text");
}

/// The same copy to a socket of the system: within the system it would block the thread of all tasks.
pub(crate) fn copy_to_pair() {
    let (mut reads, mut writes) = std::io::pipe().expect("a pipe");
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let copies = thread::spawn(move || std::io::copy(&mut reads, &mut near).expect("it is copied"));
    writes.write_all(b"text").expect("the pipe has room");
    drop(writes);
    let mut text = String::new();
    far.read_to_string(&mut text).expect("the bytes");
    assert_eq!((text.as_str(), copies.join().expect("it does not panic")), ("text", 4));
}

/// A sender to a Unix socket whose queue is full, and a client of a full listener, wait in the run: the system would
/// block the one OS thread of all tasks, although it reports both as writable.
pub(crate) fn full_queues() {
    let [inbox, door] =
        ["inbox", "door"].map(|name| std::env::temp_dir().join(format!("lastref-{}-{name}", std::process::id())));
    let receiver = UnixDatagram::bind(&inbox).expect("the folder is writable");
    let receives = thread::spawn(move || {
        (0..30).for_each(|_| assert_eq!(receiver.recv(&mut [0; 1]).expect("a message"), 1));
    });
    let sender = UnixDatagram::unbound().expect("a socket");
    (0..30).for_each(|_| assert_eq!(sender.send_to(b"x", &inbox).expect("it is received"), 1));
    receives.join().expect("it does not panic");
    let listener = UnixListener::bind(&door).expect("the folder is writable");
    // SAFETY: the argument is a descriptor. The queue then has two places.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
    let path = door.clone();
    let connects = thread::spawn(move || {
        let streams: Vec<_> = (0..5).map(|_| UnixStream::connect(&path).expect("a listener")).collect();
        streams.len()
    });
    (0..5).for_each(|_| drop(listener.accept().expect("a client")));
    assert_eq!(connects.join().expect("it does not panic"), 5);
    [inbox, door].iter().for_each(|path| std::fs::remove_file(path).expect("it is there"));
}

/// A poller that is polled itself reports the sockets of the run.
pub(crate) fn polled_poller() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // SAFETY: the arguments are plain, and the places are valid.
    unsafe {
        let poller = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 7 };
        assert_eq!(libc::epoll_ctl(poller, libc::EPOLL_CTL_ADD, listener.as_raw_fd(), &raw mut event), 0);
        let mut asked = libc::pollfd { fd: poller, events: libc::POLLIN, revents: 0 };
        assert_eq!(libc::poll(&raw mut asked, 1, 0), 0, "nobody connects");
        let client = thread::spawn(move || drop(TcpStream::connect(address).expect("a listener")));
        assert_eq!((libc::poll(&raw mut asked, 1, -1), asked.revents), (1, libc::POLLIN));
        client.join().expect("it does not panic");
        libc::close(poller);
    }
}
