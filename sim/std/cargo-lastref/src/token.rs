//! The token of a run: one word that names the package, the executable, the test and the run.
//!
//! `lrs1/PACKAGE/TARGET/TEST/RUN/CHECK`: the target is `lib`, `bin=NAME`, `test=NAME`, `example=NAME` or `bench=NAME`;
//! the run is the token of the runtime, or a seed. In it `+` stands for a semicolon, which is special in a shell, and
//! `@` for the name of the test, which the token already has. The check digits are the CRC-32 of everything before
//! them, so that a token that has lost a character is refused, and not replayed as another run.

use std::fmt;
use std::str::FromStr;

/// The prefix by which a token is recognised.
const MARK: &str = "lrs1";
const FIELDS: usize = 6;
/// The beginning of the runtime's token in this version, and of any version.
const RUN_MARK: &str = "ls2,";
const RUN_START: &str = "ls";
/// Replaces the name of the test among the runtime's fields.
const OWN_TEST: &str = ",@,";

/// Names one run of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) package: String,
    pub(crate) target: Target,
    pub(crate) test: String,
    /// The runtime's token.
    pub(crate) run: String,
}

/// The cargo target that has the test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Lib,
    Bin(String),
    Test(String),
    Example(String),
    Bench(String),
}

impl Target {
    /// The flags that select it.
    pub(crate) fn flags(&self) -> Vec<String> {
        match self {
            Target::Lib => vec![String::from("--lib")],
            Target::Bin(name) => vec![String::from("--bin"), name.clone()],
            Target::Test(name) => vec![String::from("--test"), name.clone()],
            Target::Example(name) => vec![String::from("--example"), name.clone()],
            Target::Bench(name) => vec![String::from("--bench"), name.clone()],
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Lib => f.write_str("lib"),
            Target::Bin(name) => write!(f, "bin={name}"),
            Target::Test(name) => write!(f, "test={name}"),
            Target::Example(name) => write!(f, "example={name}"),
            Target::Bench(name) => write!(f, "bench={name}"),
        }
    }
}

