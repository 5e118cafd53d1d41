//! The functions of a real libnng that the conformance driver calls, found by name in a shared library.
//!
//! All unsafe code of the conformance tests is here. NNG 1.x is a C library: sockets, contexts, listeners and pipes are
//! numbers in a struct of their own, aios and messages are pointers. The types below give each pointer one owner, and
//! the functions take them as the manual pages require: a message belongs to the library while it is on an aio, and to
//! the application after it is removed from the aio.
#![expect(unsafe_code, reason = "calls into a C library that is found at run time")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::Completion;
use super::script::Side;

/// `nng_socket`, `nng_ctx`, `nng_listener` or `nng_pipe`: each is a struct with a number in it, passed by value.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

type AioPointer = *mut c_void;
type MsgPointer = *mut c_void;

/// `NNG_PIPE_EV_ADD_POST`: the pipe is started.
const PIPE_ADDED: c_int = 1;
/// `NNG_PIPE_EV_REM_POST`: the pipe is gone.
const PIPE_REMOVED: c_int = 2;

/// An error that makes a library unusable.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The dynamic linker refuses it, or it lacks a function.
    #[error("cannot load {path}: {source}")]
    Load {
        /// The file.
        path: PathBuf,
        /// The dynamic linker's error.
        source: libloading::Error,
    },
    /// A version with another interface.
    #[error("{path} is NNG {version}; the driver supports only NNG 1")]
    Version {
        /// The file.
        path: PathBuf,
        /// `nng_version`.
        version: String,
    },
    /// NNG refuses a call that every script needs before its first step.
    #[error("{function} returns {rv}")]
    Refused {
        /// The function.
        function: &'static str,
        /// The function's return value.
        rv: c_int,
    },
}

macro_rules! functions {
    ($($name:ident: $symbol:literal fn($($argument:ty),*) $(-> $returned:ty)?;)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $returned)?,)*
        }

        impl Functions {
            fn find(library: &libloading::Library) -> Result<Functions, libloading::Error> {
                // SAFETY: the types are those of nng.h, the same in every version 1.
                unsafe { Ok(Functions { $($name: *library.get($symbol)?,)* }) }
            }
        }
    };
}

functions! {
    version: b"nng_version\0" fn() -> *const c_char;
    req0_open: b"nng_req0_open\0" fn(*mut Id) -> c_int;
    rep0_open: b"nng_rep0_open\0" fn(*mut Id) -> c_int;
    socket_set_ms: b"nng_socket_set_ms\0" fn(Id, *const c_char, i32) -> c_int;
    listen: b"nng_listen\0" fn(Id, *const c_char, *mut Id, c_int) -> c_int;
    listener_get_int: b"nng_listener_get_int\0" fn(Id, *const c_char, *mut c_int) -> c_int;
    dial: b"nng_dial\0" fn(Id, *const c_char, *mut Id, c_int) -> c_int;
    close: b"nng_close\0" fn(Id) -> c_int;
    pipe_notify: b"nng_pipe_notify\0" fn(Id, c_int, extern "C" fn(Id, c_int, *mut c_void), *mut c_void) -> c_int;
    pipe_close: b"nng_pipe_close\0" fn(Id) -> c_int;
    ctx_open: b"nng_ctx_open\0" fn(*mut Id, Id) -> c_int;
    ctx_close: b"nng_ctx_close\0" fn(Id) -> c_int;
    ctx_set_ms: b"nng_ctx_set_ms\0" fn(Id, *const c_char, i32) -> c_int;
    ctx_send: b"nng_ctx_send\0" fn(Id, AioPointer);
    ctx_recv: b"nng_ctx_recv\0" fn(Id, AioPointer);
    aio_alloc: b"nng_aio_alloc\0" fn(*mut AioPointer, extern "C" fn(*mut c_void), *mut c_void) -> c_int;
    aio_free: b"nng_aio_free\0" fn(AioPointer);
    aio_abort: b"nng_aio_abort\0" fn(AioPointer, c_int);
    aio_cancel: b"nng_aio_cancel\0" fn(AioPointer);
    aio_stop: b"nng_aio_stop\0" fn(AioPointer);
    aio_wait: b"nng_aio_wait\0" fn(AioPointer);
    aio_result: b"nng_aio_result\0" fn(AioPointer) -> c_int;
    aio_set_timeout: b"nng_aio_set_timeout\0" fn(AioPointer, i32);
    aio_set_msg: b"nng_aio_set_msg\0" fn(AioPointer, MsgPointer);
    aio_get_msg: b"nng_aio_get_msg\0" fn(AioPointer) -> MsgPointer;
    msg_alloc: b"nng_msg_alloc\0" fn(*mut MsgPointer, usize) -> c_int;
    msg_free: b"nng_msg_free\0" fn(MsgPointer);
    msg_append_u32: b"nng_msg_append_u32\0" fn(MsgPointer, u32) -> c_int;
    msg_body: b"nng_msg_body\0" fn(MsgPointer) -> *const u8;
    msg_len: b"nng_msg_len\0" fn(MsgPointer) -> usize;
}

