//! Starts many shipments at fixed times, follows them until they finish, and reports how fast both went.
//!
//! It never looks behind the HTTP interface of the shipment process: what it reports is what a client sees.
//! Start with [`load`] for the starting, [`finish`] for the waiting and [`report`] for the numbers.
#![expect(
    clippy::print_stdout,
    reason = "the report on stdout is what this command-line tool is for"
)]

mod arguments;
mod client;
mod finish;
mod ids;
mod load;
mod progress;
mod report;

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::progress::Progress;
use crate::report::Report;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::read()?;
    // Chosen here if not given, so that the report can say how to repeat the run.
    let seed = *arguments.seed.get_or_insert_with(rand::random);

    let client = client::build(&arguments)?;
    let stop = stop_on_ctrl_c().await;
    let progress = Progress::new(&arguments);

    let (started, to_watch) = mpsc::unbounded_channel();
    let starting = load::start_all(&client, &arguments, seed, started, &stop, &progress);
    let (starts, finishes) = if arguments.no_wait {
        drop(to_watch);
        (starting.await, None)
    } else {
        // Both at once: a shipment that finishes while others are still being started is seen in time.
        let watching = finish::watch(&client, &arguments, to_watch, &stop, &progress);
        let (starts, finishes) = tokio::join!(starting, watching);
        (starts, Some(finishes))
    };
    progress.clear();

    let report = Report::new(&arguments, &starts, finishes.as_ref(), stop.is_cancelled());
    print!("{report}");
    if let Some(path) = &arguments.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json)
            .with_context(|| format!("cannot write the report to {}", path.display()))?;
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first Ctrl-C ends the run early, with its report; the second ends it at once.
async fn stop_on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let to_cancel = stop.clone();
    let mut first = Box::pin(tokio::signal::ctrl_c());
    // Polled once here, so that the handler is in place before the first shipment is started.
    if futures::poll!(first.as_mut()).is_pending() {
        tokio::spawn(async move {
            if first.await.is_err() {
                return;
            }
            to_cancel.cancel();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    }
    stop
}
