//! The name of a case.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names a case: component, scenario, variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseName {
    /// The component, such as `context_pool`; empty for a search of [`Check`](super::Check), which has none.
    pub component: String,
    /// The scenario.
    pub scenario: String,
    /// `fixed`, or the name of a defect; empty for a search of [`Check`](super::Check), which has one variant.
    pub variant: String,
}

impl fmt::Display for CaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.component, &self.scenario, &self.variant];
        let said: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        f.write_str(&said.join("/"))
    }
}
