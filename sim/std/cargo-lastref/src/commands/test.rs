//! `cargo lastref test`: builds the tests, runs each in its own process, and reports the findings.

use std::fmt::Write;
use std::time::Duration;

use clap::Parser;

use crate::answer::{Answer, Exit, clap_answer};
use crate::args::TestArguments;
use crate::cargo_flags::Kind;
use crate::clock::Clock;
use crate::environment;
use crate::error::Error;
use crate::executable::{self, Executable, Listing};
use crate::finding::{self, Replay};
use crate::harness_flags::HarnessFlags;
use crate::json::{self, Tested};
use crate::outcome::{Outcome, Status};
use crate::process::Limits;
use crate::progress::{self, Progress, count};
use crate::project::Project;
use crate::queue::{Item, Plan};
use crate::search;
use crate::table::Rows;
use crate::terminal::{BAD, GOOD, styled};
use lastref_cli::Stop;

use super::{doc_tests, shortest};

/// The number of findings that are shrunk and shown in full. The others have a line and a token.
const SHOWN: usize = 5;
/// The total time for shrinking these: a search ends soon after its last test, however many findings it has.
const SHRINK_TIME: Duration = Duration::from_secs(10);

/// Builds the tests and runs them.
pub(crate) fn test(arguments: &TestArguments) -> Result<Answer, Error> {
    let mut harness = match HarnessFlags::try_parse_from(&arguments.rest) {
        Ok(harness) => harness,
        Err(error) => return Ok(clap_answer(&error)),
    };
    harness.filters.splice(0..0, arguments.filter.clone());
    let stop = Stop::on_signals();
    let flags = &arguments.cargo.given;
    if flags.has("doc") && (arguments.no_run || flags.selects_targets()) {
        let why = "`--doc` cannot be combined with `--no-run`, or with a flag that selects other targets";
        return Err(Error::Project(String::from(why)));
    }
    let project = Project::open(flags, Kind::Test)?;
    let clock = Clock::start();
    if flags.has("doc") {
        let doc_tests = Some(doc_tests::run(&project, flags, &[], &harness)?);
        let tested =
            All { outcomes: Vec::new(), doc_tests, stopped: stop.signal().map(Exit::from), seconds: clock.seconds() };
        return Ok(tested.answer(arguments));
    }
    let mut cargo = flags.arguments();
    cargo.extend(arguments.jobs.iter().flat_map(|jobs| [String::from("--jobs"), jobs.to_string()]));
    let built = executable::build(&project, &cargo, stop)?;
    if arguments.no_run {
        return Ok(Answer::new(String::new(), Exit::Clean));
    }
    let items = items(&built.executables, &harness)?;
    if harness.list {
        return Ok(Answer::new(list(&built.executables, &items), Exit::Clean));
    }
    let clock = Clock::start();
    let mut outcomes = search(arguments, &built.executables, &items, &harness, stop);
    if !arguments.no_shrink {
        shorten(&mut outcomes, &built.executables, &items, arguments, stop);
    }
    let has_failed = outcomes.iter().any(|outcome| outcome.status.is_bad());
    let wants_doc_tests = !flags.selects_targets() && !built.with_doc_tests.is_empty() && !stop.is_asked();
    let doc_tests = match wants_doc_tests && (arguments.no_fail_fast || !has_failed) {
        true => Some(doc_tests::run(&project, flags, &built.with_doc_tests, &harness)?),
        false => None,
    };
    let tested = All { outcomes, doc_tests, stopped: stop.signal().map(Exit::from), seconds: clock.seconds() };
    Ok(tested.answer(arguments))
}

/// The flags that a replay of a finding must repeat.
fn replay(arguments: &TestArguments) -> Replay {
    let mut flags = arguments.cargo.given.of_code();
    flags.extend(search::flags(&arguments.search.settings));
    Replay { flags }
}

/// The tests that are chosen, in the order of the executables.
fn items(executables: &[Executable], harness: &HarnessFlags) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for (executable, it) in executables.iter().enumerate() {
        match it.list(harness)? {
            Listing::Tests(tests) => items.extend(tests.into_iter().map(|test| Item {
                executable,
                test: Some(test.name),
                is_ignored: test.is_ignored,
            })),
            Listing::OwnHarness => items.push(Item { executable, test: None, is_ignored: false }),
        }
    }
    Ok(items)
}

