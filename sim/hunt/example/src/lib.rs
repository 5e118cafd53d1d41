//! An example of a project of its own: a model with a fixed and a defective variant, and its list of scenarios.
//!
//! `docs/your-own-project.md` shows these files; a test compares them.

pub mod model;

lastref::scenarios! {
    cache: [
        closed_by_last_user,
        peers_are_apart,
    ],
}
