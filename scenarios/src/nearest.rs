//! The nearest valid choice to a name that is none.
//!
//! A refusal that only says "unknown" sends the reader to the documents. One that names the closest valid choice is
//! usually the whole answer, since the name was a slip of the fingers.

/// A name that is not in its list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{input}`{}", hint(.nearest))]
pub struct Unknown {
    /// What kind of thing was looked for, as a noun.
    pub what: &'static str,
    /// The name as given.
    pub input: String,
    /// The closest name of the list, if the list has any.
    pub nearest: Option<String>,
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_deref().map(|name| format!("; the nearest is `{name}`")).unwrap_or_default()
}

impl Unknown {
    /// `input` is not a `what`; the valid ones are `choices`.
    pub fn new<'a>(what: &'static str, input: &str, choices: impl IntoIterator<Item = &'a str>) -> Unknown {
        Unknown { what, input: input.to_owned(), nearest: nearest(input, choices).map(str::to_owned) }
    }
}

/// Letters from which a part of a name says which name is meant.
const PART_MIN: usize = 3;

/// The choice closest to `input`; the first of them where several are equally close, none only if there is no choice.
///
/// # Examples
/// ```
/// assert_eq!(scenarios::nearest("shutle", ["loom", "shuttle", "threads"]), Some("shuttle"));
/// assert_eq!(scenarios::nearest("", []), None);
/// ```
pub fn nearest<'a>(input: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for choice in choices {
        // A part of a name is what people remember of it.
        let is_part = input.len() >= PART_MIN && choice.contains(input);
        let likeness = strsim::jaro_winkler(input, choice) + if is_part { 1.0 } else { 0.0 };
        if best.is_none_or(|(highest, _)| likeness > highest) {
            best = Some((likeness, choice));
        }
    }
    best.map(|(_, choice)| choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_input_and_the_nearest_choice() {
        let unknown = Unknown::new("engine", "lom", ["loom", "shuttle"]);
        assert_eq!(unknown.to_string(), "there is no engine `lom`; the nearest is `loom`");
    }

    #[test]
    fn a_part_of_a_name_is_nearer_than_what_looks_like_it() {
        assert_eq!(nearest("crowd", ["closed", "context_crowd"]), Some("context_crowd"));
        assert_eq!(nearest("clsed", ["closed", "context_crowd"]), Some("closed"));
    }

    #[test]
    fn an_empty_list_has_no_nearest_choice() {
        assert_eq!(Unknown::new("engine", "loom", []).to_string(), "there is no engine `loom`");
    }
}
