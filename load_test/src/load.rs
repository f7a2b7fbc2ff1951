//! The workers: they start shipments on a schedule fixed in advance.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hdrhistogram::Histogram;
use reqwest::{Client, StatusCode};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::ids::Ids;
use crate::progress::Progress;

/// How often each cause was met.
pub(crate) type Causes = BTreeMap<String, u64>;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A shipment whose start was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) id: String,
    /// When its start was due, whenever it was sent.
    pub(crate) intended: Instant,
}

/// What became of all starts.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) accepted: u64,
    /// Starts given up, by the cause of the last try.
    pub(crate) failed: Causes,
    /// Requests repeated, by the cause that made it necessary.
    pub(crate) retried: Causes,
    /// Microseconds from the time a start was due to its acceptance, tries and pauses between them included.
    pub(crate) from_intended: Histogram<u64>,
    /// The same from the time its first request was sent.
    pub(crate) from_send: Histogram<u64>,
    pub(crate) first_sent: Option<Instant>,
    pub(crate) last_accepted: Option<Instant>,
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            accepted: 0,
            failed: Causes::new(),
            retried: Causes::new(),
            from_intended: latencies(),
            from_send: latencies(),
            first_sent: None,
            last_accepted: None,
        }
    }
}

/// A histogram of microseconds up to a day, exact to a thousandth.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 24 * 60 * 60 * 1_000_000, 3)
        .expect("these bounds and digits are within what the histogram allows")
}

/// Records a time; one beyond a day counts as a day.
pub(crate) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// Adds one to the count of a cause.
pub(crate) fn count(causes: &mut Causes, cause: String) {
    *causes.entry(cause).or_default() += 1;
}

/// Runs all workers to their end, or until `stop`; each accepted start is passed on to `started`.
///
/// A request under way at the stop is abandoned, and counts as neither accepted nor failed.
pub(crate) async fn start_all(
    client: &Client,
    arguments: &Arguments,
    seed: u64,
    started: UnboundedSender<Started>,
    stop: &CancellationToken,
    progress: &Progress,
) -> Starts {
    let starts = Arc::new(Mutex::new(Starts::default()));
    let begin = Instant::now();
    let delay = Duration::from_millis(arguments.delay_ms);
    let ids = Ids::for_workers(
        arguments.workers,
        seed,
        arguments.outcomes,
        arguments.category,
    );

    let mut workers = JoinSet::new();
    for (number, mut ids) in (0..arguments.workers).zip(ids) {
        let worker = Worker {
            client: client.clone(),
            url: arguments.url.clone(),
            retries: arguments.retries,
            starts: Arc::clone(&starts),
        };
        let started = started.clone();
        let stop = stop.clone();
        let bar = progress.starts.clone();
        let shipments = arguments.shipments;
        // Spread over one delay, so that the workers together send evenly and not in bursts.
        let first_due = begin + delay * number / arguments.workers;
        workers.spawn(async move {
            for turn in 0..shipments {
                // Without a delay there is no schedule: each start is due when the one before it is done.
                let due = (!delay.is_zero()).then(|| first_due + delay * turn);
                let start = worker.start(ids.next(), due);
                let Some(outcome) = stop.run_until_cancelled(start).await else {
                    break;
                };
                bar.inc(1);
                if let Some(shipment) = outcome {
                    // Nobody listens if nobody waits for the finishes.
                    started.send(shipment).ok();
                }
            }
        });
    }
    // The watcher ends when the last sender is gone.
    drop(started);
    while let Some(ended) = workers.join_next().await {
        ended.expect("a worker does not panic");
    }
    std::mem::take(&mut starts.lock().expect(NOT_POISONED))
}

const NOT_POISONED: &str = "nothing panics while it holds the numbers";

struct Worker {
    client: Client,
    url: String,
    retries: u32,
    starts: Arc<Mutex<Starts>>,
}

impl Worker {
    /// Starts one shipment at its time, or at once if that has passed, and repeats what may succeed later.
    ///
    /// A worker waits for the answer before it goes on. What it sends late for this is measured from the time it
    /// was due: otherwise a service that stalls would be asked less while it stalls, and look good.
    async fn start(&self, id: String, due: Option<Instant>) -> Option<Started> {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let sent = Instant::now();
        let intended = due.unwrap_or(sent);
        {
            let mut starts = self.starts.lock().expect(NOT_POISONED);
            starts.first_sent = Some(starts.first_sent.map_or(sent, |first| first.min(sent)));
        }

        let mut pause = FIRST_PAUSE;
        let mut retries_left = self.retries;
        loop {
            match self.post(&id).await {
                Ok(()) => {
                    let accepted = Instant::now();
                    let mut starts = self.starts.lock().expect(NOT_POISONED);
                    starts.accepted += 1;
                    record(&mut starts.from_intended, accepted - intended);
                    record(&mut starts.from_send, accepted - sent);
                    starts.last_accepted = starts.last_accepted.max(Some(accepted));
                    return Some(Started { id, intended });
                }
                Err(refusal) if refusal.transient && retries_left > 0 => {
                    retries_left -= 1;
                    count(
                        &mut self.starts.lock().expect(NOT_POISONED).retried,
                        refusal.cause,
                    );
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Err(refusal) => {
                    count(
                        &mut self.starts.lock().expect(NOT_POISONED).failed,
                        refusal.cause,
                    );
                    return None;
                }
            }
        }
    }

    async fn post(&self, id: &str) -> Result<(), Refusal> {
        let answer = self
            .client
            .post(format!("{}/{id}", self.url))
            .send()
            .await
            .map_err(|error| Refusal {
                cause: cause(&error),
                // A start is idempotent: where the answer got lost, the repetition gets it.
                transient: true,
            })?;
        let status = answer.status();
        // Read to the end, so that the connection can be used again; the content does not matter.
        answer.bytes().await.ok();
        if status == StatusCode::ACCEPTED {
            return Ok(());
        }
        Err(Refusal {
            cause: status_cause(status),
            transient: matches!(
                status,
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
            ),
        })
    }
}

struct Refusal {
    cause: String,
    transient: bool,
}

/// What the report calls an answer that was not hoped for.
pub(crate) fn status_cause(status: StatusCode) -> String {
    format!("status {}", status.as_u16())
}

/// What the report calls a request without an answer: few and stable words, so that they can be counted.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let cause = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection lost"
    };
    cause.to_owned()
}
