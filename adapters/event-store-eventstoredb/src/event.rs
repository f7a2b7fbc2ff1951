//! Entries as the server's events, and back.

use contracts::{MessageId, Partitions};
use event_store::{Entry, Error, Metadata, NewEntry, Position, StreamName, Version};
use jiff::Timestamp;
use kurrentdb::{EventData, RecordedEvent};
use serde::{Deserialize, Serialize};

use crate::error::refused;

/// The user metadata of an event: the entry's, and what the server makes of it. `$correlationId` and
/// `$causationId` are names of the server's; its projection `$by_correlation_id` reads the first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    /// The server keeps a time of its own, which its client cuts to seconds.
    recorded_at: Timestamp,
    #[serde(rename = "$correlationId")]
    correlation_id: MessageId,
    #[serde(rename = "$causationId")]
    causation_id: MessageId,
    #[serde(flatten)]
    metadata: &'a Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedAt {
    recorded_at: Timestamp,
}

/// The event of an entry, and its size as it counts for the limit of an append.
pub(crate) fn event(entry: &NewEntry) -> Result<(EventData, usize), Error> {
    let metadata = serde_json::to_string(&Stored {
        recorded_at: entry.recorded_at,
        correlation_id: entry.metadata.correlation_id,
        causation_id: entry.metadata.input_id,
        metadata: &entry.metadata,
    })
    .map_err(refused)?;
    // As the server counts; a character of the type has two bytes there.
    let size = entry.data.get().len() + metadata.len() + 2 * entry.type_name.len();
    let event = EventData::json(&entry.type_name, &entry.data)
        .map_err(refused)?
        .id(entry.id.uuid())
        .metadata(metadata.into_bytes().into());
    Ok((event, size))
}

/// The entry of an event in one of our streams, or what stands for it where somebody else has written it.
pub(crate) fn entry(event: &RecordedEvent, stream: StreamName, partitions: Partitions) -> Entry {
    let read = || -> serde_json::Result<NewEntry> {
        let recorded: RecordedAt = serde_json::from_slice(&event.custom_metadata)?;
        Ok(NewEntry {
            id: event.id.into(),
            type_name: event.event_type.clone(),
            data: serde_json::from_slice(&event.data)?,
            recorded_at: recorded.recorded_at,
            metadata: serde_json::from_slice(&event.custom_metadata)?,
        })
    };
    let unreadable = |error: serde_json::Error| {
        let at = Timestamp::from_second(event.created.timestamp()).unwrap_or_default();
        NewEntry::unreadable(event.id.into(), &event.event_type, at, &error.to_string())
    };
    Entry {
        position: position(event),
        partition: partitions.of(stream.instance()),
        version: version(event.revision),
        stream,
        content: read().unwrap_or_else(unreadable),
    }
}

/// Where an event stands in `$all`: its commit position, which is also its prepare position, since each
/// append is a transaction of its own.
pub(crate) fn position(event: &RecordedEvent) -> Position {
    Position(event.position.commit)
}

/// The server counts from 0.
pub(crate) fn version(revision: u64) -> Version {
    Version(revision.saturating_add(1))
}
