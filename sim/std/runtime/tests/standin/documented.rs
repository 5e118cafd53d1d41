//! The parts of the installed compiler's documentation that concern the stand-in: the items of the modules that it
//! replaces in part, and the methods and traits of the types that it replaces.
//!
//! The source is the component rust-docs: pages that rustdoc wrote. Plain text searches find the few marks that are
//! needed: an entry of an index, a method, an implementation, and the note that something is unstable.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The mark of an item, a method or an implementation that stable Rust cannot use.
const UNSTABLE: &str = "stab unstable";

/// The folder of the documents; `None` if the component is not installed.
pub(crate) fn folder() -> Option<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc starts");
    let sysroot = String::from_utf8(sysroot.stdout).expect("the path is text");
    Some(Path::new(sysroot.trim()).join("share/doc/rust/html")).filter(|folder| folder.join("std/index.html").exists())
}

/// An item of a module.
#[derive(Debug)]
pub(crate) struct Item {
    /// `mod`, `struct`, `fn` and so on.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// The item's page.
    page: PathBuf,
}

/// The stable items of a module such as `std::sync::atomic`.
pub(crate) fn items(folder: &Path, module: &str) -> Vec<Item> {
    let folder = module.split("::").fold(folder.to_owned(), |folder, part| folder.join(part));
    let index = fs::read_to_string(folder.join("index.html")).unwrap_or_else(|error| panic!("{module}: {error}"));
    let entries = index.split("<dt>").skip(1).map(|rest| rest.split("</dt>").next().unwrap_or(rest));
    let items = entries.filter(|entry| !entry.contains(UNSTABLE)).filter_map(|entry| {
        let [kind, page] = ["class", "href"].map(|name| attribute(entry, name));
        let name = plain(entry.split_once('>')?.1.split("</a>").next()?).replace("\u{200b}", "");
        Some(Item { kind: kind?.to_owned(), name, page: folder.join(page?) })
    });
    items.collect()
}

/// A line of Rust that compiles if a type has what its page lists, and a name for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Probe {
    pub(crate) name: String,
    pub(crate) code: String,
}

/// The probes of a type: its methods and associated constants, and the traits that it implements.
pub(crate) fn probes(module: &str, item: &Item) -> Vec<Probe> {
    let page = fs::read_to_string(&item.page).unwrap_or_else(|error| panic!("{}: {error}", item.page.display()));
    let path = format!("{module}::{}", item.name);
    let declared = page.split("item-decl\"><code>").nth(1).and_then(|rest| rest.split("</code>").next());
    let own = Generics::of(&plain(declared.unwrap_or_default()), &item.name);
    let instance = format!("{path}{}", own.arguments());
    let section = |id: &str| {
        page.split(&format!("id=\"{id}\"")).nth(1).map_or("", |rest| rest.split("<h2 ").next().unwrap_or(""))
    };
    let mut probes = Vec::new();
    let inherent = section("implementations");
    for part in inherent.split("<section id=\"").skip(1).filter(|part| !part.contains(UNSTABLE)) {
        let id = part.split('"').next().unwrap_or_default();
        let is_member = part.contains("class=\"method\"") || part.contains("class=\"associatedconstant\"");
        if let Some((_, name)) = id.split_once('.').filter(|_| is_member) {
            let name = name.split('-').next().unwrap_or(name);
            probes.push(Probe { name: format!("{path}::{name}"), code: format!("let _ = <{instance}>::{name};") });
        }
    }
    for id in ["trait-implementations", "synthetic-implementations"] {
        let parts = section(id).split("<section id=\"impl-").skip(1).filter(|part| !part.contains(UNSTABLE));
        probes.extend(parts.filter_map(|part| implementation(part, &path)));
    }
    probes.sort();
    probes.dedup();
    probes
}

