//! `cargo xtask check`: everything that CI checks.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{Options, chaos, options, shell, test};

const HELP: &str = "\
Everything that CI checks. Every step runs, also after one that failed.

Usage: cargo xtask check [--no-test] [--no-chaos] [--advisories]

Steps:
  format         cargo fmt --all --check
  lints          cargo clippy --workspace --all-targets, warnings are errors
  documentation  cargo doc --workspace --no-deps, warnings are errors
  tests          as `cargo xtask test`
  chaos          as `cargo xtask chaos --seconds 30`, on servers of its own
  dependencies   cargo deny check licenses bans sources, where cargo-deny is installed

Options:
  --no-test     Leave out the tests
  --no-chaos    Leave out chaos, which needs Docker or, as root, Debian's packages
  --advisories  Check the dependencies against the advisories database too (fetches it)
  -h, --help    Show this";

#[derive(Default)]
struct Chosen {
    no_test: bool,
    no_chaos: bool,
    advisories: bool,
}

/// Runs the command with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let chosen = options(arguments, |chosen: &mut Chosen, option| match option {
        "--no-test" => {
            chosen.no_test = true;
            true
        }
        "--no-chaos" => {
            chosen.no_chaos = true;
            true
        }
        "--advisories" => {
            chosen.advisories = true;
            true
        }
        _ => false,
    })?;
    let Options::Run(chosen) = chosen else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };

    let mut report = Report::default();
    report.step("format", || cargo(&["fmt", "--all", "--check"]));
    report.step("lints", lints);
    report.step("documentation", documentation);
    if chosen.no_test {
        report.skip("tests", "--no-test");
    } else {
        report.step("tests", || test::run(false, &[]));
    }
    if chosen.no_chaos {
        report.skip("chaos", "--no-chaos");
    } else {
        report.step("chaos", chaos::run_briefly);
    }
    if shell::cargo_has("deny") {
        report.step("dependencies", || dependencies(chosen.advisories));
    } else {
        report.skip(
            "dependencies",
            "cargo-deny is not installed: `cargo install cargo-deny --locked`",
        );
    }

    print!("\n{}", report.summary());
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lints() -> Result<bool> {
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn documentation() -> Result<bool> {
    // Added to the flags that the environment has, which it would otherwise replace.
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    let mut doc = shell::cargo();
    doc.args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", format!("{flags} -D warnings").trim());
    shell::run(&mut doc)
}

fn dependencies(advisories: bool) -> Result<bool> {
    let mut arguments = vec!["deny", "check", "licenses", "bans", "sources"];
    if advisories {
        arguments.push("advisories");
    }
    cargo(&arguments)
}

fn cargo(arguments: &[&str]) -> Result<bool> {
    shell::run(shell::cargo().args(arguments))
}

/// How a step ended.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(&'static str),
}

/// What the steps came to.
#[derive(Default)]
struct Report {
    steps: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// Runs a step. One that cannot be run has failed, and its error is printed.
    fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<bool>) {
        println!("==> {name}");
        let started = Instant::now();
        let passed = run().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            false
        });
        let outcome = if passed {
            Outcome::Passed(started.elapsed())
        } else {
            Outcome::Failed(started.elapsed())
        };
        println!("<== {}", line(name, &outcome));
        self.steps.push((name, outcome));
    }

    fn skip(&mut self, name: &'static str, reason: &'static str) {
        let outcome = Outcome::Skipped(reason);
        println!("<== {}", line(name, &outcome));
        self.steps.push((name, outcome));
    }

    fn passed(&self) -> bool {
        let failed = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::Failed(_));
        !self.steps.iter().any(failed)
    }

    fn summary(&self) -> String {
        self.steps
            .iter()
            .map(|(name, outcome)| line(name, outcome) + "\n")
            .collect()
    }
}

fn line(name: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed(took) => format!("{name:14} passed   {:6.1} s", took.as_secs_f64()),
        Outcome::Failed(took) => format!("{name:14} FAILED   {:6.1} s", took.as_secs_f64()),
        Outcome::Skipped(reason) => format!("{name:14} skipped  {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_whole_and_the_later_steps_still_run() {
        let mut report = Report::default();
        report.step("first", || Ok(false));
        report.step("second", || anyhow::bail!("cannot be run"));
        report.step("third", || Ok(true));
        assert!(!report.passed());
        let words: Vec<_> = report
            .summary()
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
            .collect();
        assert_eq!(words, ["FAILED", "FAILED", "passed"]);
    }

    #[test]
    fn a_skipped_step_says_why_and_fails_nothing() {
        let mut report = Report::default();
        report.skip("dependencies", "cargo-deny is not installed");
        assert!(report.passed());
        assert!(report.summary().contains("cargo-deny is not installed"));
    }
}
