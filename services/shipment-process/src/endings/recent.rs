//! What has ended lately, kept in memory for those who follow it: many readers then cost as much as one, and
//! the log is read once for all of them.

use std::collections::VecDeque;

use contracts::Partition;
use event_store::{Cursor, Error, EventStore, Page, Position, StreamKind};
use tokio::sync::Mutex;

use super::{Ending, Endings, MOST_READ};

/// How many entries are followed at once.
const PAGE: usize = 1_024;
/// How many endings are kept: whoever is further behind reads the log.
const KEPT: usize = 10_000;

/// The end of the list. It goes on only when somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    known: Mutex<Known>,
}

/// All endings between two places in the log.
#[derive(Debug, Default)]
struct Known {
    /// `None` until somebody has read to the end of the log.
    range: Option<Range>,
    endings: VecDeque<(Partition, Position, Ending)>,
}

#[derive(Debug)]
struct Range {
    behind: Cursor,
    to: Cursor,
}

impl Recent {
    /// What has ended behind a cursor, at most `limit`.
    ///
    /// # Errors
    /// Those of the log.
    pub(crate) async fn read(
        &self,
        store: &dyn EventStore,
        kind: &StreamKind,
        after: Cursor,
        limit: usize,
    ) -> Result<Endings, Error> {
        let mut known = self.known.lock().await;
        if known.reach(&after) {
            let at_end = known.follow(store, kind).await?;
            return Ok(known.behind(after, limit, at_end));
        }
        drop(known);
        let read = Endings::read(store, kind, after, limit).await?;
        if !read.more {
            self.known.lock().await.begin(&read.cursor);
        }
        Ok(read)
    }
}

impl Known {
    /// Whether everything behind a cursor is known here, or can be followed from it.
    fn reach(&mut self, after: &Cursor) -> bool {
        let Some(range) = &self.range else {
            return false;
        };
        // Nobody has asked for long, and this reader begins further on.
        if is_at(after, &range.to) {
            self.begin_at(after);
            return true;
        }
        is_at(after, &range.behind)
    }

    /// The end of the log was met here.
    fn begin(&mut self, end: &Cursor) {
        if self
            .range
            .as_ref()
            .is_none_or(|range| is_at(end, &range.to))
        {
            self.begin_at(end);
        }
    }

    fn begin_at(&mut self, place: &Cursor) {
        match &mut self.range {
            // Those a little behind go on from what is kept.
            Some(range) if range.to == *place => {}
            range => {
                *range = Some(Range {
                    behind: place.clone(),
                    to: place.clone(),
                });
                self.endings.clear();
            }
        }
    }

