//! One run, from its beginning to its report.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use system_tests::client::Client;
use system_tests::group::GroupPlace;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::check::check;
use crate::field::Field;
use crate::report::Report;
use crate::{load, log};

/// How often a line says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// How many faults are printed; all are in the file of `--json`.
const SHOWN: usize = 20;

/// Runs, and tells whether everything holds.
pub(crate) async fn run(arguments: Arguments, seed: u64, place: GroupPlace) -> Result<bool> {
    println!("logs of the services: {}", place.folder.display());
    let field = Field::set_up(&place).await?;
    let client = Client::with_patience(field.addresses(), load::PATIENCE);
    let began = Instant::now();
    let stop = CancellationToken::new();
    let working = async {
        let injuring = async {
            let injured = field.injure(seed, began + arguments.duration()).await;
            field.say("nothing more is injured: waiting until every shipment has ended");
            stop.cancel();
            injured
        };
        let starting = load::start_all(&client, seed, arguments.rate, &stop);
        let (asked, injured) = tokio::join!(starting, injuring);
        injured?;
        let ids: BTreeSet<_> = asked.keys().cloned().collect();
        let checked = check(&field, &client, &ids).await;
        anyhow::Ok((asked, checked))
    };
    let (asked, checked) = tokio::select! {
        done = working => done?,
        never = progress(&field, &client) => match never {},
    };

    let mut faults = field.faults();
    faults.extend(checked.faults);
    let report = Report::new(
        seed,
        began.elapsed(),
        &asked,
        &checked.ends,
        &field.inflicted(),
        client.unanswered(),
        checked.entries,
        faults,
    );
    print!("\n{report}");
    for fault in report.faults().iter().take(SHOWN) {
        println!("FAULT: {fault}");
    }
    if report.faults().len() > SHOWN {
        println!("and {} more", report.faults().len() - SHOWN);
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report.faults().is_empty())
}

/// Says how far it is, and looks for services that have ended.
async fn progress(field: &Field, client: &Client) -> std::convert::Infallible {
    let mut tick = interval(PROGRESS);
    tick.tick().await;
    let mut ended = 0;
    loop {
        tick.tick().await;
        field.look_for_ends();
        if let Ok(ends) = log::ends(&field.database.url).await {
            ended = ends.len();
        }
        let (accepted, unanswered) = (client.accepted().len(), client.unanswered());
        field.say(&format!(
            "{accepted} shipments started, {ended} ended, {unanswered} requests repeated"
        ));
    }
}
