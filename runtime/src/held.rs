//! What the relays of a service leave to each other, and tell each other of it by their checkpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use contracts::{Partition, Partitions};
use event_store::{Checkpoint, Cursor, Entry, Page, Position, speaks};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use tracing::warn;

use crate::share::{PATIENCE, Share};

/// How many entries are held: beyond it, those that have been held longest are published.
pub(crate) const MOST_HELD: usize = 8_192;

/// How far a relay has read its log, and which entries it has left to other instances.
///
/// Between the entry that one instance has held longest and the end stand those that it has published
/// itself, and that the others hold: by the position alone, each would wait for the others. So a checkpoint
/// says in its state what else is published.
pub(crate) struct Held {
    /// Up to where it has read.
    read: Cursor,
    /// What it has read and not published, in the order of positions.
    held: BTreeMap<Partition, VecDeque<Waiting>>,
    /// What is published, as the checkpoint said last.
    told: Told,
    /// How far somebody is known to have published, this instance or another.
    reached: Cursor,
    /// The last entry of each partition that it has stored itself.
    own: Cursor,
    /// What it has published for others, as long as the checkpoint does not say so.
    late: BTreeSet<(Partition, Position)>,
}

struct Waiting {
    entry: Arc<Entry>,
    /// The entry before it.
    behind: Position,
    since: Instant,
}

/// What a checkpoint says of each partition: all up to a position is published, and some behind it.
#[derive(Default)]
struct Told(BTreeMap<Partition, (Position, Beyond)>);

/// What is published behind the position of a checkpoint: all up to `read`, but for what is `held`. It
/// is stored as the state of the checkpoint.
#[derive(Default, Serialize, Deserialize)]
struct Beyond {
    read: Position,
    /// In the order of positions.
    held: Vec<Position>,
}

impl Held {
    /// Nothing is held yet, and everything behind this checkpoint is to be read.
    pub(crate) fn behind(checkpoint: &Checkpoint, partitions: Partitions) -> Self {
        let told = Told::by(checkpoint);
        Self {
            read: checkpoint.cursor(partitions),
            held: BTreeMap::new(),
            reached: told.reached(),
            told,
            own: Cursor::default(),
            late: BTreeSet::new(),
        }
    }

    /// Up to where the log is read.
    pub(crate) fn read(&self) -> &Cursor {
        &self.read
    }

    /// Takes in what was read next, and answers what of it this instance publishes now.
    pub(crate) fn take_in(&mut self, page: Page, share: &Share) -> Vec<Arc<Entry>> {
        let now = Instant::now();
        let mut own = Vec::new();
        for entry in page.entries {
            let (partition, position) = (entry.partition, entry.position);
            let publishes = share.publishes(partition, entry.content.id);
            let behind = self.read.position(partition);
            self.read.advance(partition, position);
            if self.told.has(partition, position) {
                continue;
            }
            if publishes {
                self.own.advance(partition, position);
                own.push(entry);
            } else if speaks(&entry) {
                let waiting = Waiting {
                    entry,
                    behind,
                    since: now,
                };
                self.held.entry(partition).or_default().push_back(waiting);
            }
        }
        for (partition, position) in page.cursor.iter() {
            self.read.advance(partition, position);
        }
        let surplus = self.len().saturating_sub(MOST_HELD);
        let mut published = self.take(surplus, |_| true);
        published.extend(own);
        published
    }

    /// Takes in what others say is published, and lets the share know who gets on.
    pub(crate) fn told(&mut self, checkpoint: &Checkpoint, share: &Share) {
        let now = Instant::now();
        self.told = Told::by(checkpoint);
        for (partition, reached) in self.told.reached().iter() {
            if reached > self.reached.position(partition) {
                self.reached.advance(partition, reached);
                share.others_publish(partition, self.told.all(partition));
            }
        }
        for (partition, held) in &mut self.held {
            let mut they_get_on = false;
            held.retain_mut(|waiting| {
                let published = self.told.has(*partition, waiting.entry.position);
                they_get_on |= published;
                // Who is on the way to an entry is given time anew.
                if they_get_on {
                    waiting.since = now;
                }
                !published
            });
        }
        self.held.retain(|_, held| !held.is_empty());
        let told = &self.told;
        self.late
            .retain(|(partition, position)| !told.has(*partition, *position));
    }

    /// What this instance has said is published, and stands in the checkpoint now.
    pub(crate) fn said(&mut self, checkpoint: &Checkpoint) {
        let said = Told::by(checkpoint);
        for (partition, reached) in said.reached().iter() {
            self.reached.advance(partition, reached);
        }
        // While something is held, the next look at what others say shows whether they keep it.
        if self.is_empty() {
            self.told = said;
            self.late.clear();
        }
    }

