//! The interface between application and kernel: requests, completions, result codes, bytes.
//!
//! Names and numbers are those of `linux/io_uring.h` and of proxy.h, which packs an operation, a connection, a buffer
//! id and a descriptor into the 64 bits that a completion returns.

use std::fmt;

use lastref::ledger::{Owner, Tag};

/// A slot of a ring's table of direct descriptors; -1 for none.
pub type Fd = i32;
/// A buffer id.
pub type Bid = u16;
/// Names a ring.
pub type RingId = usize;
/// Names a group of provided buffers within a ring.
pub type GroupId = u16;
/// Names a listening socket.
pub type ListenerId = usize;

/// One byte of payload, with its stream, its request and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octet {
    /// The byte that a reader sees.
    pub byte: u8,
    /// The stream and the request that it belongs to.
    pub tag: Tag,
    /// Its position in the stream.
    pub at: u32,
}

impl Octet {
    /// A byte that came over the simulated network, without a tag: only its reader can check it.
    pub(super) fn untagged(byte: u8) -> Octet {
        Octet { byte, tag: Tag { peer: 0, request: 0 }, at: 0 }
    }
}

/// An address in the memory of a connection's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The buffer.
    pub buffer: Bid,
    /// The offset in the buffer.
    pub offset: u32,
}

/// `struct iovec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iov {
    /// `iov_base`.
    pub base: Address,
    /// `iov_len`.
    pub len: u32,
}

/// Result codes, as errno.h numbers them, negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// There is nothing to cancel.
    Noent = -2,
    /// Not an open descriptor.
    Badf = -9,
    /// The operation would block. Never in a completion: the request is armed instead.
    Again = -11,
    /// The write side is shut down.
    Pipe = -32,
    /// The peer broke the connection.
    ConnReset = -104,
    /// No provided buffer.
    NoBufs = -105,
    /// Never connected, or broken since.
    NotConn = -107,
    /// No acknowledgement within the timeout.
    TimedOut = -110,
    /// No socket listens on the address.
    ConnRefused = -111,
    /// Too late to cancel.
    Already = -114,
    /// Cancelled, or a link before it failed.
    Canceled = -125,
}

impl Errno {
    /// The result code in a completion.
    pub fn res(self) -> i32 {
        self as i32
    }
}

/// The operation in the top bits of [`UserData`] (proxy.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::FromRepr)]
#[repr(u64)]
pub enum UserOp {
    /// `__ACCEPT`
    Accept = 1,
    /// `__SOCK`
    Sock = 2,
    /// `__CONNECT`
    Connect = 3,
    /// `__RECV`
    Recv = 4,
    /// `__SEND`
    Send = 6,
    /// `__SHUTDOWN`
    Shutdown = 8,
    /// `__CANCEL`
    Cancel = 9,
    /// `__CLOSE`
    Close = 10,
    /// `__FD_PASS`
    FdPass = 11,
    /// `__NOP`
    Nop = 12,
    /// `__STOP`
    Stop = 13,
}

/// `struct userdata`: 4 bits of operation and 12 of connection, 16 of buffer id, 16 of descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserData(pub u64);

impl UserData {
    /// `__encode_userdata`.
    pub fn encode(tid: u32, op: UserOp, bid: Bid, fd: Fd) -> UserData {
        let op_tid = ((op as u64) << 12) | u64::from(tid & 0xfff);
        UserData(op_tid | u64::from(bid) << 16 | (fd as u64 & 0xffff) << 32)
    }

    /// `cqe_to_op`. Every encoded value has an operation.
    pub fn op(self) -> Option<UserOp> {
        UserOp::from_repr((self.0 & 0xffff) >> 12)
    }

    /// `cqe_to_bid`.
    pub fn bid(self) -> Bid {
        (self.0 >> 16) as Bid
    }

    /// `cqe_to_fd`.
    pub fn fd(self) -> Fd {
        ((self.0 >> 32) & 0xffff) as Fd
    }
}

/// The source of a send's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Send with one vector, sendmsg with several.
    Vectors(Vec<Iov>),
    /// `IOSQE_BUFFER_SELECT`: the buffer at the head of a group, or with `bundle` all of its buffers.
    Group {
        /// The group.
        group: GroupId,
        /// `IORING_RECVSEND_BUNDLE`.
        bundle: bool,
    },
}

