//! What the command line says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use config::{Config, File, FileFormat};
use serde::Serialize;

/// Starts many shipments at fixed times, follows them until they finish, and reports how fast both went.
///
/// Shipments are started on a schedule fixed in advance, at even intervals. When the service is slow, a worker
/// catches up instead of sending less, and latency is measured from the time each start was due: waiting is not
/// left out. With --rate, a worker does not even wait for the answer to one start before it sends the next.
///
/// The exit code is 0 only if every start was accepted and every shipment finished as its id says: last character 1
/// or 2 fails, 3 fails and is completed a little later, anything else is completed. With --rate, starts may also have
/// been refused (429) until their retries were used up: the report says how many, and the exit code is 0 if everything
/// that was accepted finished.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(version, args_override_self = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A TOML file of options by their names, as `workers = 20`; what the command line says goes before it
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Base address of the shipment process; shipments are started by POST {url}/{id}
    #[arg(long, default_value = "http://127.0.0.1:43210", value_parser = base_url)]
    pub(crate) url: String,

    /// The token with which the shipment process lets in whoever may start shipments
    #[arg(long, env = "LOAD_TEST_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) token: Option<Token>,

    /// With https://: a PEM file of the certificates to trust, in place of those that the platform trusts
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) ca_certificate: Option<PathBuf>,

    /// How many workers start shipments side by side; they take turns in the schedule
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) workers: u32,

    /// How many shipments each worker starts
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shipments: u32,

    /// Time between two starts of one worker, in milliseconds; 0: the next as soon as the last is answered
    #[arg(long, default_value_t = 50)]
    pub(crate) delay_ms: u64,

    /// Open loop: so many starts a second over all workers, at even intervals, whether the ones before are
    /// answered or not (up to 100 are under way for each worker)
    #[arg(long, conflicts_with = "delay_ms", value_parser = rate, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,

    /// With --rate: for how long shipments are started, in seconds, instead of how many
    #[arg(long, requires = "rate", conflicts_with = "shipments", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) duration_s: Option<u64>,

    /// What the ids ask of the carrier stub
    #[arg(long, value_enum, default_value_t = Outcomes::Success)]
    pub(crate) outcomes: Outcomes,

    /// Which process the ids ask for
    #[arg(long, value_enum, default_value_t = Category::International)]
    pub(crate) category: Category,

    /// Repeats the ids of an earlier run (its report names the seed); a store that still has them starts nothing new,
    /// and tells of no endings
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Do not wait for the shipments to finish
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// How long to wait for the shipments to finish, in seconds, counted from the end of the starts
    #[arg(long, default_value_t = 600)]
    pub(crate) timeout_s: u64,

    /// How often a start is repeated, with the same id, after a connection error, a 429 or a 503: as late as the
    /// answer says
    #[arg(long, default_value_t = 10)]
    pub(crate) retries: u32,

    /// When a request is given up, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) request_timeout_s: u64,

    /// Also write the report to this file, as JSON, with what happened in each second
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,

    /// Also write the report to this file, as a page with charts for a browser
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) html: Option<PathBuf>,

    /// Where RabbitMQ's management API is, as http://guest:guest@127.0.0.1:15672: adds how many messages wait
    #[arg(long, value_name = "URL", value_parser = broker_url)]
    #[serde(skip)]
    pub(crate) rabbitmq_management_url: Option<reqwest::Url>,

    /// The virtual host whose queues are counted; without it, those of all that the user may see
    #[arg(long, requires = "rabbitmq_management_url", value_name = "NAME")]
    pub(crate) rabbitmq_vhost: Option<String>,

    /// A process of this machine whose memory is to be followed, by its id or its name; may be given repeatedly
    #[arg(long = "process", value_name = "PID|NAME", action = clap::ArgAction::Append)]
    pub(crate) processes: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  load_test                                               10,000 shipments, 200 a second
  load_test --workers 1 --shipments 20 --outcomes mixed   a look at all outcomes
  load_test --workers 50 --delay-ms 0 --json report.json  as fast as it goes
  load_test --rate 300 --duration-s 60 --html report.html --process longhaul   300 a second, come what may";

