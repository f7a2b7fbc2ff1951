//! The load generator, and what it reports.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use system_tests::binaries::{TOKEN, command};
use system_tests::group::GroupPlace;
use tokio::process::Command;

use crate::report::{Figures, MAX_MS, MEMORY_MB, P50_MS, P99_MS, PER_SECOND};
use crate::suite::Suite;

/// How many start shipments side by side, each the next as soon as the last is accepted.
const WORKERS: u32 = 100;

/// Between two shipments of which none is to meet another, in milliseconds.
pub(crate) const APART_MS: u32 = 250;

/// Which shipments are started, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// So many international shipments, as fast as they are accepted.
    AsFastAsItGoes(u32),
    /// So many domestic shipments, one after another.
    OneByOne(u32),
}

impl Load {
    fn arguments(self) -> Vec<String> {
        let (workers, each, delay, category) = match self {
            Self::AsFastAsItGoes(shipments) => {
                let workers = WORKERS.min(shipments);
                (workers, shipments.div_ceil(workers), 0, "international")
            }
            Self::OneByOne(shipments) => (1, shipments, APART_MS, "domestic"),
        };
        let words = [
            ("--workers", workers.to_string()),
            ("--shipments", each.to_string()),
            ("--delay-ms", delay.to_string()),
            ("--category", category.to_owned()),
        ];
        words
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) figures: Figures,
    /// What was lost, or not as it must be.
    pub(crate) faults: Vec<String>,
}

/// The parts of the load generator's report that are used.
#[derive(Deserialize)]
struct Report {
    ok: bool,
    finishes: Option<Finishes>,
    samples: Samples,
}

#[derive(Deserialize)]
struct Finishes {
    per_second: Option<f64>,
    time_to_finish_ms: Option<Percentiles>,
}

#[derive(Deserialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Deserialize)]
struct Samples {
    seen: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    /// Bytes, by process.
    #[serde(default)]
    memory: BTreeMap<String, u64>,
}

/// Runs the load generator against the suite. What it says goes to files of this name.
pub(crate) async fn run(
    load: Load,
    name: &str,
    suite: &Suite,
    place: &GroupPlace,
) -> Result<Loaded> {
    let json = place.folder.join(format!("{name}.json"));
    let text = place.folder.join(format!("{name}.txt"));
    let log = File::create(&text)?;
    let mut generator = Command::from(command("load_test"));
    generator
        .args(load.arguments())
        .args(["--url", &suite.url(), "--token", TOKEN, "--json"])
        .arg(&json)
        .process_group(place.number)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    for pid in suite.pids() {
        generator.args(["--process", &pid.to_string()]);
    }
    let status = generator.status().await.context("cannot run load_test")?;
    let report = read(&json).with_context(|| {
        let said = fs::read_to_string(&text).unwrap_or_default();
        format!("load_test ended with {status} and left no report:\n{said}")
    })?;
    let said = fs::read_to_string(&text).unwrap_or_default();
    Ok(loaded(&report, suite.pids().len(), result_of(&said)))
}

fn read(path: &Path) -> Result<Report> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The line that says what was wrong.
fn result_of(said: &str) -> &str {
    let mut lines = said.lines();
    lines
        .find(|line| line.starts_with("Result:"))
        .unwrap_or("load_test failed")
}

fn loaded(report: &Report, processes: usize, result: &str) -> Loaded {
    let mut figures = Figures::new();
    if let Some(finishes) = &report.finishes {
        figures.extend(finishes.per_second.map(|it| (PER_SECOND, it)));
        if let Some(times) = &finishes.time_to_finish_ms {
            figures.extend([
                (P50_MS, times.p50),
                (P99_MS, times.p99),
                (MAX_MS, times.max),
            ]);
        }
    }
    // Where one of them is not seen, the sum would be too small.
    let whole = report
        .samples
        .seen
        .iter()
        .filter(|it| it.memory.len() == processes);
    let peak = whole
        .map(|sample| sample.memory.values().sum::<u64>())
        .max();
    #[expect(clippy::cast_precision_loss, reason = "a number for a person")]
    figures.extend(peak.map(|bytes| (MEMORY_MB, bytes as f64 / 1e6)));
    let faults = (!report.ok).then(|| result.to_owned());
    Loaded {
        figures,
        faults: faults.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_load_is_spread_over_the_workers() {
        let words = |load: Load| load.arguments().join(" ");
        assert_eq!(
            words(Load::AsFastAsItGoes(10_000)),
            "--workers 100 --shipments 100 --delay-ms 0 --category international"
        );
        assert!(words(Load::AsFastAsItGoes(20)).starts_with("--workers 20 --shipments 1 "));
        assert!(
            words(Load::OneByOne(300)).starts_with("--workers 1 --shipments 300 --delay-ms 250")
        );
    }

    #[test]
    fn memory_is_the_highest_sum_over_all_processes() {
        let report = json!({
            "ok": true,
            "finishes": {
                "completed": 5,
                "per_second": 12.5,
                "time_to_finish_ms": {"p50": 1.0, "p90": 2.0, "p99": 3.0, "max": 4.0},
            },
            "samples": {"left_out": [], "seen": [
                {"at_s": 0.0, "memory": {"a (1)": 1_000_000, "b (2)": 2_000_000}},
                {"at_s": 1.0, "memory": {"a (1)": 4_000_000, "b (2)": 2_500_000}},
                {"at_s": 2.0, "memory": {"a (1)": 9_000_000}},
            ]},
        });
        let report = serde_json::from_value(report).unwrap();
        let loaded = loaded(&report, 2, "");
        let expected = [
            (PER_SECOND, 12.5),
            (P50_MS, 1.0),
            (P99_MS, 3.0),
            (MAX_MS, 4.0),
            (MEMORY_MB, 6.5),
        ];
        assert_eq!(loaded.figures, expected.into());
        assert!(loaded.faults.is_empty());
    }

    #[test]
    fn what_is_not_all_right_is_a_fault_with_its_reason() {
        let report = json!({"ok": false, "finishes": null, "samples": {"seen": []}});
        let report = serde_json::from_value(report).unwrap();
        let said = "Finishes\n\nResult: NOT all right: 2 unfinished\n";
        let loaded = loaded(&report, 1, result_of(said));
        assert_eq!(loaded.faults, ["Result: NOT all right: 2 unfinished"]);
        assert!(loaded.figures.is_empty());
    }
}
