//! Socket options, stored as they are set. Those with an effect: the timeouts, `SO_LINGER` with 0 seconds, `SO_RCVBUF`,
//! `SO_SNDBUF`, `SO_REUSEPORT` and `IPV6_V6ONLY`. The flag `FD_CLOEXEC` of a descriptor has no effect.

use std::collections::BTreeMap;

use super::Network;
use super::sockets::State;

/// The options that were set, by level and name.
#[derive(Clone, Debug, Default)]
pub(super) struct Options(BTreeMap<(i32, i32), Vec<u8>>);

/// Default size of a receive buffer, and of a send buffer, in bytes. The two of a direction hold about what a loopback
/// connection of Linux accepts before a write blocks.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// The buffer sizes of a socket in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffers {
    pub(super) receive: usize,
    pub(super) send: usize,
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers { receive: BUFFER_BYTES, send: BUFFER_BYTES }
    }
}

/// An option has at most this many bytes.
const BYTES_MAX: usize = 64;

impl Options {
    pub(super) fn set(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), i32> {
        if value.len() > BYTES_MAX {
            return Err(libc::EINVAL);
        }
        if (level, name) == (libc::SOL_SOCKET, libc::SO_LINGER) && value.len() < size_of::<libc::linger>() {
            return Err(libc::EINVAL);
        }
        self.0.insert((level, name), value.to_vec());
        Ok(())
    }

