//! The last entries of one log, as far as they are certain.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use contracts::Partition;
use tokio::time::Instant;

use crate::{Cursor, Entry, Page, Position};

/// How many bytes of entries of one partition are kept, about: a reader that lags further behind reads
/// the store.
const KEPT_BYTES: usize = 512 * 1024;

/// What an entry takes beside its texts, in bytes, about.
const ENTRY_BYTES: usize = 640;

/// The last entries of each partition of a log.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    partitions: BTreeMap<Partition, End>,
    /// When the store was last read.
    read: Option<Instant>,
    /// When it was last found to hold nothing more.
    ended: Option<Instant>,
}

/// All entries of a partition from one position up to another, without a gap.
#[derive(Debug)]
struct End {
    /// They begin behind this.
    behind: Position,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Tail {
    /// Takes in what this process has stored, behind what stood last in its partition.
    pub(crate) fn stored(
        &mut self,
        behind: Position,
        (partition, entries): (Partition, Vec<Arc<Entry>>),
    ) {
        let end = self.end(partition, behind);
        // What was stored before may be told of after: it is read from the store.
        if entries
            .last()
            .is_none_or(|last| last.position <= end.last())
        {
            return;
        }
        if end.last() != behind {
            *end = End::behind(behind);
        }
        end.push(entries);
    }

    /// Something was stored that is not known here.
    pub(crate) fn doubt(&mut self) {
        self.read = None;
        self.ended = None;
    }

    /// Takes in what the store has, as it was `asked` for behind a cursor.
    pub(crate) fn learn(&mut self, after: &Cursor, page: &Page, asked: Instant) {
        for (partition, position) in after.iter() {
            let end = self.end(partition, position);
            let entries = page.entries.iter();
            let entries = entries.filter(|entry| entry.partition == partition);
            let new: Vec<_> = entries
                .filter(|entry| entry.position > end.last())
                .cloned()
                .collect();
            let passed = page.cursor.position(partition);
            if passed <= end.last() {
                continue;
            }
            if end.last() < position {
                *end = End::behind(position);
            }
            end.push(new);
            if end.last() < passed {
                // Others' entries, which the store has passed over.
                *end = End::behind(passed);
            }
        }
        self.read = Some(asked);
        if page.to_end {
            self.ended = Some(asked);
        }
    }

    /// The next entries behind a cursor, none where there are none.
    ///
    /// # Errors
    /// Where the store is to be read first: behind the cursor itself, where something may lie between, or
    /// now and then behind all that is known here, for what others have stored.
    pub(crate) fn read(
        &self,
        after: &Cursor,
        limit: usize,
        now: Instant,
        fresh_for: Duration,
    ) -> Result<Page, Cursor> {
        let mut found: Vec<&Arc<Entry>> = Vec::new();
        for (partition, position) in after.iter() {
            let Some(end) = self.partitions.get(&partition) else {
                return Err(after.clone());
            };
            if position < end.behind {
                return Err(after.clone());
            }
            let start = end
                .entries
                .partition_point(|entry| entry.position <= position);
            found.extend(end.entries.range(start..).take(limit));
        }
        let known_at = if found.is_empty() {
            self.ended
        } else {
            self.read
        };
        let Some(known_at) = known_at else {
            return Err(after.clone());
        };
        if now.saturating_duration_since(known_at) >= fresh_for {
            return Err(self.ends(after));
        }
        found.sort_unstable_by_key(|entry| entry.position);
        found.truncate(limit);
        let found = found.into_iter().cloned().collect();
        Ok(Page::behind(after, found, limit))
    }

    /// Behind all that is known of the partitions of a cursor.
    fn ends(&self, after: &Cursor) -> Cursor {
        let end = |(partition, position)| {
            let end = self.partitions.get(&partition);
            (partition, end.map_or(position, End::last))
        };
        after.iter().map(end).collect()
    }

    fn end(&mut self, partition: Partition, behind: Position) -> &mut End {
        self.partitions
            .entry(partition)
            .or_insert_with(|| End::behind(behind))
    }
}

impl End {
    fn behind(behind: Position) -> Self {
        Self {
            behind,
            entries: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The position of the last of them.
    fn last(&self) -> Position {
        self.entries
            .back()
            .map_or(self.behind, |last| last.position)
    }

    fn push(&mut self, entries: Vec<Arc<Entry>>) {
        for entry in entries {
            self.bytes += size_bytes(&entry);
            self.entries.push_back(entry);
        }
        while self.bytes > KEPT_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= size_bytes(&oldest);
            self.behind = oldest.position;
        }
    }
}

fn size_bytes(entry: &Entry) -> usize {
    let commands = entry.content.metadata.commands.iter();
    let commands: usize = commands.map(|command| command.data.get().len()).sum();
    ENTRY_BYTES + entry.content.data.get().len() + commands
}

#[cfg(test)]
mod tests {
    use contracts::Partitions;
    use proptest::prelude::*;

