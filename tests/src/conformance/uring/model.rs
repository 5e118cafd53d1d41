//! The simulated kernel as a machine for scripts: one ring, two connections, and plain sockets at their other ends.

use std::convert::Infallible;
use std::sync::Arc;

use lastref::ledger::{Owner, Resource, Tag};
use lastref::random;
use models::uring_proxy::kernel::abi::{
    Address, Cqe, Fd, GroupId, Iov, Octet, Op as Request, Source, Sqe, Target, UserData, held_by_conn, held_by_group,
    held_by_send,
};
use models::uring_proxy::kernel::programs::{Progress, Read, Socket, Sockets};
use models::uring_proxy::kernel::{Buf, BufRing, Kernel, Uring};

use super::super::Seen;
use super::application::{Application, BUF_SIZE, BUFS, Completion, End, Machine, Op};
use super::script::{How, SOCKETS, Step};

const IN: GroupId = 1;
const OUT: GroupId = 2;
/// Window of a connection in bytes: more than a script sends.
const WINDOW: u32 = 4096;
/// User data of the accept that precedes a script; scripts count from 1.
const ACCEPT: UserData = UserData(u64::MAX);

/// Runs a script.
pub(super) fn run(script: &[Step], seen: &mut Seen<'_, Step>) {
    let incremental = matches!(script.first(), Some(Step::Inc(true)));
    let mut application = Application::new(Simulated::new(incremental), incremental);
    for step in script {
        let Ok(outcome) = application.step(step);
        if !seen.push(outcome) {
            break;
        }
    }
    application.machine.end();
}

struct Simulated {
    kernel: Arc<Kernel>,
    ring: Uring,
    bufs: Vec<Resource>,
    groups: [BufRing; 2],
    fds: Vec<Fd>,
    peers: Vec<Socket>,
    /// Notifications that are seen at a later step.
    late: Vec<Completion>,
}

impl Simulated {
    fn new(incremental: bool) -> Simulated {
        let kernel = Kernel::new(WINDOW);
        let listener = kernel.listen();
        let mut ring = Uring::new(&kernel, 16, 256);
        let mut peers = Vec::new();
        kernel.step(&mut |net| {
            peers.extend((0..SOCKETS).filter_map(|_| net.connect(listener)));
            Progress::Some
        });
        ring.push(Sqe::new(Request::Accept { listener }, ACCEPT));
        ring.submit();
        while kernel.pump() {}
        let fds = drain(&mut ring).iter().map(|accepted| accepted.res).collect();
        let owner = held_by_conn(ring.id());
        let groups = [
            ring.setup_buf_ring(IN, BUFS.into(), incremental, owner),
            ring.setup_buf_ring(OUT, BUFS.into(), false, owner),
        ];
        let bufs: Vec<Resource> = (0..BUFS).map(|_| Resource::acquire("buf", owner)).collect();
        ring.set_memory(bufs.clone(), BUF_SIZE);
        Simulated { kernel, ring, bufs, groups, fds, peers, late: Vec::new() }
    }

    fn owner(&self) -> Owner {
        held_by_conn(self.ring.id())
    }

    fn add(&mut self, group: GroupId, bid: u16, len: u32) {
        let owner = self.owner();
        self.bufs[usize::from(bid)].transfer(owner, held_by_group(group));
        let br = &mut self.groups[usize::from(group - IN)];
        br.add(owner, Buf { addr: Address { buffer: bid, offset: 0 }, len, bid }, 0);
        br.advance(1);
    }

    fn request(&self, op: &Op) -> Request {
        let fd = |socket: u8| self.fds[usize::from(socket)];
        match *op {
            Op::Recv { socket, multishot, bundle } => Request::Recv { fd: fd(socket), group: IN, multishot, bundle },
            Op::Send { socket, bid, len, how } => {
                self.bufs[usize::from(bid)].transfer(self.owner(), held_by_send(fd(socket)));
                let from = Source::Vectors(vec![Iov { base: Address { buffer: bid, offset: 0 }, len }]);
                let (waitall, zero_copy) = (how == How::Waitall, how == How::ZeroCopy);
                Request::Send { fd: fd(socket), from, waitall, zero_copy }
            }
            Op::SendGroup { socket, bundle } => {
                let from = Source::Group { group: OUT, bundle };
                Request::Send { fd: fd(socket), from, waitall: false, zero_copy: false }
            }
            Op::CancelUser { user, all } => Request::Cancel { target: Target::User(UserData(user)), all },
            Op::CancelFd { socket, all } => Request::Cancel { target: Target::Fd(fd(socket)), all },
            Op::Close(socket) => Request::Close { fd: fd(socket) },
            Op::Shutdown(socket) => Request::Shutdown { fd: fd(socket) },
        }
    }

