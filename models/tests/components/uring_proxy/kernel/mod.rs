//! The measured facts, one test each, over many seeds: what a network may cut a stream into is part of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lastref::Check;
use lastref::ledger::{Owner, Resource, Tag};

use models::uring_proxy::kernel::abi::{
    Address, Cqe, Errno, Fd, GroupId, Iov, Octet, Op, Source, Sqe, Target, UserData, UserOp, held_by_conn,
    held_by_group, held_by_send,
};
use models::uring_proxy::kernel::programs::{Progress, Read, Socket, Sockets};
use models::uring_proxy::kernel::{Buf, BufRing, Kernel, Uring};

mod cancel;
mod recv;
mod send;
mod socket;

const GROUP: GroupId = 1;
const OUT: GroupId = 2;
const BUF_SIZE: u32 = 4;
const BUFS: u32 = 8;

/// One connected socket of a ring, and a program at the other end.
struct Lab {
    kernel: Arc<Kernel>,
    ring: Uring,
    br: BufRing,
    out: BufRing,
    bufs: Vec<Resource>,
    peer: Socket,
    fd: Fd,
    written: u32,
}

fn data(op: UserOp) -> UserData {
    UserData::encode(0, op, 0, 0)
}

impl Lab {
    fn new() -> Lab {
        Lab::over(64, false, 64)
    }

    /// With a multishot receive armed and one buffer to fill.
    fn armed() -> Lab {
        let mut lab = Lab::new();
        lab.provide([0]);
        lab.arm(true);
        lab
    }

    /// Over a connection with room for three bytes.
    fn narrow() -> Lab {
        Lab::over(3, false, 64)
    }

    fn over(window: u32, incremental: bool, cq_entries: u32) -> Lab {
        let kernel = Kernel::new(window);
        let listener = kernel.listen();
        let mut ring = Uring::new(&kernel, 16, cq_entries);
        let mut peer = None;
        kernel.step(&mut |net| {
            peer = net.connect(listener);
            Progress::Some
        });
        ring.push(Sqe::new(Op::Accept { listener }, data(UserOp::Accept)));
        ring.submit();
        let accepted = drain(&mut ring).pop().expect("a connection waits");
        let owner = held_by_conn(ring.id());
        let br = ring.setup_buf_ring(GROUP, BUFS, incremental, owner);
        let out = ring.setup_buf_ring(OUT, BUFS, false, owner);
        let bufs: Vec<Resource> = (0..BUFS).map(|_| Resource::acquire("buf", owner)).collect();
        ring.set_memory(bufs.clone(), BUF_SIZE);
        let peer = peer.expect("somebody listens");
        Lab { kernel, ring, br, out, bufs, peer, fd: accepted.res, written: 0 }
    }

    fn owner(&self) -> Owner {
        held_by_conn(self.ring.id())
    }

    /// Adds these buffers to the group of receives and publishes them.
    fn provide(&mut self, bids: impl IntoIterator<Item = u16>) {
        for bid in bids {
            self.bufs[usize::from(bid)].transfer(self.owner(), held_by_group(GROUP));
            self.br.add(self.owner(), buf(bid), 0);
            self.br.advance(1);
        }
    }

    /// Adds these buffers to the group of sends and publishes them, with one byte to send in each.
    fn queue(&mut self, bids: impl IntoIterator<Item = u16>) {
        for bid in bids {
            self.bufs[usize::from(bid)].transfer(self.owner(), held_by_group(OUT));
            self.out.add(self.owner(), Buf { len: 1, ..buf(bid) }, 0);
            self.out.advance(1);
        }
    }

    fn submit(&mut self, op: Op, user: UserOp) {
        self.ring.push(Sqe::new(op, data(user)));
        self.ring.submit();
    }

    fn recv(&self, multishot: bool, bundle: bool) -> Op {
        Op::Recv { fd: self.fd, group: GROUP, multishot, bundle }
    }

    fn arm(&mut self, multishot: bool) {
        self.submit(self.recv(multishot, false), UserOp::Recv);
    }

    fn send_group(&mut self, bundle: bool, waitall: bool) {
        let from = Source::Group { group: OUT, bundle };
        self.submit(Op::Send { fd: self.fd, from, waitall, zero_copy: false }, UserOp::Send);
    }

    fn cancel(&mut self, target: Target, all: bool) -> Vec<i32> {
        self.submit(Op::Cancel { target, all }, UserOp::Cancel);
        self.results()
    }

    fn shutdown(&mut self) -> Vec<i32> {
        self.submit(Op::Shutdown { fd: self.fd }, UserOp::Shutdown);
        self.results()
    }

    fn close(&mut self) -> Vec<i32> {
        self.submit(Op::Close { fd: self.fd }, UserOp::Close);
        self.results()
    }