    /// Passes over what others have published in partitions that are left to them.
    pub(crate) fn leave(&mut self, left: &Cursor) {
        for (partition, published) in left.iter() {
            if !self.held.contains_key(&partition) {
                self.read.advance(partition, published);
            }
        }
    }

    /// Takes out what has been held for too long: this instance publishes it.
    pub(crate) fn take_late(&mut self) -> Vec<Arc<Entry>> {
        self.take(usize::MAX, |since| since.elapsed() >= PATIENCE)
    }

    /// Takes out at most so many of those since when this is true, first those that have been held longest.
    fn take(&mut self, most: usize, is_taken: impl Fn(Instant) -> bool) -> Vec<Arc<Entry>> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let firsts = self.held.values_mut().filter(|held| {
                let first = held.front();
                first.is_some_and(|first| is_taken(first.since))
            });
            let oldest = firsts.min_by_key(|held| held.front().map(|first| first.since));
            let Some(Waiting { entry, .. }) = oldest.and_then(VecDeque::pop_front) else {
                break;
            };
            self.late.insert((entry.partition, entry.position));
            taken.push(entry);
        }
        self.held.retain(|_, held| !held.is_empty());
        taken
    }

    fn len(&self) -> usize {
        self.held.values().map(VecDeque::len).sum()
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether nothing is held, and nothing is to be told.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_empty() && !self.is_news()
    }

    /// Whether the checkpoint lacks something that this instance has seen to. What was merely passed over
    /// is not worth one: where that is stored in the same log, each would be passed over again, and be
    /// followed by another. Nor is what others have said themselves.
    pub(crate) fn is_news(&self) -> bool {
        let mut own = self.own.iter();
        own.any(|(partition, position)| !self.told.has(partition, position))
            || !self.late.is_empty()
    }

    /// Up to where everything is published.
    pub(crate) fn published(&self) -> Cursor {
        let mut published = self.told.cursor();
        for (partition, read) in self.read.iter() {
            let first = self.held.get(&partition).and_then(VecDeque::front);
            published.advance(partition, first.map_or(read, |first| first.behind));
        }
        published
    }

    /// What is known to be published.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::at(&self.published());
        for (partition, (_, state)) in &mut checkpoint.partitions {
            let held = self.held.get(partition).into_iter().flatten();
            let mut beyond = Beyond {
                read: self.read.position(*partition),
                held: held.map(|waiting| waiting.entry.position).collect(),
            };
            // Others may have read further, and have told.
            if let Some((_, told)) = self.told.0.get(partition)
                && told.read > beyond.read
            {
                let further = told.held.iter().filter(|held| **held > beyond.read);
                beyond.held.extend(further);
                beyond.read = told.read;
            }
            if !beyond.held.is_empty() {
                *state = to_raw_value(&beyond).ok();
            }
        }
        checkpoint
    }
}

impl Told {
    fn by(checkpoint: &Checkpoint) -> Self {
        let partitions = checkpoint.partitions.iter();
        let told = partitions.map(|(partition, (position, state))| {
            let beyond = state.as_deref().and_then(Beyond::parse).unwrap_or_default();
            (*partition, (*position, beyond))
        });
        Self(told.collect())
    }

    /// Whether an entry is published.
    fn has(&self, partition: Partition, position: Position) -> bool {
        self.0.get(&partition).is_some_and(|(all, beyond)| {
            position <= *all
                || position <= beyond.read && beyond.held.binary_search(&position).is_err()
        })
    }

    /// Up to where everything in a partition is published.
    fn all(&self, partition: Partition) -> Position {
        self.0
            .get(&partition)
            .map_or(Position::START, |told| told.0)
    }

    /// How far somebody has published.
    fn reached(&self) -> Cursor {
        let partitions = self.0.iter();
        partitions
            .map(|(partition, (all, beyond))| (*partition, *all.max(&beyond.read)))
            .collect()
    }

    /// Up to where everything is published.
    fn cursor(&self) -> Cursor {
        let partitions = self.0.iter();
        partitions
            .map(|(partition, (all, _))| (*partition, *all))
            .collect()
    }
}

impl Beyond {
    /// Where it cannot be read, the position alone counts.
    fn parse(state: &RawValue) -> Option<Self> {
        serde_json::from_str(state.get())
            .inspect_err(|error| warn!(%error, "cannot read what other instances have published"))
            .ok()
    }
}
