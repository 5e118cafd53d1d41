//! The report of a finding: its run is repeated with events and stacks recorded, and shrunk on request.

use std::fmt::Write as _;

use lastref_kernel::record::Keep;
use lastref_kernel::strategy::Switch;

use crate::execute::RunResult;
use crate::finding::{Finding, FindingKind};
use crate::report::{FoundRun, Report, Verdict, facts_of, rows_of};
use crate::search::{Found, Search};
use crate::settings::Settings;
use crate::token::{Choices, Token};

/// The maximum number of runs in shrinking.
const SHRINKS: usize = 2_000;

/// Fills the report with the finding.
pub(crate) fn report_finding(search: &Search, found: Found, report: &mut Report) {
    let Found { token, made, schedule } = found;
    let Some(mut kind) = kind_of(&made) else { return };
    // A run whose state has escaped cannot be repeated, since memory from before it has changed.
    let is_again = kind != FindingKind::EscapedState;
    let mut told = made;
    if is_again {
        let first = told;
        told = search.make_run(&token, Keep::Events, true);
        if kind_of(&told) != Some(kind) || told.hash != first.hash {
            let message = first.finding.map(|finding| finding.message).unwrap_or_default();
            report_difference(search, &token, schedule, report);
            let _ = write!(report.message, "; its first finding: {message}");
            return;
        }
    }
    let mut token = token;
    if search.config.shrinks && is_again {
        token = shrunk(search, token, kind, told.ended.switches.clone());
        told = search.make_run(&token, Keep::Events, false);
    }
    if let Some((guarded, precise)) = with_guards(search, &token, kind) {
        // The guarded run may have a finding of another kind: a panic becomes the use after free that causes it.
        kind = kind_of(&precise).unwrap_or(kind);
        (token, told) = (guarded, precise);
    }
    if let Some((fewer, made)) = with_fewer_faults(search, &token, kind) {
        (token, told) = (fewer, made);
    }
    if told.spurious > 0
        && let Some((without, made)) = without_weak_failures(search, &token, kind)
    {
        (token, told) = (without, made);
    }
    let early_timer_needed = is_again && needs_early_timer(search, &token, kind, told.has_passed);
    let Some(mut finding) = told.finding.take() else { return };
    if told.spurious > 0 {
        let text = format!("{} of compare_exchange_weak, as may occur on other processors", told.spurious);
        finding = finding.fact("spurious failures", text);
    }
    for fault in std::mem::take(&mut told.struck) {
        finding = finding.fact("fault", fault);
    }
    report.verdict = Verdict::Finding;
    report.message = finding.message.clone();
    let facts = facts_of(&finding);
    report.told = Some(FoundRun {
        kind: finding.kind.word(),
        facts,
        early_timer_needed,
        ..FoundRun::of(&token, schedule, &told)
    });
}

/// Reports a run whose repetition had a different trace, with the first event that differs.
pub(crate) fn report_difference(search: &Search, token: &Token, schedule: Option<u64>, report: &mut Report) {
    let [first, second] = [(); 2].map(|()| search.make_run(token, Keep::Events, false));
    let rows = [&first, &second].map(rows_of);
    let same = rows[0].iter().zip(&rows[1]).take_while(|(one, other)| one == other).count();
    let steps = rows.each_ref().map(|rows| rows.get(same).map(|row| row.step));
    let texts = rows.each_ref().map(|rows| rows.get(same).map_or("the run ends", |row| row.text.as_str()));
    let step = steps.into_iter().flatten().min();
    report.verdict = Verdict::NotDeterministic;
    let run = schedule.map_or_else(|| "the run".to_owned(), |schedule| format!("schedule {schedule}"));
    report.message = match step {
        Some(step) => format!("{run}, repeated, differs at step {step}: `{}`, then `{}`", texts[0], texts[1]),
        None => format!("{run} had a different trace when repeated, but further repetitions agreed"),
    };
    let mut told = FoundRun::of(token, schedule, &first);
    (told.kind, told.step) = ("difference", step.unwrap_or(first.finished.steps));
    report.told = Some(told);
}

impl FoundRun {
    /// Describes a run, without its finding.
    fn of(token: &Token, schedule: Option<u64>, made: &RunResult) -> FoundRun {
        FoundRun {
            kind: "",
            facts: Vec::new(),
            strategy: token.strategy(),
            seed: token.seed,
            schedule,
            step: made.finished.steps,
            token: token.to_string(),
            trace_hash: made.hash,
            tasks: made.finished.tasks.iter().map(|task| task.name.text.to_owned()).collect(),
            events: rows_of(made),
            settings: token.settings.to_string(),
            early_timer_needed: false,
        }
    }
}

