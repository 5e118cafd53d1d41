//! The reasons why a run is invalid.

/// Why a run is invalid: it gives no verdict on the component, and the harness, a model or the body must be fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Void {
    /// A bug of the harness or of a model.
    Harness(String),
    /// The body uses the harness in a way that is not supported.
    Misuse(String),
}
