//! `cargo xtask test`: every test, with the real servers that the tests need.

use std::process::ExitCode;

use anyhow::Result;

use crate::servers::Servers;
use crate::{Options, options, shell};

const HELP: &str = "\
Run every test, bringing the real servers that the tests need.

Usage: cargo xtask test [--fresh] [-- <arguments for the test runner>]

The tests need PostgreSQL, and RabbitMQ with its management API. For each of them, this uses
  1. the one that the environment names: LONGHAUL_TEST_POSTGRES_URL; LONGHAUL_TEST_RABBITMQ_URL
     and LONGHAUL_TEST_RABBITMQ_API_URL;
  2. else the one that answers on its standard port of 127.0.0.1: PostgreSQL on 5432, as `postgres`
     without a password; RabbitMQ on 5672 and its API on 15672, as guest/guest;
  3. else one that it starts from Docker, and removes at the end;
  4. else, as root on Debian or Ubuntu, one that it starts from the distribution's packages (which
     it installs when they are missing), with data of its own, and stops at the end.
It says which it did.

EventStoreDB is stood for by a server of the project's own, unless ESDB_TEST_URL names a real one
(esdb://127.0.0.1:2113?tls=false), which may be shared and need not be empty.

The tests run under cargo-nextest where that is installed, else under `cargo test`.

Options:
  --fresh    Pass over the servers that run already (1 and 2), and start others
  -h, --help Show this

Example: cargo xtask test -- -p event-store-postgres";

/// The package of the end-to-end tests.
const END_TO_END: &str = "system-tests";

#[derive(Default)]
struct Chosen {
    fresh: bool,
}

/// Runs the command with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let (own, passed_on) = split(arguments);
    let chosen = options(own, |chosen: &mut Chosen, option| match option {
        "--fresh" => {
            chosen.fresh = true;
            true
        }
        _ => false,
    })?;
    let Options::Run(chosen) = chosen else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let passed = run(chosen.fresh, passed_on)?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Brings the servers, runs the tests, and tells whether all passed.
///
/// # Errors
///
/// When a server cannot be brought or cargo cannot be run.
pub(crate) fn run(fresh: bool, passed_on: &[String]) -> Result<bool> {
    let servers = Servers::bring(fresh)?;

    // The end-to-end tests start the binaries as separate processes, and cargo builds a binary by
    // itself only for the tests of its own package.
    if !selects_packages(passed_on) || passed_on.iter().any(|word| word.contains(END_TO_END)) {
        let mut build = shell::cargo();
        build.args(["build", "--workspace", "--bins", "--exclude", "xtask"]);
        if !shell::run(&mut build)? {
            return Ok(false);
        }
    }

    let nextest = shell::cargo_has("nextest");
    if !nextest {
        println!("cargo-nextest is not installed: the tests run under `cargo test`");
    }
    let mut passed = true;
    // nextest does not run the examples in the documentation. Who passes arguments has chosen some
    // tests, and those arguments are not for these. They come first, so that the last line is the sum
    // of all the others.
    if nextest && passed_on.is_empty() {
        let mut examples = shell::cargo();
        examples
            .args(["test", "--quiet", "--workspace", "--doc"])
            .envs(servers.environment());
        passed &= shell::run(&mut examples)?;
    }

    let mut tests = shell::cargo();
    if nextest {
        tests.args(["nextest", "run"]);
    } else {
        tests.args(["test", "--no-fail-fast"]);
    }
    if !selects_packages(passed_on) {
        tests.arg("--workspace");
    }
    tests.args(passed_on).envs(servers.environment());
    passed &= shell::run(&mut tests)?;
    Ok(passed)
}

/// The command's own options, and what follows `--`.
fn split(arguments: &[String]) -> (&[String], &[String]) {
    match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[]),
    }
}

/// Whether the arguments name packages: `--workspace` would override them.
fn selects_packages(arguments: &[String]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_follows_the_dashes_is_for_the_test_runner() {
        let arguments = words("--fresh -- -p kernel -- --nocapture");
        let (own, passed_on) = split(&arguments);
        assert_eq!(own, words("--fresh"));
        assert_eq!(passed_on, words("-p kernel -- --nocapture"));
        assert_eq!(
            split(&words("--fresh")),
            (&words("--fresh")[..], &[] as &[String])
        );
    }

    #[test]
    fn a_chosen_package_is_not_overridden_by_the_workspace() {
        assert!(selects_packages(&words("-p kernel")));
        assert!(selects_packages(&words("-pkernel")));
        assert!(selects_packages(&words("--package=kernel some_name")));
        assert!(!selects_packages(&words("some_name -- -p")));
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = command(&words("--frehs")).unwrap_err();
        assert!(error.to_string().contains("--frehs"), "{error}");
    }
}
