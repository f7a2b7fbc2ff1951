//! The log: every record in the order of commit, and where each stream's events are in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::metadata::Metadata;

/// The event number of a tombstone, and the value of `$tb` in a stream that was deleted softly.
pub(crate) const DELETED: i64 = i64::MAX;
/// The event number before the first.
pub(crate) const NONE: i64 = -1;

pub(crate) const METADATA_TYPE: &str = "$metadata";
pub(crate) const TOMBSTONE_TYPE: &str = "$streamDeleted";
pub(crate) const LINK_TYPE: &str = "$>";
pub(crate) const EPOCH_STREAM: &str = "$epoch-information";

/// An event that is to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) id: Uuid,
    pub(crate) event_type: String,
    pub(crate) is_json: bool,
    pub(crate) data: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
}

/// An event that is written.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) stream: Arc<str>,
    pub(crate) number: i64,
    /// Where it starts in the log: commit and prepare position at once.
    pub(crate) position: i64,
    /// Where the next record starts.
    pub(crate) end: i64,
    pub(crate) event: NewEvent,
    /// In units of 100 ns since 1970.
    pub(crate) created_ticks: u128,
}

#[derive(Debug, Default)]
struct Stream {
    /// Indexes of its records; the event number is the index here.
    events: Vec<usize>,
    tombstone: Option<usize>,
}

/// Every record, kept over a restart.
#[derive(Debug)]
pub(crate) struct Log {
    records: Vec<Arc<Record>>,
    streams: HashMap<Arc<str>, Stream>,
    /// Stream and number by event id, of what was written since the start: a process remembers
    /// only what it wrote itself.
    recent_ids: HashMap<Uuid, (Arc<str>, i64)>,
    end: i64,
}

impl Log {
    /// A log as a new server has it: the first positions are the system's own.
    pub(crate) fn new() -> Self {
        let mut log = Self {
            records: Vec::new(),
            streams: HashMap::new(),
            recent_ids: HashMap::new(),
            // The record of the first epoch, which is no event.
            end: 136,
        };
        log.begin_epoch();
        for user in ["admin", "ops"] {
            let stream = format!("$user-{user}");
            let acl = br#"{"$acl":{"$r":"$admins"}}"#;
            log.push(&metastream_of(&stream), system(METADATA_TYPE, acl));
            log.push(&stream, system("$UserCreated", b"{}"));
            log.push("$users", system("$User", user.as_bytes()));
        }
        log
    }

    /// What every start writes, and what a new process does not know any more.
    pub(crate) fn begin_epoch(&mut self) {
        self.recent_ids.clear();
        self.push(EPOCH_STREAM, system("$epoch-information", b"{}"));
    }

    /// Where the next record will start.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    pub(crate) fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    /// The position of the last record.
    pub(crate) fn last_position(&self) -> i64 {
        self.records.last().map_or(-1, |record| record.position)
    }

    /// Whether a record starts or ends here, or the log has not come so far yet.
    pub(crate) fn is_boundary(&self, position: i64) -> bool {
        let after = self
            .records
            .partition_point(|record| record.position < position);
        let starts = self.records.get(after).map(|record| record.position);
        let ended = after.checked_sub(1).map(|before| self.records[before].end);
        let is_inside = position > 0 && position < self.end;
        !is_inside || starts == Some(position) || ended == Some(position)
    }

    /// The number of the stream's last event, [`NONE`], or [`DELETED`] after a tombstone.
    pub(crate) fn last_number(&self, stream: &str) -> i64 {
        if original_of(stream).is_some_and(|original| self.last_number(original) == DELETED) {
            return DELETED;
        }
        match self.streams.get(stream) {
            None => NONE,
            Some(found) if found.tombstone.is_some() => DELETED,
            Some(found) => found.events.len() as i64 - 1,
        }
    }

    /// An event, also one that the stream's metadata hides.
    pub(crate) fn record(&self, stream: &str, number: i64) -> Option<&Arc<Record>> {
        let found = self.streams.get(stream)?;
        let index = match number {
            DELETED => found.tombstone?,
            number => *found.events.get(usize::try_from(number).ok()?)?,
        };
        self.records.get(index)
    }

