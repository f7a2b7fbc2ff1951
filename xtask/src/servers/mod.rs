//! The real servers that the tests need, and how each is found.
//!
//! For each server the ways are tried in one order: what the environment names, what answers on the
//! standard local port, Docker, Debian's packages. A server that the environment names must answer;
//! every other way that does not lead to a server leaves its reason, and the reasons of all of them
//! are the error when none did.

mod debian;
mod docker;
mod guard;
mod postgres;
mod probe;
mod rabbitmq;
mod url;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{Options, options};
use guard::Guard;
use postgres::Postgres;
use rabbitmq::RabbitMq;

const HELP: &str = "\
Bring the servers that the tests need, print the environment that names them, and keep them until
Ctrl-C. Useful to run single tests from another terminal.

Usage: cargo xtask servers [--fresh]

They are found as `cargo xtask test` does; see its help.

Options:
  --fresh    Pass over the servers that run already, and start others
  -h, --help Show this";

/// How long a server that was started may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How a person makes it possible to start servers.
const FRESH_ADVICE: &str = "\
Servers that run already will not do here. To have others started: install Docker and let this user
use it, or run this as root on Debian or Ubuntu, whose packages it installs.";

/// A kind of server, and the ways to one. An error of a way is the reason why it leads to none.
trait Kind {
    /// What people call it.
    const NAME: &'static str;
    /// How a person brings one, when no way led to one.
    const ADVICE: &'static str;

    /// The one that the environment names, if it names one.
    fn named() -> Option<Result<Running>>;
    /// The one that answers on the standard local port.
    fn local() -> Result<Running>;
    /// One from Docker.
    fn docker() -> Result<Running>;
    /// One from Debian's packages.
    fn debian() -> Result<Running>;
}

/// A server that answers.
struct Running {
    /// The kind's name.
    name: &'static str,
    /// Where it came from, for a person.
    origin: String,
    /// The environment variables that name it to the tests.
    variables: Vec<(&'static str, String)>,
    /// Set if it was started here.
    own: Option<Own>,
}

/// What may be done with a server because it was started here.
struct Own {
    /// Ends it.
    guard: Guard,
    /// A command for a shell that ends it at once, without letting it finish anything.
    kill: String,
    /// A command for a shell that starts it again, on the same ports and data. It may return before the
    /// server answers.
    start: String,
    /// Where its data and logs are, for a person.
    place: String,
}

/// The servers that the tests need. Those that were started here end when this is dropped.
pub(crate) struct Servers {
    running: [Running; 2],
}

impl Servers {
    /// Brings each server, and says how. With `fresh`, those that run already are passed over.
    ///
    /// # Errors
    ///
    /// When a server that the environment names does not answer, or when no way leads to one.
    pub(crate) fn bring(fresh: bool) -> Result<Self> {
        Ok(Self {
            running: [find::<Postgres>(fresh)?, find::<RabbitMq>(fresh)?],
        })
    }

    /// The environment variables that tell a program how to kill each server, and to start it again:
    /// commands for a shell. Only servers that were started here have them.
    pub(crate) fn control(&self) -> impl Iterator<Item = (String, &str)> {
        self.running.iter().flat_map(|running| {
            let own = running.own.as_ref().into_iter();
            let variable = |what| format!("LONGHAUL_CHAOS_{}_{what}", running.name.to_uppercase());
            own.flat_map(move |own| {
                let (kill, start) = (own.kill.as_str(), own.start.as_str());
                [(variable("KILL"), kill), (variable("START"), start)]
            })
        })
    }

    /// Keeps the data and logs of the servers that were started here, which still end when this is
    /// dropped; answers where these will be.
    pub(crate) fn keep(&mut self) -> Vec<&str> {
        let own = self.running.iter_mut().filter_map(|r| r.own.as_mut());
        own.map(|own| {
            own.guard.keep();
            own.place.as_str()
        })
        .collect()
    }

    /// The environment variables that name the servers to the tests.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.running
            .iter()
            .flat_map(|running| &running.variables)
            .map(|(name, value)| (*name, value.as_str()))
    }
}

/// Runs the command `servers` with the arguments that follow its name.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let fresh = options(arguments, |fresh: &mut bool, option| {
        *fresh |= option == "--fresh";
        option == "--fresh"
    })?;
    let Options::Run(fresh) = fresh else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let servers = Servers::bring(fresh)?;
    println!();
    for (name, value) in servers.environment() {
        println!("export {name}='{value}'");
    }
    println!("\nCtrl-C ends the servers that were started here.");
    // Ctrl-C ends this process, and with it its guards' input: they end the servers.
    loop {
        std::thread::park();
    }
}

fn find<K: Kind>(fresh: bool) -> Result<Running> {
    let name = K::NAME;
    let mut reasons = Vec::new();
    let mut ways: Vec<fn() -> Result<Running>> = vec![K::docker, K::debian];
    if !fresh {
        if let Some(named) = K::named() {
            let running = named.with_context(|| format!("{name}, as the environment names it"))?;
            println!("{name}: {}", running.origin);
            return Ok(running);
        }
        ways.insert(0, K::local);
    }
    for way in ways {
        match way() {
            Ok(running) => {
                for reason in &reasons {
                    println!("{name}: {reason}");
                }
                println!("{name}: {}", running.origin);
                return Ok(running);
            }
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    let advice = if fresh { FRESH_ADVICE } else { K::ADVICE };
    bail!(
        "the tests need {name}, and there is none:\n  - {}\n{advice}",
        reasons.join("\n  - "),
    );
}

/// Tries until something answers, or the time for a start is over: then with its last reason.
fn wait_for<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(answer) => return Ok(answer),
            Err(error) if started.elapsed() > START_TIMEOUT => {
                let waited_s = START_TIMEOUT.as_secs();
                return Err(error.context(format!("it did not answer within {waited_s} s")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Imagined;

    impl Kind for Imagined {
        const NAME: &'static str = "Imagined";
        const ADVICE: &'static str = "Start one.";

        fn named() -> Option<Result<Running>> {
            Some(Err(anyhow::anyhow!("it does not answer")))
        }
        fn local() -> Result<Running> {
            bail!("nothing on its port")
        }
        fn docker() -> Result<Running> {
            bail!("no Docker engine answers")
        }
        fn debian() -> Result<Running> {
            bail!("this is not Debian")
        }
    }

    #[test]
    fn one_that_is_named_must_answer() {
        let error = find::<Imagined>(false).err().unwrap();
        assert_eq!(
            format!("{error:#}"),
            "Imagined, as the environment names it: it does not answer"
        );
    }

    #[test]
    fn when_no_way_leads_to_one_every_reason_is_told() {
        let error = find::<Imagined>(true).err().unwrap().to_string();
        for reason in ["no Docker engine", "not Debian", "install Docker"] {
            assert!(error.contains(reason), "{error}");
        }
        assert!(!error.contains(Imagined::ADVICE), "{error}");
    }
}
