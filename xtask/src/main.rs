//! The project's own commands, as `cargo xtask <command>`.
//!
//! It never does what a service does: it only runs cargo's tools and brings the servers that the
//! tests need. It depends on next to nothing, so that it builds in a second on a bare machine.
//! Start with [`mod@test`] and [`servers`].

#![expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks on standard output"
)]

mod bench;
mod chaos;
mod check;
#[cfg(test)]
mod images;
mod servers;
mod shell;
mod simulate;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command> [options]

Commands:
  test      Run every test, bringing the real servers that the tests need
  check     Everything that CI checks: format, lints, documentation, tests, dependencies
  chaos     Run the services on servers of their own, injure both, and check that nothing is lost
  servers   Bring the servers that the tests need, and keep them until Ctrl-C
  simulate  Run the suite under a scheduler that a seed drives, seed by seed
  bench     Measure the suite against the least that the same work costs

`cargo xtask <command> --help` tells more of each.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    match command.as_str() {
        "test" => test::command(rest),
        "check" => check::command(rest),
        "chaos" => chaos::command(rest),
        "servers" => servers::command(rest),
        "simulate" => simulate::command(rest),
        "bench" => bench::command(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            eprintln!("error: there is no command `{unknown}`\n\n{HELP}");
            Ok(ExitCode::from(2))
        }
    }
}

/// What a command makes of its options.
enum Options<T> {
    /// Run with these.
    Run(T),
    /// Only the help was asked for.
    Help,
}

/// Reads the options of a command with `each`, which answers whether it knows the one it is given.
/// An option that it does not know is an error that names it.
fn options<T: Default>(
    arguments: &[String],
    mut each: impl FnMut(&mut T, &str) -> bool,
) -> anyhow::Result<Options<T>> {
    let mut found = T::default();
    for argument in arguments {
        if argument == "--help" || argument == "-h" {
            return Ok(Options::Help);
        }
        if !each(&mut found, argument) {
            anyhow::bail!("`{argument}` is not an option of this command; see --help");
        }
    }
    Ok(Options::Run(found))
}
