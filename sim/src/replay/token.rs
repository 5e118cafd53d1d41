//! The token: one word that replays an execution.
//!
//! `lr2:component/scenario:variant:engine:strategy:0xseed:check`. The last field is a CRC-32 of all before it, so that
//! a truncated or altered token is distinguished from the text of another program.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::explore::{CaseName, Origin, parse_seed};

/// The version of the format. Version 1 had other engine names.
const VERSION: u32 = 2;
/// The prefix by which a token is recognised.
const MARK: &str = "lr2";
const FIELDS: usize = 7;

/// The value of the strategy field for a shrunk case.
const SHRUNK: &str = "shrunk";

/// A name as a part of a token. The characters that separate parts, those at which a token is trimmed, and `%` are
/// written as `%` and the two hexadecimal digits of each of their bytes.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, '%' | ':' | '/') || letter.is_whitespace() {
            letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push_str(&format!("%{byte:02x}")));
        } else {
            text.push(letter);
        }
    }
    text
}

/// The name that [`escaped`] has written; `None` if it has not written this.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Names one execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Token {
    /// The execution of a seed.
    Seed(Origin),
    /// The execution of a repro file, named by the digest of its content.
    Repro {
        /// The case.
        case: CaseName,
        /// The engine.
        engine: Engine,
        /// The digest, which is also the file's name.
        digest: u64,
    },
}

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not look like a token.
    #[error("`{0}` is not a replay token: a token begins with `lr2:`")]
    Foreign(String),
    /// It was printed by another version.
    #[error("`{token}` is a token of {} version of lastref; this one reads tokens that begin with `lr2:`", age(*.version))]
    OtherVersion {
        /// The text.
        token: String,
        /// Its version.
        version: u32,
    },
    /// Its tail is missing.
    #[error("`{token}` is truncated: it has {fields} of 7 fields")]
    Truncated {
        /// The text.
        token: String,
        /// The number of fields it has.
        fields: usize,
    },
    /// A character was lost or changed.
    #[error("`{0}` is damaged: its check digits do not match")]
    Damaged(String),
    /// It names an execution whose token has another form. One execution has exactly one token, so that tokens can be
    /// compared.
    #[error("`{token}` is not in the form that lastref prints, which is `{written}`")]
    Unusual {
        /// The text.
        token: String,
        /// The token of the same execution.
        written: String,
    },
    /// A field has an unknown value, although the check digits match.
    #[error("`{token}`: {reason}")]
    Field {
        /// The text.
        token: String,
        /// What is wrong, naming the field.
        reason: String,
    },
}

/// Whether a version of the format is older or newer than ours.
fn age(version: u32) -> &'static str {
    if version < VERSION { "an older" } else { "a newer" }
}

/// The version of the format that a text claims to have, if it looks like a token of any version.
fn version(mark: &str) -> Option<u32> {
    let digits = mark.strip_prefix("lr").filter(|digits| !digits.is_empty())?;
    // A version too large for a number is newer, too.
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().unwrap_or(u32::MAX))
}

impl Token {
    /// Whether `text` looks like a token, of this version or another.
    pub fn is_meant(text: &str) -> bool {
        text.trim().split_once(':').is_some_and(|(mark, _)| version(mark).is_some())
    }

    /// The token of a seed's execution.
    pub fn new(origin: Origin) -> Token {
        Token::Seed(origin)
    }

