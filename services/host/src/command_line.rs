//! The command line that all binaries share.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser};
use futures::future::BoxFuture;
use runtime::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::health_check::check_health;
use crate::{Application, Base, Settings, Start, telemetry};

/// A binary, and what it hosts.
pub struct Binary {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What its settings start from.
    pub base: Base,
    /// Where it listens.
    pub port: fn(&Settings) -> u16,
    /// The services that it hosts.
    pub services: &'static [Start],
    /// What it can do beside hosting them.
    pub subcommands: Option<Subcommands>,
}

/// What a binary can be told to do in place of hosting services.
pub struct Subcommands {
    /// Adds them to the command line.
    pub augment: fn(Command) -> Command,
    /// Does the one that was given.
    pub run: fn(&ArgMatches) -> BoxFuture<'_, anyhow::Result<()>>,
}

#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// A TOML file that is laid over the settings that are compiled in
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the service that runs on this machine with these settings whether it is ready, and exit
    #[arg(long)]
    check_health: bool,
}

const AFTER_HELP: &str = "\
Settings: config/default.toml in the source lists them all, with their meaning. Each can be set by the
environment, as LONGHAUL__SECTION__KEY: LONGHAUL__EVENT_STORE__ADAPTER=postgres, LONGHAUL__TELEMETRY__LOG=debug.
It stops on SIGTERM or Ctrl-C, and finishes what it has accepted.";

/// Runs a binary: reads its command line and settings, hosts its services until it is told to stop.
#[must_use]
pub fn main(binary: &Binary) -> ExitCode {
    let mut command = Arguments::command();
    if let Some(subcommands) = &binary.subcommands {
        command = (subcommands.augment)(command);
    }
    let matches = command
        .name(binary.name)
        .bin_name(binary.name)
        .about(binary.about)
        .after_help(AFTER_HELP)
        .get_matches();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(binary, &error.into()),
    };
    // Of the two that clients bring, all use this one. It is installed once, and stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match runtime.block_on(run(binary, &matches)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(binary, &error),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "logs may not have begun when this is needed"
)]
fn fail(binary: &Binary, error: &anyhow::Error) -> ExitCode {
    eprintln!("{}: {error:#}", binary.name);
    ExitCode::FAILURE
}

async fn run(binary: &Binary, matches: &ArgMatches) -> anyhow::Result<()> {
    match (&binary.subcommands, matches.subcommand_name()) {
        (Some(subcommands), Some(_)) => (subcommands.run)(matches).await,
        (None, _) | (_, None) => {
            let arguments =
                Arguments::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            host(binary, &arguments).await
        }
    }
}

/// Hosts the services until it is told to stop.
async fn host(binary: &Binary, arguments: &Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(binary.base, arguments.config.as_deref())?;
    let port = (binary.port)(&settings);
    if arguments.check_health {
        return check_health(&settings.http, port).await;
    }
    telemetry::start(&settings.telemetry)?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        ?settings,
        "{} starts",
        binary.name
    );
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?,
        signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
    );
    let shutdown = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(shutdown);
    let build = Application::build(&settings, port, Arc::new(SystemClock), binary.services);
    let application = tokio::select! {
        () = &mut shutdown => return Ok(()),
        application = build => application?,
    };
    let scheme = match settings.http.tls {
        Some(_) => "https",
        None => "http",
    };
    info!(
        "{} listens on {scheme}://{}",
        binary.name,
        application.address()
    );
    application.run(shutdown).await
}