/// The names of the tests, one a line.
fn list(executables: &[Executable], items: &[Item]) -> String {
    let line = |item: &Item| {
        let id = executables[item.executable].id();
        let name = item.test.as_deref().unwrap_or(crate::queue::WHOLE);
        format!("{id} {name}{}\n", if item.is_ignored { " (ignored)" } else { "" })
    };
    items.iter().map(line).collect()
}

/// Runs the tests, and prints a line for each as it ends.
fn search(
    arguments: &TestArguments,
    executables: &[Executable],
    items: &[Item],
    harness: &HarnessFlags,
    stop: &Stop,
) -> Vec<Outcome> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        executables,
        variables: search::of_search(&arguments.search),
        limits: Limits { timeout: arguments.timeout, hang: arguments.hang.hang },
        // `--jobs 8 -- --test-threads=1` builds with eight jobs, and runs one test at a time.
        jobs: harness.test_threads.or(arguments.jobs).or_else(threads_of_environment).unwrap_or_else(cores),
        fail_fast: !arguments.no_fail_fast,
        harness,
    };
    let wanted = items.iter().filter(|item| !item.is_ignored).count();
    let progress = Progress::new(items.len());
    progress.say(&format!(
        "{} {} in {}: {}, seed {}, strategy {}",
        styled(GOOD, &format!("{:>12}", "Searching")),
        count(wanted as u64, "test"),
        count(executables.len() as u64, "executable"),
        extent(arguments),
        arguments.search.seed,
        arguments.search.settings.strategy
    ));
    let outcomes = plan.run(items, &progress, stop);
    progress.clear();
    if harness.nocapture {
        for outcome in outcomes.iter().filter(|outcome| !outcome.output.is_empty()) {
            progress.say(&format!("--- output of {}\n{}", outcome.name(), outcome.output.trim_end()));
        }
    }
    outcomes
}

/// The number of tests at once that libtest takes from the environment.
fn threads_of_environment() -> Option<usize> {
    environment::text("RUST_TEST_THREADS")?.parse::<usize>().ok().filter(|threads| *threads > 0)
}

/// `1000 schedules each`, `5s each`.
fn extent(arguments: &TestArguments) -> String {
    let time = arguments.search.time.map(|time| humantime::format_duration(time).to_string());
    let schedules = (arguments.search.schedules() < u64::MAX).then(|| count(arguments.search.schedules(), "schedule"));
    let parts: Vec<String> = schedules.into_iter().chain(time).collect();
    format!("{} each", parts.join(" or "))
}

/// Looks for a shorter run of each of the first findings.
fn shorten(
    outcomes: &mut [Outcome],
    executables: &[Executable],
    items: &[Item],
    arguments: &TestArguments,
    stop: &Stop,
) {
    let findings = outcomes.iter_mut().zip(items).filter(|(outcome, _)| outcome.status == Status::Finding);
    let findings: Vec<_> = findings.take(SHOWN).collect();
    let time = SHRINK_TIME / u32::try_from(findings.len()).unwrap_or(1).max(1);
    for (outcome, item) in findings {
        if !stop.is_asked() {
            shortest::add(outcome, &executables[item.executable], &arguments.search.settings, time, stop);
        }
    }
}

/// All outcomes of a search.
struct All {
    outcomes: Vec<Outcome>,
    doc_tests: Option<bool>,
    stopped: Option<Exit>,
    seconds: f64,
}

impl All {
    fn answer(&self, arguments: &TestArguments) -> Answer {
        let stdout = if arguments.json { self.json() } else { self.text(&replay(arguments)) };
        let remarks = self.warning(arguments).into_iter().chain(self.incomplete()).collect();
        Answer { remarks, ..Answer::new(stdout, self.exit()) }
    }

    /// A warning if faults were requested and no run had one: such a search tested no fault. With `--faults` it covers
    /// the whole search, otherwise the tests that name faults themselves.
    fn warning(&self, arguments: &TestArguments) -> Option<String> {
        let Some(plan) = &arguments.search.faults else {
            let without: Vec<String> =
                self.outcomes.iter().filter(|outcome| outcome.had_no_fault()).map(Outcome::name).collect();
            return (!without.is_empty()).then(|| {
                format!(
                    "cargo lastref: warning: no fault of the test's own plan happened in any run: {}",
                    without.join(", ")
                )
            });
        };
        let mut with_faults = self.outcomes.iter().filter_map(|outcome| outcome.report.faults.as_ref()).peekable();
        let has_none = with_faults.peek().is_some() && with_faults.all(|faults| faults.runs == 0);
        has_none.then(|| {
            format!(
                "cargo lastref: warning: --faults {plan}: no fault happened in any run, so this search shows no more than \
                 one without faults"
            )
        })
    }

