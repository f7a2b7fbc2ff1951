//! The three writes, made on the log by the single writer.

use serde_json::{Value, json};

use crate::commit_check::{Decision, Expected, check};
use crate::log::{DELETED, Log, METADATA_TYPE, NONE, NewEvent, metastream_of, original_of, system};

/// What a write came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done {
        /// The number of the last event, [`NONE`] in a stream without any.
        last: i64,
        position: Option<i64>,
    },
    /// It was written before; nothing is written now.
    Repeated {
        last: i64,
        position: Option<i64>,
    },
    WrongVersion {
        current: i64,
    },
    Deleted,
}

/// Appends events to a stream.
pub(crate) fn append(
    log: &mut Log,
    stream: &str,
    expected: Expected,
    events: Vec<NewEvent>,
) -> Written {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let before = log.last_number(stream);
    let revives = match check(log, stream, expected, &ids) {
        Decision::Write { revives } => revives,
        Decision::AlreadyWritten { last, position } => return Written::Repeated { last, position },
        Decision::WrongVersion { current } => return Written::WrongVersion { current },
        Decision::Deleted => return Written::Deleted,
    };
    let deleted_original = original_of(stream)
        .filter(|original| log.metadata(original).is_deleted())
        .map(str::to_owned);
    let mut done = Written::Done {
        last: before,
        position: None,
    };
    if events.is_empty() {
        // Also nothing takes room in the log.
        let position = Some(log.push_empty(stream));
        done = Written::Done {
            last: before,
            position,
        };
    }
    for event in events {
        let record = log.push(stream, event);
        done = Written::Done {
            last: record.number,
            position: Some(record.position),
        };
    }
    if revives {
        truncate_before(log, stream, before + 1);
    }
    if let Some(original) = deleted_original {
        let next = log.last_number(&original) + 1;
        truncate_before(log, &original, next);
    }
    done
}

/// Deletes a stream softly: metadata hides what it holds.
pub(crate) fn delete(log: &mut Log, stream: &str, expected: Expected) -> Written {
    let event = system(
        METADATA_TYPE,
        json!({ "$tb": DELETED }).to_string().as_bytes(),
    );
    match check(log, stream, expected, &[event.id]) {
        Decision::Write { .. } => {}
        Decision::WrongVersion { current } => return Written::WrongVersion { current },
        Decision::Deleted => return Written::Deleted,
        Decision::AlreadyWritten { last, position } => return Written::Done { last, position },
    }
    let metastream = metastream_of(stream);
    if log.last_number(stream) == NONE && log.last_number(&metastream) == NONE {
        return Written::WrongVersion { current: NONE };
    }
    let record = log.push(&metastream, event);
    Written::Done {
        last: record.number,
        position: Some(record.position),
    }
}

/// Ends a stream for good.
pub(crate) fn tombstone(log: &mut Log, stream: &str, expected: Expected) -> Written {
    match check(log, stream, expected, &[system("", b"").id]) {
        Decision::Write { .. } => {}
        Decision::WrongVersion { current } => return Written::WrongVersion { current },
        Decision::Deleted => return Written::Deleted,
        Decision::AlreadyWritten { last, position } => return Written::Done { last, position },
    }
    let record = log.push_tombstone(stream);
    Written::Done {
        last: record.number,
        position: Some(record.position),
    }
}

/// Makes a stream that was deleted softly readable again, from this number on. The rest of its
/// metadata stays.
fn truncate_before(log: &mut Log, stream: &str, number: i64) {
    let Some(record) = log.last_metadata(stream) else {
        return;
    };
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&record.event.data) else {
        return;
    };
    fields.insert("$tb".to_owned(), json!(number));
    let data = Value::Object(fields).to_string();
    log.push(
        &metastream_of(stream),
        system(METADATA_TYPE, data.as_bytes()),
    );
}
