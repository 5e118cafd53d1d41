//! The claims of a saved case, compared with its run.
//!
//! A saved case that violates another property than it claims sends its reader after the wrong bug. There are
//! legitimate causes: the code has changed since, or the plan was edited on purpose. Then a sentence says which of
//! the two. If the run is the saved one and contradicts the claim, the claim itself was edited: the case is
//! refused.

use std::path::Path;

use lastref::explore::Report;
use lastref::replay::Repro;

use super::error::Error;

/// The remark on a run that differs from the saved one, if it differs.
///
/// # Errors
/// If the file claims what its own run contradicts.
pub(super) fn remark(repro: &Repro, path: &Path, report: &Report) -> Result<Option<String>, Error> {
    let file = path.display();
    let is_same_run = repro.trace_hash == report.trace_hash;
    if !repro.is_edited() {
        let saved_for = format!("under which it violated `{}`; this is what it does now", repro.property);
        return Ok((!is_same_run).then(|| format!("`{file}` was saved with other code, {saved_for}")));
    }
    let shown = report.failure();
    let is_claim_true =
        shown.is_some_and(|it| it.violation.kind == repro.kind && it.violation.property == repro.property);
    match (is_same_run, is_claim_true) {
        (true, false) => {
            let claimed = format!("`{}` ({})", repro.property, repro.kind);
            let shown = shown.map_or_else(
                || String::from("nothing"),
                |it| format!("`{}` ({})", it.violation.property, it.violation.kind),
            );
            Err(Error::Edited { path: path.to_owned(), claimed, shown })
        }
        (true, true) => Ok(Some(format!("`{file}` was edited since it was saved; its run is the one that was saved"))),
        (false, _) => {
            Ok(Some(format!("`{file}` was edited since it was saved; its run is not the one that was saved")))
        }
    }
}
