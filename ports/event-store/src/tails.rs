//! What a process has stored last, kept for those who follow its logs: hints that carry entries.
//!
//! A reader that is woken by an append would read back from the store what this process has just written
//! to it. It is handed that from memory instead, as long as it is certain that nothing of anybody else
//! lies between; where it is not, the store is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::{Partition, Partitions};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::tail::Tail;
use crate::{Append, Appended, Cursor, Entry, Error, Page, Position, StreamKind};

/// How long it is taken for granted that nobody else has stored anything: then the store is asked. What
/// others store is followed in their own processes without that delay.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// Where the entries of an append stand in the log of their partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The entry that stood last before them; the start, where they are the first.
    pub behind: Position,
    /// Theirs, in their order.
    pub positions: Vec<Position>,
}

/// The ends of the logs of a store, for adapters: one for each kind of streams.
#[derive(Debug, Default)]
pub struct Tails {
    kinds: Mutex<HashMap<String, Arc<End>>>,
}

#[derive(Debug, Default)]
struct End {
    tail: Mutex<Tail>,
    /// One reads, and the others find it in memory.
    reading: tokio::sync::Mutex<()>,
    grown: watch::Sender<()>,
}

impl Tails {
    /// Listens for one kind.
    #[must_use]
    pub fn listen(&self, kind: &StreamKind) -> WakeUp {
        WakeUp {
            changed: self.of(kind.as_str()).grown.subscribe(),
        }
    }

    /// Keeps what was stored, and tells the listeners. `places` has one for each append, where it is
    /// known; what is stored without a place is looked for in the store.
    pub fn stored(
        &self,
        partitions: Partitions,
        appends: &[Append],
        outcomes: &[Appended],
        places: &[Option<Place>],
    ) {
        let mut grown: Vec<&str> = Vec::new();
        for (at, (append, outcome)) in appends.iter().zip(outcomes).enumerate() {
            if *outcome != Appended::Stored {
                continue;
            }
            let kind = append.stream.kind();
            let end = self.of(kind);
            let mut tail = end.tail();
            match places.get(at).cloned().flatten() {
                Some(place) => tail.stored(place.behind, entries(partitions, append, &place)),
                None => tail.doubt(),
            }
            if !grown.contains(&kind) {
                grown.push(kind);
            }
        }
        for kind in grown {
            self.of(kind).grown.send_replace(());
        }
    }

    /// The next entries of a log, from memory where that is certain, and else by `read`, which reads the
    /// store behind a cursor.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn follow<F>(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
        read: impl Fn(Cursor) -> F + Send + Sync,
    ) -> Result<Page, Error>
    where
        F: Future<Output = Result<Page, Error>> + Send,
    {
        let end = self.of(kind.as_str());
        let known = || end.tail().read(after, limit, Instant::now(), FRESH_FOR);
        if let Ok(page) = known() {
            return Ok(page);
        }
        let _one_at_a_time = end.reading.lock().await;
        match known() {
            Ok(page) => return Ok(page),
            // What is known is not read again for what may have come behind it.
            Err(from) if from != *after => {
                let asked = Instant::now();
                let page = read(from.clone()).await?;
                let mut tail = end.tail();
                tail.learn(&from, &page, asked);
                if let Ok(page) = tail.read(after, limit, Instant::now(), Duration::MAX) {
                    return Ok(page);
                }
            }
            Err(_) => {}
        }
        let asked = Instant::now();
        let page = read(after.clone()).await?;
        end.tail().learn(after, &page, asked);
        Ok(page)
    }

    fn of(&self, kind: &str) -> Arc<End> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = kinds.get(kind) {
            return end.clone();
        }
        kinds.entry(kind.to_owned()).or_default().clone()
    }
}

impl End {
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of an append as a reader of the log meets them.
fn entries(partitions: Partitions, append: &Append, place: &Place) -> (Partition, Vec<Arc<Entry>>) {
    let partition = partitions.of(append.stream.instance());
    let contents = append.entries.iter().zip(&place.positions).zip(1..);
    let entries = contents.map(|((content, position), ordinal)| {
        Arc::new(Entry {
            position: *position,
            partition,
            stream: append.stream.clone(),
            version: append.expected.plus(ordinal),
            content: content.clone(),
        })
    });
    (partition, entries.collect())
}

/// The listening side.
#[derive(Clone, Debug)]
pub struct WakeUp {
    changed: watch::Receiver<()>,
}

impl WakeUp {
    /// Returns when the log has grown since the last call, or since listening began. Cancelling it
    /// loses no hint.
    pub async fn woken(&mut self) {
        if self.changed.changed().await.is_err() {
            // The store is gone, and nothing will grow any more.
            std::future::pending::<()>().await;
        }
    }
}
