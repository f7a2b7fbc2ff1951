//! What has ended lately, kept in memory for those who follow it: many readers then cost as much as one, and
//! the log is read once for all of them.

use std::collections::{BTreeMap, VecDeque};

use contracts::Partition;
use event_store::{Cursor, Error, EventStore, Page, Position, StreamKind};
use tokio::sync::Mutex;

use super::{Ending, Endings, MOST_READ};

/// How many entries are followed at once.
const PAGE: usize = 1_024;
/// How many endings of each partition are kept: whoever is further behind reads the log.
const KEPT: usize = 4_096;

/// The end of the list. It goes on only when somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    known: Mutex<Option<Known>>,
}

/// All endings between two places in the log. Neither of them is ever a reader's, who may name any.
#[derive(Debug)]
struct Known {
    behind: Cursor,
    to: Cursor,
    endings: BTreeMap<Partition, VecDeque<(Position, Ending)>>,
}

impl Recent {
    /// What has ended behind a reader's cursor, at most `limit`. `end` is about where the log ends, as far
    /// as somebody has followed it.
    ///
    /// # Errors
    /// Those of the log.
    pub(crate) async fn read(
        &self,
        (store, kind): (&dyn EventStore, &StreamKind),
        end: Option<Cursor>,
        after: Cursor,
        limit: usize,
    ) -> Result<Endings, Error> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = end.clone().map(Known::from);
        }
        if let Some(known) = &mut *known
            && known.covers(&after)
        {
            let at_end = known.follow(store, kind).await?;
            let read = known.behind(after, limit, at_end);
            // Nobody has asked for long. It goes on from where the log ends now, and not through all that lies
            // between, which this reader may have read already.
            if !at_end && let Some(end) = end {
                *known = Known::from(end);
            }
            return Ok(read);
        }
        drop(known);
        Endings::read(store, kind, after, limit).await
    }
}

impl Known {
    fn from(place: Cursor) -> Self {
        Self {
            behind: place.clone(),
            to: place,
            endings: BTreeMap::new(),
        }
    }

    /// Whether everything behind a reader's cursor is known here, or comes.
    fn covers(&self, after: &Cursor) -> bool {
        let mut behind = self.behind.iter();
        behind.all(|(partition, position)| after.position(partition) >= position)
    }

