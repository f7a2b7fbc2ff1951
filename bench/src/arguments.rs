//! What the command line says. `cargo xtask bench --help` tells people.

use std::path::PathBuf;

use clap::Parser;
use serde::Serialize;

use crate::scenario::Scenario;

/// Shipments before the measured ones, where there are as many: caches are filled, connections open.
const WARM_UP: u32 = 300;

/// Measures the floor and the suite on the same servers, and tells what they must come to.
#[derive(Clone, Debug, Parser, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Measures only this; may be given repeatedly
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Scenario>,
    /// How many shipments each scenario measures
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) shipments: u32,
    /// How many finished shipments are stored for `growth`; 0 leaves it out
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub(crate) stored: u32,
    /// Keep logs, databases and virtual hosts
    #[arg(long)]
    #[serde(skip)]
    pub(crate) keep: bool,
    /// Also write the results to this file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
    /// Also write the results to docs/benchmarks, under today's date
    #[arg(long)]
    #[serde(skip)]
    pub(crate) save: bool,
}

impl Arguments {
    /// What is to be measured, in order.
    pub(crate) fn chosen(&self) -> Vec<Scenario> {
        use clap::ValueEnum as _;
        let asked = |scenario: &&Scenario| self.only.is_empty() || self.only.contains(scenario);
        let possible = |scenario: &&Scenario| **scenario != Scenario::Growth || self.stored > 0;
        let all = Scenario::value_variants().iter();
        all.filter(asked).filter(possible).copied().collect()
    }

    /// How many shipments run before those that are measured.
    pub(crate) fn warm_up(&self) -> u32 {
        WARM_UP.min(self.shipments)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;

    fn chosen(line: &str) -> Vec<Scenario> {
        Arguments::parse_from(line.split_whitespace()).chosen()
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn all_is_measured_unless_something_is_named_and_in_one_order() {
        assert_eq!(chosen("bench"), Scenario::value_variants());
        assert_eq!(
            chosen("bench --only latency --only floor"),
            [Scenario::Floor, Scenario::Latency]
        );
        assert!(!chosen("bench --stored 0").contains(&Scenario::Growth));
    }

    /// What people read is written by hand in `xtask`, which builds without any of this.
    #[test]
    fn the_help_of_the_command_names_every_scenario_and_option() {
        let help = include_str!("../../xtask/src/bench.rs");
        for scenario in Scenario::value_variants() {
            let line = format!("\n  {} ", scenario.name());
            assert!(help.contains(&line), "{line:?} is not in the help");
        }
        for option in Arguments::command().get_arguments() {
            let option = option.get_long().unwrap();
            assert!(
                help.contains(&format!("  --{option}")),
                "--{option} is not in the help"
            );
        }
    }
}