    /// A warning if runs reached the bound on steps: such a search shows little.
    fn incomplete(&self) -> Option<String> {
        let cut: Vec<String> =
            self.outcomes.iter().filter(|outcome| outcome.status == Status::Skipped).map(Outcome::name).collect();
        (!cut.is_empty()).then(|| {
            format!(
                "cargo lastref: warning: the search is incomplete, since runs reached the bound on steps (--steps): {}",
                cut.join(", ")
            )
        })
    }

    fn exit(&self) -> Exit {
        let of_tests = self.outcomes.iter().map(|outcome| outcome.status.exit());
        let of_doc_tests = (self.doc_tests == Some(false)).then_some(Exit::Finding);
        of_tests.chain(of_doc_tests).chain(self.stopped).max().unwrap_or(Exit::Clean)
    }

    fn json(&self) -> String {
        json::line(&Tested {
            tests: self.outcomes.iter().map(json::Test::of).collect(),
            doc_tests: self.doc_tests,
            stopped: self.stopped.is_some(),
            exit_code: self.exit().code(),
            seconds: self.seconds,
        })
    }

    /// The findings in full, a line for each test that is not clean, and a summary.
    fn text(&self, replay: &Replay) -> String {
        let bad: Vec<&Outcome> = self.outcomes.iter().filter(|outcome| outcome.status.is_bad()).collect();
        let mut text = String::new();
        for outcome in bad.iter().take(SHOWN) {
            text.push_str(&finding::text(outcome, replay, Rows::Folded));
            text.push('\n');
        }
        if bad.len() > SHOWN {
            let _ = writeln!(text, "{} more:", bad.len() - SHOWN);
            for outcome in &bad[SHOWN..] {
                let _ = writeln!(text, "{}: {}", outcome.name(), finding::headline(outcome));
                if let Some(token) = &outcome.token {
                    let _ = writeln!(text, "  {}", replay.line("replay", token));
                }
            }
            text.push('\n');
        }
        for outcome in bad {
            let _ = writeln!(text, "{}", progress::line(outcome));
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let number =
            |wanted: &[Status]| self.outcomes.iter().filter(|outcome| wanted.contains(&outcome.status)).count() as u64;
        let mut parts = vec![format!("{} passed", number(&[Status::Passed, Status::PassedPlain]))];
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        add(number(&[Status::Finding]), "with a finding");
        add(number(&[Status::Failed]), "failed");
        add(number(&[Status::Died]), "died");
        add(number(&[Status::TimedOut]), "timed out");
        add(number(&[Status::Hung]), "hung");
        add(number(&[Status::NotDeterministic]), "not deterministic");
        add(number(&[Status::Misused]), "cannot be simulated");
        add(number(&[Status::Broken]), "broken");
        add(number(&[Status::Skipped]), "skipped at the bound on steps");
        add(number(&[Status::Ignored]), "ignored");
        add(number(&[Status::Interrupted]), "interrupted");
        add(number(&[Status::NotRun]), "not run");
        let skipped = number(&[Status::Skipped]);
        let style = if self.exit() == Exit::Clean && skipped == 0 { GOOD } else { BAD };
        let schedules: u64 = self.outcomes.iter().map(|outcome| outcome.report.schedules).sum();
        let mut line = format!(
            "{} [{:>8.3}s] {}: {}; {}",
            styled(style, &format!("{:>12}", "Summary")),
            self.seconds,
            count(self.outcomes.len() as u64, "test"),
            parts.join(", "),
            count(schedules, "schedule")
        );
        let plain = number(&[Status::PassedPlain]);
        if plain > 0 {
            let _ = write!(line, "; {plain} ran outside the simulator");
        }
        let no_choice = self.outcomes.iter().filter(|outcome| outcome.had_no_choice()).count() as u64;
        if no_choice > 0 {
            let _ = write!(line, "; {no_choice} had nothing to choose");
        }
        let no_fault = self.outcomes.iter().filter(|outcome| outcome.had_no_fault()).count() as u64;
        if no_fault > 0 {
            let _ = write!(line, "; {no_fault} had no fault");
        }
        match self.doc_tests {
            None => {}
            Some(true) => line.push_str("; doc tests passed"),
            Some(false) => line.push_str("; doc tests failed"),
        }
        if self.stopped.is_some() {
            line.push_str("; stopped");
        } else if number(&[Status::NotRun]) > 0 {
            line.push_str("; an earlier executable failed (--no-fail-fast runs the later ones)");
        }
        line
    }
}
