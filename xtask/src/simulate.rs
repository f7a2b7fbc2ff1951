//! `cargo xtask simulate`: the suite under a scheduler that a seed drives, seed by seed.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell;

const HELP: &str = "\
Run the suite under a scheduler that a seed drives: any order, duplicates, delays, crashes, conflicts
between instances, answers that are lost, deadlines that race with answers, carriers that misbehave, and
people who cancel, amend, retry and settle. The same seed is the same run, to the letter of its trace. The exit
code is 0 only if everything holds in every seed.

Usage: cargo xtask simulate [--seeds N] [--from SEED] [--shipments K] [--debug]
       cargo xtask simulate --seed S [--shipments K] [--debug]

Options:
  --seeds N      How many seeds to run, on all cores (default: 1000)
  --from SEED    The first of them (default: 0)
  --seed S       Run this seed alone, and print its trace and all streams
  --shipments K  How many shipments each seed runs (default: 24)
  --debug        Run what is built for tests: slower, and sooner there than an optimised build
  -h, --help     Show this";

/// Runs the command with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
    {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let passed = shell::run(shell::cargo().args(run(arguments)))?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What cargo is asked to do; the program that it starts reads the other options.
fn run(arguments: &[String]) -> Vec<&str> {
    let mut run = vec!["run", "--quiet", "--package", "simulation"];
    run.extend(["--example", "simulate"]);
    let debug = |word: &&String| *word == "--debug";
    if !arguments.iter().any(|word| debug(&word)) {
        run.push("--release");
    }
    run.push("--");
    let others = arguments.iter().filter(|word| !debug(word));
    run.extend(others.map(String::as_str));
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_passed_on_but_the_one_for_cargo() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let program = "run --quiet --package simulation --example simulate";
        assert_eq!(
            run(&words("--seed 7")).join(" "),
            format!("{program} --release -- --seed 7")
        );
        assert_eq!(
            run(&words("--debug --seeds 7")).join(" "),
            format!("{program} -- --seeds 7")
        );
    }
}