    /// An event, as a reader sees it.
    pub(crate) fn visible(&self, stream: &str, number: i64) -> Option<&Arc<Record>> {
        let last = self.last_number(stream);
        let metadata = self.metadata(stream);
        if last == DELETED || last == NONE || metadata.is_deleted() {
            return None;
        }
        if number < metadata.first_number(last) || number > last {
            return None;
        }
        let record = self.record(stream, number)?;
        metadata.is_young(record, now_ticks()).then_some(record)
    }

    /// Where an id was written last, as far as this process remembers.
    pub(crate) fn recent(&self, id: Uuid) -> Option<(&str, i64)> {
        let (stream, number) = self.recent_ids.get(&id)?;
        Some((stream, *number))
    }

    pub(crate) fn metadata(&self, stream: &str) -> Metadata {
        if original_of(stream).is_some() {
            return Metadata::of_metastreams();
        }
        self.last_metadata(stream)
            .map(|record| Metadata::parse(&record.event.data))
            .unwrap_or_default()
    }

    pub(crate) fn last_metadata(&self, stream: &str) -> Option<&Arc<Record>> {
        let metastream = metastream_of(stream);
        self.record(&metastream, self.last_number(&metastream))
    }

    /// Writes the next event of a stream.
    pub(crate) fn push(&mut self, stream: &str, event: NewEvent) -> Arc<Record> {
        let index = self.records.len();
        let found = self.stream(stream);
        let number = found.events.len() as i64;
        found.events.push(index);
        self.add(stream, number, event)
    }

    /// Ends a stream for good.
    pub(crate) fn push_tombstone(&mut self, stream: &str) -> Arc<Record> {
        let index = self.records.len();
        self.stream(stream).tombstone = Some(index);
        self.add(stream, DELETED, system(TOMBSTONE_TYPE, b""))
    }

    /// Writes what is no event but takes room in the log, and says where.
    pub(crate) fn push_empty(&mut self, stream: &str) -> i64 {
        let position = self.end;
        self.end += size(stream, &system("", b""));
        position
    }

    fn stream(&mut self, stream: &str) -> &mut Stream {
        self.streams.entry(Arc::from(stream)).or_default()
    }

    fn add(&mut self, stream: &str, number: i64, event: NewEvent) -> Arc<Record> {
        let stream: Arc<str> = Arc::from(stream);
        let position = self.end;
        self.end += size(&stream, &event);
        self.recent_ids
            .insert(event.id, (Arc::clone(&stream), number));
        let record = Arc::new(Record {
            stream,
            number,
            position,
            end: self.end,
            event,
            created_ticks: now_ticks(),
        });
        self.records.push(Arc::clone(&record));
        record
    }
}

impl Record {
    pub(crate) fn is_link(&self) -> bool {
        self.event.event_type == LINK_TYPE
    }
}

/// An event that the server writes itself.
pub(crate) fn system(event_type: &str, data: &[u8]) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        is_json: event_type == METADATA_TYPE,
        data: data.to_vec(),
        metadata: Vec::new(),
    }
}

pub(crate) fn metastream_of(stream: &str) -> String {
    format!("$${stream}")
}

/// The stream that a metastream is of.
pub(crate) fn original_of(stream: &str) -> Option<&str> {
    stream.strip_prefix("$$")
}

/// The room a record takes: fixed fields, three texts with their lengths, two byte arrays with
/// theirs. Real positions are such offsets, so they have gaps.
fn size(stream: &str, event: &NewEvent) -> i64 {
    const FIXED: usize = 4 + 2 + 8 + 2 + 8 + 4 + 8 + 16 + 16 + 8 + 4 + 4 + 4;
    let text = |text: &str| text.len() + if text.len() < 128 { 1 } else { 2 };
    let bytes = event.data.len() + event.metadata.len();
    (FIXED + text(stream) + text(&event.event_type) + bytes) as i64
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server under test has a clock of its own, which no test sets"
)]
pub(crate) fn now_ticks() -> u128 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| since.as_nanos() / 100)
}
