//! The last entries of one log, as far as they are certain.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use contracts::Partition;
use tokio::time::Instant;

use crate::{Cursor, Entry, Page, Position};

/// How many bytes of entries of one partition are kept, about: a reader that lags further behind reads
/// the store.
const KEPT_BYTES: usize = 1024 * 1024;

/// What an entry takes beside its texts, in bytes, about.
const ENTRY_BYTES: usize = 640;

/// The last entries of each partition of a log.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    partitions: BTreeMap<Partition, End>,
}

/// All entries of a partition from one position up to another, without a gap, and what this process has
/// stored behind what it does not know yet.
#[derive(Debug)]
struct End {
    /// They begin behind this.
    behind: Position,
    entries: VecDeque<Arc<Entry>>,
    /// Appends of this process by what stood last before them: others have stored that.
    ahead: BTreeMap<Position, Vec<Arc<Entry>>>,
    /// What all of these take.
    bytes: usize,
    /// When the store was last read.
    read: Option<Instant>,
    /// When it was last found to hold nothing more.
    ended: Option<Instant>,
}

/// Where the store is to be read, behind a cursor.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// Where the reader stands in some partitions: what comes next there is not known here, or not any more. With
    /// what is known of the others, so that they do not wait for it.
    Here(Cursor, Page),
    /// Behind what is known of some partitions, for what others have stored, before what this process has
    /// stored or behind it. Then this is to be asked again.
    Further(Cursor),
}

impl Tail {
    /// Takes in what this process has stored, behind what stood last in its partition.
    pub(crate) fn stored(
        &mut self,
        behind: Position,
        (partition, entries): (Partition, Vec<Arc<Entry>>),
    ) {
        let end = self.end(partition, behind);
        end.bytes += entries.iter().map(size_bytes).sum::<usize>();
        if let Some(same) = end.ahead.insert(behind, entries) {
            end.bytes -= same.iter().map(size_bytes).sum::<usize>();
        }
        end.close_up();
    }

    /// Something was stored that is not known here.
    pub(crate) fn doubt(&mut self) {
        for end in self.partitions.values_mut() {
            end.read = None;
            end.ended = None;
        }
    }

    /// Takes in what the store has, as it was `asked` for behind a cursor.
    pub(crate) fn learn(&mut self, after: &Cursor, page: &Page, asked: Instant) {
        for (partition, position) in after.iter() {
            let end = self.end(partition, position);
            end.read = Some(asked);
            if page.to_end {
                end.ended = Some(asked);
            }
            let passed = page.cursor.position(partition);
            if passed <= end.last() {
                continue;
            }
            if end.last() < position {
                end.restart(position);
            }
            let entries = page.entries.iter();
            let entries = entries.filter(|entry| entry.partition == partition);
            for entry in entries {
                end.push(entry.clone());
            }
            if end.last() < passed {
                // Others' entries, which the store has passed over.
                end.restart(passed);
            }
            end.close_up();
        }
    }