/// The probe of one implementation of a trait, from its header.
fn implementation(part: &str, path: &str) -> Option<Probe> {
    let header = part.split("code-header\">").nth(1)?.split("</h3>").next()?;
    let text = with_paths(header.split("<div class=\"where\">").next()?);
    let text = text.trim().trim_start_matches("unsafe ").strip_prefix("impl")?;
    let generics = Generics::of(&format!("impl{text}"), "impl");
    let rest = if text.starts_with('<') { &text[closing(text)? + 1..] } else { text };
    let (implemented, target) = rest.trim().split_once(" for ")?;
    if implemented.starts_with('!') {
        return None;
    }
    let [implemented, target] = [implemented, target].map(|text| generics.instantiate(text));
    let name = format!("{} for {}", plain(&implemented), target.replace("crate::", ""));
    let code = format!("fn probe() where {target}: {implemented} {{}}");
    Some(Probe { name: format!("{path}: {name}"), code })
}

/// Generic parameters, with an argument for each.
struct Generics(Vec<(String, &'static str)>);

impl Generics {
    /// The parameters behind this name in a declaration or a header. One with a default is left out.
    fn of(text: &str, name: &str) -> Generics {
        let after = text.split_once(name).map_or("", |(_, rest)| rest);
        let Some(end) = closing(after).filter(|_| after.starts_with('<')) else { return Generics(Vec::new()) };
        let (mut depth, mut parts) = (0, vec![String::new()]);
        for letter in after[1..end].replace("->", "  ").chars() {
            depth += i32::from("<(".contains(letter)) - i32::from(">)".contains(letter));
            match letter {
                ',' if depth == 0 => parts.push(String::new()),
                letter => parts.last_mut().expect("there is one").push(letter),
            }
        }
        let arguments = parts.iter().filter_map(|part| {
            let word = part.split([':', '=']).next().unwrap_or(part).trim();
            let argument = match word {
                _ if word.starts_with('\'') => "'static",
                "F" => "fn() -> u8",
                _ => "u8",
            };
            (!word.is_empty()).then(|| (word.to_owned(), argument))
        });
        Generics(arguments.collect())
    }

    fn arguments(&self) -> String {
        let arguments: Vec<&str> = self.0.iter().map(|(_, argument)| *argument).collect();
        if arguments.is_empty() { String::new() } else { format!("<{}>", arguments.join(", ")) }
    }

    /// The text with each parameter replaced by its argument.
    fn instantiate(&self, text: &str) -> String {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '\'';
        let mut result = String::new();
        let mut word = String::new();
        for letter in text.chars().chain([' ']) {
            if is_word(letter) {
                word.push(letter);
                continue;
            }
            let argument = self.0.iter().find(|(parameter, _)| *parameter == word).map(|(_, argument)| *argument);
            let anonymous = if word == "'_" { Some("'static") } else { None };
            result.push_str(argument.or(anonymous).unwrap_or(&word));
            result.push(letter);
            word.clear();
        }
        result.trim().to_owned()
    }
}

/// The position of the `>` that closes the `<` at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        depth += i32::from(letter == '<') - i32::from(letter == '>' && before != '-');
        if depth == 0 {
            return Some(at);
        }
        before = letter;
    }
    None
}

fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split_once(&format!("{name}=\""))?.1.split('"').next()
}

/// HTML without its elements.
fn plain(html: &str) -> String {
    let texts = html.split('<').enumerate().map(|(nth, part)| match nth {
        0 => part,
        _ => part.split_once('>').map_or("", |(_, text)| text),
    });
    let text: String = texts.collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&").replace("<wbr>", "")
}

/// HTML without its elements, with the whole path of each type and trait: a page uses short names.
fn with_paths(html: &str) -> String {
    let mut text = String::new();
    for (nth, part) in html.split("<a ").enumerate() {
        let link = part.split_once("</a>").filter(|_| nth > 0);
        let Some((element, rest)) = link else {
            text.push_str(&plain(part));
            continue;
        };
        let path =
            attribute(element, "title").and_then(|title| title.split_once(' ')).filter(|(_, path)| path.contains("::"));
        match path {
            Some((_, path)) => text.push_str(path),
            None => text.push_str(&plain(element.split_once('>').map_or("", |(_, shown)| shown))),
        }
        text.push_str(&plain(rest));
    }
    text
}
