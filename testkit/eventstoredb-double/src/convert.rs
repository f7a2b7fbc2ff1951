//! Between the wire's messages and the server's own words.

use std::collections::HashMap;

use tonic::Status;
use uuid::Uuid;

use crate::commit_check::Expected;
use crate::log::{NONE, NewEvent, Record};
use crate::reading::{Place, Resolved};
use crate::status;
use crate::wire::streams::append_req::ProposedMessage;
use crate::wire::streams::append_resp::{self, success, wrong_expected_version};
use crate::wire::streams::expectation::ExpectedStreamRevision;
use crate::wire::streams::read_resp::read_event::Position as ReadPosition;
use crate::wire::streams::read_resp::{Content, ReadEvent, RecordedEvent};
use crate::wire::streams::{AppendResp, Expectation, Position, ReadResp};
use crate::wire::{Empty, StreamIdentifier, Uuid as WireUuid, uuid as wire_uuid};

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

pub(crate) fn name(identifier: Option<&StreamIdentifier>) -> String {
    let bytes = identifier.map_or(&[][..], |found| &found.stream_name);
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn identifier(stream: &str) -> StreamIdentifier {
    StreamIdentifier {
        stream_name: stream.as_bytes().to_vec(),
    }
}

pub(crate) fn expected(options: &Expectation) -> Result<Expected, Status> {
    match options.expected_stream_revision {
        // A number that is too large wraps, as a cast does.
        Some(ExpectedStreamRevision::Revision(number)) => Ok(Expected::Number(number as i64)),
        Some(ExpectedStreamRevision::NoStream(_)) => Ok(Expected::NoStream),
        Some(ExpectedStreamRevision::Any(_)) => Ok(Expected::Any),
        Some(ExpectedStreamRevision::StreamExists(_)) => Ok(Expected::StreamExists),
        None => Err(status::invalid_argument("ExpectedStreamRevisionOneofCase")),
    }
}

/// The number that errors show for what was expected.
pub(crate) fn expected_number(expected: Expected) -> i64 {
    match expected {
        Expected::Number(number) => number,
        Expected::NoStream => -1,
        Expected::Any => -2,
        Expected::StreamExists => -4,
    }
}

pub(crate) fn new_event(message: ProposedMessage) -> Result<NewEvent, Status> {
    let field = |name| message.metadata.get(name).cloned();
    let event_type = field("type").ok_or_else(|| status::missing_metadata("type"))?;
    let content = field("content-type").ok_or_else(|| status::missing_metadata("content-type"))?;
    Ok(NewEvent {
        id: from_wire_id(message.id)?,
        event_type,
        is_json: content == JSON,
        data: message.data,
        metadata: message.custom_metadata,
    })
}

/// What an event counts for the limit: a character of its type counts two bytes.
pub(crate) fn size_on_disk(event: &NewEvent) -> usize {
    event.data.len() + event.metadata.len() + event.event_type.encode_utf16().count() * 2
}

pub(crate) fn success(last: i64, position: Option<i64>) -> AppendResp {
    let revision = match last {
        NONE => success::CurrentRevisionOption::NoStream(Empty {}),
        last => success::CurrentRevisionOption::CurrentRevision(last as u64),
    };
    let position = match position {
        None => success::PositionOption::NoPosition(Empty {}),
        Some(position) => success::PositionOption::Position(to_position(position)),
    };
    AppendResp {
        result: Some(append_resp::Result::Success(append_resp::Success {
            current_revision_option: Some(revision),
            position_option: Some(position),
        })),
    }
}

/// With the fields that clients of 20.6 read, too.
pub(crate) fn wrong_version(expected: Expected, current: i64) -> AppendResp {
    use wrong_expected_version::{
        CurrentRevisionOption as Current, CurrentRevisionOption2060 as OldCurrent,
        ExpectedRevisionOption as Wanted, ExpectedRevisionOption2060 as OldWanted,
    };
    let (wanted, old_wanted) = match expected {
        Expected::Any => (Wanted::ExpectedAny(Empty {}), OldWanted::Any2060(Empty {})),
        Expected::StreamExists => (
            Wanted::ExpectedStreamExists(Empty {}),
            OldWanted::StreamExists2060(Empty {}),
        ),
        Expected::NoStream => (
            Wanted::ExpectedNoStream(Empty {}),
            OldWanted::ExpectedRevision2060(u64::MAX),
        ),
        Expected::Number(number) => (
            Wanted::ExpectedRevision(number as u64),
            OldWanted::ExpectedRevision2060(number as u64),
        ),
    };
    let (current, old_current) = match current {
        NONE => (
            Current::CurrentNoStream(Empty {}),
            OldCurrent::NoStream2060(Empty {}),
        ),
        current => (
            Current::CurrentRevision(current as u64),
            OldCurrent::CurrentRevision2060(current as u64),
        ),
    };
    AppendResp {
        result: Some(append_resp::Result::WrongExpectedVersion(
            append_resp::WrongExpectedVersion {
                current_revision_option_20_6_0: Some(old_current),
                expected_revision_option_20_6_0: Some(old_wanted),
                current_revision_option: Some(current),
                expected_revision_option: Some(wanted),
            },
        )),
    }
}

pub(crate) fn to_position(position: i64) -> Position {
    Position {
        commit_position: position as u64,
        prepare_position: position as u64,
    }
}

pub(crate) fn place(position: &Position) -> Place {
    Place {
        commit: position.commit_position as i64,
        prepare: position.prepare_position as i64,
    }
}

pub(crate) fn response(content: Content) -> ReadResp {
    ReadResp {
        content: Some(content),
    }
}

/// An event, with ids as text or as halves of a number.
pub(crate) fn event(resolved: &Resolved, ids_as_text: bool) -> ReadResp {
    let original = resolved.link.as_ref().or(resolved.event.as_ref());
    let position = match original {
        Some(record) => ReadPosition::CommitPosition(record.position as u64),
        None => ReadPosition::NoPosition(Empty {}),
    };
    let recorded = |record: &Record| recorded(record, ids_as_text);
    response(Content::Event(ReadEvent {
        event: resolved.event.as_deref().map(recorded),
        link: resolved.link.as_deref().map(recorded),
        position: Some(position),
    }))
}

fn recorded(record: &Record, ids_as_text: bool) -> RecordedEvent {
    let event = &record.event;
    let content = if event.is_json { JSON } else { BYTES };
    RecordedEvent {
        id: Some(to_wire_id(event.id, ids_as_text)),
        stream_identifier: Some(identifier(&record.stream)),
        stream_revision: record.number as u64,
        prepare_position: record.position as u64,
        commit_position: record.position as u64,
        metadata: HashMap::from([
            ("type".to_owned(), event.event_type.clone()),
            ("created".to_owned(), record.created_ticks.to_string()),
            ("content-type".to_owned(), content.to_owned()),
        ]),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
    }
}

fn from_wire_id(id: Option<WireUuid>) -> Result<Uuid, Status> {
    match id.and_then(|id| id.value) {
        Some(wire_uuid::Value::String(text)) => text.parse().map_err(|_| status::thrown()),
        Some(wire_uuid::Value::Structured(halves)) => Ok(Uuid::from_u64_pair(
            halves.most_significant_bits as u64,
            halves.least_significant_bits as u64,
        )),
        None => Err(status::thrown()),
    }
}

fn to_wire_id(id: Uuid, as_text: bool) -> WireUuid {
    let value = if as_text {
        wire_uuid::Value::String(id.to_string())
    } else {
        let (most, least) = id.as_u64_pair();
        wire_uuid::Value::Structured(wire_uuid::Structured {
            most_significant_bits: most as i64,
            least_significant_bits: least as i64,
        })
    };
    WireUuid { value: Some(value) }
}
