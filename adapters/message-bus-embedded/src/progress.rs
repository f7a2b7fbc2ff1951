//! How far a service has come in the logs that it follows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::Partition;
use event_store::{Cursor, Error, EventStore, Position};

/// The progress of a service, shared by its subscriptions.
#[derive(Default)]
pub(crate) struct Progress {
    /// Held by the subscription that receives.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    /// For each log, by the name under which progress in it is saved: up to where everything is
    /// acknowledged. Empty until somebody has asked.
    done: Mutex<HashMap<String, Cursor>>,
}

impl Progress {
    /// Up to where everything in a log is acknowledged, as it was saved where nobody has asked before.
    pub(crate) async fn load(&self, store: &dyn EventStore, reader: &str) -> Result<Cursor, Error> {
        if let Some(done) = self.done(reader) {
            return Ok(done);
        }
        let saved = store.load_checkpoint(reader).await?;
        let saved = saved.cursor(store.partitions());
        // A receiver may have asked at the same time, and have got on since.
        let mut known = self.known();
        Ok(known.entry(reader.to_owned()).or_insert(saved).clone())
    }

    /// The same, of a log that was asked for before.
    pub(crate) fn done(&self, reader: &str) -> Option<Cursor> {
        self.known().get(reader).cloned()
    }

    /// Everything in a partition of a log is acknowledged up to here.
    pub(crate) fn advance(&self, reader: &str, partition: Partition, position: Position) {
        if let Some(done) = self.known().get_mut(reader) {
            done.advance(partition, position);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Cursor>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an entry: the index of its log, its partition, its position.
type Place = (usize, Partition, Position);

/// What was read, and what of it is not acknowledged yet. An acknowledgement moves a log's cursor only
/// over work that is finished without a gap.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    /// By receipt number, the entry that a message belongs to.
    deliveries: HashMap<u64, Place>,
    /// For each log and partition, the entries that were read, in order, each with the number of its
    /// messages that are not acknowledged.
    entries: HashMap<(usize, Partition), VecDeque<(Position, usize)>>,
    last_number: u64,
}

impl Outstanding {
    /// An entry was read that has this many messages for the service; returns their receipt numbers.
    pub(crate) fn read(&mut self, place: Place, messages: usize) -> Vec<u64> {
        let (log, partition, position) = place;
        self.entries
            .entry((log, partition))
            .or_default()
            .push_back((position, messages));
        let numbers: Vec<u64> = (1..=messages as u64)
            .map(|n| self.last_number + n)
            .collect();
        self.last_number += messages as u64;
        for number in &numbers {
            self.deliveries.insert(*number, place);
        }
        numbers
    }

    /// The log was read up to here, with nothing behind the last entry.
    pub(crate) fn passed(&mut self, (log, partition, position): Place) {
        let entries = self.entries.entry((log, partition)).or_default();
        if entries.back().is_none_or(|(last, _)| *last < position) {
            entries.push_back((position, 0));
        }
    }

    /// These messages are acknowledged.
    pub(crate) fn finish(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let Some((log, partition, position)) = self.deliveries.remove(&number) else {
                continue;
            };
            let entries = self.entries.get_mut(&(log, partition));
            let entry = entries.and_then(|entries| {
                let at = entries.binary_search_by_key(&position, |(p, _)| *p).ok()?;
                entries.get_mut(at)
            });
            if let Some((_, unfinished)) = entry {
                *unfinished -= 1;
            }
        }
    }

    /// The positions up to which everything is finished, where these have moved.
    pub(crate) fn advanced(&mut self) -> Vec<Place> {
        let mut places = Vec::new();
        for ((log, partition), entries) in &mut self.entries {
            let mut finished = None;
            while let Some((position, 0)) = entries.front() {
                finished = Some(*position);
                entries.pop_front();
            }
            places.extend(finished.map(|position| (*log, *partition, position)));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0);

    #[test]
    fn the_cursor_moves_over_finished_work_only() {
        let mut outstanding = Outstanding::default();
        let first = outstanding.read((0, P, Position(3)), 2);
        let second = outstanding.read((0, P, Position(5)), 1);
        outstanding.finish(second);
        outstanding.finish([first[0]]);
        assert!(outstanding.advanced().is_empty());
        outstanding.finish([first[1]]);
        assert_eq!(outstanding.advanced(), [(0, P, Position(5))]);
        assert!(outstanding.advanced().is_empty());
    }

    #[test]
    fn an_entry_without_messages_is_finished_in_its_turn() {
        let mut outstanding = Outstanding::default();
        outstanding.read((0, P, Position(1)), 0);
        assert_eq!(outstanding.advanced(), [(0, P, Position(1))]);
        let numbers = outstanding.read((0, P, Position(2)), 1);
        outstanding.read((0, P, Position(4)), 0);
        assert!(outstanding.advanced().is_empty());
        outstanding.finish(numbers);
        assert_eq!(outstanding.advanced(), [(0, P, Position(4))]);
    }

    #[test]
    fn what_is_passed_over_is_finished_behind_the_entries_before_it() {
        let mut outstanding = Outstanding::default();
        let numbers = outstanding.read((0, P, Position(2)), 1);
        outstanding.passed((0, P, Position(2)));
        outstanding.passed((0, P, Position(9)));
        assert!(outstanding.advanced().is_empty());
        outstanding.finish(numbers);
        assert_eq!(outstanding.advanced(), [(0, P, Position(9))]);
    }

    #[test]
    fn a_receipt_counts_once() {
        let mut outstanding = Outstanding::default();
        let numbers = outstanding.read((0, P, Position(1)), 2);
        outstanding.finish([numbers[0], numbers[0], 99]);
        assert!(outstanding.advanced().is_empty());
    }
}
