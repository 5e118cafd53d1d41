//! Mutations of valid inputs: of the bytes of texts, and of the values of JSON.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Boundary numbers: of a type, of a range, of exact representation.
const EDGES: [&str; 20] = [
    "0",
    "1",
    "-1",
    "2",
    "255",
    "256",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1.5",
    "1e3",
    "1e400",
    "0x7fffffff",
];

/// Changes a text at one position; `other` is the text to splice in.
pub(super) fn text(dice: &mut Dice, text: &mut Vec<u8>, other: &[u8]) {
    let range = dice.range(text.len());
    match dice.below(9) {
        0 => flip(dice, text),
        1 => text.truncate(range.start),
        2 => drop(text.drain(range)),
        3 => {
            let part = text[range.clone()].to_vec();
            text.splice(range.end..range.end, part);
        }
        4 => drop(text.splice(range, other[dice.range(other.len())].iter().copied())),
        5 => number(dice, text),
        6 => text
            .splice(range.start..range.start, *dice.pick(&[*b"  ", *b":/", *b"\r\n", *b"{\"", [0, 0xff]]))
            .for_each(drop),
        7 => text.rotate_left(range.start),
        _ => text.reverse(),
    }
}

fn flip(dice: &mut Dice, text: &mut [u8]) {
    if !text.is_empty() {
        let place = dice.below(text.len());
        text[place] ^= 1 << dice.below(8);
    }
}

/// Replaces a number with a boundary number.
fn number(dice: &mut Dice, text: &mut Vec<u8>) {
    let starts: Vec<usize> = (0..text.len()).filter(|&at| text[at].is_ascii_digit()).collect();
    if starts.is_empty() {
        return;
    }
    let start = *dice.pick(&starts);
    let end = (start..text.len()).find(|&at| !text[at].is_ascii_digit()).unwrap_or(text.len());
    text.splice(start..end, dice.pick(&EDGES).bytes());
}

/// Changes one value in a JSON value. With `small`, a changed number stays within the accepted bounds.
pub(super) fn value(dice: &mut Dice, root: &mut Value, small: bool) {
    let mut places = Vec::new();
    collect(root, String::new(), &mut places);
    let (here, there) = (dice.pick(&places).clone(), dice.pick(&places).clone());
    let other = root.pointer(&there).cloned().unwrap_or_default();
    let Some(value) = root.pointer_mut(&here) else { return };
    match value {
        Value::Number(_) if small => *value = dice.below(12).into(),
        Value::Number(_) => {
            let edge: &str = dice.pick::<&str>(&EDGES);
            *value = serde_json::from_str(edge).unwrap_or_default();
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(items) => list(dice, items, other),
        Value::Object(fields) => keys(dice, fields, other),
        Value::String(word) if dice.once_in(2) => {
            word.push_str(dice.pick::<&str>(&["x", "", "\u{202e}", "\u{0}", " "]))
        }
        _ => *value = other,
    }
}

fn list(dice: &mut Dice, items: &mut Vec<Value>, other: Value) {
    let at = dice.below(items.len());
    match dice.below(5) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => items.insert(at, items[at].clone()),
        2 if !items.is_empty() => {
            // Long lists of long lists would exhaust the memory before they form an input.
            let times = (*dice.pick(&[3, 20, 5_000])).min(VALUES_MAX / count(&items[at])).max(1);
            *items = std::iter::repeat_n(items[at].clone(), times).collect();
        }
        3 => items.reverse(),
        _ => items.push(other),
    }
}

fn keys(dice: &mut Dice, fields: &mut Map<String, Value>, other: Value) {
    let names: Vec<String> = fields.keys().cloned().collect();
    let name = if names.is_empty() { String::from("x") } else { dice.pick(&names).clone() };
    match dice.below(5) {
        0 => drop(fields.remove(&name)),
        1 => drop(fields.insert(format!("{name}s"), other)),
        2 => drop(fields.insert(name, other)),
        3 => {
            let moved = fields.remove(&name).unwrap_or_default();
            fields.insert(name.to_uppercase(), moved);
        }
        _ => drop(fields.insert(name, deep(dice.below(300)))),
    }
}

/// Maximum number of values that one mutation creates.
const VALUES_MAX: usize = 100_000;

/// The number of values in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// A value with lists in lists.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(null), |inner, _| json!([inner]))
}

/// Every position in a value, as a JSON pointer.
fn collect(value: &Value, here: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| collect(item, format!("{here}/{nth}"), places));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            collect(field, format!("{here}/{key}"), places);
        }),
        _ => {}
    }
    places.push(here);
}
