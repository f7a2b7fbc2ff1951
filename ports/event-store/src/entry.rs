//! What is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{Actor, MessageId, Partition, Partitions, ServiceName, TraceParent};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Position, StreamName, Version};

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log of its kind and partition.
    pub position: Position,
    /// The partition of its instance.
    pub partition: Partition,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream, from 1.
    pub version: Version,
    /// What was recorded.
    pub content: NewEntry,
}

/// An entry that is to be stored, or the content of one that is.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its id, derived from the stream, the version and the input: the same whenever the same input
    /// is recorded at the same place, and another one for any rival at that place.
    pub id: MessageId,
    /// The name of the event's type.
    pub type_name: String,
    /// The event, JSON.
    pub data: Box<RawValue>,
    /// When it was recorded, to the microsecond; increases strictly within a stream.
    pub recorded_at: Timestamp,
    /// What belongs to it.
    pub metadata: Metadata,
}

/// The name of the type of an entry that stands for one that is stored and cannot be read.
pub const UNREADABLE: &str = "~unreadable";

impl NewEntry {
    /// Stands for an entry that is stored and cannot be read, for this reason, so that a reader neither
    /// skips it nor stops at it: it tells nothing to others, and what it decided is unknown. No entry of
    /// this type is ever stored.
    #[must_use]
    pub fn unreadable(id: MessageId, type_name: &str, recorded_at: Timestamp, why: &str) -> Self {
        let data = serde_json::json!({ "type": type_name, "reason": why });
        Self {
            id,
            type_name: UNREADABLE.to_owned(),
            data: serde_json::value::to_raw_value(&data).unwrap_or_default(),
            recorded_at,
            metadata: Metadata {
                input_id: id,
                correlation_id: id,
                traceparent: None,
                category: None,
                actor: None,
                visibility: Visibility::Internal,
                commands: Vec::new(),
                deadlines_set: BTreeMap::new(),
                deadlines_cleared: Vec::new(),
                data_subject: None,
            },
        }
    }
}

/// Who may see an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// Told to other services, part of the public history.
    #[default]
    Public,
    /// Bookkeeping.
    Internal,
}

/// What is stored beside an event. The names of the fields are stored names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The input that led to this entry (its causation id): the stream is the inbox.
    pub input_id: MessageId,
    /// The same for everything that follows from one start.
    pub correlation_id: MessageId,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// The process category and version that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who asked for it, when a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Who may see it.
    #[serde(default, skip_serializing_if = "is_public")]
    pub visibility: Visibility,
    /// The commands that leave with it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<StoredCommand>,
    /// The deadlines it sets: name and time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines_set: BTreeMap<String, Timestamp>,
    /// The deadlines it clears, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines_cleared: Vec<String>,
    /// The person whom the data concerns; reserved, for erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_public(visibility: &Visibility) -> bool {
    *visibility == Visibility::Public
}

/// A command as it is stored with the decision that sends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredCommand {
    /// Its id, derived from the entry's and its place among the entry's commands.
    pub id: MessageId,
    /// The service that is asked.
    pub to: ServiceName,
    /// The name of the command's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The command, JSON.
    pub data: Box<RawValue>,
}

impl PartialEq for StoredCommand {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.to == other.to
            && self.type_name == other.type_name
            && self.data.get() == other.data.get()
    }
}

/// Entries to be stored behind the expected version of one stream.
#[derive(Clone, Debug)]
pub struct Append {
    /// The stream.
    pub stream: StreamName,
    /// The version it must be at.
    pub expected: Version,
    /// At least one; they get the versions behind `expected`.
    pub entries: Vec<NewEntry>,
}

/// A position in each of some partitions of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(BTreeMap<Partition, Position>);

impl Cursor {
    /// The beginning of every partition.
    #[must_use]
    pub fn start(partitions: Partitions) -> Self {
        partitions.all().map(|p| (p, Position::START)).collect()
    }

    /// The partitions and their positions, in the order of partitions.
    pub fn iter(&self) -> impl Iterator<Item = (Partition, Position)> {
        self.0
            .iter()
            .map(|(partition, position)| (*partition, *position))
    }

    /// The position in a partition; the start where there is none.
    #[must_use]
    pub fn position(&self, partition: Partition) -> Position {
        self.0.get(&partition).copied().unwrap_or_default()
    }

