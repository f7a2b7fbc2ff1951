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

use crate::tail::{Tail, Unknown};
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

    /// The next entries of a log, from memory where that is certain, and else by `read`, which reads so many
    /// from the store behind a cursor.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn follow<F>(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
        read: impl Fn(Cursor, usize) -> F + Send + Sync,
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
        let read_from = async |from: &Cursor, limit| {
            let asked = Instant::now();
            let page = read(from.clone(), limit).await?;
            end.tail().learn(from, &page, asked);
            Ok(page)
        };
        let again = match known() {
            Ok(page) => return Ok(page),
            Err(Unknown::Here(from, _)) if from == *after => {
                return read_from(after, limit).await;
            }
            Err(Unknown::Here(from, known)) => {
                let rest = limit - known.entries.len();
                Ok(read_from(&from, rest).await?.and(known))
            }
            Err(Unknown::Further(from)) => {
                read_from(&from, limit).await?;
                let now = Instant::now();
                end.tail().read(after, limit, now, Duration::MAX)
            }
        };
        // Nothing is an answer only where that is the end of all partitions.
        match again {
            Ok(page) if page.to_end || !page.entries.is_empty() => Ok(page),
            _ => read_from(after, limit).await,
        }
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

#[cfg(test)]
mod tests {
    use contracts::Partitions;
    use proptest::prelude::*;

    use super::*;
    use crate::tail::tests::Log;

    #[derive(Clone, Debug)]
    enum Step {
        /// This process stores; the tail is told at once, or later, or that it does not know.
        Own {
            partition: u16,
            count: u64,
            told: u8,
        },
        /// Another process stores.
        Foreign { partition: u16, count: u64 },
        /// The tail is told of what was kept back.
        Told,
        /// A reader goes on; meanwhile something is stored, so that the store's answer is old.
        Read {
            reader: usize,
            limit: usize,
            meanwhile: Option<u16>,
        },
        /// A reader need not read what there is in a partition.
        Pass { reader: usize, partition: u16 },
        /// So long that what others have stored by now must be met.
        Wait,
    }

    fn step() -> impl Strategy<Value = Step> {
        let partition = || 0..2u16;
        prop_oneof![
            3 => (partition(), 1..4u64, 0..3u8)
                .prop_map(|(partition, count, told)| Step::Own { partition, count, told }),
            2 => (partition(), 1..9u64)
                .prop_map(|(partition, count)| Step::Foreign { partition, count }),
            1 => Just(Step::Told),
            6 => (0..2usize, 1..5usize, proptest::option::of(partition()))
                .prop_map(|(reader, limit, meanwhile)| Step::Read { reader, limit, meanwhile }),
            1 => (0..2usize, partition())
                .prop_map(|(reader, partition)| Step::Pass { reader, partition }),
            1 => Just(Step::Wait),
        ]
    }

    /// The log of a store, what is told of it, and from when on each entry must be met.
    #[derive(Default)]
    struct Ground {
        log: Mutex<Log>,
        tails: Tails,
        due: Mutex<Vec<Instant>>,
    }

    impl Ground {
        fn store(
            &self,
            partition: u16,
            count: u64,
            due: Instant,
        ) -> (Position, (Partition, Vec<Arc<Entry>>)) {
            let stored = self.log.lock().unwrap().store(partition, count);
            let due = (0..count).map(|_| due);
            self.due.lock().unwrap().extend(due);
            stored
        }

        fn tell(&self, (behind, entries): (Position, (Partition, Vec<Arc<Entry>>))) {
            self.tails.of("Process").tail().stored(behind, entries);
        }

        /// The places of entries behind a cursor: of all, or of those that must be met by now.
        fn behind(&self, cursor: &Cursor, is_due: bool) -> Vec<Position> {
            let now = Instant::now();
            let (log, due) = (self.log.lock().unwrap(), self.due.lock().unwrap());
            let entries = log.0.iter().zip(&*due);
            let entries = entries.filter(|(entry, due)| {
                entry.position > cursor.position(entry.partition) && (!is_due || **due <= now)
            });
            entries.map(|(entry, _)| entry.position).collect()
        }

        async fn read(&self, after: &Cursor, limit: usize, meanwhile: Option<u16>) -> Page {
            let read = async |from: Cursor, limit| {
                let page = self.log.lock().unwrap().read(&from, limit);
                if let Some(partition) = meanwhile {
                    self.tell(self.store(partition, 1, Instant::now()));
                }
                Ok(page)
            };
            let kind = StreamKind::new("Process");
            self.tails.follow(&kind, after, limit, read).await.unwrap()
        }
    }

    async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
        let ground = Ground::default();
        let start = Cursor::start(Partitions::new(2).unwrap());
        let mut cursors = [start.clone(), start];
        let mut kept_back = Vec::new();
        for step in steps {
            let now = Instant::now();
            match step {
                Step::Own {
                    partition,
                    count,
                    told,
                } => {
                    let due = if told == 1 { now + FRESH_FOR } else { now };
                    let stored = ground.store(partition, count, due);
                    match told {
                        0 => ground.tell(stored),
                        1 => kept_back.push(stored),
                        _ => ground.tails.of("Process").tail().doubt(),
                    }
                }
                Step::Foreign { partition, count } => {
                    drop(ground.store(partition, count, now + FRESH_FOR))
                }
                Step::Told => kept_back
                    .pop()
                    .into_iter()
                    .for_each(|stored| ground.tell(stored)),
                Step::Wait => tokio::time::advance(FRESH_FOR).await,
                Step::Pass { reader, partition } => {
                    let log = ground.log.lock().unwrap();
                    let last = log.0.iter().rfind(|entry| entry.partition.0 == partition);
                    last.into_iter()
                        .for_each(|last| cursors[reader].advance(last.partition, last.position));
                }
                Step::Read {
                    reader,
                    limit,
                    meanwhile,
                } => {
                    let after = cursors[reader].clone();
                    let due = ground.behind(&after, true);
                    let page = ground.read(&after, limit, meanwhile).await;
                    let met: Vec<_> = page.entries.iter().map(|entry| entry.position).collect();
                    let mut passed = ground.behind(&after, false);
                    let left = ground.behind(&page.cursor, false);
                    passed.retain(|position| !left.contains(position));
                    prop_assert_eq!(&met, &passed, "what is passed is met");
                    prop_assert!(met.len() <= limit);
                    if met.is_empty() || page.to_end {
                        let missed: Vec<_> = due.iter().filter(|it| left.contains(it)).collect();
                        prop_assert!(missed.is_empty(), "{:?} are said not to be there", missed);
                    }
                    cursors[reader] = page.cursor;
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn whatever_is_told_and_read_no_reader_skips(steps in proptest::collection::vec(step(), 1..80)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.unwrap().block_on(run(steps))?;
        }
    }
}