    /// Goes on, at most by so much as is read at once; whether that was the end of the log.
    async fn follow(&mut self, store: &dyn EventStore, kind: &StreamKind) -> Result<bool, Error> {
        let mut entries = 0;
        while let Some(range) = &self.range
            && entries < MOST_READ
        {
            let page = store.follow_log(kind, &range.to, PAGE).await?;
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
        let Some(range) = &mut self.range else { return };
        for entry in &page.entries {
            let ending = Ending::of(entry);
            self.endings
                .extend(ending.map(|ending| (entry.partition, entry.position, ending)));
        }
        range.to = page.cursor;
        while self.endings.len() > KEPT
            && let Some((partition, position, _)) = self.endings.pop_front()
        {
            range.behind.advance(partition, position);
        }
    }

    fn behind(&self, mut after: Cursor, limit: usize, at_end: bool) -> Endings {
        let from = after.clone();
        let is_new = |ending: &&(Partition, Position, Ending)| ending.1 > from.position(ending.0);
        let mut new = self.endings.iter().filter(is_new);
        let mut endings = Vec::new();
        for (partition, position, ending) in new.by_ref().take(limit) {
            after.advance(*partition, *position);
            endings.push(ending.clone());
        }
        let all = new.next().is_none();
        if all && let Some(range) = &self.range {
            for (partition, position) in range.to.iter() {
                after.advance(partition, position);
            }
        }
        Endings {
            endings,
            cursor: after,
            more: !(all && at_end),
        }
    }
}

/// Whether a place is at another, or behind it.
fn is_at(place: &Cursor, other: &Cursor) -> bool {
    other
        .iter()
        .all(|(partition, position)| place.position(partition) >= position)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contracts::Partitions;
    use event_store::contract::append;
    use event_store::{Entry, Version};
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

    fn from(begin: u64) -> Known {
        let mut known = Known::default();
        known.begin(&place(begin, 0));
        known
    }

    #[test]
    fn whoever_is_not_before_what_is_kept_is_told_from_memory() {
        let mut known = Known::default();
        assert!(!known.reach(&place(9, 9)), "nobody has met the end");
        known.begin(&place(10, 0));
        known.take(page(11..=20));
        assert!(!known.reach(&place(9, 5)));
        assert!(known.reach(&place(10, 0)) && known.reach(&place(15, 0)));

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
    fn whoever_begins_further_on_has_nobody_read_what_lies_between() {
        let mut known = from(10);
        known.take(page(11..=20));
        assert!(known.reach(&place(50, 0)));
        assert_eq!(known.range.as_ref().unwrap().to, place(50, 0));
        assert!(!known.reach(&place(20, 0)));
        // Whoever comes to the end later than that does not take it back.
        known.begin(&place(40, 0));
        assert!(known.reach(&place(50, 0)));
    }

    #[test]
    fn who_is_at_the_end_takes_nothing_from_those_a_little_behind() {
        let mut known = from(10);
        known.take(page(11..=20));
        assert!(known.reach(&place(20, 0)));
        assert!(known.reach(&place(15, 0)));
        assert_eq!(known.behind(place(15, 0), 9, true).endings.len(), 5);
    }

    #[test]
    fn no_more_is_kept_than_that() {
        let mut known = from(0);
        known.take(page(1..=KEPT as u64 + 5));
        assert_eq!(known.endings.len(), KEPT);
        assert!(!known.reach(&place(4, 0)));
        assert!(known.reach(&place(5, 0)));
    }

    #[tokio::test]
    async fn what_is_told_is_what_the_log_has_wherever_a_reader_begins() {
        let store = MemoryEventStore::new(Partitions::new(2).unwrap());
        let kind = StreamKind::new(STREAM_KIND);
        let recent = Recent::default();
        let start = Cursor::start(store.partitions());
        let mut late = start.clone();
        for round in 0..5 {
            let appends: Vec<_> = (0..20)
                .map(|number| {
                    let mut append = append(&format!("S{round}x{number}"), 0, 2, "input");
                    append.stream = event_store::StreamName::new(append.stream.instance(), &kind);
                    append.entries[1].type_name = "ShipmentProcessCompleted".to_owned();
                    append
                })
                .collect();
            store.append(&appends).await.unwrap();
            let whole = Endings::read(&store, &kind, start.clone(), 1_000).await;
            let whole = whole.unwrap().endings;
            assert_eq!(whole.len(), 20 * (round + 1));
            // One asks for all of it each time, and another for what is new, little by little.
            let all = recent.read(&store, &kind, start.clone(), 1_000).await;
            let all = all.unwrap();
            assert_eq!((all.endings.len(), all.more), (whole.len(), false));
            let mut new = Vec::new();
            loop {
                let read = recent.read(&store, &kind, late.clone(), 7).await.unwrap();
                new.extend(read.endings);
                late = read.cursor;
                if !read.more {
                    break;
                }
            }
            let mut expected: Vec<_> = whole[20 * round..].iter().map(told).collect();
            let mut found: Vec<_> = new.iter().map(told).collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    fn told(ending: &Ending) -> &str {
        &ending.shipment_id
    }
}
