//! The writable memory of the program between runs: its data, and this OS thread's own block.
//!
//! A run begins with the statics as they were before the first run, and with the arena empty: a `static` that a run
//! fills is empty in the next one. The memory of other libraries, such as glibc, is not restored. Blocks
//! allocated before the first run are not restored either; `escape` looks for references from them into the arena.

use std::arch::asm;
use std::cell::RefCell;
use std::ptr;

use crate::environment::Environment;
use crate::libc_layer::{file, signals};

/// The unit of comparison and copying.
const LINE: usize = 256;

/// Ranges of memory, and their bytes before the first run.
pub(crate) struct Memory {
    parts: Vec<Part>,
    environment: RefCell<Environment>,
}

struct Part {
    start: usize,
    bytes: Vec<u8>,
}

impl Memory {
    /// Saves the present content of the memory, except for the ranges `kept`, which are addresses and lengths.
    pub(crate) fn note(kept: &[(usize, usize)]) -> Memory {
        let environment = Environment::note();
        file::note_start();
        signals::note_blocked();
        let mut kept = kept.to_vec();
        kept.sort_unstable();
        let mut parts = Vec::new();
        for (mut start, end) in ranges_of_program() {
            for (first, length) in &kept {
                if (start..end).contains(first) {
                    parts.push(Part::of(start, *first));
                    start = first + length;
                }
            }
            parts.push(Part::of(start, end));
        }
        Memory { parts, environment: RefCell::new(environment) }
    }

    /// Restores the memory. Called by host code on the thread that noted it.
    pub(crate) fn restore(&self) {
        self.environment.borrow_mut().restore();
        for part in &self.parts {
            for (nth, saved) in part.bytes.chunks(LINE).enumerate() {
                let at = ptr::with_exposed_provenance_mut::<u8>(part.start + nth * LINE);
                // SAFETY: the range is writable memory of the program. Only this thread executes runs; the others wait
                // for it. Nothing on this thread's stack refers to a value in it: it is host code of the search.
                unsafe {
                    // Most lines have not changed; a line that is not written stays clean.
                    if libc::memcmp(at.cast(), saved.as_ptr().cast(), saved.len()) != 0 {
                        at.copy_from_nonoverlapping(saved.as_ptr(), saved.len());
                    }
                }
            }
        }
    }

    /// The ranges, as addresses and lengths.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.parts.iter().map(|part| (part.start, part.bytes.len()))
    }
}

impl Part {
    fn of(start: usize, end: usize) -> Part {
        // SAFETY: the range is readable memory of the program.
        let bytes = unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(start), end - start) };
        Part { start, bytes: bytes.to_vec() }
    }
}

/// The ranges that the headers of the executable state.
#[derive(Default)]
struct Headers {
    writable: Vec<(usize, usize)>,
    /// Written by the dynamic linker only, and then protected.
    protected: Vec<(usize, usize)>,
    /// Size and alignment of a thread's block.
    thread: (usize, usize),
}

/// Reads the headers of the first object, the executable.
unsafe extern "C" fn read_headers(object: *mut libc::dl_phdr_info, _: usize, headers: *mut libc::c_void) -> i32 {
    // SAFETY: the dynamic linker passes a valid object, and the caller a valid place for the result.
    let (object, headers) = unsafe { (&*object, &mut *headers.cast::<Headers>()) };
    // SAFETY: the object has this many headers.
    let all = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    for header in all {
        let start = (object.dlpi_addr + header.p_vaddr) as usize;
        let end = start + header.p_memsz as usize;
        match header.p_type {
            libc::PT_LOAD if header.p_flags & libc::PF_W != 0 => headers.writable.push((start, end)),
            libc::PT_GNU_RELRO => headers.protected.push((start, end.next_multiple_of(4096))),
            libc::PT_TLS => headers.thread = (header.p_memsz as usize, (header.p_align as usize).max(1)),
            _ => {}
        }
    }
    1
}

/// Whether the address is in code or data of the program or of a library, or in this OS thread's own block. No
/// allocator returns such an address.
pub(crate) fn is_of_program(address: usize) -> bool {
    let (start, end) = range_of_thread();
    let mut place = (address, (start..end).contains(&address));
    // SAFETY: the function is called with the place that is passed here.
    unsafe { libc::dl_iterate_phdr(Some(find_address), (&raw mut place).cast()) };
    place.1
}

/// Looks for the address in one object, and ends the iteration if it is found.
unsafe extern "C" fn find_address(object: *mut libc::dl_phdr_info, _: usize, place: *mut libc::c_void) -> i32 {
    // SAFETY: the dynamic linker passes a valid object, and the caller a valid place for the result.
    let (object, (address, is_found)) = unsafe { (&*object, &mut *place.cast::<(usize, bool)>()) };
    // SAFETY: the object has this many headers.
    let all = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    let mut segments = all.iter().filter(|header| header.p_type == libc::PT_LOAD);
    *is_found |= segments.any(|header| {
        let start = (object.dlpi_addr + header.p_vaddr) as usize;
        (start..start + header.p_memsz as usize).contains(address)
    });
    i32::from(*is_found)
}

fn headers() -> Headers {
    let mut headers = Headers::default();
    // SAFETY: the function is called with the place that is passed here.
    unsafe { libc::dl_iterate_phdr(Some(read_headers), (&raw mut headers).cast()) };
    headers
}

/// The addresses of this OS thread's block. It ends at the thread's control block, to which the register `fs` points.
pub(crate) fn range_of_thread() -> (usize, usize) {
    let (size, align) = headers().thread;
    let end: usize;
    // SAFETY: on x86-64 Linux the first word of the control block is its own address.
    unsafe { asm!("mov {}, fs:[0]", out(reg) end, options(nostack, readonly)) };
    (end - size.next_multiple_of(align), end)
}

/// Writable data of the executable, and this thread's block.
pub(crate) fn ranges_of_program() -> Vec<(usize, usize)> {
    let Headers { writable, protected, .. } = headers();
    let mut ranges = Vec::new();
    for (start, end) in writable {
        match protected.iter().find(|(first, last)| *first < end && start < *last) {
            None => ranges.push((start, end)),
            Some((first, last)) => {
                ranges.extend([(start, *first), (*last, end)].into_iter().filter(|(from, to)| from < to));
            }
        }
    }
    ranges.push(range_of_thread());
    ranges
}