    /// A silent shutdown, and a close that is linked to it, as the proxy queues them.
    fn shut_and_close(&mut self) -> Vec<i32> {
        let fd = self.fd;
        let mut shutdown = Sqe::new(Op::Shutdown { fd }, data(UserOp::Shutdown));
        shutdown.skip_success = true;
        self.ring.push_linked(shutdown, Sqe::new(Op::Close { fd }, data(UserOp::Close)));
        self.ring.submit();
        self.results()
    }

    fn net<R>(&mut self, act: impl FnOnce(&mut Sockets<'_>, Socket) -> R) -> R {
        let (mut act, mut result, peer) = (Some(act), None, self.peer);
        self.kernel.step(&mut |net| {
            result = act.take().map(|act| act(net, peer));
            Progress::Some
        });
        result.expect("the program made its step")
    }

    /// The peer sends this many bytes, and they arrive.
    fn arrive(&mut self, count: u32) {
        let octets: Vec<Octet> = (self.written..self.written + count).map(octet).collect();
        self.written += count;
        assert_eq!(self.net(|net, peer| net.write(peer, &octets)), Some(octets.len()));
        self.settle();
    }

    /// The peer sends FIN, and it arrives.
    fn fin(&mut self) {
        self.net(|net, peer| net.shut_write(peer));
        self.settle();
    }

    /// The peer sends RST, and it arrives.
    fn reset(&mut self) {
        self.net(|net, peer| net.reset(peer));
        self.settle();
    }

    fn settle(&mut self) {
        while self.kernel.pump() {}
    }

    fn completions(&mut self) -> Vec<Cqe> {
        self.settle();
        self.ring.submit();
        drain(&mut self.ring)
    }

    fn results(&mut self) -> Vec<i32> {
        self.completions().iter().map(|cqe| cqe.res).collect()
    }

    fn results_and_flags(&mut self) -> Vec<(i32, u32)> {
        self.completions().iter().map(|cqe| (cqe.res, cqe.flags)).collect()
    }

    /// What the peer finds to read.
    fn read(&mut self) -> Read {
        self.settle();
        self.net(|net, peer| net.read(peer))
    }

    /// Where the received bytes stood in the peer's stream, as the buffers have them.
    fn bytes(&self, cqes: &[Cqe]) -> Vec<u32> {
        let filled = cqes.iter().filter(|cqe| cqe.has(Cqe::F_BUFFER) && cqe.user_data.op() == Some(UserOp::Recv));
        let octets = filled.flat_map(|cqe| {
            let iov = Iov { base: Address { buffer: cqe.bid(), offset: 0 }, len: cqe.res as u32 };
            self.ring.load(&iov)
        });
        octets.map(|octet| octet.at).collect()
    }

    /// Sends this many bytes of buffer 7, which have been there since before.
    fn send(&mut self, len: u32, waitall: bool, zero_copy: bool) {
        let fd = self.fd;
        self.bufs[7].transfer(self.owner(), held_by_send(fd));
        let bytes: Vec<Octet> = (0..len).map(octet).collect();
        self.ring.store(Address { buffer: 7, offset: 0 }, &bytes);
        let iov = Iov { base: Address { buffer: 7, offset: 0 }, len };
        self.submit(Op::Send { fd, from: Source::Vectors(vec![iov]), waitall, zero_copy }, UserOp::Send);
    }

    fn end(mut self) {
        self.settle();
        self.br.free(self.owner());
        self.out.free(self.owner());
        self.bufs.iter().for_each(|buf| buf.release(self.owner()));
        self.ring.exit();
    }
}

fn buf(bid: u16) -> Buf {
    Buf { addr: Address { buffer: bid, offset: 0 }, len: BUF_SIZE, bid }
}

fn octet(at: u32) -> Octet {
    Octet { byte: b'x', tag: Tag { peer: 0, request: 0 }, at }
}

fn drain(ring: &mut Uring) -> Vec<Cqe> {
    let mut cqes = Vec::new();
    while let Some(cqe) = ring.peek(0) {
        ring.cq_advance(1);
        cqes.push(cqe);
    }
    cqes
}

/// Runs the experiment with many seeds, each in a lab of its own.
#[track_caller]
fn check(open: fn() -> Lab, experiment: impl Fn(&mut Lab) + Send + Sync + 'static) {
    Check::new("kernel_fact").schedules(50).run(move || {
        let mut lab = open();
        experiment(&mut lab);
        lab.end();
    });
}

/// The different results of an experiment over many seeds.
#[track_caller]
fn outcomes<T: Ord + Send + 'static>(experiment: impl Fn(&mut Lab) -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&outcomes);
    check(Lab::new, move |lab| {
        let outcome = experiment(lab);
        seen.lock().expect("no test has failed").insert(outcome);
    });
    std::mem::take(&mut *outcomes.lock().expect("no test has failed"))
}
