//! Whether a write may be committed: expected versions, and writes that were made before.

use uuid::Uuid;

use crate::log::{DELETED, Log, NONE, metastream_of};

/// What the caller expects of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    StreamExists,
    NoStream,
    Number(i64),
}

/// What the single writer makes of a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Write {
        /// It begins a stream anew that was deleted softly.
        revives: bool,
    },
    /// All of it was written before: nothing is written again.
    AlreadyWritten {
        last: i64,
        /// Unknown when the stream's metadata hides the event by now.
        position: Option<i64>,
    },
    WrongVersion {
        current: i64,
    },
    Deleted,
}

/// Decides on a write of events with these ids.
pub(crate) fn check(log: &Log, stream: &str, expected: Expected, ids: &[Uuid]) -> Decision {
    let current = log.last_number(stream);
    if current == DELETED {
        return Decision::Deleted;
    }
    match expected {
        Expected::Any => check_without_version(log, stream, current, ids),
        Expected::StreamExists if log.metadata(stream).is_deleted() => Decision::Deleted,
        // Metadata makes a stream exist.
        Expected::StreamExists
            if current == NONE && log.last_number(&metastream_of(stream)) == NONE =>
        {
            Decision::WrongVersion { current }
        }
        Expected::StreamExists => check_without_version(log, stream, current, ids),
        Expected::NoStream => check_version(log, stream, current, NONE, ids),
        Expected::Number(number) => check_version(log, stream, current, number, ids),
    }
}

/// Only what this process remembers can be recognised. Where each id was is not looked at.
fn check_without_version(log: &Log, stream: &str, current: i64, ids: &[Uuid]) -> Decision {
    let mut last = None;
    for id in ids {
        match log.recent(*id) {
            Some((known, number)) if known == stream => last = Some(number),
            _ if last.is_none() => break,
            // Some are known and some are not.
            _ => return Decision::WrongVersion { current },
        }
    }
    match last {
        None => write(log, stream),
        Some(last) => already_written(log, stream, last),
    }
}

fn check_version(log: &Log, stream: &str, current: i64, expected: i64, ids: &[Uuid]) -> Decision {
    if expected == current {
        // No look at the ids: one that was written before is written again.
        return write(log, stream);
    }
    if expected > current || ids.is_empty() {
        return Decision::WrongVersion { current };
    }
    let mut number = expected;
    for id in ids {
        number += 1;
        let is_same = log.recent(*id) == Some((stream, number))
            || log
                .record(stream, number)
                .is_some_and(|record| record.event.id == *id);
        if is_same {
            continue;
        }
        let is_first = number == expected + 1;
        let begins_anew = expected == NONE && log.metadata(stream).is_deleted();
        return if is_first && begins_anew {
            Decision::Write { revives: true }
        } else {
            Decision::WrongVersion { current }
        };
    }
    already_written(log, stream, number)
}

fn write(log: &Log, stream: &str) -> Decision {
    let revives = log.metadata(stream).is_deleted();
    Decision::Write { revives }
}

fn already_written(log: &Log, stream: &str, last: i64) -> Decision {
    let position = log.visible(stream, last).map(|record| record.position);
    Decision::AlreadyWritten { last, position }
}