impl Target {
    fn read(text: &str) -> Option<Target> {
        if text == "lib" {
            return Some(Target::Lib);
        }
        let (kind, name) = text.split_once('=').filter(|(_, name)| !name.is_empty())?;
        let name = name.to_owned();
        match kind {
            "bin" => Some(Target::Bin(name)),
            "test" => Some(Target::Test(name)),
            "example" => Some(Target::Example(name)),
            "bench" => Some(Target::Bench(name)),
            _ => None,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token { package, target, test, run } = self;
        let run = run.replace(';', "+").replace(&format!(",{test},"), OWN_TEST);
        let text = format!("{MARK}/{package}/{target}/{test}/{run}");
        write!(f, "{text}/{:08x}", crc32fast::hash(text.as_bytes()))
    }
}

/// The reason why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It does not look like a token.
    #[error("`{0}` is not a token of `cargo lastref`: a token begins with `lrs1/`")]
    Foreign(String),
    /// Made by another version.
    #[error("`{0}` is a token of another version of lastref; this one reads `lrs1/…/ls2,…`")]
    OtherVersion(String),
    /// Its tail is missing.
    #[error("`{text}` is truncated: it has {fields} of {FIELDS} fields")]
    Truncated { text: String, fields: usize },
    /// A character was lost or changed.
    #[error("`{0}` is damaged: its check digits do not match")]
    Damaged(String),
    /// A field has an unknown value, although the check digits match.
    #[error("`{text}` names no test: `{field}` is not a target such as `lib` or `test=NAME`")]
    Field { text: String, field: String },
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Token, TokenError> {
        // A pasted token may have blanks around it, or the quotes of a shell.
        let text = text.trim().trim_matches(['\'', '"', '`']);
        let fields: Vec<&str> = text.split('/').collect();
        let version = fields[0].strip_prefix("lrs").filter(|digits| digits.parse::<u32>().is_ok());
        match version {
            None => return Err(TokenError::Foreign(text.to_owned())),
            Some(_) if fields[0] != MARK => return Err(TokenError::OtherVersion(text.to_owned())),
            Some(_) => {}
        }
        let &[_, package, target, test, run, check] = fields.as_slice() else {
            return Err(match fields.len() {
                fields if fields < FIELDS => TokenError::Truncated { text: text.to_owned(), fields },
                _ => TokenError::Damaged(text.to_owned()),
            });
        };
        let before = &text[..text.len() - check.len() - 1];
        if check != format!("{:08x}", crc32fast::hash(before.as_bytes())) {
            return Err(TokenError::Damaged(text.to_owned()));
        }
        let Some(read) = Target::read(target) else {
            return Err(TokenError::Field { text: text.to_owned(), field: target.to_owned() });
        };
        // The other form of a run is a seed.
        if run.starts_with(RUN_START) && !run.starts_with(RUN_MARK) {
            return Err(TokenError::OtherVersion(text.to_owned()));
        }
        let run = run.replace('+', ";").replace(OWN_TEST, &format!(",{test},"));
        let (package, test) = (package.to_owned(), test.to_owned());
        Ok(Token { package, target: read, test, run })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(target: Target) -> Token {
        let run = String::from("ls2,mix,0x2a,after=1;weak=0,tests::lost_update,,0011aabb");
        Token { package: String::from("my-crate"), target, test: String::from("tests::lost_update"), run }
    }

    #[test]
    fn a_token_reads_back_and_is_one_word() {
        let named = || String::from("it");
        let targets = [
            Target::Lib,
            Target::Bin(named()),
            Target::Test(named()),
            Target::Example(named()),
            Target::Bench(named()),
        ];
        for target in targets {
            let token = sample(target);
            let text = token.to_string();
            let takes_no_quotes = |letter: char| letter.is_ascii_alphanumeric() || "-_=/:.,+@".contains(letter);
            assert!(text.chars().all(takes_no_quotes), "{text}");
            assert_eq!(text.matches("lost_update").count(), 1, "{text}");
            assert_eq!(text.parse(), Ok(token.clone()));
            assert_eq!(format!(" '{text}'\n").parse(), Ok(token));
        }
    }

    #[test]
    fn every_lost_or_changed_character_is_noticed() {
        let text = sample(Target::Lib).to_string();
        for place in 0..text.len() {
            let lost = [&text[..place], &text[place + 1..]].concat();
            let changed = [&text[..place], "%", &text[place + 1..]].concat();
            let cut = &text[..place];
            for wrong in [lost.as_str(), &changed, cut] {
                assert!(wrong.parse::<Token>().is_err(), "{wrong}");
            }
        }
    }

    #[track_caller]
    fn check(text: &str, said: &str) {
        assert_eq!(text.parse::<Token>().unwrap_err().to_string(), said);
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        check("", "`` is not a token of `cargo lastref`: a token begins with `lrs1/`");
        check("lr2:a/b:c", "`lr2:a/b:c` is not a token of `cargo lastref`: a token begins with `lrs1/`");
        check(
            "lrs2/a/lib/b/c/d",
            "`lrs2/a/lib/b/c/d` is a token of another version of lastref; this one reads `lrs1/…/ls2,…`",
        );
        let run = "lrs1/a/lib/b/ls1,c";
        let old = format!("{run}/{:08x}", crc32fast::hash(run.as_bytes()));
        let said = format!("`{old}` is a token of another version of lastref; this one reads `lrs1/…/ls2,…`");
        check(&old, &said);
        check("lrs1/a/lib", "`lrs1/a/lib` is truncated: it has 3 of 6 fields");
        check("lrs1/a/lib/b/c/d", "`lrs1/a/lib/b/c/d` is damaged: its check digits do not match");
        let odd = format!("lrs1/a/libs/b/c/{:08x}", crc32fast::hash(b"lrs1/a/libs/b/c"));
        check(&odd, &format!("`{odd}` names no test: `libs` is not a target such as `lib` or `test=NAME`"));
    }
}