    /// Whether it has a partition.
    #[must_use]
    pub fn has(&self, partition: Partition) -> bool {
        self.0.contains_key(&partition)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without the partitions of another.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let kept = self.iter().filter(|(partition, _)| !other.has(*partition));
        kept.collect()
    }

    /// Moves a partition to a position, unless it is already behind it.
    pub fn advance(&mut self, partition: Partition, position: Position) {
        let current = self.0.entry(partition).or_default();
        *current = (*current).max(position);
    }
}

impl FromIterator<(Partition, Position)> for Cursor {
    fn from_iter<I: IntoIterator<Item = (Partition, Position)>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}

/// A part of a log.
#[derive(Clone, Debug)]
pub struct Page {
    /// The entries, in the order of positions.
    pub entries: Vec<Arc<Entry>>,
    /// Where to read on: behind these entries, and behind what a store that keeps several logs in one
    /// has passed over on the way. It has the partitions that were asked for.
    pub cursor: Cursor,
    /// Whether there was nothing more when it was read. Where it is not known, it says no.
    pub to_end: bool,
}

impl Page {
    /// What was found behind `after` by asking for so many entries, in a store that passes over nothing.
    #[must_use]
    pub fn behind(after: &Cursor, entries: Vec<Arc<Entry>>, limit: usize) -> Self {
        let mut cursor = after.clone();
        for entry in &entries {
            cursor.advance(entry.partition, entry.position);
        }
        Self {
            to_end: entries.len() < limit,
            entries,
            cursor,
        }
    }

    /// Both, of different partitions; whether there is more is not known.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.entries.sort_unstable_by_key(|entry| entry.position);
        for (partition, position) in other.cursor.iter() {
            self.cursor.advance(partition, position);
        }
        self.to_end = false;
        self
    }
}

/// Where a reader stands, and what it needs to go on from there.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// For each partition, the position up to which everything is done, and the reader's own state
    /// (JSON) at that position.
    pub partitions: BTreeMap<Partition, (Position, Option<Box<RawValue>>)>,
}

impl Checkpoint {
    /// A checkpoint without state.
    #[must_use]
    pub fn at(cursor: &Cursor) -> Self {
        Self {
            partitions: cursor
                .iter()
                .map(|(p, position)| (p, (position, None)))
                .collect(),
        }
    }

    /// The positions, over all partitions of a log.
    #[must_use]
    pub fn cursor(&self, partitions: Partitions) -> Cursor {
        let mut cursor = Cursor::start(partitions);
        for (partition, (position, _)) in &self.partitions {
            cursor.advance(*partition, *position);
        }
        cursor
    }

    /// Takes over the partitions in which `newer` stands as far or further, with its state.
    pub fn advance(&mut self, newer: &Self) {
        for (partition, place) in &newer.partitions {
            match self.partitions.get(partition) {
                Some((further, _)) if *further > place.0 => {}
                Some(_) | None => {
                    self.partitions.insert(*partition, place.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names under which metadata is stored. Changing this text breaks what is stored.
    #[test]
    fn stored_metadata_is_frozen() {
        let golden = r#"{"inputId":"00000000-0000-0000-0000-000000000001","correlationId":"00000000-0000-0000-0000-000000000002","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","category":"domestic-1.0","actor":"ada","visibility":"internal","commands":[{"id":"00000000-0000-0000-0000-000000000003","to":"manifestation","type":"CreateShipment","data":{"legs":[]}}],"deadlinesSet":{"labels":"2024-05-27T10:00:00Z"},"deadlinesCleared":["manifestation"],"dataSubject":"someone"}"#;
        let metadata: Metadata = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&metadata).unwrap(), golden);
    }

    #[test]
    fn absent_metadata_takes_no_room() {
        let golden = r#"{"inputId":"00000000-0000-0000-0000-000000000001","correlationId":"00000000-0000-0000-0000-000000000002"}"#;
        let metadata: Metadata = serde_json::from_str(golden).unwrap();
        assert_eq!(metadata.visibility, Visibility::Public);
        assert_eq!(serde_json::to_string(&metadata).unwrap(), golden);
    }

    #[test]
    fn a_cursor_never_goes_back() {
        let mut cursor = Cursor::start(Partitions::new(2).unwrap());
        cursor.advance(Partition(1), Position(7));
        cursor.advance(Partition(1), Position(3));
        assert_eq!(cursor.position(Partition(1)), Position(7));
        assert_eq!(cursor.position(Partition(0)), Position::START);
    }
}
