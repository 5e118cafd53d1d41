//! The process of one test: started, watched, ended, and read.
//!
//! A process may die before it can report: by a signal, or by a time limit of this program or of the user. So it keeps
//! the number and the seed of its current run in a small shared file, from which this program learns what the process
//! was executing.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::Clock;
use crate::executable::Executable;
use crate::report::Report;
use crate::search::{self, Variables};
use lastref_cli::Stop;

/// Bytes of the shared file.
const PROGRESS_BYTES: usize = 4096;
/// Only this much of the output's end is kept, since a test may print without bound.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The longest time between two checks of the clock and the signals.
const LOOK: Duration = Duration::from_millis(20);
/// The time to wait for the output after the test has ended: a child process of the test may hold the output open.
const OUTPUT_WAIT: Duration = Duration::from_millis(200);

/// The time limits of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// After this time.
    pub(crate) timeout: Option<Duration>,
    /// After this time without a step of a run.
    pub(crate) hang: Duration,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that this program did not send.
    Signal(i32),
    TimedOut,
    Hung,
    /// A signal to this program.
    Stopped,
    /// The process could not be started or waited for.
    Failed(String),
}

/// The run and the step that a process had reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the run within its search; `None` in a replay, which executes one run.
    pub(crate) run: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) step: u64,
    /// The faults of the run, in the format of a token.
    pub(crate) faults: String,
}

impl Place {
    /// Identifies the run, in place of the runtime's token.
    pub(crate) fn token(&self) -> String {
        let separator = if self.faults.is_empty() { "" } else { ";" };
        format!("{:#x}{separator}{}", self.seed, self.faults)
    }

    /// ` in run 52`; empty in a replay.
    pub(crate) fn in_run(&self) -> String {
        self.run.map_or_else(String::new, |run| format!(" in run {run}"))
    }
}

/// The results of a process that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) ending: Ending,
    /// `None` if the process wrote no report; an error if its report is malformed.
    pub(crate) report: Result<Option<Report>, String>,
    /// `None` if no run had begun.
    pub(crate) place: Option<Place>,
    /// Whether the process spent most of its time in that run.
    pub(crate) is_stuck: bool,
    /// The end of stdout and stderr.
    pub(crate) output: String,
    pub(crate) seconds: f64,
}

impl Finished {
    /// Whether the harness found no test of the name that it was given. libtest then passes.
    pub(crate) fn ran_none(&self) -> bool {
        matches!(self.ending, Ending::Exited(0)) && self.output.contains("running 0 tests")
    }
}

/// Runs one test by its name, whether or not it has `#[ignore]`.
pub(crate) fn run(executable: &Executable, test: &str, variables: &Variables, limits: Limits, stop: &Stop) -> Finished {
    let clock = Clock::start();
    let arguments = ["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"];
    let ended = tempfile::tempdir().map_err(|error| error.to_string()).and_then(|folder| {
        let [report, progress] = [folder.path().join("report"), folder.path().join("progress")];
        std::fs::write(&progress, [0; PROGRESS_BYTES]).map_err(|error| error.to_string())?;
        let files = search::of_files(&report, &progress);
        let (ending, is_stuck, output) =
            watch(executable, &arguments, &[variables.as_slice(), &files].concat(), limits, stop, &progress)?;
        let text = match std::fs::read(&report) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        };
        Ok((ending, is_stuck, Report::last(&text), place(&progress), output))
    });
    let seconds = clock.seconds();
    match ended {
        Ok((ending, is_stuck, report, place, output)) => Finished { ending, report, place, is_stuck, output, seconds },
        Err(why) => {
            let (ending, output) = (Ending::Failed(why), String::new());
            Finished { ending, report: Ok(None), place: None, is_stuck: false, output, seconds }
        }
    }
}

/// Runs an executable with its own harness, outside the simulator.
pub(crate) fn run_whole(executable: &Executable, arguments: &[String], limits: Limits, stop: &Stop) -> Finished {
    let clock = Clock::start();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = watch(executable, &arguments, &[], limits, stop, Path::new(""));
    let seconds = clock.seconds();
    let (ending, _, output) = ended.unwrap_or_else(|why| (Ending::Failed(why), false, String::new()));
    Finished { ending, report: Ok(None), place: None, is_stuck: false, output, seconds }
}

