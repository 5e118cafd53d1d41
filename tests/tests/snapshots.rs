//! What people review when a model or the harness changes: for each defect its shortest failing interleaving, for each
//! component one clean trace, and the transitions of the models: the table of a machine that is written as one, and for
//! every component those that its fixed variant made in a number of runs of every scenario.
//!
//! Several scenarios may find one defect; the snapshot is of the one whose shrunk table is the shortest, among those
//! that find it by the property that the first of them names. A snapshot holds no seed, address or source line, so that
//! it changes when behaviour does and not otherwise. The search behind it uses the defaults of a hunt whatever the
//! environment says, for the same reason.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use lastref::explore::{Engine, run_one, transitions};
use lastref::replay::{ShrinkLimits, shrink};
use lastref_tests::cells::{self, SuiteCell};
use lastref_tests::search::search;
use libtest_mimic::{Arguments, Failed, Trial};
use models::context_pool::req_state;
use models::http_pool;
use models::image::image_state;
use models::kit::machine::table as table_of;
use models::subchannel::state;
use scenarios::{Expect, defaults};

/// Runs of each scenario whose transitions are gathered; another tenfold adds none.
const GATHERED: u64 = 100;

/// Every planted defect is found in far fewer.
const SCHEDULES: u64 = 10_000;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> =
        tables().into_iter().map(|(name, table)| Trial::test(name, move || compare(name, &table))).collect();
    for (component, cells) in by_component() {
        let name = format!("{component}.transitions");
        trials.push(Trial::test(name.clone(), move || compare(&name, &gathered(&cells))));
    }
    for (name, cells) in by_variant() {
        trials.push(Trial::test(name.clone(), move || {
            let mut said = cells.iter().map(|cell| cell.expectation.expect);
            let first = said.find(|expect| *expect != Expect::Clean).or(Some(Expect::Clean));
            let alike = cells.iter().filter(|cell| Some(cell.expectation.expect) == first);
            let tables: Result<Vec<String>, Failed> = alike.map(table).collect();
            // The order of the list decides between tables of equal length.
            let shortest = tables?.into_iter().min_by_key(|table| table.lines().count());
            compare(&name, &shortest.ok_or("invariant: a variant is in the list because of a cell")?)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The cells of each variant, as `component.variant` under fiber and `component.network.variant` on the network, in the
/// order of the list.
fn by_variant() -> Vec<(String, Vec<SuiteCell>)> {
    let mut variants: Vec<(String, Vec<SuiteCell>)> = Vec::new();
    for cell in cells::all().into_iter().filter(|cell| cell.cell.engine.is_scheduled()) {
        let name = cell.cell.case.name();
        let network = if cell.cell.engine == Engine::Turmoil { "network." } else { "" };
        let name = format!("{}.{network}{}", name.component, name.variant);
        match variants.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cells)) => cells.push(cell),
            None => variants.push((name, vec![cell])),
        }
    }
    variants
}

/// The table of a cell, under the name of its scenario: of a clean run, or of the shortest failing interleaving.
fn table(cell: &SuiteCell) -> Result<String, Failed> {
    let case = &cell.cell.case;
    let table = match cell.expectation.expect {
        Expect::Clean => run_one(case, cell.cell.engine, cell.cell.strategy, defaults::SEED).table,
        Expect::Violation { property } => {
            let report = search(&cell.cell, defaults::SEED, SCHEDULES);
            let failure = report.failure().ok_or("the defect was not found")?;
            let shrunk = shrink(case, failure, ShrinkLimits::default()).ok_or("the failure does not replay")?;
            let smallest = shrunk.report.failure().ok_or("the shrunk case violates nothing")?;
            assert_eq!(smallest.violation.property, property, "a case is shrunk within its property");
            smallest.table.clone()
        }
    };
    if table.is_empty() {
        return Err("a recorded run has no table".into());
    }
    Ok(format!("{}\n{table}", case.name()))
}

/// The cells of each component's fixed variant, on one task set and on the network alike.
fn by_component() -> BTreeMap<String, Vec<SuiteCell>> {
    let mut components: BTreeMap<String, Vec<SuiteCell>> = BTreeMap::new();
    for cell in cells::all().into_iter().filter(|cell| cell.cell.engine.is_scheduled()) {
        let name = cell.cell.case.name();
        if name.variant == "fixed" {
            components.entry(name.component.clone()).or_default().push(cell);
        }
    }
    components
}

/// Every transition that some run made, one a line.
fn gathered(cells: &[SuiteCell]) -> String {
    let runs = cells.iter().flat_map(|cell| (0..GATHERED).map(move |seed| (&cell.cell, seed)));
    let made: BTreeSet<String> = runs.flat_map(|(cell, seed)| transitions(&cell.case, cell.strategy, seed)).collect();
    made.iter().map(|transition| format!("{transition}\n")).collect()
}

/// The machines that are written as tables.
fn tables() -> [(&'static str, String); 4] {
    [
        ("context_pool.req_state", table_of(req_state::next)),
        ("http_pool.state", table_of(http_pool::state::next)),
        ("image.image_state", table_of(image_state::next)),
        ("subchannel.state", table_of(state::next)),
    ]
}

fn compare(snapshot: &str, text: &str) -> Result<(), Failed> {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(snapshot, text));
    Ok(())
}
