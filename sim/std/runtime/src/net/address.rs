//! Addresses: between libc's structures and std's types.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads an address of `AF_INET` or `AF_INET6`. An IPv4 address in an IPv6 one counts as IPv4.
///
/// # Safety
/// `at` is valid for `size` bytes.
pub(crate) unsafe fn read(at: *const u8, size: u32) -> Result<SocketAddr, i32> {
    if (size as usize) < size_of::<libc::sa_family_t>() {
        return Err(libc::EINVAL);
    }
    // SAFETY: the caller's promise; the sizes are checked, and the reads need no alignment.
    unsafe {
        match i32::from(at.cast::<libc::sa_family_t>().read_unaligned()) {
            libc::AF_INET if size as usize >= size_of::<libc::sockaddr_in>() => {
                let address = at.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
                Ok(SocketAddr::from((ip, u16::from_be(address.sin_port))))
            }
            libc::AF_INET6 if size as usize >= size_of::<libc::sockaddr_in6>() => {
                let address = at.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(address.sin6_addr.s6_addr).to_canonical();
                Ok(SocketAddr::from((ip, u16::from_be(address.sin6_port))))
            }
            libc::AF_INET | libc::AF_INET6 => Err(libc::EINVAL),
            _ => Err(libc::EAFNOSUPPORT),
        }
    }
}

/// Writes an address in the form of this socket family: as many bytes as fit, and the full size.
///
/// # Safety
/// `size` is null or valid, and `at` is valid for `*size` bytes.
pub(crate) unsafe fn write(address: SocketAddr, is_v6: bool, at: *mut u8, size: *mut u32) {
    if at.is_null() || size.is_null() {
        return;
    }
    let port = address.port().to_be();
    let mut bytes = [0_u8; size_of::<libc::sockaddr_in6>()];
    let length = match (is_v6, address.ip()) {
        (false, IpAddr::V4(ip)) => {
            let ip = libc::in_addr { s_addr: u32::from(ip).to_be() };
            let family = libc::AF_INET as libc::sa_family_t;
            let address = libc::sockaddr_in { sin_family: family, sin_port: port, sin_addr: ip, sin_zero: [0; 8] };
            // SAFETY: the place is larger than the structure.
            unsafe { bytes.as_mut_ptr().cast::<libc::sockaddr_in>().write_unaligned(address) };
            size_of::<libc::sockaddr_in>()
        }
        (_, ip) => {
            let ip = match ip {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv6Addr::UNSPECIFIED,
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: port,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: the place has the size of the structure.
            unsafe { bytes.as_mut_ptr().cast::<libc::sockaddr_in6>().write_unaligned(address) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    // SAFETY: the caller's promise.
    unsafe {
        let fits = (size.read_unaligned() as usize).min(length);
        at.copy_from_nonoverlapping(bytes.as_ptr(), fits);
        size.write_unaligned(length as u32);
    }
}

/// Whether the run simulates this address: one of the loopback, or any of this machine's.
pub(crate) fn is_simulated(address: SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}