/// What the process prints on stdout; `None` if it fails, or is killed after this time or by a signal to this program.
pub(crate) fn output_within(command: &mut Command, time: Duration) -> io::Result<Option<String>> {
    let (reader, writer) = std::io::pipe()?;
    ends_with_this_thread(command);
    let mut child = command.stdout(writer).process_group(0).spawn()?;
    // The command holds the writing end, and the reader would never see the end of the output.
    command.stdout(Stdio::null());
    let output = Output::read(reader, usize::MAX);
    let clock = Clock::start();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            // The process is in a group of its own, which Ctrl-C does not reach.
            None if clock.elapsed() >= time || output.is_err() || Stop::on_signals().is_asked() => break None,
            None => pause(Duration::from_millis(1)),
        }
    };
    kill(&child);
    child.wait()?;
    Ok(status.is_some_and(|status| status.success()).then_some(output?.text()))
}

/// Starts the process, and waits for its end or ends it.
fn watch(
    executable: &Executable,
    arguments: &[&str],
    variables: &[(&'static str, String)],
    limits: Limits,
    stop: &Stop,
    progress: &Path,
) -> Result<(Ending, bool, String), String> {
    let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
    let mut command = executable.command();
    command.args(arguments).stdout(writer.try_clone().map_err(|error| error.to_string())?).stderr(writer);
    for name in search::ALL {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    // The process gets its own group. Ctrl-C on the terminal then reaches only this program, which ends the group, so
    // that the children of a test end too.
    command.process_group(0);
    fix_addresses();
    ends_with_this_thread(&mut command);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    // The command holds the writing end, and the reader would never see the end of the output.
    drop(command);
    let output = match Output::read(reader, OUTPUT_BYTES_MAX) {
        Ok(output) => output,
        Err(error) => {
            kill(&child);
            let _ = child.wait();
            return Err(format!("no thread can be started: {error}"));
        }
    };
    let (ending, is_stuck) = wait(&mut child, limits, stop, progress, &output.closed);
    kill(&child);
    // The test may have left its group, and the wait below would never end. A process that has ended is no error.
    let _ = child.kill();
    // Reaps the process. An earlier failure of this call was already reported, so a second one is ignored.
    let _ = child.wait();
    Ok((ending, is_stuck, output.text()))
}

/// Makes the system kill the process when this thread ends: if this program is killed, it cannot end the process
/// itself.
#[expect(unsafe_code, reason = "no safe wrapper of this call is among the dependencies")]
fn ends_with_this_thread(command: &mut std::process::Command) {
    let own = std::process::id();
    // SAFETY: between fork and exec the closure makes two system calls, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // This program may have ended before the call.
            if libc::getppid() as u32 == own { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
        });
    }
}

/// Disables address randomisation for the processes that this thread starts: a program that hashes the address of a
/// static would otherwise behave differently in every process. A container may forbid the call. Most programs then
/// still replay, since the heap of a run has fixed addresses in any case.
#[expect(unsafe_code, reason = "no safe wrapper of this call is among the dependencies")]
fn fix_addresses() {
    // SAFETY: the call takes and returns a number, and changes a flag of this thread that only an `exec` reads.
    unsafe {
        let now = libc::personality(0xffff_ffff);
        if now >= 0 {
            libc::personality(now as libc::c_ulong | libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
        }
    }
}

/// Also returns whether the process was in one run for more than half of its time.
fn wait(child: &mut Child, limits: Limits, stop: &Stop, progress: &Path, closed: &Receiver<()>) -> (Ending, bool) {
    let clock = Clock::start();
    let mut last = (place(progress), clock);
    let mut run = (last.0.as_ref().map(|place| place.run), clock);
    let mut is_closed = false;
    loop {
        let is_stuck = run.0.is_some() && run.1.elapsed() * 2 > clock.elapsed();
        match child.try_wait() {
            Ok(Some(status)) => return (ending(status), is_stuck),
            Ok(None) => {}
            Err(error) => return (Ending::Failed(error.to_string()), is_stuck),
        }
        if stop.is_asked() {
            return (Ending::Stopped, is_stuck);
        }
        if limits.timeout.is_some_and(|timeout| clock.elapsed() >= timeout) {
            return (Ending::TimedOut, is_stuck);
        }
        let here = place(progress);
        let number = here.as_ref().map(|place| place.run);
        if number != run.0 {
            run = (number, Clock::start());
        }
        if here != last.0 {
            last = (here, Clock::start());
        } else if here.is_some() && last.1.elapsed() >= limits.hang {
            return (Ending::Hung, true);
        }
        // The output nearly always closes at the end of the process, and this wait notices it at once.
        match closed.recv_timeout(if is_closed { Duration::from_millis(1) } else { LOOK }) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) => is_closed = true,
            Err(RecvTimeoutError::Disconnected) => {
                is_closed = true;
                pause(Duration::from_millis(1));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a process of the system is waited for in the system's time")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Failed(status.to_string()),
    }
}

/// Ends the process and its children. It is not an error if none is left.
fn kill(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads the shared file: three numbers of 64 bits, then the length of a text and the text. All are zero before the
/// first run.
fn place(path: &Path) -> Option<Place> {
    let bytes = std::fs::read(path).ok()?;
    let number = |place: usize| bytes.get(place..place + 8)?.try_into().ok().map(u64::from_le_bytes);
    let length = usize::try_from(number(24)?).ok()?;
    let faults = bytes.get(32..32 + length).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
    let place = Place { run: Some(number(0)?), seed: number(8)?, step: number(16)?, faults };
    ((place.run, place.seed, place.step) != (Some(0), 0, 0)).then_some(place)
}

/// The output of a process, read by a thread so that a full pipe does not stop the process.
struct Output {
    kept: Arc<Mutex<VecDeque<u8>>>,
    closed: Receiver<()>,
}

impl Output {
    /// Keeps at most this many bytes of its end.
    fn read(mut reader: PipeReader, bytes_max: usize) -> io::Result<Output> {
        let kept: Arc<Mutex<VecDeque<u8>>> = Arc::default();
        let (sender, closed) = mpsc::channel();
        let ours = Arc::clone(&kept);
        std::thread::Builder::new().spawn(move || {
            let mut part = [0; 8 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut part) {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&part[..count]);
                let surplus = kept.len().saturating_sub(bytes_max);
                kept.drain(..surplus);
            }
            // The receiver no longer exists if the process ended first.
            let _ = sender.send(());
        })?;
        Ok(Output { kept, closed })
    }

    fn text(self) -> String {
        // It is closed, about to close, or held open by a child of the test; so the wait is bounded.
        let _ = self.closed.recv_timeout(OUTPUT_WAIT);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_in_time_has_no_output() {
        let output = |script: &str, ms: u64| {
            let mut command = Command::new("sh");
            output_within(command.args(["-c", script]), Duration::from_millis(ms)).unwrap()
        };
        assert_eq!(output("echo x", 60_000).as_deref(), Some("x\n"));
        assert_eq!(output("echo x; exit 1", 60_000), None);
        assert_eq!(output("echo x; sleep 60", 100), None);
    }

    #[test]
    fn a_place_is_three_numbers_and_none_before_the_first_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        assert_eq!(place(&path), None);
        let mut bytes = [0; PROGRESS_BYTES];
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(place(&path), None);
        bytes[0] = 3;
        bytes[9] = 1;
        bytes[16] = 7;
        std::fs::write(&path, bytes).unwrap();
        let faults = String::new();
        assert_eq!(place(&path), Some(Place { run: Some(3), seed: 256, step: 7, faults }));
        bytes[24] = 11;
        bytes[32..43].copy_from_slice(b"reset@0.c.1");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(place(&path).map(|place| place.token()).as_deref(), Some("0x100;reset@0.c.1"));
        std::fs::write(&path, &bytes[..20]).unwrap();
        assert_eq!(place(&path), None);
    }
}
