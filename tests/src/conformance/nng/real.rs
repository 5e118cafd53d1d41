//! A real libnng as a [`Library`], each script in a process of its own.
//!
//! A script may crash the library, fail one of its assertions, or make it hang; this is then the observation. So the
//! command starts itself again for each script: the child reads the script from its standard input, runs it, and prints
//! the observations line by line.

use std::ffi::{CStr, CString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{Error, Missing, Outcome};
use super::driver::{Completion, Library, play};
use super::ffi::{Aio, Completions, Id, LoadError, Message, Nng, Pipes};
use super::script::{AIOS, CONTEXTS, Millis, Operation, Side, Step};
use super::settle::settle;

/// `NNG_OPT_REQ_RESENDTIME`.
const RESEND_TIME: &CStr = c"req:resend-time";
/// `NNG_OPT_RECONNMINT` and `NNG_OPT_RECONNMAXT`. A dialer that reconnects would undo steps of a script.
const RECONNECT: [&CStr; 2] = [c"reconnect-time-min", c"reconnect-time-max"];
/// File names of an installed libnng.
const NAMES: [&str; 2] = ["libnng.so.1", "libnng.so"];
/// Longer than any script.
const NEVER: Millis = 3_600_000;
/// Longer than each timeout of a script, shorter than its resend time.
const SLEEP: Duration = Duration::from_millis(800);
/// Longer than any script that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last line that the child prints if a script hangs.
const HANGS: &str = "hangs";

/// The command-line argument that makes a process the child.
pub const CHILD: &str = "nng-child";

/// A libnng that can be loaded.
#[derive(Debug)]
pub(super) struct Libnng {
    path: PathBuf,
}

impl Libnng {
    /// Finds the library: at `path`, or where the dynamic linker finds one.
    pub(super) fn find(path: Option<&Path>) -> Result<Libnng, Missing> {
        let named: Vec<&Path> = match path {
            Some(path) => vec![path],
            None => NAMES.iter().map(Path::new).collect(),
        };
        let mut whys = Vec::new();
        for path in named {
            match probe(path) {
                Ok(()) => return Ok(Libnng { path: path.to_owned() }),
                Err(why) => whys.push(why.to_string()),
            }
        }
        Err(Missing(format!("there is no libnng here ({}); --lib names one", whys.join("; "))))
    }
}

/// Loads the library in a process of its own, so that this one stays without its threads.
fn probe(path: &Path) -> Result<(), PlayError> {
    run(path, &[Step::End]).map(drop)
}

impl super::super::Real<Step> for Libnng {
    fn run(&mut self, script: &[Step]) -> Result<Outcome, Error> {
        run(&self.path, script).map_err(|error| Error::Real(error.to_string()))
    }
}

/// An error that prevents the run of a script.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The library cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The child's input is not a script.
    #[error("{0}")]
    Script(String),
    /// The child could not be started, or its pipes failed.
    #[error("{0}")]
    Process(#[from] io::Error),
}

/// Runs the script in a process of its own. The outcome has a text for each step; a dash stands for each step that the
/// library did not reach because it crashed or hung.
fn run(path: &Path, script: &[Step]) -> Result<Outcome, PlayError> {
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(CHILD).arg("--lib").arg(path);
    let mut process = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = process.stdin.take() {
        let lines: String = script.iter().map(|step| format!("{step}\n")).collect();
        stdin.write_all(lines.as_bytes())?;
    }
    let output = process.wait_with_output()?;
    let mut seen: Outcome = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    if output.status.code() == Some(UNUSABLE.into()) {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()).into());
    }
    if !output.status.success() && seen.last().is_none_or(|line| line != HANGS) {
        seen.push(format!("dies: {}", output.status));
    }
    seen.resize(script.len(), "-".to_owned());
    Ok(seen)
}

/// The exit code of a child that cannot use the library.
pub const UNUSABLE: u8 = 2;

/// The child: runs the script from the standard input, and prints the observations.
///
/// # Errors
/// If the library cannot be used, or the input is not a script.
pub fn child(path: &Path) -> Result<(), PlayError> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let script: Vec<Step> = text.lines().map(str::parse).collect::<Result<_, _>>().map_err(PlayError::Script)?;
    let mut real = Real::open(Nng::load(path)?)?;
    std::thread::spawn(give_up);
    let mut printed = Ok(());
    play(&mut real, &script, |outcome| {
        printed = writeln!(io::stdout(), "{outcome}").and_then(|()| io::stdout().flush());
        printed.is_ok()
    });
    Ok(printed?)
}

#[expect(clippy::disallowed_methods, reason = "a script that hangs is ended by the clock")]
fn give_up() {
    std::thread::sleep(PATIENCE);
    println!("{HANGS}");
    std::process::exit(1);
}

