//! Host names, files and programs: the calls that lead out of the run.
//!
//! `localhost`, every name below it, and the names that `--host` lists resolve to loopback addresses without a lookup:
//! `localhost` itself is 127.0.0.1, and each other name has its own address, to which a listener of the run may bind.
//! The host `db` has the address of `db.localhost`. All other calls in this file go to the system, and the setting
//! `--outside` decides whether they are allowed.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::raw::c_char;

use lastref_kernel::record::Void;
use lastref_kernel::seed::fold_str;

use super::opened::mark_file;
use super::outside::glibc;
use super::{raw, result_of};
use crate::run::{Run, current};
use crate::settings::Outside;

/// The category of child processes.
pub(crate) const CHILDREN: &str = "child processes";
/// The category of connections to other machines.
pub(super) const MACHINES: &str = "other machines";
/// The categories whose actions have times that the seed does not determine.
pub(crate) const UNTIMED: [&str; 2] = [CHILDREN, MACHINES];

impl Run {
    /// Notes that the task uses something that is not simulated: `kind` is its category, `detail` the particular item.
    pub(super) fn goes_outside(&'static self, kind: &'static str, detail: &str) {
        self.host(|| {
            self.outside.borrow_mut().insert(kind);
            if kind == CHILDREN {
                self.has_spawned.set(true);
            }
            if self.outside_mode.get() == Outside::Refuse {
                let text = format!("the test uses {kind} (`{detail}`), which are not simulated (--outside refuse)");
                self.kernel.log(|log| log.note_void(Void::Misuse(text)));
                self.kernel.stop_here();
            }
        });
    }
}

/// The address of a name that needs no lookup. Case and a final dot are ignored. `hosts` are the names that `--host`
/// gives.
fn local_address(name: &str, is_v6: bool, hosts: &[String]) -> Option<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name == "localhost" {
        return Some(if is_v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    let below = name.strip_suffix(".localhost");
    let name = below.or_else(|| hosts.contains(&name).then_some(name.as_str()))?;
    let [a, b, c, ..] = fold_str(0x686f_7374, name).to_be_bytes();
    // The first byte is not 0, so that no name has the address of `localhost`.
    let ip = Ipv4Addr::new(127, a | 1, b, c.clamp(1, 254));
    // The loopback has one address of IPv6.
    Some(if is_v6 { ip.to_ipv6_mapped().into() } else { ip.into() })
}

type GetAddrInfo =
    unsafe extern "C" fn(*const c_char, *const c_char, *const libc::addrinfo, *mut *mut libc::addrinfo) -> i32;

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
) -> i32 {
    // SAFETY: this is the type of glibc's function.
    let getaddrinfo: GetAddrInfo = unsafe { std::mem::transmute(glibc(c"getaddrinfo")) };
    let Some(run) = current().filter(|_| !node.is_null()) else {
        // SAFETY: the caller's promise.
        return unsafe { getaddrinfo(node, service, hints, result) };
    };
    // SAFETY: the caller passes a text, and hints or null.
    let (name, is_v6) = unsafe {
        let name = CStr::from_ptr(node).to_str().unwrap_or("?");
        (name, hints.as_ref().is_some_and(|hints| hints.ai_family == libc::AF_INET6))
    };
    let is_number = name.parse::<IpAddr>().is_ok();
    let local = run.host(|| local_address(name, is_v6, &run.hosts.borrow()));
    if !is_number && local.is_none() {
        run.goes_outside("host names", name);
    }
    run.host(|| {
        let node = match local.map(|ip| CString::new(ip.to_string())) {
            Some(Ok(text)) => text,
            // SAFETY: the caller passes a text.
            _ => unsafe { CStr::from_ptr(node) }.to_owned(),
        };
        // SAFETY: the caller's promise; a number needs no lookup.
        unsafe { getaddrinfo(node.as_ptr(), service, hints, result) }
    })
}

/// Notes that a task uses a file. Devices, `/proc` and `/sys` do not count as files of the test.
///
/// # Safety
/// `path` is null or a text.
pub(super) unsafe fn notes_file(path: *const c_char) {
    let Some(run) = current().filter(|_| !path.is_null()) else { return };
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) }.to_str().unwrap_or("?");
    if !["/dev/", "/proc/", "/sys/"].iter().any(|start| path.starts_with(start)) {
        run.goes_outside("files", path);
    }
}

/// `open`: its third argument is optional, see `super::syscall`.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: i32, mode: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: i32, mode: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(folder: i32, path: *const c_char, flags: i32, mode: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { openat64(folder, path, flags, mode) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(folder: i32, path: *const c_char, flags: i32, mode: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        notes_file(path);
        let args = [folder as isize as usize, path.addr(), flags as usize, mode as usize, 0, 0];
        let opened = raw(libc::SYS_openat, args);
        if current().is_some() {
            mark_file(opened, true);
        }
        result_of(opened) as i32
    }
}

type PosixSpawn = unsafe extern "C" fn(
    *mut i32,
    *const c_char,
    *const libc::posix_spawn_file_actions_t,
    *const libc::posix_spawnattr_t,
    *const *mut c_char,
    *const *mut c_char,
) -> i32;

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    child: *mut i32,
    program: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    arguments: *const *mut c_char,
    variables: *const *mut c_char,
) -> i32 {
    if let Some(run) = current() {
        // SAFETY: the caller passes a text.
        run.goes_outside(CHILDREN, unsafe { CStr::from_ptr(program) }.to_str().unwrap_or("?"));
    }
    // SAFETY: this is the type of glibc's function.
    let posix_spawnp: PosixSpawn = unsafe { std::mem::transmute(glibc(c"posix_spawnp")) };
    // SAFETY: the caller's promise.
    unsafe { posix_spawnp(child, program, actions, attributes, arguments, variables) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_localhost_have_addresses_of_the_loopback() {
        let hosts = [String::from("redis")];
        let of = |name: &str| local_address(name, false, &hosts).map(|ip| ip.to_string());
        assert_eq!(of("localhost").as_deref(), Some("127.0.0.1"));
        assert_eq!((of("LOCALHOST"), of("localhost.")), (of("localhost"), of("localhost")));
        assert_eq!(of("DB.localhost."), of("db.localhost"));
        assert_eq!(of("example.org"), None);
        assert_eq!(of("Redis"), of("redis.localhost"));
        let [v4, v6] =
            [false, true].map(|is_v6| local_address("db.localhost", is_v6, &hosts).map(|ip| ip.to_canonical()));
        assert_eq!(v4, v6);
        let (one, other) = (of("db.localhost"), of("cache.localhost"));
        assert!(one.as_deref().is_some_and(|ip| ip.starts_with("127.")) && one != other, "{one:?} {other:?}");
    }
}
