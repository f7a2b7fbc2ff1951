//! What a run has found: as JSON, and for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::machine::Machine;
use crate::scenario::Scenario;
use crate::table::{Table, table};

/// Numbers by their names.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Completed shipments a second, from the first start to the last completion.
pub(crate) const PER_SECOND: &str = "shipmentsPerSecond";
/// From start to completion, in milliseconds.
pub(crate) const P50_MS: &str = "p50Ms";
pub(crate) const P99_MS: &str = "p99Ms";
pub(crate) const MAX_MS: &str = "maxMs";
/// Resident memory of all services together at its peak, in megabytes.
pub(crate) const MEMORY_MB: &str = "memoryMb";
/// Shipments a second before any were stored beforehand, with half of them, and with all.
pub(crate) const EMPTY_PER_SECOND: &str = "emptyShipmentsPerSecond";
pub(crate) const HALF_PER_SECOND: &str = "halfShipmentsPerSecond";

/// Shipments a second of `throughput`, just before and just after what is held against it, on average: a machine may
/// be a fifth slower some minutes later.
pub(crate) const BESIDE_PER_SECOND: &str = "besideShipmentsPerSecond";

/// What one scenario came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) figures: Figures,
    /// What is to be known beside them.
    pub(crate) notes: Vec<String>,
    /// What was lost, or failed.
    pub(crate) faults: Vec<String>,
}

impl Outcome {
    /// Nothing but a fault.
    pub(crate) fn failed(fault: String) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

/// All that was measured, by scenario.
pub(crate) type Outcomes = BTreeMap<Scenario, Outcome>;

/// What is kept of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    began: Timestamp,
    machine: Machine,
    settings: Arguments,
    table: Table,
    scenarios: Outcomes,
}

impl Report {
    pub(crate) fn new(
        began: Timestamp,
        machine: Machine,
        settings: Arguments,
        scenarios: Outcomes,
    ) -> Self {
        Self {
            began,
            machine,
            table: table(&scenarios, settings.stored),
            settings,
            scenarios,
        }
    }

    /// Whether everything ran, and no shipment was lost.
    pub(crate) fn is_sound(&self) -> bool {
        is_sound(&self.scenarios)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The file of this day in the documentation.
    pub(crate) fn place(&self) -> PathBuf {
        let day = self.began.to_zoned(TimeZone::UTC).date();
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks");
        Path::new(docs).join(format!("{day}.json"))
    }
}

fn is_sound(outcomes: &Outcomes) -> bool {
    let mut all = outcomes.values();
    all.all(|outcome| outcome.faults.is_empty())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.machine, self.table)?;
        for (scenario, outcome) in &self.scenarios {
            let figures = outcome.figures.iter();
            let figures = figures.map(|(name, value)| format!("{name} {value:.1}"));
            let figures: Vec<_> = figures.collect();
            writeln!(f, "{:14} {}", scenario.name(), figures.join(", "))?;
            for note in &outcome.notes {
                writeln!(f, "{:14} {note}", "")?;
            }
            for fault in &outcome.faults {
                writeln!(f, "{:14} FAULT: {fault}", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_is_enough_and_a_figure_is_none() {
        let mut outcomes = Outcomes::new();
        let slow = outcomes.entry(Scenario::Throughput).or_default();
        slow.figures.insert(PER_SECOND, 1.0);
        assert!(is_sound(&outcomes));
        let lost = outcomes.entry(Scenario::Sqlite).or_default();
        lost.faults.push("3 unfinished".to_owned());
        assert!(!is_sound(&outcomes));
    }
}
