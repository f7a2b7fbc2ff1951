//! Follows the started shipments until they have ended, as the service's list tells; whoever it has not
//! told of is asked for once at the end, so that nothing is guessed.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::board::{Board, Status};
use crate::endings::Endings;
use crate::ids::Id;
use crate::measure::{Causes, count};
use crate::refusal::{Pause, Refusal};

/// The time between two looks at the list: endings are told together, and no more than so much late.
pub(crate) const BREATH: Duration = Duration::from_millis(10);
/// How many are asked for side by side at the end, and for how long.
const SIDE_BY_SIDE: usize = 8;
const LAST_QUESTIONS: Duration = Duration::from_secs(60);

/// How the list was read.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// Requests for a page of the list, and those without a usable answer by cause.
    pub(crate) requests: u64,
    pub(crate) errors: Causes,
    /// Shipments that were asked for at the end.
    pub(crate) asked: u64,
}

/// Follows until all are `started` and have ended, the time for that is up, or `stop`.
pub(crate) async fn watch(
    mut endings: Endings,
    board: &Board,
    arguments: &Arguments,
    started: &CancellationToken,
    stop: &CancellationToken,
) -> Following {
    let mut following = Following::default();
    let all_told = async {
        let mut pause = Pause::default();
        loop {
            following.requests += 1;
            match endings.next().await {
                Ok(told) => {
                    pause = Pause::default();
                    let now = Instant::now();
                    for it in &told {
                        if let Some(id) = Id::parse(&it.shipment_id) {
                            board.told(id, it.status, now);
                        }
                    }
                    if started.is_cancelled() && board.is_empty() {
                        return;
                    }
                    sleep(BREATH).await;
                }
                Err(refusal) => {
                    let pause = pause.after(&refusal);
                    count(&mut following.errors, refusal.cause);
                    sleep(pause).await;
                }
            }
        }
    };
    let bound = Duration::from_secs(arguments.timeout_s);
    // Counted from the end of the starts: how long those take is what the schedule says.
    let time_is_up = async {
        started.cancelled().await;
        if !board.is_empty() {
            sleep(bound).await;
            board.timed_out();
        }
    };
    tokio::select! {
        () = all_told => {}
        () = time_is_up => {}
        () = stop.cancelled() => {}
    }
    following
}

/// Asks for each that nobody has told of, once.
pub(crate) async fn ask_for_the_rest(client: &Client, url: &str, board: &Board) -> u64 {
    let rest = board.unfinished();
    let asked = rest.len() as u64;
    let asking = stream::iter(rest)
        .map(async |id| board.asked(id, ask(client, url, id).await.map_err(|it| it.cause)))
        .buffer_unordered(SIDE_BY_SIDE)
        .for_each(async |()| {});
    if timeout(LAST_QUESTIONS, asking).await.is_err() {
        for id in board.unfinished() {
            board.asked(id, Err("no time to ask".to_owned()));
        }
    }
    asked
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

async fn ask(client: &Client, url: &str, id: Id) -> Result<Status, Refusal> {
    let answer = client.get(format!("{url}/shipments/{id}")).send().await?;
    let refusal = (answer.status() != StatusCode::OK).then(|| Refusal::of(&answer));
    let body = answer.bytes().await?;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    serde_json::from_slice(&body)
        .map(|answer: Answer| answer.status)
        .map_err(|_| Refusal::for_good("answer without a known status"))
}
