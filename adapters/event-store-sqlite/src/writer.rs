//! The one writer. What is asked while a transaction is on its way to the disk goes together into
//! the next one.

use std::sync::Arc;

use event_store::Error;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::error::translate;
use crate::write::{self, CheckpointRows, Rows, Written};

/// The most calls in one transaction.
const MOST_TOGETHER: usize = 256;

/// Where work is handed to the writing task, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// What is written for one call.
#[derive(Debug)]
pub(crate) enum Work {
    Append(Vec<Rows>),
    SaveCheckpoint(CheckpointRows),
}

/// Makes a transaction wait before it commits.
#[derive(Debug)]
pub(crate) struct Pause {
    pub(crate) reached: oneshot::Sender<()>,
    pub(crate) release: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    pause: Option<Pause>,
    answer: oneshot::Sender<Result<Vec<Written>, Error>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the writer has stopped")]
struct Stopped;

impl Writer {
    /// Starts the task.
    pub(crate) fn start(options: SqliteConnectOptions) -> Self {
        let (queue, mut queued) = mpsc::channel(MOST_TOGETHER);
        tokio::spawn(async move {
            let mut database = Database {
                options,
                connection: None,
            };
            let mut jobs = Vec::new();
            while queued.recv_many(&mut jobs, MOST_TOGETHER).await > 0 {
                database.write_all(std::mem::take(&mut jobs)).await;
            }
        });
        Self { queue }
    }

    /// Has something written, and returns when it is on the disk. It is written even when the
    /// caller does not wait for the answer.
    pub(crate) async fn run(
        &self,
        work: Work,
        pause: Option<Pause>,
    ) -> Result<Vec<Written>, Error> {
        let (answer, answered) = oneshot::channel();
        let stopped = |_| Error::Unavailable(Stopped.into());
        self.queue
            .send(Job {
                work,
                pause,
                answer,
            })
            .await
            .map_err(|_| Error::Unavailable(Stopped.into()))?;
        answered.await.map_err(stopped)?
    }
}

/// The file, as the task sees it.
struct Database {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
}

impl Database {
    async fn write_all(&mut self, mut jobs: Vec<Job>) {
        match self.write_together(&mut jobs).await {
            Ok(outcomes) => {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    answer(job, Ok(outcome));
                }
            }
            // One of them cannot be stored: find out which, and store the others.
            Err(Error::Refused(_)) if jobs.len() > 1 => {
                for job in jobs {
                    let mut alone = [job];
                    let outcome = self.write_together(&mut alone).await;
                    let [job] = alone;
                    answer(
                        job,
                        outcome.map(|mut outcomes| outcomes.pop().unwrap_or_default()),
                    );
                }
            }
            Err(error) => {
                let again = shared(error);
                for job in jobs {
                    answer(job, Err(again()));
                }
            }
        }
    }

    async fn write_together(&mut self, jobs: &mut [Job]) -> Result<Vec<Vec<Written>>, Error> {
        // After an error the connection is not used again: where SQLite has rolled back by itself,
        // as it does when the disk is full, sqlx believes that the transaction is still open.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(translate)?,
        };
        let outcomes = transact(&mut connection, jobs).await?;
        self.connection = Some(connection);
        Ok(outcomes)
    }
}

/// One transaction over all jobs, each seeing what those before it wrote.
async fn transact(
    connection: &mut SqliteConnection,
    jobs: &mut [Job],
) -> Result<Vec<Vec<Written>>, Error> {
    let mut transaction = connection
        .begin_with("begin immediate")
        .await
        .map_err(translate)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs.iter() {
        outcomes.push(match &job.work {
            Work::Append(appends) => write::append(&mut transaction, appends).await?,
            Work::SaveCheckpoint(checkpoint) => {
                write::save_checkpoint(&mut transaction, checkpoint).await?;
                Vec::new()
            }
        });
    }
    for pause in jobs.iter_mut().filter_map(|job| job.pause.take()) {
        // Whoever dropped the other end does not want to be told, or to hold any longer.
        let _ = pause.reached.send(());
        let _ = pause.release.await;
    }
    transaction.commit().await.map_err(translate)?;
    Ok(outcomes)
}

fn answer(job: Job, outcome: Result<Vec<Written>, Error>) {
    // A caller that has gone does not want the answer.
    let _ = job.answer.send(outcome);
}

/// The same error for each of several callers.
fn shared(error: Error) -> impl Fn() -> Error {
    let (make, cause): (fn(event_store::BoxError) -> Error, _) = match error {
        Error::Unavailable(cause) => (Error::Unavailable, cause),
        Error::Refused(cause) => (Error::Refused, cause),
        Error::Corrupt(cause) => (Error::Corrupt, cause),
    };
    let cause: Arc<dyn std::error::Error + Send + Sync> = cause.into();
    move || make(Box::new(cause.clone()))
}

#[cfg(test)]
mod tests {
    use contracts::Partitions;
    use event_store::Appended;
    use event_store::contract::append;

    use super::*;
    use crate::open;

    #[tokio::test]
    async fn a_full_disk_is_survived() {
        let folder = tempfile::tempdir().unwrap();
        let partitions = Partitions::default();
        let options = open::options(&folder.path().join("log.db")).pragma("max_page_count", "64");
        open::set_up(&options, Some(partitions)).await.unwrap();
        let writer = Writer::start(options);
        let write = async |count| {
            let appends = [append(&format!("S{count}"), 0, count, "input")];
            writer
                .run(
                    Work::Append(write::prepare(&appends, partitions).unwrap()),
                    None,
                )
                .await
        };
        assert_eq!(write(1).await.unwrap()[0].0, Appended::Stored);
        assert!(matches!(write(5_000).await, Err(Error::Unavailable(_))));
        assert_eq!(
            write(2).await.unwrap()[0].0,
            Appended::Stored,
            "there is room for a small one"
        );
    }
}
