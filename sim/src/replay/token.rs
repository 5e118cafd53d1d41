//! The token: one word that replays an execution.
//!
//! `lr1:component/scenario:variant:engine:strategy:0xseed:check`. The last field is a CRC-32 of all before it, so that
//! a token that lost its tail, or a character, is told from one of another program.

use std::fmt;
use std::str::FromStr;

use crate::engine::Engine;
use crate::explore::{CaseName, Origin, parse_seed};

/// The version of the form, and the mark by which a token is known.
const MARK: &str = "lr1";
const FIELDS: usize = 7;

/// What the strategy field says of a case that was shrunk.
const SHRUNK: &str = "shrunk";

/// Names one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// That of a seed.
    Seed(Origin),
    /// That of a repro file, by the digest of its content.
    Repro {
        /// The case.
        case: CaseName,
        /// The engine.
        engine: Engine,
        /// The digest, which is also the file's name.
        digest: u64,
    },
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is something else altogether.
    #[error("`{0}` is no replay token: a token begins with `lr1:`")]
    Foreign(String),
    /// Made by another version.
    #[error("`{token}` is a token of version {version}, and this program reads version 1")]
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
        /// How many fields it has.
        fields: usize,
    },
    /// A character was lost or changed.
    #[error("`{0}` is damaged: its check digits do not fit")]
    Damaged(String),
    /// A field says nothing known, though the check digits fit.
    #[error("`{token}`: {reason}")]
    Field {
        /// The text.
        token: String,
        /// What is wrong, naming the field.
        reason: String,
    },
}

impl Token {
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
        let (engine, strategy, seed) = match self {
            Token::Seed(origin) => (origin.engine.word(), origin.strategy.to_string(), origin.seed),
            Token::Repro { engine, digest, .. } => (engine.word(), SHRUNK.to_owned(), *digest),
        };
        let text = format!("{MARK}:{component}/{scenario}:{variant}:{engine}:{strategy}:{seed:#x}");
        write!(f, "{text}:{:08x}", crc32fast::hash(text.as_bytes()))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Token, TokenError> {
        let token = || text.to_owned();
        let fields: Vec<&str> = text.trim().split(':').collect();
        let version = fields[0].strip_prefix("lr").and_then(|digits| digits.parse::<u32>().ok());
        match version {
            Some(1) if fields[0] == MARK && fields.len() > 1 => {}
            Some(version) if version != 1 => return Err(TokenError::OtherVersion { token: token(), version }),
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
        let case =
            CaseName { component: component.to_owned(), scenario: scenario.to_owned(), variant: fields[2].to_owned() };
        let seed = parse_seed(fields[5]).ok_or_else(|| wrong(format!("`{}` is no seed", fields[5])))?;
        let engine = fields[3].parse().map_err(|error: crate::UnknownEngine| wrong(error.to_string()))?;
        if fields[4] == SHRUNK {
            return Ok(Token::Repro { case, engine, digest: seed });
        }
        let strategy = fields[4].parse().map_err(|error: crate::strategy::UnknownStrategy| wrong(error.to_string()))?;
        Ok(Token::Seed(Origin { case, engine, strategy, seed }))
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
        Token::new(Origin { case, engine: Engine::Shuttle, strategy: StrategyName::Pct(3), seed: 0xfeed })
    }

    #[test]
    fn a_token_reads_back() {
        let text = token().to_string();
        assert_eq!(text.parse(), Ok(token()), "{text}");
        let shrunk = Token::Repro { case: token().case().clone(), engine: Engine::Turmoil, digest: 77 };
        assert_eq!(shrunk.to_string().parse(), Ok(shrunk));
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
        let text = token().to_string().replacen("lr1", "lr2", 1);
        let error = text.parse::<Token>().expect_err("another version");
        assert_eq!(error, TokenError::OtherVersion { token: text, version: 2 });
    }
}
