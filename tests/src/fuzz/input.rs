//! One input: a command line, and the file that it names.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::corpus::Corpus;
use super::dice::Dice;
use super::mutate;

/// The part of an input that is mutated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A replay token.
    Token,
    /// A saved case, anywhere in its file.
    Saved,
    /// The plan in a saved case of a fixed variant.
    Plan,
    /// The words of a command.
    Command,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Token, Kind::Saved, Kind::Plan, Kind::Command];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Token => "token",
            Kind::Saved => "saved case",
            Kind::Plan => "plan",
            Kind::Command => "command line",
        })
    }
}

/// A file that an input names.
#[derive(Clone, Debug)]
pub struct File {
    /// The path of the file.
    pub path: PathBuf,
    /// Its bytes.
    pub content: Vec<u8>,
    /// The content before the mutation.
    pub original: Value,
}

/// One mutated input.
#[derive(Clone, Debug)]
pub struct Input {
    /// The part that is mutated.
    pub kind: Kind,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// The file that it names.
    pub file: Option<File>,
}

impl Input {
    /// The input of this number: always the same one.
    pub fn new(corpus: &Corpus, seed: u64, number: u64) -> Input {
        let mut dice = Dice::new(seed, number);
        let kind = *dice.pick(&Kind::ALL);
        match kind {
            Kind::Token => {
                let token = token(corpus, &mut dice);
                Input { kind, arguments: replay(&mut dice, token), file: None }
            }
            Kind::Saved => {
                let text = dice.pick(&corpus.saved).clone();
                let original: Value = serde_json::from_str(&text).unwrap_or_default();
                let content = saved(corpus, &mut dice, text.into_bytes(), &original);
                Input::of_file(corpus, &mut dice, kind, content, original)
            }
            Kind::Plan => {
                let original = corpus.planned(&mut dice);
                let mut changed = original.clone();
                for _ in 0..=dice.below(3) {
                    let small = !dice.once_in(4);
                    mutate::value(&mut dice, &mut changed["plan"], small);
                }
                let content = serde_json::to_vec(&changed).unwrap_or_default();
                Input::of_file(corpus, &mut dice, kind, content, original)
            }
            Kind::Command => Input { kind, arguments: command(corpus, &mut dice), file: None },
        }
    }

    fn of_file(corpus: &Corpus, dice: &mut Dice, kind: Kind, content: Vec<u8>, original: Value) -> Input {
        // All inputs of a process share one file name. It contains the process id, so that parallel children do not
        // collide.
        let path = corpus.folder.join(format!("input-{}.repro", std::process::id()));
        let name = path.display().to_string();
        let arguments = match kind == Kind::Saved && dice.once_in(10) {
            true => vec![String::from("shrink"), name, String::from("--dir"), scratch(corpus)],
            false => replay(dice, name),
        };
        Input { kind, arguments, file: Some(File { path, content, original }) }
    }
}

/// The folder in which commands save their cases.
fn scratch(corpus: &Corpus) -> String {
    corpus.folder.join("scratch").display().to_string()
}

fn replay(dice: &mut Dice, what: String) -> Vec<String> {
    let how = if dice.once_in(8) { "--full" } else { "--json" };
    vec![String::from("replay"), what, String::from(how)]
}

/// A token with fields of another token or with changed bytes; its check digits are often corrected.
fn token(corpus: &Corpus, dice: &mut Dice) -> String {
    let text = corpus.token(dice).to_string();
    let other = corpus.token(dice).to_string();
    if dice.once_in(8) {
        return text;
    }
    let mut fields: Vec<String> = text.split(':').map(str::to_owned).collect();
    if dice.once_in(2) {
        let mut bytes = text.into_bytes();
        for _ in 0..=dice.below(3) {
            mutate::text(dice, &mut bytes, other.as_bytes());
        }
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    fields.pop();
    for _ in 0..=dice.below(2) {
        let nth = dice.below(fields.len());
        if dice.once_in(2) {
            fields[nth] = other.split(':').nth(nth).unwrap_or_default().to_owned();
        } else {
            let mut bytes = std::mem::take(&mut fields[nth]).into_bytes();
            mutate::text(dice, &mut bytes, other.as_bytes());
            fields[nth] = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    let body = fields.join(":");
    format!("{body}:{:08x}", crc32fast::hash(body.as_bytes()))
}

/// A saved case with changed values or changed bytes.
fn saved(corpus: &Corpus, dice: &mut Dice, mut text: Vec<u8>, original: &Value) -> Vec<u8> {
    let other = dice.pick(&corpus.saved).clone();
    if dice.once_in(2) {
        let mut changed = original.clone();
        for _ in 0..=dice.below(3) {
            let small = dice.once_in(2);
            mutate::value(dice, &mut changed, small);
        }
        return serde_json::to_vec_pretty(&changed).unwrap_or_default();
    }
    for _ in 0..=dice.below(2) {
        mutate::text(dice, &mut text, other.as_bytes());
    }
    text
}

/// A command line with other words, more of them, or fewer.
fn command(corpus: &Corpus, dice: &mut Dice) -> Vec<String> {
    let mut words = corpus.command(dice);
    let other = corpus.command(dice);
    for _ in 0..=dice.below(2) {
        let at = dice.below(words.len());
        match dice.below(6) {
            0 if !words.is_empty() => drop(words.remove(at)),
            1 if !words.is_empty() => words.insert(at, words[at].clone()),
            2 => words.extend(other[dice.below(other.len())..].iter().cloned()),
            3 => words.insert(at, other[dice.below(other.len())].clone()),
            _ if !words.is_empty() => {
                let mut bytes = std::mem::take(&mut words[at]).into_bytes();
                mutate::text(dice, &mut bytes, other.join(" ").as_bytes());
                words[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
            _ => {}
        }
    }
    // All commands save in one folder. The flag comes last; if the line has it already, it is an error, which is an
    // input too.
    if words.iter().any(|word| word == "shrink" || word == "run" || word == "hunt" || word == "replay") {
        words.extend([String::from("--dir"), scratch(corpus)]);
    }
    words
}
