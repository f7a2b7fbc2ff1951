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
}

/// How many submissions may wait before those who submit have to.
const WAITING: usize = 1_024;

impl Inbox {
    pub(crate) fn new() -> (Self, Intake) {
        let (submissions, waiting) = mpsc::channel(WAITING);
        (Self { submissions }, Intake { waiting })
    }

    /// Hands inputs in, and returns when they are handled and stored, with one answer for each.
    pub async fn submit(&self, inputs: Vec<Input>) -> Vec<Result<Handled, Failure>> {
        let count = inputs.len();
        let stopped = || vec![Err(Failure::Stopped); count];
        let (reply, answer) = oneshot::channel();
        if self
            .submissions
            .send(Submission { inputs, reply })
            .await
            .is_err()
        {
            return stopped();
        }
        answer.await.unwrap_or_else(|_| stopped())
    }

    /// Hands one input in.
    ///
    /// # Errors
    /// [`Failure`] when it was not handled.
    pub async fn submit_one(&self, input: Input) -> Result<Handled, Failure> {
        self.submit(vec![input])
            .await
            .pop()
            .unwrap_or(Err(Failure::Stopped))
    }
}

/// The handler's side of the queue.
pub(crate) struct Intake {
    waiting: mpsc::Receiver<Submission>,
}

impl Intake {
    /// Handles what comes, everything that waits at once but at most `max_batch` inputs and one
    /// submission more, until nobody can hand anything in any more. When `stop` is cancelled, nothing
    /// more is taken in, and what waits by then is still handled.
    pub(crate) async fn run<P: Runnable>(
        mut self,
        mut handler: Handler<P>,
        max_batch: usize,
        stop: CancellationToken,
    ) {
        loop {
            let first = tokio::select! {
                biased;
                first = self.waiting.recv() => first,
                () = stop.cancelled(), if !self.waiting.is_closed() => {
                    self.waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let mut batch = first.inputs;
            let mut replies = vec![(batch.len(), first.reply)];
            while batch.len() < max_batch {
                let Ok(next) = self.waiting.try_recv() else {
                    break;
                };
                replies.push((next.inputs.len(), next.reply));
                batch.extend(next.inputs);
            }
            let mut results = handler.handle(batch).await.into_iter();
            for (count, reply) in replies {
                // Whoever no longer waits for the answer does not need it.
                let _ = reply.send(results.by_ref().take(count).collect());
            }
        }
    }
}
