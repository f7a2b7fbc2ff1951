//! Follows the started shipments until they finish.
//!
//! Asking takes time from the service that is measured, so it is done gently. A sweep makes two passes: one from the
//! oldest unfinished shipment on, one from where the second pass of the last sweep stopped. Each pass ends when
//! [`RUNNING_IN_A_ROW`] shipments were still running, as the later ones then most likely are too. With a long backlog
//! the second pass goes on for a fixed share of it. So a sweep asks for little more than what has finished since the
//! last, and shipments that are stuck do not hide those behind them for more than [`SWEEPS_THROUGH_ALL`] sweeps.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use hdrhistogram::Histogram;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::ids::Expected;
use crate::load::{Causes, Started, cause, count, latencies, record, status_cause};
use crate::progress::Progress;

const RUNNING_IN_A_ROW: usize = 25;
const SWEEPS_THROUGH_ALL: usize = 40;
const EXAMPLES: usize = 10;

/// What became of the started shipments, as far as it was seen.
#[derive(Debug)]
pub(crate) struct Finishes {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) still_running: u64,
    /// Finished otherwise than the id says.
    pub(crate) unexpected: u64,
    /// A few ids of shipments that did not finish, or otherwise than they should.
    pub(crate) examples: Vec<String>,
    /// Microseconds from the time a start was due until the shipment was seen finished.
    pub(crate) time_to_finish: Histogram<u64>,
    pub(crate) last_seen: Option<Instant>,
    /// Status requests answered or not.
    pub(crate) polls: u64,
    /// Status requests without a usable answer.
    pub(crate) poll_errors: Causes,
    /// The wait was given up after its bound.
    pub(crate) timed_out: bool,
}

/// Follows all shipments that come through `started` until the last has finished, the time is up, or `stop`.
pub(crate) async fn watch(
    client: &Client,
    arguments: &Arguments,
    mut started: UnboundedReceiver<Started>,
    stop: &CancellationToken,
    progress: &Progress,
) -> Finishes {
    let mut watcher = Watcher::new(client, arguments, progress);
    let interval = Duration::from_millis(arguments.poll_interval_ms);
    let bound = Duration::from_secs(arguments.timeout_s);
    // Counted from the end of the starts: how long those take is what the schedule says.
    let mut deadline = None;
    loop {
        if watcher.take_in(&mut started) && deadline.is_none() {
            deadline = Some(Instant::now() + bound);
        }
        if deadline.is_some() && watcher.unfinished.is_empty() {
            break;
        }
        let round = stop.run_until_cancelled(async {
            watcher.sweep().await;
            if watcher.unfinished.is_empty() && deadline.is_some() {
                return;
            }
            sleep(interval).await;
        });
        let ended = match deadline {
            Some(deadline) => timeout_at(deadline, round).await,
            None => Ok(round.await),
        };
        match ended {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(_) => {
                watcher.finishes.timed_out = true;
                break;
            }
        }
    }
    watcher.into_finishes(started)
}

struct Watcher<'a> {
    client: &'a Client,
    url: &'a str,
    concurrency: usize,
    progress: &'a Progress,
    /// By the order of their starts.
    unfinished: BTreeMap<u64, Unfinished>,
    next_number: u64,
    /// Where the second pass of the next sweep begins.
    resume_at: u64,
    finishes: Finishes,
}

struct Unfinished {
    shipment: Started,
    expected: Expected,
    /// It failed, and should be completed later.
    failed: bool,
}

impl<'a> Watcher<'a> {
    fn new(client: &'a Client, arguments: &'a Arguments, progress: &'a Progress) -> Self {
        Self {
            client,
            url: &arguments.url,
            concurrency: usize::from(arguments.poll_concurrency),
            progress,
            unfinished: BTreeMap::new(),
            next_number: 0,
            resume_at: 0,
            finishes: Finishes {
                completed: 0,
                failed: 0,
                cancelled: 0,
                still_running: 0,
                unexpected: 0,
                examples: Vec::new(),
                time_to_finish: latencies(),
                last_seen: None,
                polls: 0,
                poll_errors: Causes::new(),
                timed_out: false,
            },
        }
    }

