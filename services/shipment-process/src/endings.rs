//! What has ended, in the order of the log: nothing is stored of it but the log itself.

mod recent;

use contracts::process::ProcessEvent;
use contracts::{MessageId, Partitions};
use event_store::{Cursor, Entry, Error, EventStore, Position, StreamKind};
use jiff::Timestamp;
use kernel::Record;
use runtime::decode_entry;
use serde::Serialize;

use crate::state::{Compensation, Status};
use crate::{Command, State};

pub(crate) use self::recent::Recent;

/// How many entries are read at once, and how many before it is said how far that was.
const PAGE: usize = 256;
const MOST_READ: usize = 10_000;

/// A process has come to an end; it may be made to run again, and is told again when it ends anew.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ending {
    shipment_id: String,
    status: Status,
    ended_at: Timestamp,
}

impl Ending {
    /// The ending that an entry tells of, if it is one.
    fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            shipment_id: entry.stream.instance().to_owned(),
            status: status(&entry.content.type_name)?,
            ended_at: entry.content.recorded_at,
        })
    }
}

/// Where a process stands after a decision that ends it. Where it is being cancelled, the last two of
/// failure are followed by its cancellation at once.
fn status(type_name: &str) -> Option<Status> {
    Some(match type_name {
        "ShipmentProcessCompleted" => Status::Completed,
        "ShipmentProcessCancelled" => Status::Cancelled,
        "ShipmentProcessCompensationFailed" => Status::NeedsAttention,
        "ShipmentProcessFailed"
        | "ShipmentProcessSettled"
        | "ShipmentProcessCompensationCompleted" => Status::Failed,
        _ => return None,
    })
}

/// Whether a process, of which these are all entries, has come to an end, and neither undoes anything nor needs
/// anybody's attention. It may still wait for something: that its deadlines tell.
#[must_use]
pub fn has_ended(stream: &[Entry]) -> bool {
    let mut state = State::default();
    for entry in stream {
        match decode_entry::<ProcessEvent, Command>(entry) {
            Ok(record) => {
                if let Record::Event(event) = &record.record {
                    state = state.after(event);
                }
            }
            Err(_) => return false,
        }
    }
    match state.status {
        Status::Completed | Status::Failed | Status::Cancelled => {
            state.compensation != Compensation::Running
        }
        Status::Running | Status::NeedsAttention => false,
    }
}

/// What has ended in a part of the log.
#[derive(Debug)]
pub(crate) struct Endings {
    pub(crate) endings: Vec<Ending>,
    /// Where to read on.
    pub(crate) cursor: Cursor,
    /// Whether the log goes on behind it at this moment, for all that is known.
    pub(crate) more: bool,
}

impl Endings {
    /// Reads on behind a place until there are so many, or nothing more; or until that was much to read,
    /// and nobody should wait for the rest.
    pub(crate) async fn read(
        store: &dyn EventStore,
        kind: &StreamKind,
        after: Cursor,
        limit: usize,
    ) -> Result<Self, Error> {
        let mut read = Self {
            endings: Vec::new(),
            cursor: after,
            more: true,
        };
        let mut entries = 0;
        while entries < MOST_READ {
            let page = store.read_log(kind, &read.cursor, PAGE).await?;
            for entry in &page.entries {
                if read.endings.len() == limit {
                    return Ok(read);
                }
                read.cursor.advance(entry.partition, entry.position);
                read.endings.extend(Ending::of(entry));
            }
            read.cursor = page.cursor;
            if page.entries.is_empty() {
                read.more = false;
                break;
            }
            entries += page.entries.len();
        }
        Ok(read)
    }
}

/// A cursor as readers get it, and give it back. It is theirs to keep, and not to understand.
pub(crate) fn write(cursor: &Cursor) -> String {
    let positions: Vec<_> = cursor
        .iter()
        .map(|(_, position)| format!("{:x}", position.0))
        .collect();
    let positions = positions.join("-");
    format!("{positions}-{}", check(&positions))
}

