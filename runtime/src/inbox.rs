//! The queue before the handler: what waits there is handled together.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Handled, Handler, Input, Runnable};

/// Why an input was not handled; it must come again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
    /// Other instances of the service kept being faster.
    #[error("too many instances of the service work on this at once")]
    Contended,
    /// The store will not do it.
    #[error("the event store refuses this")]
    Refused(#[source] Arc<event_store::Error>),
}

struct Submission {
    inputs: Vec<Input>,
    reply: oneshot::Sender<Vec<Result<Handled, Failure>>>,
}

/// Where inputs are handed in.
#[derive(Clone)]
pub struct Inbox {
    submissions: mpsc::Sender<Submission>,
    beginnings: mpsc::Sender<Submission>,
}

/// How many submissions may wait before those who submit have to.
const WAITING: usize = 1_024;

/// One input of so many in a batch is kept for those that begin something, where more than a batch waits. Each
/// of them is followed by several that go on with it: with many, what has begun would wait ever longer.
const BEGINNINGS: usize = 32;

impl Inbox {
    pub(crate) fn new() -> (Self, Intake) {
        let (submissions, waiting) = mpsc::channel(WAITING);
        let (beginnings, beginning) = mpsc::channel(WAITING);
        let inbox = Self {
            submissions,
            beginnings,
        };
        (inbox, Intake { waiting, beginning })
    }

    /// Hands inputs in, and returns when they are handled and stored, with one answer for each.
    pub async fn submit(&self, inputs: Vec<Input>) -> Vec<Result<Handled, Failure>> {
        submit(&self.submissions, inputs).await
    }

    /// Hands one input in.
    ///
    /// # Errors
    /// [`Failure`] when it was not handled.
    pub async fn submit_one(&self, input: Input) -> Result<Handled, Failure> {
        one(self.submit(vec![input]).await)
    }

    /// Hands in an input that begins something: it gives way to those that go on with what has begun.
    ///
    /// # Errors
    /// [`Failure`] when it was not handled.
    pub async fn begin(&self, input: Input) -> Result<Handled, Failure> {
        one(submit(&self.beginnings, vec![input]).await)
    }
}

async fn submit(
    queue: &mpsc::Sender<Submission>,
    inputs: Vec<Input>,
) -> Vec<Result<Handled, Failure>> {
    let count = inputs.len();
    let stopped = || vec![Err(Failure::Stopped); count];
    let (reply, answer) = oneshot::channel();
    let handed_in = queue.send(Submission { inputs, reply }).await;
    if handed_in.is_err() {
        return stopped();
    }
    answer.await.unwrap_or_else(|_| stopped())
}

fn one(mut answers: Vec<Result<Handled, Failure>>) -> Result<Handled, Failure> {
    answers.pop().unwrap_or(Err(Failure::Stopped))
}

/// The handler's side of the queue.
pub(crate) struct Intake {
    waiting: mpsc::Receiver<Submission>,
    beginning: mpsc::Receiver<Submission>,
}

impl Intake {
    /// Whether something was handed in.
    #[cfg(test)]
    pub(crate) fn has_any(&self) -> bool {
        !self.waiting.is_empty() || !self.beginning.is_empty()
    }

    /// Handles what comes, everything that waits at once but at most `max_batch` inputs, one submission
    /// more, and what is kept for beginnings, until nobody can hand anything in any more. When `stop` is cancelled, nothing
    /// more is taken in, and what waits by then is still handled.
    pub(crate) async fn run<P: Runnable>(
        mut self,
        mut handler: Handler<P>,
        max_batch: usize,
        stop: CancellationToken,
    ) {
        while let Some(first) = self.next(&stop).await {
            let batch = self.batch(first, max_batch);
            let mut results = handler.handle(batch.inputs).await.into_iter();
            for (count, reply) in batch.replies {
                // Whoever no longer waits for the answer does not need it.
                let _ = reply.send(results.by_ref().take(count).collect());
            }
        }
    }

    /// What waits, behind the first that came.
    fn batch(&mut self, first: Submission, max_batch: usize) -> Batch {
        let kept = (max_batch / BEGINNINGS).max(1);
        let mut batch = Batch::default();
        batch.add(first);
        batch.fill(&mut self.waiting, max_batch.saturating_sub(kept));
        // A single submission may be as much as fits, and the next as well.
        let with_beginnings = max_batch.max(batch.inputs.len() + kept);
        batch.fill(&mut self.beginning, with_beginnings);
        batch.fill(&mut self.waiting, max_batch);
        batch
    }

    /// What comes next; `None` when nothing more can.
    async fn next(&mut self, stop: &CancellationToken) -> Option<Submission> {
        let (mut waiting, mut beginning) = (true, true);
        while waiting || beginning {
            let next = tokio::select! {
                biased;
                next = self.waiting.recv(), if waiting => {
                    waiting = next.is_some();
                    next
                }
                next = self.beginning.recv(), if beginning => {
                    beginning = next.is_some();
                    next
                }
                () = stop.cancelled(), if !self.waiting.is_closed() => {
                    self.waiting.close();
                    self.beginning.close();
                    None
                }
            };
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

/// What is handled together.
#[derive(Default)]
struct Batch {
    inputs: Vec<Input>,
    replies: Vec<(usize, oneshot::Sender<Vec<Result<Handled, Failure>>>)>,
}

impl Batch {
    fn add(&mut self, submission: Submission) {
        self.replies
            .push((submission.inputs.len(), submission.reply));
        self.inputs.extend(submission.inputs);
    }

    /// Adds what waits, until there are so many.
    fn fill(&mut self, queue: &mut mpsc::Receiver<Submission>, inputs: usize) {
        while self.inputs.len() < inputs
            && let Ok(next) = queue.try_recv()
        {
            self.add(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(count: usize) -> Submission {
        let inputs = (0..count).map(|number| Input::Redrive {
            request_id: contracts::MessageId::derive(&[&number.to_string()]),
            instance: "A".to_owned(),
            actor: None,
        });
        Submission {
            inputs: inputs.collect(),
            reply: oneshot::channel().0,
        }
    }

    /// How many inputs are taken together of those that go on, after submissions of this size, and of those
    /// that begin something.
    fn taken(
        max_batch: usize,
        (waiting, each): (usize, usize),
        beginnings: usize,
    ) -> (usize, usize) {
        let (inbox, mut intake) = Inbox::new();
        for _ in 0..waiting {
            inbox.submissions.try_send(submission(each)).unwrap();
        }
        for _ in 0..beginnings {
            inbox.beginnings.try_send(submission(1)).unwrap();
        }
        let first = intake.waiting.try_recv().unwrap();
        let batch = intake.batch(first, max_batch);
        let left = std::iter::from_fn(|| intake.beginning.try_recv().ok()).count();
        let begun = beginnings - left;
        (batch.inputs.len() - begun, begun)
    }

    #[test]
    fn what_begins_gives_way_to_what_goes_on_but_not_for_ever() {
        assert_eq!(taken(256, (500, 1), 500), (248, 8));
        assert_eq!(taken(256, (30, 1), 500), (30, 226));
        assert_eq!(taken(256, (500, 1), 0), (256, 0));
        assert_eq!(taken(256, (251, 1), 5), (251, 5));
        assert_eq!(taken(256, (9, 256), 500), (256, 8), "each fills a batch");
        assert_eq!(taken(4, (9, 1), 500), (3, 1));
        assert_eq!(taken(1, (9, 1), 500), (1, 1));
    }
}
