//! clap's errors, as one sentence.
//!
//! clap explains over several lines, with usage and tips. Every error of `lastref` is one sentence that names the
//! input and the nearest valid choice, so clap's paragraphs are joined and the usage is left to `--help`.

use clap::error::ErrorKind;

use lastref_cli::one_sentence;

use super::answer::{Answer, Exit, one_line};

/// Lines of clap that are left out.
const NOISE: [&str; 2] = ["For more information", "tip: to pass"];

/// clap's output if it returns no arguments: the help and the version on stdout, an error as one sentence.
pub(super) fn clap_answer(error: &clap::Error) -> Answer {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::new(text, Exit::AsExpected),
        _ => Answer {
            stdout: String::new(),
            remarks: vec![one_line(&one_sentence("lastref", &text, &NOISE))],
            exit: Exit::Refused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::Parser;

    #[track_caller]
    fn check(arguments: &[&str], said: &str) {
        let error = Arguments::try_parse_from(arguments).unwrap_err();
        let answer = clap_answer(&error);
        assert_eq!((answer.remarks.join("\n").as_str(), answer.exit), (said, Exit::Refused));
    }

    #[test]
    fn a_refusal_is_one_sentence_with_the_input_and_the_nearest_choice() {
        check(
            &["lastref", "hunt", "--schedule", "3"],
            "lastref: unexpected argument '--schedule' found; a similar argument exists: '--schedules'",
        );
        check(
            &["lastref", "hunt", "--schedules", "0"],
            "lastref: invalid value '0' for '--schedules <N>': the minimum is 1",
        );
        check(&["lastref", "lst"], "lastref: unrecognized subcommand 'lst'; a similar subcommand exists: 'list'");
        check(&["lastref", "run", "crowd", "--for", "1ms"], "lastref: unexpected argument '--for' found");
        check(&["lastref", "run"], "lastref: the following required arguments were not provided: <SCENARIO>");
        check(
            &["lastref", "run", "crowd", "--engine", "lom"],
            "lastref: invalid value 'lom' for '--engine <NAME>': there is no engine `lom`; the nearest is `loom`",
        );
        check(
            &["lastref", "hunt", "--for", "20"],
            "lastref: invalid value '20' for '--for <TIME>': a time is a number and its unit, such as 20s, 2m or 500ms",
        );
    }

    #[test]
    fn help_is_an_answer() {
        let error = Arguments::try_parse_from(["lastref", "--help"]).unwrap_err();
        let answer = clap_answer(&error);
        assert_eq!(answer.exit, Exit::AsExpected);
        assert!(answer.stdout.contains("hunt"));
    }
}