/// A loaded library. It is never unloaded: its threads run until the process ends.
#[derive(Clone, Copy)]
pub(super) struct Nng(&'static Functions);

impl std::fmt::Debug for Nng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Nng").field(&self.version()).finish()
    }
}

impl Nng {
    /// Loads a shared library that has NNG's functions: libnng itself, or an extension module that exports them.
    ///
    /// # Errors
    /// If it cannot be loaded, or is not NNG 1.
    pub(super) fn load(path: &Path) -> Result<Nng, LoadError> {
        let refused = |source| LoadError::Load { path: path.to_owned(), source };
        // SAFETY: loading runs the library's initialisers, which libnng does not have. Symbols are bound when they are
        // called, so that an extension module loads without its interpreter.
        let library = unsafe {
            libloading::os::unix::Library::open(Some(path), libloading::os::unix::RTLD_LAZY).map_err(refused)?
        };
        let library = Box::leak(Box::new(libloading::Library::from(library)));
        let nng = Nng(Box::leak(Box::new(Functions::find(library).map_err(refused)?)));
        let version = nng.version();
        if version.starts_with("1.") { Ok(nng) } else { Err(LoadError::Version { path: path.to_owned(), version }) }
    }

    /// `nng_version`.
    pub(super) fn version(self) -> String {
        // SAFETY: nng_version returns a static string.
        unsafe { CStr::from_ptr((self.0.version)()).to_string_lossy().into_owned() }
    }

    /// `nng_req0_open` or `nng_rep0_open`.
    ///
    /// # Errors
    /// If NNG returns an error.
    pub(super) fn open(self, side: Side) -> Result<Id, LoadError> {
        let mut socket = Id(0);
        // SAFETY: `socket` is written.
        let (function, rv) = unsafe {
            match side {
                Side::Req => ("nng_req0_open", (self.0.req0_open)(&mut socket)),
                Side::Rep => ("nng_rep0_open", (self.0.rep0_open)(&mut socket)),
            }
        };
        done(function, rv).map(|()| socket)
    }

    /// `nng_socket_set_ms`.
    pub(super) fn set_ms(self, socket: Id, option: &CStr, ms: i32) -> u32 {
        // SAFETY: the option is a C string.
        code(unsafe { (self.0.socket_set_ms)(socket, option.as_ptr(), ms) })
    }

    /// `nng_ctx_set_ms`.
    pub(super) fn ctx_set_ms(self, ctx: Id, option: &CStr, ms: i32) -> u32 {
        // SAFETY: the option is a C string.
        code(unsafe { (self.0.ctx_set_ms)(ctx, option.as_ptr(), ms) })
    }

    /// `nng_listen` on a port of the loopback interface that the system chooses. Returns the address to dial.
    ///
    /// # Errors
    /// If NNG returns an error.
    pub(super) fn listen(self, socket: Id) -> Result<CString, LoadError> {
        let (mut listener, mut port) = (Id(0), 0);
        // SAFETY: both strings are C strings, both results are written.
        unsafe {
            let rv = (self.0.listen)(socket, c"tcp://127.0.0.1:0".as_ptr(), &mut listener, 0);
            done("nng_listen", rv)?;
            let rv = (self.0.listener_get_int)(listener, c"tcp-bound-port".as_ptr(), &mut port);
            done("nng_listener_get_int", rv)?;
        }
        Ok(CString::new(format!("tcp://127.0.0.1:{port}")).unwrap_or_default())
    }

    /// `nng_dial`: returns when the connection is established.
    pub(super) fn dial(self, socket: Id, address: &CStr) -> u32 {
        // SAFETY: the address is a C string, and no dialer is requested.
        code(unsafe { (self.0.dial)(socket, address.as_ptr(), std::ptr::null_mut(), 0) })
    }

    /// `nng_close`.
    pub(super) fn close(self, socket: Id) -> u32 {
        // SAFETY: a number, which may name nothing any more.
        code(unsafe { (self.0.close)(socket) })
    }

