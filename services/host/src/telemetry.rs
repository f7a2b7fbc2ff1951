//! Logs, to standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Telemetry};

/// Begins to log. Called again in the same process (as tests do), it changes nothing.
pub(crate) fn start(settings: &Telemetry) -> anyhow::Result<()> {
    // What the client of EventStoreDB says of each attempt, its caller says with the outcome.
    let filter = EnvFilter::try_new(format!("kurrentdb=off,{}", settings.log))
        .with_context(|| format!("telemetry.log = {:?} is no filter", settings.log))?
        // It would log whole messages, and bodies are never logged.
        .add_directive("lapin::returned_messages=off".parse()?);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match settings.format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    Ok(())
}
