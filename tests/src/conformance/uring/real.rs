//! The kernel of this machine: io_uring, and TCP over loopback.
//!
//! A step has settled when no completion comes and all other threads of the process, including io_uring's workers, are
//! asleep at several checks in a row without a context switch in between.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::SockRef;

use super::super::{Error, Missing, Outcome, Real};
use super::application::{Application, Completion, End, Machine, Op};
use super::ring::{IN, OUT, Ring};
use super::script::{SOCKETS, Step};

/// The pause between two checks. A segment over loopback takes a few microseconds.
const PAUSE: Duration = Duration::from_micros(60);
/// Number of consecutive checks at which nothing may have happened.
const QUIET_LOOKS: u32 = 3;
/// Maximum number of checks before a step counts as one that does not settle.
const LOOKS_MAX: u32 = 20_000;

/// The kernel, after a check that it supports the scripts.
#[derive(Debug)]
pub(super) struct Kernel(());

impl Kernel {
    /// Probes the kernel.
    ///
    /// # Errors
    /// If the kernel lacks a feature that scripts need.
    pub(super) fn open() -> Result<Kernel, Missing> {
        Loopback::new(true).map(|_| Kernel(())).map_err(|error| {
            Missing(format!(
                "io_uring with incremental buffer rings (Linux 6.12 or later) is not available here: {error}"
            ))
        })
    }
}

impl Real<Step> for Kernel {
    fn run(&mut self, script: &[Step]) -> Result<Outcome, Error> {
        run(script).map_err(|error| Error::Real(error.to_string()))
    }
}

fn run(script: &[Step]) -> io::Result<Outcome> {
    let incremental = matches!(script.first(), Some(Step::Inc(true)));
    let mut application = Application::new(Loopback::new(incremental)?, incremental);
    let outcome = script.iter().map(|step| application.step(step)).collect::<io::Result<Outcome>>()?;
    application.machine.ring.cancel_all()?;
    Ok(outcome)
}

/// A ring with two connections over loopback, and their peers.
struct Loopback {
    ring: Ring,
    /// `None` after the peer's socket is closed.
    peers: Vec<Option<TcpStream>>,
}

impl Loopback {
    fn new(incremental: bool) -> io::Result<Loopback> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (mut peers, mut sockets) = (Vec::new(), Vec::new());
        for _ in 0..SOCKETS {
            let peer = TcpStream::connect(listener.local_addr()?)?;
            let (socket, _) = listener.accept()?;
            peer.set_nonblocking(true)?;
            // Without it a small write may wait for an acknowledgement.
            peer.set_nodelay(true)?;
            socket.set_nodelay(true)?;
            peers.push(Some(peer));
            sockets.push(socket);
        }
        let files: Vec<&dyn AsRawFd> = sockets.iter().map(|socket| socket as &dyn AsRawFd).collect();
        // The ring's table holds the sockets from here on.
        Ok(Loopback { ring: Ring::new(incremental, &files)?, peers })
    }

    fn peer(&mut self, socket: u8) -> Option<&mut TcpStream> {
        self.peers[usize::from(socket)].as_mut()
    }
}

impl Machine for Loopback {
    type Error = io::Error;

    fn provide(&mut self, bid: u16) {
        self.ring.add(IN, bid, super::application::BUF_SIZE);
    }

    fn put_out(&mut self, bid: u16, len: u32) {
        self.ring.add(OUT, bid, len);
    }

    fn unregister(&mut self) -> io::Result<()> {
        self.ring.unregister(IN)
    }

    fn submit(&mut self, first: u64, ops: &[Op]) -> io::Result<()> {
        for (nth, op) in (0..).zip(ops) {
            self.ring.push(first + nth, op, nth + 1 < ops.len() as u64)?;
        }
        self.ring.submit()
    }

    fn settle(&mut self) -> io::Result<Vec<Completion>> {
        let mut completions = self.ring.completions()?;
        let (mut switches, mut quiet) = (None, 0);
        for _ in 0..LOOKS_MAX {
            pause();
            let more = self.ring.completions()?;
            let seen = switches_of_sleepers()?;
            let is_quiet = more.is_empty() && seen.is_some() && seen == switches;
            (quiet, switches) = (if is_quiet { quiet + 1 } else { 0 }, seen);
            completions.extend(more);
            if quiet == QUIET_LOOKS {
                return Ok(completions);
            }
        }
        Err(io::Error::other("a step does not settle"))
    }

    fn peer_write(&mut self, socket: u8, bytes: &[u8]) -> Option<usize> {
        self.peer(socket)?.write(bytes).ok()
    }

    fn peer_read(&mut self, socket: u8) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let Some(peer) = self.peer(socket) else { return (bytes, End::Broken) };
        let end = match peer.read_to_end(&mut bytes) {
            Ok(_) => End::End,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => End::Open,
            Err(_) => End::Broken,
        };
        (bytes, end)
    }

    fn peer_fin(&mut self, socket: u8) {
        if let Some(peer) = self.peer(socket) {
            // Fails if the connection is already gone; the shutdown then has no visible effect.
            let _ = peer.shutdown(Shutdown::Write);
        }
    }

    fn peer_reset(&mut self, socket: u8) {
        if let Some(peer) = self.peers[usize::from(socket)].take() {
            // Closing with this set sends RST; a failure would be a plain close, which shows as another outcome.
            let _ = SockRef::from(&peer).set_linger(Some(Duration::ZERO));
        }
    }

    fn peer_close(&mut self, socket: u8) {
        self.peers[usize::from(socket)] = None;
    }
}

#[expect(clippy::disallowed_methods, reason = "the real kernel works in real time")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// The number of context switches of the other threads; `None` if one of them is awake.
fn switches_of_sleepers() -> io::Result<Option<u64>> {
    let own = fs::read_link("/proc/thread-self")?;
    let mut switches = 0;
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        if own.file_name() == Some(&entry.file_name()) {
            continue;
        }
        // A thread may have ended since.
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { return Ok(None) };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if field("State:").is_none_or(|state| !state.starts_with(['S', 'I'])) {
            return Ok(None);
        }
        for name in ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
            switches += field(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(Some(switches))
}