    /// Goes on, at most by so much as is read at once; whether that was the end of the log.
    async fn follow(&mut self, store: &dyn EventStore, kind: &StreamKind) -> Result<bool, Error> {
        let mut entries = 0;
        while entries < MOST_READ {
            let page = store.follow_log(kind, &self.to, PAGE).await?;
            entries += page.entries.len();
            let at_end = page.entries.is_empty();
            self.take(page);
            if at_end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take(&mut self, page: Page) {
        for entry in &page.entries {
            let Some(ending) = Ending::of(entry) else {
                continue;
            };
            let of_partition = self.endings.entry(entry.partition).or_default();
            of_partition.push_back((entry.position, ending));
            if of_partition.len() > KEPT
                && let Some((position, _)) = of_partition.pop_front()
            {
                self.behind.advance(entry.partition, position);
            }
        }
        self.to = page.cursor;
    }

    fn behind(&self, mut after: Cursor, limit: usize, at_end: bool) -> Endings {
        let mut new = Vec::new();
        for (partition, endings) in &self.endings {
            let from = after.position(*partition);
            let first = endings.partition_point(|(position, _)| *position <= from);
            let of_partition = endings.range(first..).take(limit + 1);
            new.extend(of_partition.map(|(position, ending)| (*position, *partition, ending)));
        }
        new.sort_unstable_by_key(|(position, ..)| *position);
        let all = new.len() <= limit;
        new.truncate(limit);
        for (position, partition, _) in &new {
            after.advance(*partition, *position);
        }
        if all {
            for (partition, position) in self.to.iter() {
                after.advance(partition, position);
            }
        }
        Endings {
            endings: new.into_iter().map(|(.., ending)| ending.clone()).collect(),
            cursor: after,
            more: !(all && at_end),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contracts::Partitions;
    use event_store::contract::append;
    use event_store::{Entry, Removal, RemoveStreams as _, StreamName, Version};
    use event_store_memory::MemoryEventStore;

    use super::*;
    use crate::STREAM_KIND;

    fn place(zero: u64, one: u64) -> Cursor {
        let places = [
            (Partition(0), Position(zero)),
            (Partition(1), Position(one)),
        ];
        places.into_iter().collect()
    }

    /// Entries at these places in partition 0, all of which are endings.
    fn page(positions: std::ops::RangeInclusive<u64>) -> Page {
        let entry = |position: u64| {
            let append = append("A", 0, 1, &position.to_string());
            let mut content = append.entries[0].clone();
            content.type_name = "ShipmentProcessCompleted".to_owned();
            Arc::new(Entry {
                position: Position(position),
                partition: Partition(0),
                stream: append.stream,
                version: Version(1),
                content,
            })
        };
        let after = place(positions.start() - 1, 0);
        Page::behind(&after, positions.map(entry).collect(), usize::MAX)
    }

    #[test]
    fn whoever_is_not_before_what_is_kept_is_told_from_memory() {
        let mut known = Known::from(place(10, 0));
        known.take(page(11..=20));
        assert!(!known.covers(&place(9, 5)));
        assert!(known.covers(&place(10, 0)) && known.covers(&place(15, 0)));

        let told = known.behind(place(15, 0), 3, true);
        assert_eq!((told.endings.len(), told.more), (3, true));
        assert_eq!(told.cursor, place(18, 0));
        let told = known.behind(told.cursor, 3, true);
        assert_eq!((told.endings.len(), told.more), (2, false));
        assert_eq!(told.cursor, place(20, 0));
        let told = known.behind(told.cursor, 3, false);
        assert_eq!((told.endings.len(), told.more), (0, true));
    }

    #[test]
    fn no_more_is_kept_than_that() {
        let mut known = Known::from(place(0, 0));
        known.take(page(1..=KEPT as u64 + 5));
        assert_eq!(known.endings[&Partition(0)].len(), KEPT);
        assert!(!known.covers(&place(4, 0)));
        assert!(known.covers(&place(5, 0)));
    }

    /// A log in which shipments end.
    struct Log {
        store: MemoryEventStore,
        kind: StreamKind,
        recent: Recent,
        ended: usize,
    }

    impl Log {
        fn new() -> Self {
            Self {
                store: MemoryEventStore::new(Partitions::new(2).unwrap()),
                kind: StreamKind::new(STREAM_KIND),
                recent: Recent::default(),
                ended: 0,
            }
        }

        async fn end(&mut self, count: usize) -> Vec<StreamName> {
            let appends: Vec<_> = (self.ended..self.ended + count)
                .map(|number| {
                    let mut append = append(&format!("S{number}"), 0, 2, "input");
                    append.stream = StreamName::new(append.stream.instance(), &self.kind);
                    append.entries[1].type_name = "ShipmentProcessCompleted".to_owned();
                    append
                })
                .collect();
            self.ended += count;
            self.store.append(&appends).await.unwrap();
            appends.into_iter().map(|append| append.stream).collect()
        }

        /// What this reader is told until there is no more, and where it is then.
        async fn follow(&self, end: &Cursor, mut after: Cursor) -> (Vec<String>, Cursor) {
            let mut told = Vec::new();
            loop {
                let log: (&dyn EventStore, _) = (&self.store, &self.kind);
                let read = self.recent.read(log, Some(end.clone()), after, 7).await;
                let read = read.unwrap();
                told.extend(read.endings.into_iter().map(|it| it.shipment_id));
                after = read.cursor;
                if !read.more {
                    told.sort_unstable();
                    return (told, after);
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_told_is_what_has_ended_wherever_a_reader_begins() {
        let mut log = Log::new();
        log.end(20).await;
        let start = Cursor::start(log.store.partitions());
        let (all, end) = log.follow(&start, start.clone()).await;
        assert_eq!(all.len(), 20);
        let mut late = end.clone();
        for round in 1..5 {
            let mut new: Vec<_> = log.end(20).await;
            new.sort_unstable();
            let new: Vec<_> = new.iter().map(StreamName::instance).collect();
            let told;
            (told, late) = log.follow(&end, late).await;
            assert_eq!(told, new);
            assert_eq!(
                log.follow(&end, start.clone()).await.0.len(),
                20 * (round + 1)
            );
        }
    }

    #[tokio::test]
    async fn who_follows_is_told_from_memory_whatever_place_others_name() {
        let mut log = Log::new();
        let start = Cursor::start(log.store.partitions());
        let nowhere = place(u64::MAX, u64::MAX);
        assert!(log.follow(&start, nowhere.clone()).await.0.is_empty());
        let streams = log.end(3).await;
        assert_eq!(log.follow(&start, start.clone()).await.0.len(), 3);
        assert!(log.follow(&start, nowhere).await.0.is_empty());
        let removals: Vec<_> = streams
            .into_iter()
            .map(|stream| Removal {
                streams: vec![(stream, Version(2))],
            })
            .collect();
        log.store.remove_streams(&removals).await.unwrap();
        let told = log.follow(&start, start.clone()).await.0;
        assert_eq!(told.len(), 3, "the log has nothing of it any more");
    }

    #[tokio::test]
    async fn what_nobody_has_asked_for_long_is_not_all_read_at_once() {
        let mut log = Log::new();
        let start = Cursor::start(log.store.partitions());
        log.follow(&start, start.clone()).await;
        log.end(MOST_READ).await;
        let end = log.store.read_log(&log.kind, &start, usize::MAX).await;
        let end = end.unwrap().cursor;
        let (told, _) = log.follow(&end, end.clone()).await;
        assert!(told.is_empty());
        let known = log.recent.known.lock().await;
        assert_eq!(known.as_ref().unwrap().behind, end);
    }
}
