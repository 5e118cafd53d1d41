//! clap's errors, as one sentence.
//!
//! clap explains over several lines, with usage and tips. Every error of ours is one sentence that names the
//! input and the nearest valid choice, so clap's paragraphs are joined and the usage is left to `--help`.

use clap::error::ErrorKind;

use lastref_cli::one_sentence;

use super::answer::{Answer, Exit, one_line};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Lines of clap that are left out.
const NOISE: [&str; 2] = ["For more information", "tip: to pass"];

/// clap's output if it returns no arguments: the help and the version on stdout, an error as one sentence.
pub(super) fn clap_answer(program: &str, error: &clap::Error) -> Answer {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp => Answer::new(text, Exit::AsExpected),
        ErrorKind::DisplayVersion => Answer::new(version(program), Exit::AsExpected),
        _ => Answer {
            remarks: vec![one_line(&one_sentence(program, &text, &NOISE))],
            ..Answer::new(String::new(), Exit::Refused)
        },
    }
}

/// The version is that of lastref. A project's program has another name and its own version, which is not known here.
fn version(program: &str) -> String {
    match program {
        "lastref" => format!("lastref {VERSION}\n"),
        _ => format!("{program}, a program of lastref {VERSION}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::samples::PROJECT;

    #[track_caller]
    fn check(arguments: &[&str], said: &str) {
        let error = Arguments::of(PROJECT, arguments.iter().map(Into::into).collect()).unwrap_err();
        let answer = clap_answer("pool", &error);
        assert_eq!((answer.remarks.join("\n").as_str(), answer.exit), (said, Exit::Refused));
    }

    #[test]
    fn a_refusal_is_one_sentence_with_the_input_and_the_nearest_choice() {
        check(
            &["pool", "hunt", "--schedule", "3"],
            "pool: unexpected argument '--schedule' found; a similar argument exists: '--schedules'",
        );
        check(&["pool", "hunt", "--schedules", "0"], "pool: invalid value '0' for '--schedules <N>': the minimum is 1");
        check(&["pool", "lst"], "pool: unrecognized subcommand 'lst'; a similar subcommand exists: 'list'");
        check(&["pool", "run", "crowd", "--for", "1ms"], "pool: unexpected argument '--for' found");
        check(&["pool", "run"], "pool: the following required arguments were not provided: <SCENARIO>");
        check(
            &["pool", "run", "crowd", "--engine", "lom"],
            "pool: invalid value 'lom' for '--engine <NAME>': there is no engine `lom`; the nearest is `loom`",
        );
        check(
            &["pool", "hunt", "--for", "20"],
            "pool: invalid value '20' for '--for <TIME>': a time is a number and its unit, such as 20s, 2m or 500ms",
        );
    }

    #[test]
    fn help_is_an_answer() {
        let answer = crate::answer(PROJECT.scenarios, ["pool", "--help"]);
        assert_eq!(answer.exit, Exit::AsExpected);
        for part in ["Usage: pool [OPTIONS]", "default of `pool` without", "pool run shared --variant releases_twice"] {
            assert!(answer.stdout.contains(part), "no `{part}` in\n{}", answer.stdout);
        }
        // Apart from the folder of saved cases.
        assert!(!answer.stdout.replace(".lastref", "").contains("lastref"), "{}", answer.stdout);
    }

    #[test]
    fn the_version_is_of_lastref_and_says_so() {
        assert_eq!(version("lastref"), format!("lastref {VERSION}\n"));
        assert_eq!(version("pool"), format!("pool, a program of lastref {VERSION}\n"));
    }
}
