//! Generates the fault matrix of docs/network.md: the faults of the network that hit a connection in each phase of its
//! life, in the runs of each component's fixed variant. Like docs/detection.md, it depends only on the tree.
//!
//! A phase that no fault hits is untested, so random faults must leave no hole in the matrix. This file lists the
//! impossible pairs of fault and phase, with their reasons; every other pair must have occurred.

use std::collections::BTreeMap;
use std::fmt::Write;

use lastref::explore::{Cell, Engine};
use lastref::net::{HitCounts, Phase, add_hits};
use lastref::scenario::defaults;

use crate::cells;
use crate::search::hunt;

/// The budget of each scenario for the matrix.
pub const SCHEDULES: u64 = 1_000;

/// The budget of each scenario for a test that only looks for impossible hits.
pub const SCHEDULES_SHORT: u64 = 50;

const JOBS: usize = 2;

/// Every fault, in the order of its rows.
const FAULTS: [&str; 12] = [
    "refuse",
    "hang",
    "full backlog",
    "reset",
    "half-close",
    "blackhole",
    "stall",
    "partition",
    "hold",
    "crash",
    "GOAWAY",
    "MALFORMED",
];

/// Components whose protocol begins with a handshake of both ends; http_pool's protocol is HTTP/2.
const WITH_HANDSHAKE: [&str; 4] = ["context_pool", "http_pool", "image", "subchannel"];

/// Whether the fault can hit a connection of the component in that phase.
fn is_possible(component: &str, fault: &str, phase: Phase) -> bool {
    if phase == Phase::Handshake && !WITH_HANDSHAKE.contains(&component) {
        return false;
    }
    match fault {
        // Outcomes of a connection attempt.
        "refuse" | "hang" | "full backlog" => phase == Phase::Connecting,
        // Faults at a byte: a closed connection transfers no bytes.
        "reset" | "blackhole" | "stall" => phase != Phase::Closed,
        // An end writes only when it is connected, and it has sent its acknowledgement by then.
        "half-close" => !matches!(phase, Phase::Connecting | Phase::Closed),
        // An HTTP/2 frame, and a message that is invalid in SP, on an established connection.
        "GOAWAY" => {
            ["http_pool", "subchannel"].contains(&component) && !matches!(phase, Phase::Connecting | Phase::Closed)
        }
        "MALFORMED" => component == "context_pool" && !matches!(phase, Phase::Connecting | Phase::Closed),
        _ => true,
    }
}

/// The counts of each component, with `schedules` schedules of each scenario.
///
/// # Panics
/// If a hunt has no report of one of its cells, which is a bug of the harness.
pub fn counts(schedules: u64) -> BTreeMap<String, HitCounts> {
    let network = cells::all()
        .into_iter()
        .filter(|cell| cell.cell.engine == Engine::Turmoil && cell.cell.case.name().variant == "fixed");
    let cells: Vec<Cell> = network.map(|cell| cell.cell).collect();
    let reports = hunt(cells.clone(), defaults::SEED, schedules, JOBS);
    let mut counts: BTreeMap<String, HitCounts> = BTreeMap::new();
    for (cell, report) in cells.iter().zip(reports) {
        let component = counts.entry(cell.case.name().component.clone()).or_default();
        add_hits(component, report.faults);
    }
    counts
}

fn count(of: &HitCounts, fault: &str, phase: Phase) -> u64 {
    of.get(fault).and_then(|phases| phases.get(&phase)).copied().unwrap_or(0)
}

/// Contradictions between `is_possible` and a complete matrix: a possible pair without a hit, or a hit of an impossible
/// pair.
pub fn contradictions(counts: &BTreeMap<String, HitCounts>) -> Vec<String> {
    let mut found = impossible(counts);
    for (component, of) in counts {
        let hits = FAULTS.into_iter().flat_map(|fault| Phase::ALL.map(|phase| (fault, phase)));
        let holes =
            hits.filter(|(fault, phase)| is_possible(component, fault, *phase) && count(of, fault, *phase) == 0);
        found.extend(holes.map(|(fault, phase)| format!("{component}: no {fault} while {phase}")));
    }
    found
}

/// Hits of impossible pairs, and faults that have no row.
pub fn impossible(counts: &BTreeMap<String, HitCounts>) -> Vec<String> {
    let mut found = Vec::new();
    for (component, of) in counts {
        for (fault, phases) in of {
            if !FAULTS.contains(&fault.as_str()) {
                found.push(format!("{component}: `{fault}` has no row in the matrix"));
                continue;
            }
            let hits = phases.iter().filter(|(phase, runs)| **runs > 0 && !is_possible(component, fault, **phase));
            found.extend(hits.map(|(phase, runs)| format!("{component}: {runs} runs with {fault} while {phase}")));
        }
    }
    found
}

/// The matrix as Markdown, with one table for each component.
pub fn tables(counts: &BTreeMap<String, HitCounts>) -> String {
    let phases: Vec<&str> = Phase::ALL.into_iter().map(Phase::name).collect();
    let mut text = String::new();
    for (component, of) in counts {
        let _ = writeln!(text, "\n| {component} | {} |\n| --- |{}", phases.join(" | "), " --: |".repeat(phases.len()));
        for fault in FAULTS {
            let cell = |phase| match is_possible(component, fault, phase) {
                true => count(of, fault, phase).to_string(),
                false => String::from("–"),
            };
            let row: Vec<String> = Phase::ALL.into_iter().map(cell).collect();
            if row.iter().any(|cell| cell != "–") {
                let _ = writeln!(text, "| {fault} | {} |", row.join(" | "));
            }
        }
    }
    text
}

const BEGIN: &str = "<!-- generated: fault matrix -->\n";
const END: &str = "<!-- end of the fault matrix -->";

/// Replaces the matrix in the document; `None` if the document does not mark its place.
pub fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_and_an_impossible_hit_are_told() {
        let mut of = HitCounts::new();
        for fault in FAULTS {
            let possible = Phase::ALL.into_iter().filter(|phase| is_possible("image", fault, *phase));
            of.insert(fault.to_owned(), possible.map(|phase| (phase, 1)).collect());
        }
        let mut counts = BTreeMap::from([("image".to_owned(), of)]);
        assert_eq!(contradictions(&counts), [""; 0]);
        let phases = counts.get_mut("image").and_then(|of| of.get_mut("blackhole")).expect("it was put in");
        phases.insert(Phase::Closed, 3);
        phases.remove(&Phase::Idle);
        assert_eq!(
            contradictions(&counts),
            ["image: 3 runs with blackhole while closed", "image: no blackhole while idle"]
        );
    }

    #[test]
    fn a_matrix_takes_the_place_of_the_one_before() {
        let document = format!("a\n{BEGIN}old\n{END}\nb\n");
        let new = replaced(&document, "\n| new |\n").expect("it has a place");
        assert_eq!(new, format!("a\n{BEGIN}\n| new |\n\n{END}\nb\n"));
        assert_eq!(replaced(&new, "\n| new |\n").as_deref(), Some(new.as_str()));
        assert_eq!(replaced("a", "b"), None);
    }
}