    use super::*;
    use crate::{NewEntry, StreamKind, StreamName, Version};

    const LONG: Duration = Duration::from_secs(1);

    fn entry(partition: u16, position: u64) -> Arc<Entry> {
        let id = contracts::MessageId::derive(&[&position.to_string()]);
        Arc::new(Entry {
            position: Position(position),
            partition: Partition(partition),
            stream: StreamName::new("A", &StreamKind::new("Process")),
            version: Version(position),
            content: NewEntry::unreadable(id, "Any", jiff::Timestamp::UNIX_EPOCH, "any"),
        })
    }

    /// What the store has.
    #[derive(Default)]
    struct Log(Vec<Arc<Entry>>);

    impl Log {
        /// Stores entries, and says what a tail is told of it.
        fn store(
            &mut self,
            partition: u16,
            count: u64,
        ) -> (Position, (Partition, Vec<Arc<Entry>>)) {
            let last = self.0.iter().rfind(|entry| entry.partition.0 == partition);
            let behind = last.map_or(Position::START, |last| last.position);
            let next = self.0.len() as u64 + 1;
            let new: Vec<_> = (next..next + count).map(|n| entry(partition, n)).collect();
            self.0.extend(new.iter().cloned());
            (behind, (Partition(partition), new))
        }

        fn read(&self, after: &Cursor, limit: usize) -> Page {
            let behind = |entry: &&Arc<Entry>| entry.position > after.position(entry.partition);
            let found = self.0.iter().filter(behind).take(limit).cloned();
            Page::behind(after, found.collect(), limit)
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// This process stores; the tail is told at once, or later, or never.
        Own {
            partition: u16,
            count: u64,
            told: u8,
        },
        /// Another process stores.
        Foreign { partition: u16 },
        /// The tail is told of what was kept back.
        Told,
        /// A reader goes on; meanwhile something is stored, so that the store's answer is old.
        Read {
            reader: usize,
            limit: usize,
            fresh: bool,
            meanwhile: Option<u16>,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..2u16, 1..4u64, 0..3u8).prop_map(|(partition, count, told)| Step::Own {
                partition,
                count,
                told
            }),
            (0..2u16).prop_map(|partition| Step::Foreign { partition }),
            Just(Step::Told),
            (
                0..2usize,
                1..5usize,
                any::<bool>(),
                proptest::option::of(0..2u16)
            )
                .prop_map(|(reader, limit, fresh, meanwhile)| Step::Read {
                    reader,
                    limit,
                    fresh,
                    meanwhile
                }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_told_and_read_no_reader_skips(steps in proptest::collection::vec(step(), 1..80)) {
            let (mut log, mut tail) = (Log::default(), Tail::default());
            let start = Cursor::start(Partitions::new(2).unwrap());
            let mut cursors = [start.clone(), start];
            let mut kept_back = Vec::new();
            let now = Instant::now();
            for step in steps {
                match step {
                    Step::Own { partition, count, told } => {
                        let (behind, entries) = log.store(partition, count);
                        match told {
                            0 => tail.stored(behind, entries),
                            1 => kept_back.push((behind, entries)),
                            _ => tail.doubt(),
                        }
                    }
                    Step::Foreign { partition } => drop(log.store(partition, 1)),
                    Step::Told => {
                        if let Some((behind, entries)) = kept_back.pop() {
                            tail.stored(behind, entries);
                        }
                    }
                    Step::Read { reader, limit, fresh, meanwhile } => {
                        let after = cursors[reader].clone();
                        let fresh_for = if fresh { LONG } else { Duration::ZERO };
                        let mut read = |from: &Cursor, tail: &mut Tail| {
                            let page = log.read(from, limit);
                            if let Some(partition) = meanwhile {
                                let (behind, entries) = log.store(partition, 1);
                                tail.stored(behind, entries);
                            }
                            tail.learn(from, &page, now);
                            page
                        };
                        let mut known = tail.read(&after, limit, now, fresh_for);
                        if let Err(from) = &known && *from != after {
                            read(from, &mut tail);
                            known = tail.read(&after, limit, now, Duration::MAX);
                        }
                        let page = known.unwrap_or_else(|_| read(&after, &mut tail));
                        let passed = |entry: &&Arc<Entry>| {
                            entry.position > after.position(entry.partition)
                                && entry.position <= page.cursor.position(entry.partition)
                        };
                        let passed: Vec<_> = log.0.iter().filter(passed).map(|e| e.position).collect();
                        let met: Vec<_> = page.entries.iter().map(|e| e.position).collect();
                        prop_assert_eq!(met, passed);
                        cursors[reader] = page.cursor;
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_just_stored_is_met_without_the_store() {
        let (mut log, mut tail) = (Log::default(), Tail::default());
        let now = Instant::now();
        let start = Cursor::start(Partitions::new(2).unwrap());
        let unknown = tail.read(&start, 9, now, LONG).unwrap_err();
        assert_eq!(unknown, start, "nothing is known yet");
        tail.learn(&start, &log.read(&start, 9), now);
        let (behind, entries) = log.store(1, 3);
        tail.stored(behind, entries);
        let page = tail.read(&start, 2, now, LONG).unwrap();
        assert_eq!(page.entries.len(), 2);
        let page = tail.read(&page.cursor, 2, now, LONG).unwrap();
        assert_eq!(page.entries.len(), 1);
        assert!(
            tail.read(&page.cursor, 2, now, LONG)
                .unwrap()
                .entries
                .is_empty()
        );
        let later = tail.read(&start, 2, now + LONG, LONG).unwrap_err();
        assert_eq!(later, page.cursor, "others may have stored behind it");
        tail.doubt();
        assert_eq!(tail.read(&start, 2, now, LONG).unwrap_err(), start);
    }

    #[test]
    fn no_more_is_kept_than_that() {
        let (mut log, mut tail) = (Log::default(), Tail::default());
        let now = Instant::now();
        let start = Cursor::start(Partitions::new(2).unwrap());
        tail.learn(&start, &log.read(&start, 9), now);
        for _ in 0..10_000 {
            let (behind, entries) = log.store(0, 1);
            tail.stored(behind, entries);
        }
        let end = &tail.partitions[&Partition(0)];
        assert!(end.entries.len() < 1_000, "{}", end.entries.len());
        let gone = tail.read(&start, 9, now, LONG).unwrap_err();
        assert_eq!(gone, start, "the first are gone");
        let near = [(Partition(0), Position(9_990)), (Partition(1), Position(0))];
        let page = tail
            .read(&near.into_iter().collect(), 99, now, LONG)
            .unwrap();
        assert_eq!(page.entries.len(), 10);
    }
}