    /// The value. An option that was not set has its initial value on Linux if it is listed here, otherwise 0.
    pub(super) fn get(&self, level: i32, name: i32) -> Vec<u8> {
        match (self.0.get(&(level, name)), level, name) {
            // Linux answers with the size that it has doubled.
            (Some(_), libc::SOL_SOCKET, libc::SO_RCVBUF | libc::SO_SNDBUF) => {
                let bytes = self.buffer_bytes(name).unwrap_or(0);
                i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes().to_vec()
            }
            (Some(value), ..) => value.clone(),
            (None, libc::SOL_SOCKET, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => vec![0; 16],
            (None, libc::SOL_SOCKET, libc::SO_LINGER) => vec![0; 8],
            (None, libc::IPPROTO_IP, libc::IP_TTL) | (None, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
                64_i32.to_ne_bytes().to_vec()
            }
            (None, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => 7_200_i32.to_ne_bytes().to_vec(),
            (None, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => 75_i32.to_ne_bytes().to_vec(),
            (None, libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => 9_i32.to_ne_bytes().to_vec(),
            (None, libc::IPPROTO_TCP, libc::TCP_QUICKACK) => 1_i32.to_ne_bytes().to_vec(),
            (None, libc::SOL_SOCKET, libc::SO_RCVBUF | libc::SO_SNDBUF) => (BUFFER_BYTES as i32).to_ne_bytes().to_vec(),
            _ => 0_i32.to_ne_bytes().to_vec(),
        }
    }

    fn number(&self, level: i32, name: i32) -> Option<i32> {
        let value = self.0.get(&(level, name))?;
        value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
    }

    pub(super) fn is_on(&self, level: i32, name: i32) -> bool {
        self.number(level, name).is_some_and(|value| value != 0)
    }

    /// A timeout in nanoseconds; `None` if there is none.
    pub(super) fn timeout_ns(&self, name: i32) -> Option<u64> {
        let value = self.0.get(&(libc::SOL_SOCKET, name))?;
        let word = |nth: usize| value.get(nth * 8..nth * 8 + 8)?.try_into().ok().map(u64::from_ne_bytes);
        let ns = word(0)?.saturating_mul(1_000_000_000).saturating_add(word(1)?.saturating_mul(1_000));
        (ns > 0).then_some(ns)
    }

    /// Whether a close sends RST, as `SO_LINGER` with 0 seconds demands.
    pub(super) fn resets(&self) -> bool {
        let linger = self.0.get(&(libc::SOL_SOCKET, libc::SO_LINGER));
        linger.is_some_and(|value| {
            value.first().is_some_and(|is_on| *is_on != 0) && value[4..].iter().all(|byte| *byte == 0)
        })
    }

    /// The sizes of both buffers.
    pub(super) fn buffers(&self) -> Buffers {
        let of = |name: i32| self.buffer_bytes(name).unwrap_or(BUFFER_BYTES);
        Buffers { receive: of(libc::SO_RCVBUF), send: of(libc::SO_SNDBUF) }
    }

    /// The requested size of a buffer, adjusted as Linux does.
    fn buffer_bytes(&self, name: i32) -> Option<usize> {
        // Linux doubles the requested size and enforces a minimum.
        let bytes = self.number(libc::SOL_SOCKET, name)?;
        Some(usize::try_from(bytes).unwrap_or(0).saturating_mul(2).max(4_608))
    }
}

impl Network {
    /// `setsockopt`.
    pub(crate) fn set_option(&mut self, descriptor: i32, level: i32, name: i32, value: &[u8]) -> Result<(), i32> {
        let file = self.file_mut(descriptor)?;
        file.options.set(level, name, value)?;
        let buffers = file.options.buffers();
        if let State::Stream { connection, end } = file.state {
            self.connections[connection].side_mut(end).buffers = buffers;
        }
        Ok(())
    }

    /// `getsockopt`.
    pub(crate) fn option(&mut self, descriptor: i32, level: i32, name: i32) -> Result<Vec<u8>, i32> {
        let file = self.file(descriptor)?;
        let number = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => match file.state {
                State::Stream { connection, end } => {
                    self.connections[connection].side_mut(end).error.take().unwrap_or(0)
                }
                _ => 0,
            },
            (libc::SOL_SOCKET, libc::SO_TYPE) => libc::SOCK_STREAM,
            (libc::SOL_SOCKET, libc::SO_DOMAIN) if file.is_v6 => libc::AF_INET6,
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => libc::AF_INET,
            (libc::SOL_SOCKET, libc::SO_PROTOCOL) => libc::IPPROTO_TCP,
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => i32::from(matches!(file.state, State::Listens { .. })),
            (libc::IPPROTO_TCP, libc::TCP_INFO) => return Err(libc::ENOPROTOOPT),
            _ => return Ok(file.options.get(level, name)),
        };
        Ok(number.to_ne_bytes().to_vec())
    }

    /// The timeout of reads or writes in nanoseconds, by the name of its option.
    pub(crate) fn timeout_ns(&self, descriptor: i32, name: i32) -> Option<u64> {
        self.file(descriptor).ok()?.options.timeout_ns(name)
    }

    /// The number of bytes that can be read.
    pub(crate) fn readable(&self, descriptor: i32) -> Result<usize, i32> {
        match self.file(descriptor)?.state {
            State::Stream { connection, end } => Ok(self.connections[connection].side(end).inbox.len()),
            State::Listens { .. } => Err(libc::EINVAL),
            State::Fresh | State::Outside(_) => Ok(0),
        }
    }

    /// Whether the descriptor lacks the flag `FD_CLOEXEC`. No child process gets it in any case.
    pub(crate) fn is_inherited(&self, descriptor: i32) -> bool {
        self.inherited.contains(&descriptor)
    }

    /// Removes the flag `FD_CLOEXEC`, or sets it. Called for each new descriptor.
    pub(crate) fn set_inherited(&mut self, descriptor: i32, is_inherited: bool) {
        if is_inherited {
            self.inherited.insert(descriptor);
        } else {
            self.inherited.remove(&descriptor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linger_that_is_too_short_is_refused() {
        let mut options = Options::default();
        assert_eq!(options.set(libc::SOL_SOCKET, libc::SO_LINGER, &[1, 0]), Err(libc::EINVAL));
        assert!(!options.resets());
        assert_eq!(options.set(libc::SOL_SOCKET, libc::SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]), Ok(()));
        assert!(options.resets());
    }

    #[test]
    fn the_size_of_a_buffer_is_twice_what_was_asked_for() {
        let mut options = Options::default();
        for name in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
            assert_eq!(options.set(libc::SOL_SOCKET, name, &65_536_i32.to_ne_bytes()), Ok(()));
            assert_eq!(options.get(libc::SOL_SOCKET, name), 131_072_i32.to_ne_bytes());
        }
    }
}
