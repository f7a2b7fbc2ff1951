//! Starts many shipments at fixed times, follows them until they finish, and reports how fast both went.
//!
//! It never looks behind the HTTP interface of the shipment process: what it reports is what a client sees,
//! beside the [`samples`] that are asked for. Start with [`load`] for the starting, [`finish`] for the waiting and
//! [`report`] for the numbers.
#![expect(
    clippy::print_stdout,
    reason = "the report on stdout is what this command-line tool is for"
)]

mod arguments;
mod board;
mod client;
mod endings;
mod finish;
mod ids;
mod load;
mod measure;
mod progress;
mod refusal;
mod report;
mod samples;
mod schedule;
mod series;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use reqwest::Client;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::board::Board;
use crate::endings::Endings;
use crate::progress::Progress;
use crate::report::{Measured, Report};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::read()?;
    // Chosen here if not given, so that the report can say how to repeat the run.
    arguments.seed.get_or_insert_with(rand::random);

    let client = client::build(&arguments)?;
    let stop = stop_on_ctrl_c().await;
    let endings = match arguments.no_wait {
        true => None,
        false => Some(from_now_on(&client, &arguments, &stop).await?),
    };
    let progress = Progress::new(&arguments);
    let measured = run(&client, &arguments, endings, &stop, &progress).await;
    progress.clear().await;

    let report = Report::new(&arguments, measured, stop.is_cancelled());
    print!("{report}");
    if let Some(path) = &arguments.json {
        write(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(path) = &arguments.html {
        write(path, report::html(&report).as_bytes())?;
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where the list of endings stands before anything is started: whose endings cannot be followed need not be
/// started.
async fn from_now_on(
    client: &Client,
    arguments: &Arguments,
    stop: &CancellationToken,
) -> anyhow::Result<Endings> {
    let place = stop.run_until_cancelled(Endings::from_now_on(client, arguments));
    let place = place.await.unwrap_or_else(|| Err("ended early".to_owned()));
    place.map_err(|cause| {
        let url = &arguments.url;
        anyhow::anyhow!(
            "nothing was started: {url}/shipments/endings does not tell what ends ({cause})"
        )
    })
}

/// Starts, follows and samples, side by side: a shipment that ends while others are still being started is
/// seen in time.
async fn run(
    client: &Client,
    arguments: &Arguments,
    endings: Option<Endings>,
    stop: &CancellationToken,
    progress: &Progress,
) -> Measured {
    let begin = Instant::now();
    let board = Arc::new(Board::begin(begin, progress.finishes.clone()));
    let (started, over) = (CancellationToken::new(), CancellationToken::new());
    let starting = async {
        let starts = load::start_all(client, arguments, begin, &board, stop, progress).await;
        started.cancel();
        starts
    };
    let following = async {
        let following = match endings {
            None => {
                started.cancelled().await;
                None
            }
            Some(endings) => {
                let watch = finish::watch(endings, &board, arguments, &started, stop);
                Some(watch.await)
            }
        };
        over.cancel();
        following
    };
    let sampling = samples::sample(arguments, begin, &over);
    let (starts, mut following, samples) = tokio::join!(starting, following, sampling);
    if let Some(following) = &mut following {
        following.asked = finish::ask_for_the_rest(client, &arguments.url, &board).await;
    }
    let (finishes, seconds) = board.results();
    Measured {
        starts,
        finishes: following.map(|following| (finishes, following)),
        seconds,
        samples,
    }
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, content)
        .with_context(|| format!("cannot write the report to {}", path.display()))
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
