//! What is kept, and the rules of appending to it.

use std::collections::HashMap;
use std::sync::Arc;

use contracts::{Partition, Partitions};
use event_store::{
    Append, Appended, Checkpoint, Cursor, Entry, Place, Position, Removal, Removed, StreamKind,
    StreamName, Version,
};

/// Entries, in the order of positions and of versions, and checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Log {
    last_position: u64,
    streams: HashMap<StreamName, Vec<Arc<Entry>>>,
    kinds: HashMap<String, HashMap<Partition, Vec<Arc<Entry>>>>,
    checkpoints: HashMap<String, Checkpoint>,
}

impl Log {
    /// What becomes of each append, where it is to stand, and the entries to add. Nothing else may be added before these.
    pub(crate) fn prepare(
        &self,
        appends: &[Append],
        partitions: Partitions,
    ) -> (Vec<Appended>, Vec<Option<Place>>, Vec<Entry>) {
        let mut entries: Vec<Entry> = Vec::new();
        let mut outcomes = Vec::with_capacity(appends.len());
        let mut places = Vec::with_capacity(appends.len());
        for append in appends {
            let stored = self.entries_of(&append.stream);
            let current = Version(stored.len() as u64);
            if current == append.expected {
                let partition = partitions.of(append.stream.instance());
                let is_near = |e: &&Entry| {
                    e.partition == partition && e.stream.kind() == append.stream.kind()
                };
                let behind = entries.iter().rfind(is_near).map(|entry| entry.position);
                let behind = behind.unwrap_or_else(|| self.last(append.stream.kind(), partition));
                let first = entries.len();
                for (content, ordinal) in append.entries.iter().zip(1..) {
                    entries.push(Entry {
                        position: Position(self.last_position + 1 + entries.len() as u64),
                        partition,
                        stream: append.stream.clone(),
                        version: append.expected.plus(ordinal),
                        content: content.clone(),
                    });
                }
                let positions = entries[first..].iter().map(|entry| entry.position);
                places.push(Some(Place {
                    behind,
                    positions: positions.collect(),
                }));
                outcomes.push(Appended::Stored);
            } else {
                places.push(None);
                outcomes.push(if is_stored(append, stored) {
                    Appended::Stored
                } else {
                    Appended::Conflict { current }
                });
            }
        }
        (outcomes, places, entries)
    }

    /// Makes prepared entries visible.
    pub(crate) fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries.into_iter().map(Arc::new) {
            self.last_position = entry.position.0;
            let kind = self
                .kinds
                .entry(entry.stream.kind().to_owned())
                .or_default();
            kind.entry(entry.partition).or_default().push(entry.clone());
            self.streams
                .entry(entry.stream.clone())
                .or_default()
                .push(entry);
        }
    }

    /// Removes streams that are all at their versions.
    pub(crate) fn remove(&mut self, removal: &Removal) -> Removed {
        let version = |stream| Version(self.entries_of(stream).len() as u64);
        let mut found = removal.streams.iter().map(|(stream, _)| version(stream));
        if found.clone().all(|version| version == Version::NONE) {
            return Removed::Gone;
        }
        if !found.by_ref().eq(removal.streams.iter().map(|(_, at)| *at)) {
            return Removed::Changed;
        }
        for (stream, _) in &removal.streams {
            let entries = self.streams.remove(stream).unwrap_or_default();
            let Some(first) = entries.first() else {
                continue;
            };
            let kind = self.kinds.get_mut(stream.kind());
            if let Some(log) = kind.and_then(|kind| kind.get_mut(&first.partition)) {
                log.retain(|entry| entry.stream != *stream);
            }
        }
        Removed::Gone
    }

    /// All entries of a stream.
    pub(crate) fn stream(&self, stream: &StreamName) -> Vec<Entry> {
        self.entries_of(stream)
            .iter()
            .map(|entry| Entry::clone(entry))
            .collect()
    }

    /// The entries of a kind behind a cursor: the oldest ones, so that no partition starves.
    pub(crate) fn after(
        &self,
        kind: &StreamKind,
        cursor: &Cursor,
        limit: usize,
    ) -> Vec<Arc<Entry>> {
        let Some(partitions) = self.kinds.get(kind.as_str()) else {
            return Vec::new();
        };
        let mut found: Vec<&Arc<Entry>> = Vec::new();
        for (partition, position) in cursor.iter() {
            let entries = partitions.get(&partition).map_or(&[][..], Vec::as_slice);
            let start = entries.partition_point(|entry| entry.position <= position);
            found.extend(entries[start..].iter().take(limit));
        }
        found.sort_unstable_by_key(|entry| entry.position);
        found.into_iter().take(limit).cloned().collect()
    }

    /// The position of the last entry of a partition.
    fn last(&self, kind: &str, partition: Partition) -> Position {
        let partitions = self.kinds.get(kind);
        let entries = partitions.and_then(|partitions| partitions.get(&partition));
        let last = entries.and_then(|entries| entries.last());
        last.map_or(Position::START, |last| last.position)
    }

    /// How many entries of a kind are behind a cursor.
    pub(crate) fn count(&self, kind: &StreamKind, cursor: &Cursor, most: usize) -> usize {
        let Some(partitions) = self.kinds.get(kind.as_str()) else {
            return 0;
        };
        let behind = cursor.iter().map(|(partition, position)| {
            let entries = partitions.get(&partition).map_or(&[][..], Vec::as_slice);
            entries.len() - entries.partition_point(|entry| entry.position <= position)
        });
        behind.sum::<usize>().min(most)
    }

    /// Where a reader stands.
    pub(crate) fn checkpoint(&self, reader: &str) -> Checkpoint {
        self.checkpoints.get(reader).cloned().unwrap_or_default()
    }

    /// Saves where a reader stands, unless it already stands further.
    pub(crate) fn save_checkpoint(&mut self, reader: &str, checkpoint: &Checkpoint) {
        let saved = self.checkpoints.entry(reader.to_owned()).or_default();
        saved.advance(checkpoint);
    }

    fn entries_of(&self, stream: &StreamName) -> &[Arc<Entry>] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }
}

/// Whether exactly these entries already stand behind the expected version.
fn is_stored(append: &Append, stored: &[Arc<Entry>]) -> bool {
    let start = usize::try_from(append.expected.0).unwrap_or(usize::MAX);
    stored.get(start..).is_some_and(|behind| {
        behind.len() >= append.entries.len()
            && append
                .entries
                .iter()
                .zip(behind)
                .all(|(given, found)| given.id == found.content.id)
    })
}
