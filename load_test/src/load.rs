//! The workers: they start shipments on a schedule fixed in advance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use reqwest::{Client, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::board::Board;
use crate::ids::{Id, Ids};
use crate::measure::{Causes, count, latencies, record};
use crate::progress::Progress;
use crate::refusal::{Pause, Refusal};
use crate::schedule::Schedule;

/// What became of all starts.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) accepted: u64,
    /// Starts given up, by the cause of the last try.
    pub(crate) failed: Causes,
    /// The same where the service said at last that there is too much at the moment.
    pub(crate) refused: Causes,
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
            refused: Causes::new(),
            retried: Causes::new(),
            from_intended: latencies(),
            from_send: latencies(),
            first_sent: None,
            last_accepted: None,
        }
    }
}

/// Runs all workers to their end, or until `stop`; each start is entered on the board.
///
/// A request under way at the stop is abandoned, and counts as neither accepted nor failed.
pub(crate) async fn start_all(
    client: &Client,
    arguments: &Arguments,
    begin: Instant,
    board: &Arc<Board>,
    stop: &CancellationToken,
    progress: &Progress,
) -> Starts {
    let starts = Arc::new(Mutex::new(Starts::default()));
    let schedule = Schedule::of(arguments);
    let ids = Ids::for_workers(
        arguments.workers,
        arguments.seed.unwrap_or_default(),
        arguments.outcomes,
        arguments.category,
    );
    let mut workers = JoinSet::new();
    for (number, ids) in (0..arguments.workers).zip(ids) {
        let worker = Worker {
            client: client.clone(),
            url: arguments.url.clone(),
            retries: arguments.retries,
            waits: !arguments.no_wait,
            starts: Arc::clone(&starts),
            board: Arc::clone(board),
        };
        let stop = stop.clone();
        let bar = progress.starts.clone();
        workers.spawn(async move {
            let done = || bar.inc(1);
            let starting = worker.start_each(ids, schedule, number, begin, done);
            stop.run_until_cancelled(starting).await;
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("a worker does not panic");
    }
    std::mem::take(&mut lock(&starts))
}

fn lock(starts: &Mutex<Starts>) -> MutexGuard<'_, Starts> {
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    client: Client,
    url: String,
    retries: u32,
    /// Whether the shipments are followed to their end.
    waits: bool,
    starts: Arc<Mutex<Starts>>,
    board: Arc<Board>,
}

impl Worker {
    /// Starts each shipment at its time, or at once if that has passed.
    ///
    /// So many may be under way at once. What is sent late, because as many are, is measured from the time it
    /// was due: otherwise a service that stalls would be asked less while it stalls, and look good.
    async fn start_each(
        &self,
        mut ids: Ids,
        schedule: Schedule,
        number: u32,
        begin: Instant,
        done: impl Fn(),
    ) {
        let mut under_way = FuturesUnordered::new();
        for due in schedule.of_worker(number) {
            while under_way.len() >= schedule.under_way {
                under_way.next().await;
                done();
            }
            // Without a schedule each start is due when there is room for it.
            let due = due.map(|due| begin + due);
            let mut waiting = std::pin::pin!(async {
                if let Some(due) = due {
                    sleep_until(due).await;
                }
            });
            loop {
                tokio::select! {
                    biased;
                    () = &mut waiting => break,
                    Some(()) = under_way.next() => done(),
                }
            }
            let id = ids.next();
            under_way.push(self.start(id, due));
        }
        while under_way.next().await.is_some() {
            done();
        }
    }

    /// Starts one shipment, and repeats what may succeed later.
    async fn start(&self, id: Id, due: Option<Instant>) {
        let sent = Instant::now();
        let intended = due.unwrap_or(sent);
        self.board.sending(id, intended);
        {
            let mut starts = lock(&self.starts);
            starts.first_sent = Some(starts.first_sent.map_or(sent, |first| first.min(sent)));
        }
        let mut pause = Pause::default();
        let mut retries_left = self.retries;
        loop {
            match self.post(id).await {
                Ok(()) => {
                    let accepted = Instant::now();
                    self.board.accepted(id, accepted, self.waits);
                    let mut starts = lock(&self.starts);
                    starts.accepted += 1;
                    record(&mut starts.from_intended, accepted - intended);
                    record(&mut starts.from_send, accepted - sent);
                    starts.last_accepted = starts.last_accepted.max(Some(accepted));
                    return;
                }
                Err(refusal) if refusal.transient && retries_left > 0 => {
                    retries_left -= 1;
                    let pause = pause.after(&refusal);
                    count(&mut lock(&self.starts).retried, refusal.cause);
                    sleep(pause).await;
                }
                Err(refusal) => {
                    self.board.refused(id);
                    let mut starts = lock(&self.starts);
                    let causes = match refusal.is_too_much {
                        true => &mut starts.refused,
                        false => &mut starts.failed,
                    };
                    count(causes, refusal.cause);
                    return;
                }
            }
        }
    }

    async fn post(&self, id: Id) -> Result<(), Refusal> {
        let url = format!("{}/{id}", self.url);
        let answer = self.client.post(url).send().await?;
        let accepted = match answer.status() {
            StatusCode::ACCEPTED => Ok(()),
            _ => Err(Refusal::of(&answer)),
        };
        // Read to the end, so that the connection can be used again; the content does not matter.
        answer.bytes().await.ok();
        accepted
    }
}