    /// The case it names.
    pub fn case(&self) -> &CaseName {
        match self {
            Token::Seed(origin) => &origin.case,
            Token::Repro { case, .. } => case,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CaseName { component, scenario, variant } = self.case();
        let [component, scenario, variant] = [component, scenario, variant].map(|name| escaped(name));
        let (engine, strategy, seed) = match self {
            Token::Seed(origin) => (origin.engine.word(), origin.strategy.to_string(), origin.seed),
            Token::Repro { engine, digest, .. } => (engine.word(), SHRUNK.to_owned(), *digest),
        };
        let text = format!("{MARK}:{component}/{scenario}:{variant}:{engine}:{strategy}:{seed:#x}");
        write!(f, "{text}:{:08x}", crc32fast::hash(text.as_bytes()))
    }
}

impl From<Token> for String {
    fn from(token: Token) -> String {
        token.to_string()
    }
}

impl TryFrom<String> for Token {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Token, TokenError> {
        text.parse()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        let token = || text.to_owned();
        let fields: Vec<&str> = text.split(':').collect();
        match version(fields[0]) {
            Some(VERSION) if fields[0] == MARK && fields.len() > 1 => {}
            Some(version) if version != VERSION => return Err(TokenError::OtherVersion { token: token(), version }),
            _ => return Err(TokenError::Foreign(token())),
        }
        if fields.len() < FIELDS {
            return Err(TokenError::Truncated { token: token(), fields: fields.len() });
        }
        if fields.len() > FIELDS {
            return Err(TokenError::Foreign(token()));
        }
        let body = fields[..FIELDS - 1].join(":");
        match u32::from_str_radix(fields[FIELDS - 1], 16) {
            Ok(check) if fields[FIELDS - 1].len() == 8 && check == crc32fast::hash(body.as_bytes()) => {}
            _ => return Err(TokenError::Damaged(token())),
        }
        let wrong = |reason: String| TokenError::Field { token: token(), reason };
        let (component, scenario) =
            fields[1].split_once('/').ok_or_else(|| wrong(format!("`{}` is not component/scenario", fields[1])))?;
        let name = |text: &str| unescaped(text).ok_or_else(|| wrong(format!("`{text}` is not a name")));
        let case = CaseName { component: name(component)?, scenario: name(scenario)?, variant: name(fields[2])? };
        let seed = parse_seed(fields[5]).ok_or_else(|| wrong(format!("`{}` is not a seed", fields[5])))?;
        let engine = fields[3].parse().map_err(|error: crate::UnknownEngine| wrong(error.to_string()))?;
        let parsed = if fields[4] == SHRUNK {
            Token::Repro { case, engine, digest: seed }
        } else {
            let strategy = fields[4].parse();
            let strategy = strategy.map_err(|error: crate::strategy::UnknownStrategy| wrong(error.to_string()))?;
            Token::Seed(Origin { case, engine, strategy, seed })
        };
        let written = parsed.to_string();
        if written == text { Ok(parsed) } else { Err(TokenError::Unusual { token: token(), written }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::strategy::StrategyName;

    fn token() -> Token {
        let case = CaseName {
            component: "context_pool".to_owned(),
            scenario: "a_scenario".to_owned(),
            variant: "fixed".to_owned(),
        };
        Token::new(Origin { case, engine: Engine::Fiber, strategy: StrategyName::pct(3), seed: 0xfeed })
    }

    #[test]
    fn a_token_reads_back() {
        let text = token().to_string();
        assert_eq!(text.parse(), Ok(token()), "{text}");
        let shrunk = Token::Repro { case: token().case().clone(), engine: Engine::Turmoil, digest: 77 };
        assert_eq!(shrunk.to_string().parse(), Ok(shrunk));
    }

    #[test]
    fn a_name_may_have_any_characters_and_two_cases_have_two_tokens() {
        let of = |[component, scenario, variant]: [&str; 3]| {
            let [component, scenario, variant] = [component, scenario, variant].map(str::to_owned);
            let case = CaseName { component, scenario, variant };
            Token::new(Origin { case, engine: Engine::Fiber, strategy: StrategyName::MIX, seed: 1 })
        };
        let tokens = [
            ["a/b", "c", "d"],
            ["a", "b/c", "d"],
            ["", "ipv6::1", "50%"],
            ["", "%2f", ""],
            ["größe", "zwei Wörter\u{3000}", "\n"],
        ];
        let tokens = tokens.map(of);
        for (nth, token) in tokens.iter().enumerate() {
            let text = token.to_string();
            assert_eq!(text.parse().as_ref(), Ok(token), "{text}");
            assert!(tokens[..nth].iter().all(|other| other.to_string() != text), "{text}");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let text = token().to_string();
        for length in 0..text.len() {
            assert!(text[..length].parse::<Token>().is_err(), "{}", &text[..length]);
        }
    }

    #[test]
    fn every_changed_character_is_an_error() {
        let text = token().to_string();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).expect("ascii stays ascii");
            assert!(changed.parse::<Token>().is_err(), "{changed}");
        }
    }

    #[test]
    fn another_version_is_named() {
        for (mark, version, said) in [
            ("lr3", 3, "a newer version"),
            ("lr1", 1, "an older version"),
            ("lr99999999999", u32::MAX, "a newer version"),
        ] {
            let text = token().to_string().replacen(MARK, mark, 1);
            let error = text.parse::<Token>().expect_err("another version");
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error, TokenError::OtherVersion { token: text, version });
        }
    }

    #[test]
    fn spaces_around_a_token_do_not_matter() {
        let text = token().to_string();
        assert_eq!(format!("  {text}\t\n").parse(), Ok(token()));
        assert!(Token::is_meant(&format!(" {text}")) && Token::is_meant("lr2:") && !Token::is_meant("lr/1:"));
    }

    #[test]
    fn one_execution_has_one_token() {
        let text = token().to_string();
        let body = text.rsplit_once(':').expect("a token has fields").0;
        for unusual in
            [body.replace("0xfeed", "65261"), body.replace("0xfeed", "0xFEED"), body.replace("pct3", "pct03")]
        {
            let sealed = format!("{unusual}:{:08x}", crc32fast::hash(unusual.as_bytes()));
            let error = sealed.parse::<Token>().expect_err("another spelling");
            assert!(!matches!(error, TokenError::Damaged(_)), "{error}");
        }
        let upper = format!("{body}:{:08X}", crc32fast::hash(body.as_bytes()));
        assert!(upper == text || upper.parse::<Token>().is_err());
    }
}
