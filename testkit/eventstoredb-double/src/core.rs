//! The server behind its connections: the log, the single writer, and the faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::faults::{AppendFault, Faults};
use crate::log::Log;
use crate::writing::Written;

/// What outlives a restart of the server.
#[derive(Debug)]
pub(crate) struct Core {
    log: Mutex<Log>,
    /// How many records there are, for those who wait for more.
    grown: watch::Sender<usize>,
    /// How many appends have come, done or not.
    came: watch::Sender<u64>,
    /// Whoever has it writes. It is given in the order of asking.
    writer: tokio::sync::Mutex<()>,
    pub(crate) faults: Faults,
}

/// How an append ended.
#[derive(Debug)]
pub(crate) enum Appended {
    Answer(Written),
    /// The connection is to be cut.
    Cut,
    TimedOut,
    /// The process ended, or the caller went before its turn.
    Gone,
}

impl Core {
    pub(crate) fn new() -> Self {
        let log = Log::new();
        let (grown, _) = watch::channel(log.records().len());
        Self {
            log: Mutex::new(log),
            grown,
            came: watch::Sender::default(),
            writer: tokio::sync::Mutex::default(),
            faults: Faults::new(),
        }
    }

    /// The log as it is now.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of every growth of the log from now on.
    pub(crate) fn growth(&self) -> watch::Receiver<usize> {
        self.grown.subscribe()
    }

    /// Returns when so many appends have come.
    pub(crate) async fn have_come(&self, count: u64) {
        // The sender lives as long as this does.
        let _ = self.came.subscribe().wait_for(|came| *came >= count).await;
    }

    /// Makes a change to the log when it is this caller's turn.
    pub(crate) async fn write<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let _turn = self.writer.lock().await;
        self.commit(change)
    }

    /// Appends when it is this caller's turn, with the faults that are on.
    ///
    /// `process` ends with the server; `caller` when its call does, which counts only until its
    /// turn comes.
    pub(crate) async fn append(
        self: Arc<Self>,
        process: CancellationToken,
        caller: CancellationToken,
        change: impl FnOnce(&mut Log) -> Written + Send,
    ) -> Appended {
        self.came.send_modify(|came| *came += 1);
        let _turn = tokio::select! {
            turn = self.writer.lock() => turn,
            () = process.cancelled() => return Appended::Gone,
        };
        if caller.is_cancelled() {
            return Appended::Gone;
        }
        if let Some(hold) = self.faults.next_hold() {
            tokio::select! {
                () = hold.wait() => {}
                () = process.cancelled() => return Appended::Gone,
            }
        }
        let fault = self.faults.next_append();
        if fault == Some(AppendFault::CutUncommitted) {
            return Appended::Cut;
        }
        let written = self.commit(change);
        match fault {
            Some(AppendFault::Cut) => Appended::Cut,
            Some(AppendFault::TimeOut) => Appended::TimedOut,
            Some(AppendFault::CutUncommitted) | None => Appended::Answer(written),
        }
    }

    fn commit<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let (changed, count) = {
            let mut log = self.log();
            (change(&mut log), log.records().len())
        };
        self.grown.send_replace(count);
        changed
    }
}