/// The target of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `IORING_ASYNC_CANCEL_FD_FIXED`.
    Fd(Fd),
    /// Requests with this user data.
    User(UserData),
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Multishot, with direct descriptors.
    Accept {
        /// The listener.
        listener: ListenerId,
    },
    /// A socket with a direct descriptor of the kernel's choice.
    Socket,
    /// Connects a socket.
    Connect {
        /// The socket.
        fd: Fd,
        /// The listener.
        to: ListenerId,
    },
    /// Receives into provided buffers.
    Recv {
        /// From this socket.
        fd: Fd,
        /// Into buffers of this group.
        group: GroupId,
        /// `IORING_RECV_MULTISHOT`.
        multishot: bool,
        /// `IORING_RECVSEND_BUNDLE`.
        bundle: bool,
    },
    /// Sends.
    Send {
        /// On this socket.
        fd: Fd,
        /// The source of the bytes.
        from: Source,
        /// `MSG_WAITALL`: short only on an error.
        waitall: bool,
        /// `IORING_OP_SEND_ZC`: a second completion reports that the memory is no longer read.
        zero_copy: bool,
    },
    /// `SHUT_RDWR`, on a worker of the kernel.
    Shutdown {
        /// The socket.
        fd: Fd,
    },
    /// Closes a direct descriptor.
    Close {
        /// The descriptor.
        fd: Fd,
    },
    /// Cancels requests of this ring.
    Cancel {
        /// The requests to cancel.
        target: Target,
        /// `IORING_ASYNC_CANCEL_ALL`: all matches, not only the first.
        all: bool,
    },
    /// Posts a completion to another ring, and installs a descriptor there if one is given.
    MsgRing {
        /// The other ring.
        ring: RingId,
        /// The completion's user data.
        user_data: UserData,
        /// A descriptor of this ring, to be installed in slot 0 of the other one.
        pass: Option<Fd>,
    },
}

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sqe {
    /// The operation.
    pub op: Op,
    /// Returned in the completion.
    pub user_data: UserData,
    /// `IOSQE_IO_LINK`: the next submission waits for this one to succeed.
    pub link: bool,
    /// `IOSQE_CQE_SKIP_SUCCESS`.
    pub skip_success: bool,
}

impl Sqe {
    /// A submission that is neither linked nor silent.
    pub fn new(op: Op, user_data: UserData) -> Sqe {
        Sqe { op, user_data, link: false, skip_success: false }
    }
}

/// A completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cqe {
    /// The user data of the submission.
    pub user_data: UserData,
    /// A count, a descriptor, or a negative code.
    pub res: i32,
    /// `IORING_CQE_F_*`, and the buffer id above them.
    pub flags: u32,
}

impl Cqe {
    /// The upper half of the flags is a buffer id.
    pub const F_BUFFER: u32 = 1;
    /// The request will complete again.
    pub const F_MORE: u32 = 1 << 1;
    /// The memory of a zero-copy send is no longer read.
    pub const F_NOTIF: u32 = 1 << 3;
    /// The buffer will be part of more completions.
    pub const F_BUF_MORE: u32 = 1 << 4;
    const BUFFER_SHIFT: u32 = 16;

    pub(super) const EMPTY: Cqe = Cqe { user_data: UserData(0), res: 0, flags: 0 };

    /// The flags of a completion with this buffer.
    pub fn with_buffer(bid: Bid) -> u32 {
        Cqe::F_BUFFER | u32::from(bid) << Cqe::BUFFER_SHIFT
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The buffer id; meaningless without `F_BUFFER`.
    pub fn bid(&self) -> Bid {
        (self.flags >> Cqe::BUFFER_SHIFT) as Bid
    }

    /// Whether it failed with this code.
    pub fn failed_with(&self, errno: Errno) -> bool {
        self.res == errno.res()
    }
}

impl fmt::Display for Cqe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user_data.op() {
            Some(op) => write!(f, "{op:?}")?,
            None => write!(f, "?")?,
        }
        write!(f, " fd {} res {}", self.user_data.fd(), self.res)?;
        if self.has(Cqe::F_BUFFER) {
            write!(f, " bid {}", self.bid())?;
        }
        for (flag, name) in [(Cqe::F_MORE, "MORE"), (Cqe::F_NOTIF, "NOTIF"), (Cqe::F_BUF_MORE, "BUF_MORE")] {
            if self.has(flag) {
                write!(f, " {name}")?;
            }
        }
        Ok(())
    }
}

/// The ledger's owner of a buffer that the application holds.
pub fn held_by_conn(ring: RingId) -> Owner {
    Owner::new("conn", ring as u32)
}

/// The ledger's owner of a buffer in a buffer ring.
pub fn held_by_group(group: GroupId) -> Owner {
    Owner::new("buf_ring", u32::from(group))
}

/// The ledger's owner of a buffer that the kernel sends from.
pub fn held_by_send(fd: Fd) -> Owner {
    Owner::new("send", fd as u32)
}

/// The kernel itself.
pub const KERNEL: Owner = Owner::new("kernel", 0);
