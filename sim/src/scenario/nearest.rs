//! The nearest valid choice to a name that does not exist.
//!
//! A refusal that only says "unknown" sends the reader to the documents. One that names the closest valid choice is
//! usually the whole answer, since the name was misspelled. A suggestion that is far off misleads, so none is made
//! then.

/// A name that is not in its list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{input}`{}", .hint.as_ref().map(ToString::to_string).unwrap_or_default())]
pub struct Unknown {
    /// The kind of name, as a noun.
    pub what: &'static str,
    /// The name as given.
    pub input: String,
    /// The likely meaning of the name, if there is one.
    pub hint: Option<Hint>,
}

/// The likely meaning of a name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hint {
    /// A name that is spelled much the same.
    #[error("; the nearest is `{0}`")]
    Nearest(String),
    /// The name exists in another component.
    #[error("; component `{0}` has one of this name")]
    OfComponent(&'static str),
    /// The name is that of a component.
    #[error("; `{0}` is a component")]
    IsComponent(&'static str),
}

impl Unknown {
    /// `input` is not a `what`; the valid ones are `choices`.
    pub fn new<'a>(what: &'static str, input: &str, choices: impl IntoIterator<Item = &'a str>) -> Unknown {
        let hint = nearest(input, choices).map(|choice| Hint::Nearest(choice.to_owned()));
        Unknown { what, input: input.to_owned(), hint }
    }

    /// `input` is not a `what` of the given component, but `component` has one of this name.
    pub fn of_component(what: &'static str, input: &str, component: &'static str) -> Unknown {
        Unknown { what, input: input.to_owned(), hint: Some(Hint::OfComponent(component)) }
    }
}

/// The minimum length of a part of a name that identifies the name.
const PART_MIN: usize = 3;

/// One letter in this many may be wrong: left out, added, changed, or swapped with its neighbour.
const LETTERS_PER_SLIP: usize = 3;

/// The choice closest to `input`, the first of them where several are equally close; `None` if no choice is near.
///
/// A choice is near if `input` is a part of it, or if at most one letter in three is wrong.
///
/// # Examples
/// ```
/// assert_eq!(lastref::scenario::nearest("shutle", ["loom", "shuttle", "threads"]), Some("shuttle"));
/// assert_eq!(lastref::scenario::nearest("nosuch", ["loom", "shuttle", "threads"]), None);
/// ```
pub fn nearest<'a>(input: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let input = input.to_lowercase();
    let letters = input.chars().count();
    let near = choices.into_iter().filter_map(|choice| {
        let is_part = letters >= PART_MIN && choice.contains(&input);
        // Names of very different lengths are far apart; not to compare them keeps a long input cheap.
        let slips_max = letters.max(choice.len()).div_ceil(LETTERS_PER_SLIP);
        if !is_part && letters.abs_diff(choice.len()) > slips_max {
            return None;
        }
        let slips = strsim::osa_distance(&input, choice);
        // People remember a part of a name, so a part comes before a misspelling.
        (is_part || slips * LETTERS_PER_SLIP <= letters.max(LETTERS_PER_SLIP)).then_some((!is_part, slips, choice))
    });
    // The first of several that are equally close.
    near.min_by_key(|(misspelled, slips, _)| (*misspelled, *slips)).map(|(_, _, choice)| choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_input_and_the_nearest_choice() {
        let unknown = Unknown::new("engine", "lom", ["loom", "shuttle"]);
        assert_eq!(unknown.to_string(), "there is no engine `lom`; the nearest is `loom`");
        let unknown = Unknown::of_component("variant", "fixed2", "image");
        assert_eq!(unknown.to_string(), "there is no variant `fixed2`; component `image` has one of this name");
    }

    #[test]
    fn a_part_of_a_name_is_nearer_than_what_looks_like_it() {
        assert_eq!(nearest("crowd", ["closed", "context_crowd"]), Some("context_crowd"));
        assert_eq!(nearest("clsed", ["closed", "context_crowd"]), Some("closed"));
        assert_eq!(nearest("CLOSED", ["closed", "context_crowd"]), Some("closed"));
    }

    #[test]
    fn what_is_far_off_is_not_suggested() {
        for far in ["nosuch", "x", "", "zzzz", "a_scenario_of_mine"] {
            assert_eq!(nearest(far, ["close_races_reply", "closed", "context_crowd", "net_no_peer"]), None, "{far}");
        }
        assert_eq!(Unknown::new("engine", "xyz", ["loom"]).to_string(), "there is no engine `xyz`");
        assert_eq!(Unknown::new("engine", "loom", []).to_string(), "there is no engine `loom`");
    }
}