fn kind_of(made: &RunResult) -> Option<FindingKind> {
    made.finding.as_ref().map(|finding: &Finding| finding.kind)
}

/// Repeats the run with guard pages, and returns it if it shows the access itself. Poison shows only that an access
/// happened.
fn with_guards(search: &Search, token: &Token, kind: FindingKind) -> Option<(Token, RunResult)> {
    if !kind.is_of_memory() || token.settings.guard || !token.settings.heap || token.pins.fix("guard") {
        return None;
    }
    let settings = Settings { guard: true, ..token.settings };
    let token = Token { settings, ..token.clone() };
    let made = search.make_run(&token, Keep::Events, false);
    let is_precise = matches!(kind_of(&made), Some(FindingKind::UseAfterFree | FindingKind::Overrun));
    is_precise.then_some((token, made))
}

/// The run without spurious failures of weak exchanges, if the finding does not need them: of the same seed, or with
/// the same switches, since the failures are among the draws of the seed.
fn without_weak_failures(search: &Search, token: &Token, kind: FindingKind) -> Option<(Token, RunResult)> {
    if token.pins.fix("weak") || kind == FindingKind::EscapedState {
        return None;
    }
    let switches = || search.make_run(token, Keep::Switches, false).ended.switches;
    let whole = Token { settings: Settings { weak: false, ..token.settings }, ..token.clone() };
    let finds = |token: &Token| kind_of(&search.make_run(token, Keep::Hash, false)) == Some(kind);
    let without = match &whole.choices {
        _ if finds(&whole) => whole,
        Choices::Switches(_) => return None,
        Choices::Strategy(_) => Token { choices: Choices::Switches(switches()), ..whole },
    };
    let made = search.make_run(&without, Keep::Events, false);
    (kind_of(&made) == Some(kind)).then_some((without, made))
}

/// The run of the same seed with only those faults that the finding needs. Faults that did not happen are dropped as
/// well.
fn with_fewer_faults(search: &Search, token: &Token, kind: FindingKind) -> Option<(Token, RunResult)> {
    let mut fewest = token.clone();
    let finds = |token: &Token| kind_of(&search.make_run(token, Keep::Hash, false)) == Some(kind);
    for nth in (0..token.faults.exact.len()).rev() {
        let mut fewer = fewest.clone();
        fewer.faults.exact.remove(nth);
        if finds(&fewer) {
            fewest = fewer;
        }
    }
    let mut whole = fewest.clone();
    whole.faults.short = false;
    if whole != fewest && finds(&whole) {
        fewest = whole;
    }
    (fewest != *token).then(|| {
        let made = search.make_run(&fewest, Keep::Events, false);
        (fewest, made)
    })
}

/// Whether the finding disappears if timers fire only while every task waits, and not because of the work of others.
/// Such a run would have another schedule, so it is forced to make the same switches.
fn needs_early_timer(search: &Search, token: &Token, kind: FindingKind, has_passed: bool) -> bool {
    if !token.explores_time && !has_passed {
        return false;
    }
    let switches = match &token.choices {
        Choices::Switches(switches) => switches.clone(),
        Choices::Strategy(_) => search.make_run(token, Keep::Switches, false).ended.switches,
    };
    let late = Token { explores_time: false, choices: Choices::Switches(switches), ..token.clone() };
    let tried = kind_of(&search.make_run_without_work(&late));
    // A run that ends only if time passes shows nothing.
    tried != Some(kind) && tried != Some(FindingKind::Stall)
}

/// Removes forced switches as long as the finding stays: first many at once, then single ones. Ends early, with the
/// shortest run so far, if the time of the search is used up.
fn shrunk(search: &Search, token: Token, kind: FindingKind, switches: Vec<Switch>) -> Token {
    let with = |switches: &[Switch]| Token { choices: Choices::Switches(switches.to_vec()), ..token.clone() };
    let finds = |switches: &[Switch]| kind_of(&search.make_run(&with(switches), Keep::Hash, false)) == Some(kind);
    let mut left = switches;
    // A strategy's choices and the forced switches should give the same run. If they do not, it cannot be shrunk.
    if !finds(&left) {
        return token;
    }
    let mut tries = 0;
    let mut is_over = false;
    let mut chunk = left.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut has_removed = false;
        while at < left.len() {
            is_over = tries >= SHRINKS || search.is_out_of_time();
            if is_over {
                break;
            }
            tries += 1;
            let end = (at + chunk).min(left.len());
            let fewer: Vec<Switch> = left[..at].iter().chain(&left[end..]).copied().collect();
            if finds(&fewer) {
                (left, has_removed) = (fewer, true);
            } else {
                at = end;
            }
        }
        if is_over || (chunk == 1 && !has_removed) {
            return with(&left);
        }
        chunk = (chunk / 2).max(1);
    }
}
