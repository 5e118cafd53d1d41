//! Calls that change or list the file system by a path. They are the system's, and the setting `--outside` decides
//! whether they are allowed, as it does for files that are opened (`super::names`).
//!
//! A call that only asks, such as `stat` or `readlink`, is not noticed: it leaves nothing behind for a later run.

use std::os::raw::c_char;

use super::names::notes_file;
use super::opened::mark_file;
use super::outside::glibc;
use super::{raw, result_of};
use crate::run::current;

/// Functions that note their paths and then make the system call of the same arguments.
macro_rules! noted {
    ($( $name:ident($( $argument:ident: $type:ty ),*) = $number:ident, notes $( $path:ident ),+; )*) => {
        $(
            /// # Safety
            /// As for libc's.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($( $argument: $type ),*) -> i32 {
                let mut args = [0_usize; 6];
                for (place, argument) in args.iter_mut().zip([$( $argument as usize ),*]) {
                    *place = argument;
                }
                // SAFETY: the caller's promise.
                unsafe {
                    $( notes_file($path); )+
                    result_of(raw(libc::$number, args)) as i32
                }
            }
        )*
    };
}

noted! {
    mkdir(path: *const c_char, mode: u32) = SYS_mkdir, notes path;
    mkdirat(folder: i32, path: *const c_char, mode: u32) = SYS_mkdirat, notes path;
    rmdir(path: *const c_char) = SYS_rmdir, notes path;
    unlink(path: *const c_char) = SYS_unlink, notes path;
    unlinkat(folder: i32, path: *const c_char, flags: i32) = SYS_unlinkat, notes path;
    rename(from: *const c_char, to: *const c_char) = SYS_rename, notes from, to;
    renameat(from_folder: i32, from: *const c_char, to_folder: i32, to: *const c_char) = SYS_renameat, notes from, to;
    renameat2(from_folder: i32, from: *const c_char, to_folder: i32, to: *const c_char, flags: u32) = SYS_renameat2,
        notes from, to;
    link(from: *const c_char, to: *const c_char) = SYS_link, notes from, to;
    linkat(from_folder: i32, from: *const c_char, to_folder: i32, to: *const c_char, flags: i32) = SYS_linkat,
        notes from, to;
    symlink(target: *const c_char, path: *const c_char) = SYS_symlink, notes path;
    symlinkat(target: *const c_char, folder: i32, path: *const c_char) = SYS_symlinkat, notes path;
    chmod(path: *const c_char, mode: u32) = SYS_chmod, notes path;
    chown(path: *const c_char, owner: u32, group: u32) = SYS_chown, notes path;
    lchown(path: *const c_char, owner: u32, group: u32) = SYS_lchown, notes path;
    fchownat(folder: i32, path: *const c_char, owner: u32, group: u32, flags: i32) = SYS_fchownat, notes path;
    truncate(path: *const c_char, size: i64) = SYS_truncate, notes path;
    truncate64(path: *const c_char, size: i64) = SYS_truncate, notes path;
}

/// The system call has no flags, so this is glibc's function.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fchmodat(folder: i32, path: *const c_char, mode: u32, flags: i32) -> i32 {
    type Fchmodat = unsafe extern "C" fn(i32, *const c_char, u32, i32) -> i32;
    // SAFETY: this is the type of glibc's function; the caller's promise.
    unsafe {
        notes_file(path);
        std::mem::transmute::<*mut libc::c_void, Fchmodat>(glibc(c"fchmodat"))(folder, path, mode, flags)
    }
}

/// The descriptor of a folder that the run leaves open is closed at its end.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    type Opendir = unsafe extern "C" fn(*const c_char) -> *mut libc::DIR;
    // SAFETY: this is the type of glibc's function; the caller's promise.
    unsafe {
        notes_file(path);
        let folder = std::mem::transmute::<*mut libc::c_void, Opendir>(glibc(c"opendir"))(path);
        if !folder.is_null() && current().is_some() {
            mark_file(libc::dirfd(folder) as isize, true);
        }
        folder
    }
}