    /// The next entries behind a cursor, none where there are none.
    ///
    /// # Errors
    /// Where the store is to be read.
    pub(crate) fn read(
        &self,
        after: &Cursor,
        limit: usize,
        now: Instant,
        fresh_for: Duration,
    ) -> Result<Page, Unknown> {
        let mut found: Vec<&Arc<Entry>> = Vec::new();
        let mut gone = Cursor::default();
        let mut gaps = Cursor::default();
        let mut ends = Vec::new();
        for (partition, position) in after.iter() {
            let end = self.partitions.get(&partition);
            let Some(end) = end.filter(|end| position >= end.behind) else {
                gone.advance(partition, position);
                continue;
            };
            ends.push(end);
            let start = end
                .entries
                .partition_point(|entry| entry.position <= position);
            found.extend(end.entries.range(start..).take(limit));
            if !end.ahead.is_empty() {
                gaps.advance(partition, end.last().max(position));
            }
        }
        found.sort_unstable_by_key(|entry| entry.position);
        if !gone.is_empty() {
            found.truncate(limit / 2);
            let found = found.into_iter().cloned().collect();
            let known = Page::behind(&after.without(&gone), found, limit);
            return Err(Unknown::Here(gone, known));
        }
        let mut is_ended = true;
        for end in ends {
            let known_at = match found.is_empty() {
                true => end.ended,
                false => end.read,
            };
            let is_fresh = |at| now.saturating_duration_since(at) < fresh_for;
            if known_at.is_none() {
                let nothing = Page::behind(&Cursor::default(), Vec::new(), limit);
                return Err(Unknown::Here(after.clone(), nothing));
            }
            if !known_at.is_some_and(is_fresh) {
                return Err(Unknown::Further(self.ends(after)));
            }
            is_ended &= end.ended.is_some_and(is_fresh);
        }
        // While there is something else to do, gaps wait, so that more of them are filled at once.
        let has_gaps = !gaps.is_empty();
        if found.is_empty() && has_gaps {
            return Err(Unknown::Further(gaps));
        }
        found.truncate(limit);
        let found = found.into_iter().cloned().collect();
        let mut page = Page::behind(after, found, limit);
        page.to_end &= is_ended && !has_gaps;
        Ok(page)
    }

    /// Behind all that is known of the partitions of a cursor; where it stands further, there.
    fn ends(&self, after: &Cursor) -> Cursor {
        let end = |(partition, position)| {
            let end = self.partitions.get(&partition);
            (
                partition,
                end.map_or(position, |end| end.last().max(position)),
            )
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
            ahead: BTreeMap::new(),
            bytes: 0,
            read: None,
            ended: None,
        }
    }

    /// The position of the last of them that no gap comes before.
    fn last(&self) -> Position {
        self.entries
            .back()
            .map_or(self.behind, |last| last.position)
    }

    /// Begins anew behind a position that is not known here; what stands ahead is kept.
    fn restart(&mut self, behind: Position) {
        let entries = self.entries.drain(..);
        self.bytes -= entries.map(|entry| size_bytes(&entry)).sum::<usize>();
        self.behind = behind;
    }

    /// Takes in the next entry; one that is known is not taken twice.
    fn push(&mut self, entry: Arc<Entry>) {
        if entry.position > self.last() {
            self.bytes += size_bytes(&entry);
            self.entries.push_back(entry);
        }
    }

    /// Takes in what stands ahead as far as no gap is before it, and drops what there is no room for.
    fn close_up(&mut self) {
        while let Some((behind, _)) = self.ahead.first_key_value()
            && *behind <= self.last()
            && let Some((_, entries)) = self.ahead.pop_first()
        {
            self.bytes -= entries.iter().map(size_bytes).sum::<usize>();
            for entry in entries {
                self.push(entry);
            }
        }
        while self.bytes > KEPT_BYTES {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= size_bytes(&oldest);
                self.behind = oldest.position;
            } else if let Some((_, entries)) = self.ahead.pop_first() {
                // The gap grows: it is read from the store with what was in it.
                self.bytes -= entries.iter().map(size_bytes).sum::<usize>();
            } else {
                break;
            }
        }
    }
}

fn size_bytes(entry: &Arc<Entry>) -> usize {
    let commands = entry.content.metadata.commands.iter();
    let commands: usize = commands.map(|command| command.data.get().len()).sum();
    ENTRY_BYTES + entry.content.data.get().len() + commands
}

#[cfg(test)]
pub(crate) mod tests {
    use contracts::Partitions;

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

    fn further(read: Result<Page, Unknown>) -> Cursor {
        match read {
            Err(Unknown::Further(from)) => from,
            other => panic!("{other:?}"),
        }
    }

    /// What the store has.
    #[derive(Default)]
    pub(crate) struct Log(pub(crate) Vec<Arc<Entry>>);

