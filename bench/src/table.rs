//! The table: every target with what was measured, for people and as JSON.

use std::fmt;

use serde::Serialize;

use crate::report::{Outcomes, PER_SECOND};
use crate::scenario::Scenario;
use crate::targets::{GROWN, Met, TARGETS, Target, Value};

/// All lines with what was measured.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Table(Vec<Line>);

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    what: String,
    unit: &'static str,
    must: f64,
    goal: f64,
    /// Absent where it was left out.
    measured: Option<f64>,
    /// In percent, where there is a floor and it was measured.
    of_floor: Option<f64>,
    met: Option<Met>,
}

/// The table of what was measured, with so many shipments stored beforehand.
pub(crate) fn table(outcomes: &Outcomes, stored: u32) -> Table {
    let figure =
        |scenario: Scenario, name: &str| outcomes.get(&scenario)?.figures.get(name).copied();
    let percent = |part: Option<f64>, whole: Option<f64>| Some(part? / whole? * 100.0);
    let line = |target: &Target| {
        let measured = match target.value {
            Value::Of(scenario, name) => figure(scenario, name),
            Value::Highest(scenarios, name) => scenarios
                .iter()
                .filter_map(|scenario| figure(*scenario, name))
                .max_by(f64::total_cmp),
            Value::Share((part, name), (whole, of)) => {
                percent(figure(part, name), figure(whole, of))
            }
        };
        let floor = target.floor.and_then(|floor| figure(floor, PER_SECOND));
        Line {
            what: if target.what == GROWN {
                format!("with {stored} shipments stored against none")
            } else {
                target.what.to_owned()
            },
            unit: target.unit,
            must: target.must,
            goal: target.goal,
            measured,
            of_floor: percent(measured, floor),
            met: measured.map(|measured| target.met(measured)),
        }
    };
    Table(TARGETS.iter().map(line).collect())
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Goal => "goal",
            Self::Must => "must",
            Self::Missed => "MISSED",
        })
    }
}

/// As a table of Markdown, which is a table for people too.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["", "must", "goal", "measured", "of floor", "met"];
        row(f, head.map(str::to_owned))?;
        let rule = |width: usize, is_number: bool| {
            "-".repeat(width - usize::from(is_number)) + if is_number { ":" } else { "" }
        };
        let rules: Vec<_> = (0..)
            .zip(WIDTHS)
            .map(|(nth, width)| rule(width, (1..5).contains(&nth)))
            .collect();
        writeln!(f, "| {} |", rules.join(" | "))?;
        for line in &self.0 {
            let with_unit = |value: f64| format!("{}{}", shown(value), line.unit);
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            row(
                f,
                [
                    line.what.clone(),
                    with_unit(line.must),
                    with_unit(line.goal),
                    or_dash(line.measured.map(with_unit)),
                    or_dash(line.of_floor.map(|it| format!("{it:.0}%"))),
                    or_dash(line.met.map(|met| met.to_string())),
                ],
            )?;
        }
        Ok(())
    }
}

const WIDTHS: [usize; 6] = [44, 8, 8, 9, 8, 6];

fn row(
    f: &mut fmt::Formatter<'_>,
    [what, must, goal, measured, of_floor, met]: [String; 6],
) -> fmt::Result {
    writeln!(
        f,
        "| {what:44} | {must:>8} | {goal:>8} | {measured:>9} | {of_floor:>8} | {met:6} |"
    )
}

/// Small numbers with a decimal place.
fn shown(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{BESIDE_PER_SECOND, EMPTY_PER_SECOND, MEMORY_MB, Outcome, P50_MS};

    fn outcomes(figures: &[(Scenario, &'static str, f64)]) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for (scenario, name, value) in figures {
            let outcome: &mut Outcome = outcomes.entry(*scenario).or_default();
            outcome.figures.insert(name, *value);
        }
        outcomes
    }

    fn line(table: &Table, what: &str) -> String {
        let text = table.to_string();
        let found = text.lines().find(|line| line.contains(what));
        let words: Vec<_> = found.unwrap().split_whitespace().collect();
        words.join(" ")
    }

    #[test]
    fn lines_tell_what_was_measured_and_what_part_of_the_floor_it_is() {
        let measured = outcomes(&[
            (Scenario::Floor, PER_SECOND, 1_600.0),
            (Scenario::Throughput, PER_SECOND, 1_000.4),
            (Scenario::Delayed, PER_SECOND, 1_400.0),
            (Scenario::Throughput, MEMORY_MB, 80.0),
            (Scenario::Delayed, MEMORY_MB, 305.5),
            (Scenario::Latency, P50_MS, 12.34),
            (Scenario::Growth, PER_SECOND, 700.0),
            (Scenario::Growth, EMPTY_PER_SECOND, 1_000.0),
            (Scenario::TwoInstances, PER_SECOND, 960.0),
            (Scenario::TwoInstances, BESIDE_PER_SECOND, 1_000.0),
        ]);
        let table = table(&measured, 200_000);
        for expected in [
            "| shipments, PostgreSQL and RabbitMQ | 500/s | 1300/s | 1000/s | 63% | must |",
            "| carriers that take 500 ms | 500/s | 1300/s | 1400/s | 88% | goal |",
            "| share of the floor | 40% | 75% | 62.5% | - | must |",
            "| memory of the four services at its peak | 300 MB | 120 MB | 306 MB | - | MISSED |",
            "| an unloaded domestic shipment, p50 | 60 ms | 25 ms | 12.3 ms | - | goal |",
            "| an unloaded domestic shipment, p99 | 150 ms | 60 ms | - | - | - |",
            "| two instances of each against one | 95% | 100% | 96% | - | must |",
            "| with 200000 shipments stored against none | 80% | 95% | 70% | - | MISSED |",
        ] {
            let what = expected
                .split(" | ")
                .next()
                .unwrap()
                .trim_start_matches("| ");
            assert_eq!(line(&table, what), expected);
        }
    }

    #[test]
    fn every_line_is_as_wide_as_the_others() {
        let text = table(&Outcomes::new(), 200_000).to_string();
        let widths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), TARGETS.len() + 2);
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    }
}