/// A token, which is not shown.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// What the last character of an id asks of the carrier stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcomes {
    /// All succeed: no id ends with 1, 2 or 3
    Success,
    /// Any last character: about one in twelve fails, for good or at first
    Mixed,
}

/// What the first character of an id asks of the shipment process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    /// One leg: ids begin with 1
    Domestic,
    /// Two legs and a customs invoice: ids begin with anything else
    International,
    /// Half of each
    Mixed,
}

impl Arguments {
    /// How many shipments all workers start together.
    pub(crate) fn planned(&self) -> u64 {
        match (self.rate, self.duration_s) {
            (Some(rate), Some(seconds)) => ((rate * seconds as f64).round() as u64).max(1),
            _ => u64::from(self.workers) * u64::from(self.shipments),
        }
    }

    /// What is started, in a line.
    pub(crate) fn in_words(&self) -> String {
        let (workers, shipments) = (self.workers, self.shipments);
        let starts = match (self.rate, self.duration_s) {
            (Some(rate), Some(seconds)) => {
                format!("{rate} shipments/s for {seconds} s, by {workers} workers (open loop)")
            }
            (Some(rate), None) => {
                format!("{workers} workers x {shipments} shipments, {rate}/s over all (open loop)")
            }
            (None, _) => {
                let delay = self.delay_ms;
                format!("{workers} workers x {shipments} shipments, {delay} ms apart")
            }
        };
        let seed = self.seed.map(|seed| format!(", seed {seed}"));
        format!(
            "{starts}; category {}, outcomes {}{}",
            name(self.category),
            name(self.outcomes),
            seed.unwrap_or_default(),
        )
    }

    /// How many starts a second the schedule asks for; `None` where there is no schedule.
    pub(crate) fn scheduled_per_second(&self) -> Option<f64> {
        let by_delay = f64::from(self.workers) * 1000.0 / self.delay_ms as f64;
        self.rate.or((self.delay_ms > 0).then_some(by_delay))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("a rate is a number above 0, and at most 100000".to_owned()),
    }
}

fn broker_url(text: &str) -> Result<reqwest::Url, String> {
    base_url(text)?;
    reqwest::Url::parse(text).map_err(|error| error.to_string())
}

/// The name of a choice on the command line.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A base address without the slash at its end.
fn base_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("only http:// and https:// are supported".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a base address has no query and no fragment".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Arguments {
    /// Reads the command line, and the file that it names.
    ///
    /// # Errors
    /// When the file cannot be read. Options that are wrong, in either, end the program with what is wrong.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let given: Vec<OsString> = std::env::args_os().collect();
        let arguments = Self::parse_from(&given);
        let Some(file) = &arguments.config else {
            return Ok(arguments);
        };
        // The file's options first, so that those of the command line override them; clap refuses an unknown one by
        // its name, wherever it comes from.
        let mut all = vec![given.first().cloned().unwrap_or_default()];
        all.extend(options_of(file)?.into_iter().map(OsString::from));
        all.extend(given.into_iter().skip(1));
        let matches = Self::command().get_matches_from(all);
        Ok(Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
    }
}

/// The options in a file, as a command line would say them.
fn options_of(file: &Path) -> anyhow::Result<Vec<String>> {
    let options = Config::builder()
        .add_source(File::from(file).format(FileFormat::Toml))
        .build()
        .and_then(Config::try_deserialize::<BTreeMap<String, String>>)
        .with_context(|| format!("the options in {} cannot be read", file.display()))?;
    let option = |(name, value): (String, String)| match (name.replace('_', "-"), value.as_str()) {
        (name, "true") => Some(format!("--{name}")),
        (_, "false") => None,
        (name, value) => Some(format!("--{name}={value}")),
    };
    Ok(options.into_iter().filter_map(option).collect())
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
    fn the_base_address_loses_its_last_slash() {
        assert_eq!(
            base_url("http://localhost:1/").unwrap(),
            "http://localhost:1"
        );
        assert_eq!(
            base_url("http://localhost:1/a/").unwrap(),
            "http://localhost:1/a"
        );
    }

    #[test]
    fn an_address_that_cannot_be_a_base_is_refused() {
        for text in ["localhost", "ftp://localhost", "http://localhost/?a=b"] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
