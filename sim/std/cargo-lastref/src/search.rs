//! The environment variables that configure the runtime in the process of a test.

use std::path::Path;
use std::time::Duration;

use lastref_kernel::strategy::StrategyName;

use crate::args::{self, Outside, SearchArguments, SettingArguments};

/// The file to which the report of each test is appended, one JSON object a line.
const REPORT: &str = "LASTREF_REPORT";
/// The file that holds the current run, for a process that dies before it can report.
const PROGRESS: &str = "LASTREF_PROGRESS";

/// The time of a search in milliseconds.
pub(crate) const FOR_MS: &str = "LASTREF_FOR_MS";
/// The number of the run after which a search goes on in a new process.
pub(crate) const AFTER: &str = "LASTREF_AFTER";

/// Variables, without those that name a file.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// All variables of the interface. A process gets only the variables set here, and none that this program inherited.
pub(crate) const ALL: [&str; 16] = [
    "LASTREF_SCHEDULES",
    FOR_MS,
    AFTER,
    "LASTREF_SEED",
    "LASTREF_STRATEGY",
    "LASTREF_STEPS",
    "LASTREF_EXPLORE_TIME",
    "LASTREF_REPLAY",
    "LASTREF_RUN",
    "LASTREF_FAULTS",
    "LASTREF_OUTSIDE",
    "LASTREF_HOSTS",
    "LASTREF_SHRINK",
    "LASTREF_SETTINGS",
    REPORT,
    PROGRESS,
];

/// A search of many schedules.
pub(crate) fn of_search(search: &SearchArguments) -> Variables {
    let mut variables = of_settings(&search.settings);
    variables.push(("LASTREF_SCHEDULES", search.schedules().to_string()));
    variables.push(("LASTREF_SEED", search.seed.to_string()));
    if let Some(time) = search.time {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        variables.push((FOR_MS, milliseconds.to_string()));
    }
    variables.extend(search.faults.clone().map(|plan| ("LASTREF_FAULTS", plan)));
    variables
}

/// One run, named by the runtime's token, or by its seed alone if its process ended without a report. The runtime first
/// executes the reference runs of its strategy. So it also repeats a run that ended the process as a reference run.
pub(crate) fn of_replay(settings: &SettingArguments, run: &str) -> Variables {
    let mut variables = of_settings(settings);
    // `0x2a` or `0x2a;reset@0.c.12`.
    let (seed, faults) = run.split_once(';').unwrap_or((run, ""));
    match args::seed(seed) {
        Ok(seed) => {
            variables.push(("LASTREF_RUN", seed.to_string()));
            variables.push(("LASTREF_FAULTS", faults.replace(':', ",")));
        }
        Err(_) => variables.push(("LASTREF_REPLAY", run.to_owned())),
    }
    variables
}

/// A search for a run with the same finding and fewer switches. The process is ended after `time`, and loses its result
/// if it has not reported by then, so the search stops after three quarters of it.
pub(crate) fn of_shrink(settings: &SettingArguments, run: &str, time: Duration) -> Variables {
    let mut variables = of_replay(settings, run);
    variables.push((FOR_MS, (time.as_millis() * 3 / 4).to_string()));
    variables.push(("LASTREF_SHRINK", String::from("1")));
    variables
}

/// The files of one process.
pub(crate) fn of_files(report: &Path, progress: &Path) -> [(&'static str, String); 2] {
    [(REPORT, report.display().to_string()), (PROGRESS, progress.display().to_string())]
}

fn of_settings(settings: &SettingArguments) -> Variables {
    let mut variables = vec![
        ("LASTREF_STRATEGY", settings.strategy.to_string()),
        ("LASTREF_OUTSIDE", settings.outside.word().to_owned()),
        ("LASTREF_EXPLORE_TIME", u8::from(settings.explore_time).to_string()),
        ("LASTREF_HOSTS", settings.hosts.join(",")),
    ];
    variables.extend(settings.steps.map(|steps| ("LASTREF_STEPS", steps.to_string())));
    variables.extend(settings.settings.clone().map(|text| ("LASTREF_SETTINGS", text)));
    variables
}

/// The flags that reproduce the settings.
pub(crate) fn flags(settings: &SettingArguments) -> Vec<String> {
    let mut flags = Vec::new();
    if settings.strategy != StrategyName::MIX {
        flags.extend([String::from("--strategy"), settings.strategy.to_string()]);
    }
    flags.extend(settings.explore_time.then(|| String::from("--explore-time")));
    flags.extend(settings.steps.iter().flat_map(|steps| [String::from("--steps"), steps.to_string()]));
    if settings.outside != Outside::Warn {
        flags.extend([String::from("--outside"), settings.outside.word().to_owned()]);
    }
    flags.extend(settings.hosts.iter().flat_map(|name| [String::from("--host"), name.clone()]));
    flags.extend(settings.settings.iter().flat_map(|text| [String::from("--settings"), text.clone()]));
    flags
}
