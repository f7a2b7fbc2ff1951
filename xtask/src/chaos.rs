//! `cargo xtask chaos`: the services and their servers, injured at random, and what must be true
//! afterwards.
//!
//! The servers are brought here, as for the tests; the services, the injuries and the checks are a
//! program of the tests, which is told how to kill and start the servers.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::servers::Servers;
use crate::shell;

const HELP: &str = "\
Run the four services, two instances of each, on a PostgreSQL and a RabbitMQ of their own, start
shipments all the time, and injure all of these at random: kill and stop services, pause them for
longer than the broker lets them keep what they own, restart the servers without warning. Then wait
until every shipment has ended, and check each of them: its outcome, its streams, and that no carrier
did anything twice.

Usage: cargo xtask chaos [options]

The servers are started from Docker, or, as root on Debian or Ubuntu, from the distribution's
packages. Those that run already are left alone. The exit code is 0 only when everything holds. Where
something does not, the logs of the services, and the data and logs of the servers, are kept.

Options:
  --minutes N    How long to injure (the default is 2)
  --seconds N    The same in seconds
  --seed S       Repeat the injuries of an earlier run, which has named its seed; what they meet
                 depends on the machine too
  --rate N       Shipments to start a second (the default is 8)
  --json FILE    Also write the report to this file
  --keep         Keep all logs and data, also when everything holds
  --release      Run what is built with optimisation
  -h, --help     Show this";

/// The program that does it, a binary of the tests.
const PROGRAM: &str = "chaos";

#[derive(Debug, Default, PartialEq)]
struct Chosen {
    seconds: Option<u64>,
    seed: Option<u64>,
    rate: Option<f64>,
    json: Option<PathBuf>,
    keep: bool,
    release: bool,
}

/// Runs the command with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
    {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if run(&Chosen::read(arguments)?)? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A short run, for CI; whether everything held.
///
/// # Errors
///
/// When a server cannot be brought or something cannot be run.
pub(crate) fn run_briefly() -> Result<bool> {
    run(&Chosen {
        seconds: Some(30),
        ..Chosen::default()
    })
}

fn run(chosen: &Chosen) -> Result<bool> {
    let program = shell::program(PROGRAM, chosen.release)?;
    let mut servers = Servers::bring(true)?;
    if chosen.keep {
        servers.keep();
    }
    let mut chaos = Command::new(program);
    chaos
        .args(chosen.passed_on())
        .envs(servers.environment())
        .envs(servers.control());
    // It ends with its input, which the kernel closes with this program: without the servers, which end
    // then too, there is nothing for it to do.
    let mut running = chaos
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", chaos.get_program().display()))?;
    let input = running.stdin.take();
    let held = running.wait()?.success();
    drop(input);
    if !held || chosen.keep {
        for place in servers.keep() {
            println!("data and logs of a server: {place}");
        }
    }
    Ok(held)
}

impl Chosen {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut chosen = Self::default();
        let mut words = arguments.iter();
        while let Some(option) = words.next() {
            let mut value = || words.next().with_context(|| format!("{option} what?"));
            match option.as_str() {
                "--keep" => chosen.keep = true,
                "--release" => chosen.release = true,
                "--seconds" => chosen.seconds = Some(number(option, value()?)?),
                "--minutes" => {
                    let minutes: u64 = number(option, value()?)?;
                    chosen.seconds = Some(minutes.saturating_mul(60));
                }
                "--seed" => chosen.seed = Some(number(option, value()?)?),
                "--rate" => chosen.rate = Some(number(option, value()?)?),
                "--json" => chosen.json = Some(PathBuf::from(value()?)),
                unknown => bail!("`{unknown}` is not an option of this command; see --help"),
            }
        }
        Ok(chosen)
    }

    /// What the program is told.
    fn passed_on(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: Option<OsString>| {
            if let Some(value) = value {
                words.extend([OsString::from(option), value]);
            }
        };
        add("--seconds", self.seconds.map(|n| n.to_string().into()));
        add("--seed", self.seed.map(|n| n.to_string().into()));
        add("--rate", self.rate.map(|n| n.to_string().into()));
        add("--json", self.json.clone().map(Into::into));
        if self.keep {
            words.push("--keep".into());
        }
        words
    }
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T> {
    text.parse()
        .ok()
        .with_context(|| format!("{option} needs a number, and not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Chosen> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Chosen::read(&words)
    }

    #[test]
    fn what_is_chosen_is_passed_on() {
        let chosen = read("--minutes 2 --seed 7 --rate 2.5 --json out.json --keep --release");
        let words = chosen.unwrap().passed_on();
        let passed_on = "--seconds 120 --seed 7 --rate 2.5 --json out.json --keep";
        assert_eq!(words.join(" ".as_ref()), passed_on);
        assert_eq!(read("").unwrap().passed_on(), [] as [&str; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (line, reason) in [
            ("--sedd 1", "--sedd"),
            ("--seed", "--seed what?"),
            ("--rate fast", "`fast`"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