    fn net<R>(&mut self, socket: u8, act: impl FnOnce(&mut Sockets<'_>, Socket) -> R) -> R {
        let (mut act, mut result, peer) = (Some(act), None, self.peers[usize::from(socket)]);
        self.kernel.step(&mut |net| {
            result = act.take().map(|act| act(net, peer));
            Progress::Some
        });
        match result {
            Some(result) => result,
            None => unreachable!("invariant: a program makes its step"),
        }
    }

    fn end(self) {
        while self.kernel.pump() {}
        let owner = self.owner();
        self.groups.iter().for_each(|group| group.free(owner));
        self.bufs.iter().for_each(|buf| buf.release(owner));
        self.ring.exit();
    }
}

impl Machine for Simulated {
    type Error = Infallible;

    fn provide(&mut self, bid: u16) {
        self.add(IN, bid, BUF_SIZE);
    }

    fn put_out(&mut self, bid: u16, len: u32) {
        self.add(OUT, bid, len);
    }

    fn unregister(&mut self) -> Result<(), Infallible> {
        self.ring.unregister_buf_ring(IN);
        Ok(())
    }

    fn submit(&mut self, first: u64, ops: &[Op]) -> Result<(), Infallible> {
        let mut sqes: Vec<Sqe> =
            (first..).zip(ops).map(|(user, op)| Sqe::new(self.request(op), UserData(user))).collect();
        match (sqes.pop(), sqes.pop()) {
            (Some(second), Some(first)) => self.ring.push_linked(first, second),
            (Some(only), None) => self.ring.push(only),
            (None, _) => {}
        }
        self.ring.submit();
        Ok(())
    }

    fn settle(&mut self) -> Result<Vec<Completion>, Infallible> {
        while self.kernel.pump() {}
        self.ring.submit();
        let is_late = |completion: &Completion| completion.flags & Cqe::F_NOTIF != 0;
        let (late, mut seen): (Vec<_>, Vec<_>) = drain(&mut self.ring).into_iter().partition(is_late);
        self.late.extend(late);
        // The kernel gives no bound for a notification: over TCP it waits for an acknowledgement, which may be delayed
        // by more than a step takes to settle.
        if random::chance(1, 2) {
            for late in std::mem::take(&mut self.late) {
                seen.insert(random::below(seen.len() as u64 + 1) as usize, late);
            }
        }
        Ok(seen)
    }

    fn peer_write(&mut self, socket: u8, bytes: &[u8]) -> Option<usize> {
        let tag = Tag { peer: 0, request: 0 };
        let octets: Vec<Octet> = bytes.iter().map(|byte| Octet { byte: *byte, tag, at: u32::from(*byte) }).collect();
        self.net(socket, |net, peer| net.write(peer, &octets))
    }

    fn peer_read(&mut self, socket: u8) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        loop {
            match self.net(socket, |net, peer| net.read(peer)) {
                Read::Octets(octets) => bytes.extend(octets.iter().map(|octet| octet.byte)),
                Read::Nothing => return (bytes, End::Open),
                Read::End => return (bytes, End::End),
                Read::Broken => return (bytes, End::Broken),
            }
        }
    }

    fn peer_fin(&mut self, socket: u8) {
        self.net(socket, |net, peer| net.shut_write(peer));
    }

    fn peer_reset(&mut self, socket: u8) {
        self.net(socket, |net, peer| net.reset(peer));
    }

    fn peer_close(&mut self, socket: u8) {
        self.net(socket, |net, peer| net.close(peer));
    }
}

fn drain(ring: &mut Uring) -> Vec<Completion> {
    let mut completions = Vec::new();
    while let Some(cqe) = ring.peek(0) {
        ring.cq_advance(1);
        completions.push(Completion { user: cqe.user_data.0, res: cqe.res, flags: cqe.flags });
    }
    completions
}
