//! What the command line says. `cargo xtask chaos --help` tells people.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Injures the services and their servers, and checks that nothing is lost.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// How long to injure
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Repeats the injuries of an earlier run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Shipments to start a second
    #[arg(long, default_value_t = 8.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Also write the report to this file
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Keep the logs also when everything holds
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Arguments {
    /// How long to injure.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.1..=500.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("it must be between 0.1 and 500".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_rate_is_bounded() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "501", "NaN", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