    /// `nng_pipe_notify`: keeps a list of the socket's pipes.
    ///
    /// # Errors
    /// If NNG returns an error.
    pub(super) fn watch_pipes(self, socket: Id) -> Result<Pipes, LoadError> {
        let pipes: &'static Mutex<Vec<Id>> = Box::leak(Box::default());
        let argument = std::ptr::from_ref(pipes).cast_mut().cast();
        for event in [PIPE_ADDED, PIPE_REMOVED] {
            // SAFETY: the argument lives as long as the process and has the type that the callback expects.
            done("nng_pipe_notify", unsafe { (self.0.pipe_notify)(socket, event, pipe_event, argument) })?;
        }
        Ok(Pipes(pipes))
    }

    /// `nng_pipe_close`.
    pub(super) fn close_pipe(self, pipe: Id) {
        // SAFETY: a number. A pipe that is gone already is refused.
        unsafe { (self.0.pipe_close)(pipe) };
    }

    /// `nng_ctx_open`.
    ///
    /// # Errors
    /// The code that NNG returns.
    pub(super) fn ctx_open(self, socket: Id) -> Result<Id, u32> {
        let mut ctx = Id(0);
        // SAFETY: `ctx` is written.
        match code(unsafe { (self.0.ctx_open)(&mut ctx, socket) }) {
            0 => Ok(ctx),
            rv => Err(rv),
        }
    }

    /// `nng_ctx_close`.
    pub(super) fn ctx_close(self, ctx: Id) -> u32 {
        // SAFETY: a number, which may name nothing any more.
        code(unsafe { (self.0.ctx_close)(ctx) })
    }

    /// A message whose body is the tag.
    ///
    /// # Errors
    /// If NNG returns an error.
    pub(super) fn message(self, tag: u32) -> Result<Message, LoadError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written before it is used.
        unsafe {
            done("nng_msg_alloc", (self.0.msg_alloc)(&mut raw, 0))?;
            done("nng_msg_append_u32", (self.0.msg_append_u32)(raw, tag))?;
        }
        Ok(Message { nng: self, raw })
    }
}

/// The callback of `nng_pipe_notify`.
extern "C" fn pipe_event(pipe: Id, event: c_int, argument: *mut c_void) {
    // SAFETY: the argument is the list that `watch_pipes` leaked.
    let pipes = unsafe { &*argument.cast::<Mutex<Vec<Id>>>() };
    let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
    pipes.retain(|listed| *listed != pipe);
    if event == PIPE_ADDED {
        pipes.push(pipe);
    }
}

/// The pipes of a socket, the oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pipes(&'static Mutex<Vec<Id>>);

impl Pipes {
    /// The pipes that exist now.
    pub(super) fn now(self) -> Vec<Id> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A message that belongs to the application.
#[derive(Debug)]
pub(super) struct Message {
    nng: Nng,
    raw: MsgPointer,
}

// SAFETY: a message has one owner, and NNG hands it from thread to thread itself.
unsafe impl Send for Message {}

impl Message {
    /// The tag; `None` if the body is not a tag.
    pub(super) fn tag(&self) -> Option<u32> {
        // SAFETY: the message is the application's, and its body has the length that NNG says.
        let body =
            unsafe { std::slice::from_raw_parts((self.nng.0.msg_body)(self.raw), (self.nng.0.msg_len)(self.raw)) };
        body.try_into().ok().map(u32::from_be_bytes)
    }

    /// `nng_msg_free`.
    pub(super) fn free(self) {
        // SAFETY: the message is the application's, and is not used after this call.
        unsafe { (self.nng.0.msg_free)(self.raw) };
    }
}

/// The list to which callbacks append their observations.
pub(super) type Completions = Arc<Mutex<Vec<Completion<Message>>>>;

/// The argument of a callback. Leaked: NNG may read it until the aio is freed, and a script has few.
struct Callback {
    nng: Nng,
    number: usize,
    aio: Mutex<AioAddress>,
    completions: Completions,
}

struct AioAddress(AioPointer);

// SAFETY: an aio may be used from any thread.
unsafe impl Send for AioAddress {}

/// An aio whose callback removes the message from it.
#[derive(Debug)]
pub(super) struct Aio {
    nng: Nng,
    raw: AioPointer,
}

impl Aio {
    /// `nng_aio_alloc`.
    ///
    /// # Errors
    /// If NNG returns an error.
    pub(super) fn alloc(nng: Nng, number: usize, completions: &Completions) -> Result<Aio, LoadError> {
        let aio = Mutex::new(AioAddress(std::ptr::null_mut()));
        let callback: &'static Callback =
            Box::leak(Box::new(Callback { nng, number, aio, completions: Arc::clone(completions) }));
        let (mut raw, argument) = (std::ptr::null_mut(), std::ptr::from_ref(callback).cast_mut().cast());
        // SAFETY: `raw` is written; the argument lives as long as the process.
        done("nng_aio_alloc", unsafe { (nng.0.aio_alloc)(&mut raw, completed, argument) })?;
        callback.aio.lock().unwrap_or_else(PoisonError::into_inner).0 = raw;
        Ok(Aio { nng, raw })
    }