    impl Log {
        /// Stores entries, and says what a tail is told of it.
        pub(crate) fn store(
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

        pub(crate) fn read(&self, after: &Cursor, limit: usize) -> Page {
            let behind = |entry: &&Arc<Entry>| {
                let mut asked = after.iter();
                asked.any(|(of, position)| of == entry.partition && position < entry.position)
            };
            let found = self.0.iter().filter(behind).take(limit).cloned();
            Page::behind(after, found.collect(), limit)
        }
    }

    #[test]
    fn what_was_just_stored_is_met_without_the_store() {
        let (mut log, mut tail) = (Log::default(), Tail::default());
        let now = Instant::now();
        let start = Cursor::start(Partitions::new(2).unwrap());
        let here = |unknown| match unknown {
            Err(Unknown::Here(from, _)) => from,
            other => panic!("{other:?}"),
        };
        let unknown = tail.read(&start, 9, now, LONG);
        assert_eq!(here(unknown), start, "nothing is known yet");
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
        let later = further(tail.read(&start, 2, now + LONG, LONG));
        assert_eq!(later, page.cursor, "others may have stored behind it");
        tail.doubt();
        assert_eq!(here(tail.read(&start, 2, now, LONG)), start);
        // Who has come from elsewhere is not read back from what is known here.
        let elsewhere: Cursor = start.iter().map(|(it, _)| (it, Position(99))).collect();
        tail.learn(&page.cursor, &log.read(&page.cursor, 9), now);
        let unknown = tail.read(&elsewhere, 2, now + LONG, LONG);
        assert_eq!(further(unknown), elsewhere);
    }

    #[test]
    fn what_others_have_stored_between_is_read_when_there_is_nothing_else() {
        let (mut log, mut tail) = (Log::default(), Tail::default());
        let now = Instant::now();
        let start = Cursor::start(Partitions::new(3).unwrap());
        tail.learn(&start, &log.read(&start, 9), now);
        for partition in [0, 0, 1] {
            log.store(partition, 1);
            let (behind, entries) = log.store(partition, 2);
            tail.stored(behind, entries);
        }
        let (behind, entries) = log.store(2, 1);
        tail.stored(behind, entries);
        let page = tail.read(&start, 9, now, LONG).unwrap();
        assert_eq!(page.entries.len(), 1, "that of the third partition");
        assert!(!page.to_end);
        let gaps: Cursor = [0, 1]
            .map(|it| (Partition(it), Position::START))
            .into_iter()
            .collect();
        assert_eq!(further(tail.read(&page.cursor, 9, now, LONG)), gaps);
        // Only the first of them has come by now, up to the second gap.
        tail.learn(&gaps, &log.read(&gaps, 1), now);
        let page = tail.read(&page.cursor, 9, now, LONG).unwrap();
        let met = page.entries.iter().map(|entry| entry.position.0);
        assert_eq!(met.collect::<Vec<_>>(), [1, 2, 3]);
        let gaps = further(tail.read(&page.cursor, 9, now, LONG));
        tail.learn(&gaps, &log.read(&gaps, 9), now);
        let page = tail.read(&page.cursor, 9, now, LONG).unwrap();
        assert_eq!((page.entries.len(), page.to_end), (6, true));
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
            // The one before it is not known.
            log.store(1, 1);
            let (behind, entries) = log.store(1, 1);
            tail.stored(behind, entries);
        }
        let ahead = &tail.partitions[&Partition(1)].ahead;
        assert!(ahead.len() < 2_000, "{}", ahead.len());
        let end = &tail.partitions[&Partition(0)];
        assert!(end.entries.len() < 2_000, "{}", end.entries.len());
        let Err(Unknown::Here(gone, _)) = tail.read(&start, 9, now, LONG) else {
            panic!("the first are gone");
        };
        assert_eq!(
            gone,
            [(Partition(0), Position::START)].into_iter().collect()
        );
        let near = [
            (Partition(0), Position(29_970)),
            (Partition(1), Position(0)),
        ];
        let page = tail
            .read(&near.into_iter().collect(), 99, now, LONG)
            .unwrap();
        assert_eq!(page.entries.len(), 10);
    }
}
