//! docs/network.md's fault matrix is current, and has no hole.

use std::path::Path;

use lastref_tests::environment::{is_thorough, updates};
use lastref_tests::faults;

#[test]
fn no_fault_hits_a_connection_where_it_cannot() {
    let impossible = faults::impossible(&faults::counts(faults::SCHEDULES_SHORT));
    assert!(impossible.is_empty(), "{}", impossible.join("\n"));
}

/// Takes a minute, so only a thorough run executes it.
#[test]
fn the_fault_matrix_is_current_and_has_no_hole() {
    if !is_thorough() && !updates() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/network.md");
    let kept = std::fs::read_to_string(&path).expect("docs/network.md is there");
    let counts = faults::counts(faults::SCHEDULES);
    let now = faults::replaced(&kept, &faults::tables(&counts)).expect("docs/network.md has a place for the matrix");
    if updates() {
        std::fs::write(&path, &now).expect("docs/network.md can be written");
    }
    let contradictions = faults::contradictions(&counts);
    assert!(contradictions.is_empty(), "{}", contradictions.join("\n"));
    assert!(
        now == kept || updates(),
        "docs/network.md has another matrix than the tree gives:\n{}",
        faults::tables(&counts)
    );
}
