//! `cargo xtask bench`: how fast the suite is, and how fast it could be on the same servers.
//!
//! The servers are brought here, as for the tests; what measures is a program of its own.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::servers::Servers;
use crate::shell;

const HELP: &str = "\
Measure how fast the suite is, and in the same run, on the same servers, the floor: a program that only
makes the same inserts and sends the same messages, with the same durability. Then print what each figure
must come to, what it should, and what it is. docs/benchmarks/README.md tells what is measured, and how.

Usage: cargo xtask bench [options]

PostgreSQL and RabbitMQ are found as `cargo xtask test` does; see its help. Each scenario has a database and
a virtual host of its own, which are removed behind it. The machine should have nothing else to do; all of it
takes about a quarter of an hour. The exit code is 0 when everything ran and no shipment was lost, whatever
the figures are.

Scenarios:
  floor          The floor, with every event told to other programs as well
  throughput     The four services on PostgreSQL and RabbitMQ, carriers that answer at once
  delayed        The same with carriers that take half a second
  fresh          The same on a database that is new, and without anything before it
  two-instances  The same with two instances of each service
  floor-quiet    The floor, with no events told to other programs
  quiet          The four services with no events told to other programs
  floor-single   The floor with one AMQP message for each message: for information
  latency        One domestic shipment at a time, on services that have nothing else to do
  sqlite         All services in one process, on SQLite
  growth         The four services when many shipments are stored already, against none

Options:
  --only NAME     Measure only this scenario; may be given repeatedly
  --shipments N   How many shipments each scenario measures (the default is 10000; latency at most 300)
  --stored N      How many finished shipments are stored for `growth` (the default is 200000); 0 leaves it out
  --keep          Keep the logs of the services, the databases and the virtual hosts
  --json FILE     Also write the results to this file
  --save          Also write the results to docs/benchmarks, under today's date
  --own-servers   Pass over the servers that run already, and start others
  --debug         Run what is built for tests; its figures say nothing
  -h, --help      Show this";

/// The program that does it.
const PROGRAM: &str = "bench";

/// Runs the command with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let has = |option: &str| arguments.iter().any(|word| word == option);
    if has("--help") || has("-h") {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let program = shell::program(PROGRAM, !has("--debug"))?;
    let servers = Servers::bring(has("--own-servers"))?;
    let mut bench = Command::new(program);
    bench.args(passed_on(arguments)).envs(servers.environment());
    // It ends with its input, which the kernel closes with this program.
    let mut running = bench
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", bench.get_program().display()))?;
    let input = running.stdin.take();
    let sound = running.wait()?.success();
    drop(input);
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the program is told: all but what is for this one.
fn passed_on(arguments: &[String]) -> impl Iterator<Item = &String> {
    let own = ["--own-servers", "--debug"];
    arguments
        .iter()
        .filter(move |word| !own.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_passed_on_but_those_for_this_program() {
        let words: Vec<_> = "--only floor --own-servers --shipments 5 --debug --save"
            .split(' ')
            .map(str::to_owned)
            .collect();
        let passed: Vec<_> = passed_on(&words).map(String::as_str).collect();
        assert_eq!(passed.join(" "), "--only floor --shipments 5 --save");
    }
}