/// Reads it back; `None` for what is not as it was given.
pub(crate) fn parse(text: &str, partitions: Partitions) -> Option<Cursor> {
    let (positions, found) = text.rsplit_once('-')?;
    let each: Vec<_> = positions.split('-').collect();
    if found != check(positions) || each.len() != usize::from(partitions.count()) {
        return None;
    }
    let position = |text: &str| u64::from_str_radix(text, 16).map(Position).ok();
    partitions
        .all()
        .zip(each)
        .map(|(partition, text)| Some((partition, position(text)?)))
        .collect()
}

/// So that a cursor that was cut short is refused, and not taken for another place.
fn check(positions: &str) -> String {
    let mut id = MessageId::derive(&["endings", positions]).to_string();
    id.truncate(8);
    id
}

#[cfg(test)]
mod tests {
    use contracts::{MessageSet, Partition};
    use event_store::contract::append;
    use event_store::{NewEntry, Version};
    use serde_json::value::RawValue;

    use super::*;

    fn cursor() -> Cursor {
        [
            (Partition(0), Position(10)),
            (Partition(1), Position(u64::MAX)),
        ]
        .into_iter()
        .collect()
    }

    fn two() -> Partitions {
        Partitions::new(2).unwrap()
    }

    #[test]
    fn what_is_told_as_an_ending_is_where_the_decision_leads_and_no_other_decision_ends_a_process()
    {
        let data = RawValue::from_string(r#"{"failure":"F","reason":"R"}"#.to_owned()).unwrap();
        let mut told = 0;
        for name in ProcessEvent::NAMES {
            let Ok(event) = ProcessEvent::decode(name, &data) else {
                // What begins something has more fields.
                assert_eq!(status(name), None, "{name}");
                continue;
            };
            let after = State::default().after(&event).status;
            match status(name) {
                // The process has failed before it undoes what was done.
                Some(Status::Failed) if *name == "ShipmentProcessCompensationCompleted" => {}
                ending => assert_eq!(after, ending.unwrap_or_default(), "{name}"),
            }
            told += usize::from(status(name).is_some());
        }
        assert_eq!(told, 6);
    }

    #[test]
    fn what_needs_nobodys_attention_has_ended_and_what_cannot_be_read_has_not() {
        let stream = |names: &[&str]| -> Vec<_> {
            let append = append("A", 0, names.len() as u64, "input");
            let entry = |((content, name), ordinal): ((NewEntry, &&str), u64)| Entry {
                position: Position(ordinal),
                partition: Partition(0),
                stream: append.stream.clone(),
                version: Version(ordinal),
                content: NewEntry {
                    type_name: (*name).to_owned(),
                    data: RawValue::from_string(r#"{"failure":"F","reason":"R"}"#.into()).unwrap(),
                    ..content
                },
            };
            let contents = append.entries.into_iter().zip(names).zip(1..);
            contents.map(entry).collect()
        };
        let (failed, undoing) = (
            "ShipmentProcessFailed",
            "ShipmentProcessCompensationStarted",
        );
        for (names, ended) in [
            (&[][..], false),
            (&["ShipmentProcessCompleted"], true),
            (&["ShipmentProcessCancelled"], true),
            (&[failed], true),
            (&[failed, undoing], false),
            (
                &[failed, undoing, "ShipmentProcessCompensationCompleted"],
                true,
            ),
            (
                &[failed, undoing, "ShipmentProcessCompensationFailed"],
                false,
            ),
            (
                &[
                    undoing,
                    "ShipmentProcessCompensationFailed",
                    "ShipmentProcessSettled",
                ],
                true,
            ),
            (&["ShipmentProcessCompleted", "TriggerIgnored"], false),
            (&["ShipmentProcessCompleted", "OfALaterVersion"], false),
        ] {
            assert_eq!(has_ended(&stream(names)), ended, "{names:?}");
        }
    }

    #[test]
    fn a_cursor_is_read_back_as_it_was_given() {
        assert_eq!(parse(&write(&cursor()), two()), Some(cursor()));
    }

    #[test]
    fn what_was_never_given_is_no_cursor() {
        let given = write(&cursor());
        assert!(parse(&given, Partitions::default()).is_none());
        for cut in 0..given.len() {
            assert!(parse(&given[..cut], two()).is_none(), "{cut}");
        }
        let other = given.replacen('a', "b", 1);
        for text in ["", "-", "now", "0-0", "é", &other] {
            assert!(parse(text, two()).is_none(), "{text}");
        }
    }
}