    /// `nng_ctx_send`, with or without a message.
    pub(super) fn send(&self, ctx: Id, timeout: i32, message: Option<Message>) {
        // SAFETY: the aio is idle; the message is the library's from here on.
        unsafe {
            (self.nng.0.aio_set_timeout)(self.raw, timeout);
            if let Some(message) = message {
                (self.nng.0.aio_set_msg)(self.raw, message.raw);
            }
            (self.nng.0.ctx_send)(ctx, self.raw);
        }
    }

    /// `nng_ctx_recv`.
    pub(super) fn recv(&self, ctx: Id, timeout: i32) {
        // SAFETY: the aio is idle.
        unsafe {
            (self.nng.0.aio_set_timeout)(self.raw, timeout);
            (self.nng.0.ctx_recv)(ctx, self.raw);
        }
    }

    /// `nng_aio_abort`.
    pub(super) fn abort(&self, error: u32) {
        // SAFETY: the aio is there until `free`.
        unsafe { (self.nng.0.aio_abort)(self.raw, error.cast_signed()) };
    }

    /// `nng_aio_cancel`.
    pub(super) fn cancel(&self) {
        // SAFETY: the aio is there until `free`.
        unsafe { (self.nng.0.aio_cancel)(self.raw) };
    }

    /// `nng_aio_stop`.
    pub(super) fn stop(&self) {
        // SAFETY: the aio is there until `free`, and this is not its callback.
        unsafe { (self.nng.0.aio_stop)(self.raw) };
    }

    /// `nng_aio_wait`.
    pub(super) fn wait(&self) {
        // SAFETY: the aio is there until `free`, and this is not its callback.
        unsafe { (self.nng.0.aio_wait)(self.raw) };
    }

    /// Whether the last operation has begun and its callback has not run: it then has no result yet, while a refused
    /// operation has one. (`nng_aio_busy` would report this, but versions before 1.6 do not have it.)
    pub(super) fn busy(&self) -> bool {
        // SAFETY: the aio is there until `free`.
        unsafe { (self.nng.0.aio_result)(self.raw) == 0 }
    }

    /// Returns the result, and removes and returns the aio's message.
    pub(super) fn outcome(&self) -> (u32, Option<Message>) {
        outcome(self.nng, self.raw)
    }

    /// `nng_aio_free`.
    pub(super) fn free(self) {
        // SAFETY: the aio is not used after this call, and this is not its callback.
        unsafe { (self.nng.0.aio_free)(self.raw) };
    }
}

extern "C" fn completed(argument: *mut c_void) {
    // SAFETY: the argument is the callback's that `alloc` leaked.
    let callback = unsafe { &*argument.cast::<Callback>() };
    let aio = callback.aio.lock().unwrap_or_else(PoisonError::into_inner).0;
    let (result, message) = outcome(callback.nng, aio);
    let completion = Completion { aio: callback.number, result, message };
    callback.completions.lock().unwrap_or_else(PoisonError::into_inner).push(completion);
}

fn outcome(nng: Nng, aio: AioPointer) -> (u32, Option<Message>) {
    // SAFETY: the aio has no operation under way, so that its result and message are the application's.
    let (result, raw) = unsafe {
        let outcome = ((nng.0.aio_result)(aio), (nng.0.aio_get_msg)(aio));
        (nng.0.aio_set_msg)(aio, std::ptr::null_mut());
        outcome
    };
    (code(result), (!raw.is_null()).then_some(Message { nng, raw }))
}

fn done(function: &'static str, rv: c_int) -> Result<(), LoadError> {
    if rv == 0 { Ok(()) } else { Err(LoadError::Refused { function, rv }) }
}

/// NNG's codes are not negative.
fn code(rv: c_int) -> u32 {
    rv.unsigned_abs()
}