struct Real {
    nng: Nng,
    sockets: [Id; 2],
    pipes: [Pipes; 2],
    address: CString,
    contexts: [Option<Id>; CONTEXTS],
    aios: [Option<Aio>; AIOS],
    completions: Completions,
}

impl Real {
    fn open(nng: Nng) -> Result<Real, LoadError> {
        let sockets = [nng.open(Side::Req)?, nng.open(Side::Rep)?];
        let pipes = [nng.watch_pipes(sockets[0])?, nng.watch_pipes(sockets[1])?];
        for option in RECONNECT {
            nng.set_ms(sockets[0], option, NEVER);
        }
        let address = nng.listen(sockets[1])?;
        let completions = Completions::default();
        let mut aios = [const { None }; AIOS];
        for (number, aio) in aios.iter_mut().enumerate() {
            *aio = Some(Aio::alloc(nng, number, &completions)?);
        }
        Ok(Real { nng, sockets, pipes, address, contexts: [None; CONTEXTS], aios, completions })
    }

    fn aio(&self, number: usize) -> &Aio {
        match &self.aios[number] {
            Some(aio) => aio,
            None => unreachable!("invariant: an aio that is freed is replaced at once"),
        }
    }
}

impl Library for Real {
    type Message = Message;

    fn set_resend(&mut self, time: Millis) {
        self.nng.set_ms(self.sockets[0], RESEND_TIME, time);
    }

    fn set_resend_of(&mut self, ctx: usize, time: Millis) -> u32 {
        self.contexts[ctx].map_or(0, |ctx| self.nng.ctx_set_ms(ctx, RESEND_TIME, time))
    }

    fn open(&mut self, side: Side, ctx: usize) -> u32 {
        match self.nng.ctx_open(self.sockets[side as usize]) {
            Ok(opened) => {
                self.contexts[ctx] = Some(opened);
                0
            }
            Err(rv) => rv,
        }
    }

    fn connect(&mut self) -> u32 {
        self.nng.dial(self.sockets[0], &self.address)
    }

    fn close(&mut self, ctx: usize) -> u32 {
        self.contexts[ctx].map_or(0, |ctx| self.nng.ctx_close(ctx))
    }

    fn close_socket(&mut self, side: Side) -> u32 {
        self.nng.close(self.sockets[side as usize])
    }

    fn close_pipes(&mut self, side: Side) {
        self.pipes[side as usize].now().into_iter().for_each(|pipe| self.nng.close_pipe(pipe));
    }

    fn message(&mut self, tag: u32) -> Message {
        match self.nng.message(tag) {
            Ok(message) => message,
            Err(error) => panic!("a script needs messages: {error}"),
        }
    }

    fn tag(&mut self, message: &Message) -> u32 {
        message.tag().unwrap_or(u32::MAX)
    }

    fn free_message(&mut self, message: Message) {
        message.free();
    }

    fn send(&mut self, operation: Operation, message: Option<Message>) {
        if let Some(ctx) = self.contexts[operation.ctx] {
            self.aio(operation.aio).send(ctx, operation.timeout, message);
        }
    }

    fn recv(&mut self, operation: Operation) {
        if let Some(ctx) = self.contexts[operation.ctx] {
            self.aio(operation.aio).recv(ctx, operation.timeout);
        }
    }

    fn abort(&mut self, aio: usize, error: u32) {
        self.aio(aio).abort(error);
    }

    fn cancel(&mut self, aio: usize) {
        self.aio(aio).cancel();
    }

    fn stop(&mut self, aio: usize) {
        self.aio(aio).stop();
    }

    fn wait(&mut self, aio: usize) {
        self.aio(aio).wait();
    }

    fn free(&mut self, aio: usize) {
        self.aios[aio].take().into_iter().for_each(Aio::free);
        match Aio::alloc(self.nng, aio, &self.completions) {
            Ok(fresh) => self.aios[aio] = Some(fresh),
            Err(error) => panic!("a script needs its aios: {error}"),
        }
    }

    fn busy(&mut self, aio: usize) -> bool {
        self.aio(aio).busy()
    }

    fn outcome(&mut self, aio: usize) -> (u32, Option<Message>) {
        self.aio(aio).outcome()
    }

    fn settle(&mut self) {
        match settle() {
            Ok(true) => {}
            Ok(false) => panic!("the library does not settle: one of its threads keeps running"),
            Err(error) => panic!("cannot see whether the library has settled: {error}"),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a real library's timeouts take real time")]
    fn sleep(&mut self) {
        std::thread::sleep(SLEEP);
    }

    fn completions(&mut self) -> Vec<Completion<Message>> {
        std::mem::take(&mut *self.completions.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
