//! The command line that all binaries share.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use runtime::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{Application, Base, Settings, Start, http, telemetry};

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
}

#[derive(Debug, Parser)]
#[command(version)]
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
    let command = Arguments::command()
        .name(binary.name)
        .bin_name(binary.name)
        .about(binary.about)
        .after_help(AFTER_HELP);
    let arguments =
        Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(binary, &error.into()),
    };
    // Of the two that clients bring, all use this one. It is installed once, and stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match runtime.block_on(run(binary, arguments)) {
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

async fn run(binary: &Binary, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(binary.base, arguments.config.as_deref())?;
    let port = (binary.port)(&settings);
    if arguments.check_health {
        return http::check_health(port).await;
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
    info!(
        "{} listens on http://{}",
        binary.name,
        application.address()
    );
    application.run(shutdown).await
}