    /// Takes in what has been started; true if nothing more will come.
    fn take_in(&mut self, started: &mut UnboundedReceiver<Started>) -> bool {
        loop {
            match started.try_recv() {
                Ok(shipment) => {
                    let expected = Expected::of(&shipment.id);
                    let unfinished = Unfinished {
                        shipment,
                        expected,
                        failed: false,
                    };
                    self.unfinished.insert(self.next_number, unfinished);
                    self.next_number += 1;
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    async fn sweep(&mut self) {
        let Some(after_oldest) = self.pass(0, RUNNING_IN_A_ROW).await else {
            self.resume_at = 0;
            return;
        };
        let from = self.resume_at.max(after_oldest);
        let share = self.unfinished.len().div_ceil(SWEEPS_THROUGH_ALL);
        let stopped_at = self.pass(from, share.max(RUNNING_IN_A_ROW)).await;
        self.resume_at = stopped_at.unwrap_or(0);
    }

    /// Asks from the given shipment on until so many in a row are running; returns where it stopped, if before the end.
    ///
    /// It may be dropped at any point: each answer is recorded as it comes.
    async fn pass(&mut self, from: u64, running_in_a_row: usize) -> Option<u64> {
        let mut next = from;
        let mut running = 0;
        let mut under_way = FuturesOrdered::new();
        loop {
            // Those under way at the end of a pass are still awaited: to drop one would close its connection.
            while under_way.len() < self.concurrency && running < running_in_a_row {
                let Some((&number, unfinished)) = self.unfinished.range(next..).next() else {
                    break;
                };
                let address = format!("{}/{}", self.url, unfinished.shipment.id);
                let request = self.client.get(address);
                under_way.push_back(async move { (number, ask(request).await, Instant::now()) });
                next = number + 1;
            }
            let Some((number, answer, at)) = under_way.next().await else {
                break;
            };
            match self.record(number, answer, at) {
                Seen::Finished => running = 0,
                Seen::Running => running += 1,
                Seen::BetweenEnds => {}
            }
        }
        self.unfinished.range(next..).next().map(|_| next)
    }

    fn record(&mut self, number: u64, answer: Result<Status, String>, at: Instant) -> Seen {
        self.finishes.polls += 1;
        let Some(unfinished) = self.unfinished.get_mut(&number) else {
            return Seen::Finished;
        };
        let as_expected = match answer {
            Err(cause) => {
                count(&mut self.finishes.poll_errors, cause);
                return Seen::Running;
            }
            Ok(Status::Running) => return Seen::Running,
            Ok(Status::Failed) if unfinished.expected == Expected::CompletedAfterFailure => {
                unfinished.failed = true;
                return Seen::BetweenEnds;
            }
            Ok(Status::Failed) => {
                self.finishes.failed += 1;
                unfinished.expected == Expected::Failed
            }
            Ok(Status::Completed) => {
                self.finishes.completed += 1;
                unfinished.expected != Expected::Failed
            }
            Ok(Status::Cancelled) => {
                self.finishes.cancelled += 1;
                false
            }
        };
        if let Some(Unfinished { shipment, .. }) = self.unfinished.remove(&number) {
            let time = at.saturating_duration_since(shipment.intended);
            record(&mut self.finishes.time_to_finish, time);
            if !as_expected {
                self.finishes.unexpected += 1;
                self.example(shipment.id);
            }
        }
        self.finishes.last_seen = self.finishes.last_seen.max(Some(at));
        self.progress.finishes.inc(1);
        Seen::Finished
    }

    fn example(&mut self, id: String) {
        if self.finishes.examples.len() < EXAMPLES {
            self.finishes.examples.push(id);
        }
    }

    /// Counts what is left, and what was started but never looked at because the run was ended early.
    fn into_finishes(mut self, mut started: UnboundedReceiver<Started>) -> Finishes {
        self.take_in(&mut started);
        for unfinished in std::mem::take(&mut self.unfinished).into_values() {
            if unfinished.failed {
                self.finishes.failed += 1;
                self.finishes.unexpected += 1;
            } else {
                self.finishes.still_running += 1;
            }
            self.example(unfinished.shipment.id);
        }
        self.finishes
    }
}

/// What an answer says about the shipments behind.
enum Seen {
    Finished,
    /// Those behind are most likely running too.
    Running,
    /// Failed, to be completed later: this one waits for its carrier, and says nothing about those behind.
    BetweenEnds,
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// The status of one shipment, or why there is none; a read side that lags behind may not know it yet (404).
async fn ask(request: reqwest::RequestBuilder) -> Result<Status, String> {
    let answer = request.send().await.map_err(|error| cause(&error))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| cause(&error))?;
    if status != StatusCode::OK {
        return Err(status_cause(status));
    }
    serde_json::from_slice(&body)
        .map(|answer: Answer| answer.status)
        .map_err(|_| "answer without a known status".to_owned())
}
