//! Attributes that the stand-in for std puts into the preludes, in place of the built-in ones.
//!
//! `#[test]` keeps the function's attributes, its name and libtest's list, and runs its body under many schedules. The
//! tokens are handled without a parser: a test is a plain function without parameters, and its last token is its body.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The built-in attribute, from the real std.
const REAL_TEST: &str = "#[::std::__real::prelude::v1::test]";

/// Runs a test under many schedules.
#[proc_macro_attribute]
pub fn test(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let wrapped = wrap(&tokens).unwrap_or_else(|| tokens.into_iter().collect());
    parse(REAL_TEST).into_iter().chain(wrapped).collect()
}

/// Tells the author of a crate that its allocator is replaced: the lint for deprecated items is the one way in which a
/// macro can print a warning.
const REPLACED: &str = "const _: () = {
    #[deprecated(note = \"under cargo lastref the ledger of the heap is used in place of this global allocator\")]
    const GLOBAL_ALLOCATOR: () = ();
    GLOBAL_ALLOCATOR
};";

/// A crate's own allocator stays a plain static: the ledger of the stand-in is the global allocator.
#[proc_macro_attribute]
pub fn global_allocator(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item.into_iter().chain(parse(REPLACED)).collect()
}

/// The function with a body that calls the runtime; `None` if the item is not a function, which rustc then reports.
fn wrap(tokens: &[TokenTree]) -> Option<TokenStream> {
    let (last, before) = tokens.split_last()?;
    let last = visible(last.clone().into());
    let [TokenTree::Group(body)] = last.as_slice() else { return None };
    if body.delimiter() != Delimiter::Brace {
        return None;
    }
    let keyword =
        before.iter().position(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    let [TokenTree::Ident(name), TokenTree::Group(_), result @ ..] = before.get(keyword + 1..)? else { return None };
    let (own, moved) = split(before.get(..keyword)?);
    let signature = before.get(keyword..keyword + 3)?;

    let path =
        format!("::std::concat!(::std::module_path!(), \"::\", \"{}\")", name.to_string().trim_start_matches("r#"));
    let call = match expected_panic(&own) {
        None => format!("::std::__lastref::testing::test({path}, {name})"),
        Some(text) => format!("::std::__lastref::testing::test_should_panic({path}, {name}, {text})"),
    };
    // The inner function has the test's name: insta, for one, names a snapshot after the function around its macro.
    let mut inner: TokenStream = moved.into_iter().collect();
    inner.extend(parse(&format!("fn {name}()")));
    inner.extend(result.iter().cloned());
    inner.extend([TokenTree::Group(body.clone())]);
    inner.extend(parse(&call));
    let mut outer = Group::new(Delimiter::Brace, inner);
    outer.set_span(body.span());
    Some(own.into_iter().chain(signature.iter().cloned()).chain([TokenTree::Group(outer)]).collect())
}

/// Attributes that stay with the test, since they concern its item, or the harness.
const OF_TEST: [&str; 12] = [
    "allow",
    "cfg",
    "cfg_attr",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "ignore",
    // `rustversion::since(…)` removes its item, and `rustversion::attr(…, ignore)` concerns the harness.
    "rustversion",
    "should_panic",
    "warn",
];

/// The tokens before `fn` that stay with the test, and the attributes that its body gets. A macro that stands behind
/// `#[test]`, such as `#[timeout(100)]`, would otherwise wrap the whole search, and not each run.
fn split(tokens: &[TokenTree]) -> (Vec<TokenTree>, Vec<TokenTree>) {
    let (mut own, mut moved) = (Vec::new(), Vec::new());
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let begins_attribute = matches!(token, TokenTree::Punct(mark) if mark.as_char() == '#');
        let Some((TokenTree::Group(group), after)) = after.split_first().filter(|_| begins_attribute) else {
            own.push(token.clone());
            continue;
        };
        rest = after;
        let word = visible(group.stream()).first().map(ToString::to_string).unwrap_or_default();
        let list = if OF_TEST.contains(&word.as_str()) { &mut own } else { &mut moved };
        list.extend([token.clone(), TokenTree::Group(group.clone())]);
    }
    (own, moved)
}

/// The text that a panic of the test must contain, as a literal, if the test has `#[should_panic]`.
fn expected_panic(attributes: &[TokenTree]) -> Option<String> {
    attributes.iter().find_map(|token| {
        let TokenTree::Group(group) = token else { return None };
        let mut tokens = visible(group.stream()).into_iter();
        let Some(TokenTree::Ident(name)) = tokens.next() else { return None };
        if name.to_string() != "should_panic" {
            return None;
        }
        // `should_panic`, `should_panic = "..."` or `should_panic(expected = "...")`.
        let flat = tokens.flat_map(|token| match token {
            TokenTree::Group(group) => visible(group.stream()),
            other => vec![other],
        });
        let literal = flat.into_iter().find(|token| matches!(token, TokenTree::Literal(_)));
        Some(literal.map_or_else(|| "\"\"".to_owned(), |literal| literal.to_string()))
    })
}

/// The tokens without invisible groups. A variable of `macro_rules!` is such a group: in `#[$meta]`, in
/// `fn name() $block`, and in `expected = $literal`.
fn visible(tokens: TokenStream) -> Vec<TokenTree> {
    let one = |token: TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => visible(group.stream()),
        other => vec![other],
    };
    tokens.into_iter().flat_map(one).collect()
}

/// Parses code that this file generates.
fn parse(code: &str) -> TokenStream {
    match code.parse() {
        Ok(tokens) => tokens,
        Err(error) => panic!("invariant: `{code}` is code: {error}"),
    }
}
