//! Between the kernel's records and the entries of the log.

use contracts::{Actor, Command, DecodeError, MessageId, MessageSet, TraceParent};
use event_store::{Entry, Metadata, NewEntry, StoredCommand, StreamName, UNREADABLE, Visibility};
use jiff::Timestamp;
use kernel::{Category, NewRecord, Record};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// The kernel's own records: stored names.
const CATEGORY_CHANGED: &str = "ProcessCategoryChanged";
const TRIGGER_IGNORED: &str = "TriggerIgnored";
pub(crate) const INPUT_PARKED: &str = "InputParked";
pub(crate) const PARKED_INPUT_RETRIED: &str = "ParkedInputRetried";
pub(crate) const PARKED_INPUT_HANDLED: &str = "ParkedInputHandled";
pub(crate) const PARKED_INPUT_DISCARDED: &str = "ParkedInputDiscarded";

/// The stored names of records that are bookkeeping, and never told to other services.
pub const BOOKKEEPING: [&str; 5] = [
    TRIGGER_IGNORED,
    INPUT_PARKED,
    PARKED_INPUT_RETRIED,
    PARKED_INPUT_HANDLED,
    PARKED_INPUT_DISCARDED,
];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CategoryChanged {
    from: String,
    to: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TriggerIgnored {
    trigger: String,
    code: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InputParked {
    trigger: String,
    reason: String,
    input: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParkedInputRetried {
    pub(crate) attempt: u32,
    pub(crate) reason: String,
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

/// An entry that the store cannot read.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "type")]
    type_name: String,
    reason: String,
}

/// What the entries of one input have in common.
pub(crate) struct Cause<'a> {
    pub(crate) correlation_id: MessageId,
    pub(crate) traceparent: Option<&'a TraceParent>,
    pub(crate) actor: Option<&'a Actor>,
}

/// The entry for a record that gets `version` in `stream`. Its id is derived from both, from the input,
/// and from all that is recorded: a store recognises by it that the same append comes again. A rival at
/// the same place has another, also one that was given the same input: it has another clock, and perhaps
/// another definition, and must learn that not its own decision was stored.
pub(crate) fn encode<E: MessageSet, C: Command>(
    stream: &StreamName,
    version: u64,
    record: NewRecord<E, C>,
    is_public: impl FnOnce(&E) -> bool,
    cause: &Cause<'_>,
    recorded_at: Timestamp,
) -> Result<NewEntry, serde_json::Error> {
    let input_id = MessageId::from(record.input_id);
    let visibility = if record.record.is_public(is_public) {
        Visibility::Public
    } else {
        Visibility::Internal
    };
    let (type_name, data) = write(record.record)?;
    let category = record.category.as_ref().map(Category::as_str);
    let commands: Vec<_> = record
        .commands
        .iter()
        .map(|command| Ok((command, command.encode()?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let (version, input) = (version.to_string(), input_id.to_string());
    let time = recorded_at.as_microsecond().to_string();
    let due_times = record.deadlines_set.values();
    let due_times: Vec<_> = due_times
        .map(|due| due.as_microsecond().to_string())
        .collect();
    let mut said = vec![
        stream.as_str(),
        &version,
        &input,
        &time,
        type_name,
        data.get(),
        category.unwrap_or_default(),
    ];
    for (command, data) in &commands {
        said.extend([command.type_name(), data.get()]);
    }
    for (name, due) in record.deadlines_set.keys().zip(&due_times) {
        said.extend([name.as_str(), due]);
    }
    said.extend(record.deadlines_cleared.iter().map(String::as_str));
    let id = MessageId::derive(&said);
    let named = id.to_string();
    let command = |(ordinal, (command, data)): (usize, (&C, Box<RawValue>))| StoredCommand {
        id: MessageId::derive(&[&named, "command", &ordinal.to_string()]),
        to: command.to(),
        type_name: command.type_name().to_owned(),
        data,
    };
    Ok(NewEntry {
        id,
        type_name: type_name.to_owned(),
        data,
        recorded_at,
        metadata: Metadata {
            input_id,
            correlation_id: cause.correlation_id,
            traceparent: cause.traceparent.cloned(),
            actor: cause.actor.cloned(),
            category: category.map(str::to_owned),
            visibility,
            commands: commands.into_iter().enumerate().map(command).collect(),
            deadlines_set: record.deadlines_set,
            deadlines_cleared: record.deadlines_cleared,
            data_subject: None,
        },
    })
}

fn write<E: MessageSet>(
    record: Record<E>,
) -> Result<(&'static str, Box<RawValue>), serde_json::Error> {
    Ok(match record {
        Record::Event(event) => (event.type_name(), event.encode()?),
        Record::CategoryChanged { from, to } => {
            let data = CategoryChanged {
                from: from.as_str().into(),
                to: to.as_str().into(),
            };
            (CATEGORY_CHANGED, to_raw_value(&data)?)
        }
        Record::TriggerIgnored {
            trigger,
            code,
            reason,
        } => (
            TRIGGER_IGNORED,
            to_raw_value(&TriggerIgnored {
                trigger,
                code,
                reason,
            })?,
        ),
        Record::InputParked {
            trigger,
            reason,
            input,
        } => (
            INPUT_PARKED,
            to_raw_value(&InputParked {
                trigger,
                reason,
                input,
            })?,
        ),
        Record::ParkedInputRetried { attempt, reason } => (
            PARKED_INPUT_RETRIED,
            to_raw_value(&ParkedInputRetried { attempt, reason })?,
        ),
        Record::ParkedInputHandled => (PARKED_INPUT_HANDLED, to_raw_value(&Nothing {})?),
        Record::ParkedInputDiscarded => (PARKED_INPUT_DISCARDED, to_raw_value(&Nothing {})?),
    })
}

/// The record of an entry, without the commands, which are never needed again.
///
/// # Errors
/// [`DecodeError`] when this program does not know the entry's type or category, or cannot read it.
pub fn decode<E: MessageSet, C>(entry: &Entry) -> Result<NewRecord<E, C>, DecodeError> {
    fn own<'a, T: Deserialize<'a>>(type_name: &str, data: &'a RawValue) -> Result<T, DecodeError> {
        serde_json::from_str(data.get()).map_err(|error| malformed(type_name, &error))
    }
    fn category(text: String) -> Result<Category, DecodeError> {
        Category::parse(text).map_err(|error| malformed("process category", &error))
    }
    let content = &entry.content;
    let (name, data) = (content.type_name.as_str(), &*content.data);
    let record = match name {
        CATEGORY_CHANGED => {
            let changed: CategoryChanged = own(name, data)?;
            Record::CategoryChanged {
                from: category(changed.from)?,
                to: category(changed.to)?,
            }
        }
        TRIGGER_IGNORED => {
            let TriggerIgnored {
                trigger,
                code,
                reason,
            } = own(name, data)?;
            Record::TriggerIgnored {
                trigger,
                code,
                reason,
            }
        }
        INPUT_PARKED => {
            let InputParked {
                trigger,
                reason,
                input,
            } = own(name, data)?;
            Record::InputParked {
                trigger,
                reason,
                input,
            }
        }
        PARKED_INPUT_RETRIED => {
            let ParkedInputRetried { attempt, reason } = own(name, data)?;
            Record::ParkedInputRetried { attempt, reason }
        }
        PARKED_INPUT_HANDLED => Record::ParkedInputHandled,
        PARKED_INPUT_DISCARDED => Record::ParkedInputDiscarded,
        UNREADABLE => {
            let stored: Stored = own(name, data)?;
            return Err(DecodeError::Malformed {
                type_name: stored.type_name,
                reason: stored.reason,
            });
        }
        _ => Record::Event(E::decode(name, data)?),
    };
    let metadata = &content.metadata;
    Ok(NewRecord {
        record,
        category: metadata.category.clone().map(category).transpose()?,
        input_id: metadata.input_id.uuid(),
        commands: Vec::new(),
        deadlines_cleared: metadata.deadlines_cleared.clone(),
        deadlines_set: metadata.deadlines_set.clone(),
    })
}

/// What a stream tells of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What it belongs to.
    pub correlation_id: MessageId,
    /// What has become of it.
    pub outcome: InputOutcome,
}

/// What has become of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputOutcome {
    /// It led to decisions.
    Decided,
    /// It led to none, for this reason.
    Ignored(String),
    /// It is parked.
    Parked,
    /// It was parked, and a person has given it up.
    Discarded,
}

impl Recorded {
    /// What these entries, which are all of a stream, tell of the input of this id, if anything.
    #[must_use]
    pub fn of(input_id: MessageId, stream: &[Entry]) -> Option<Self> {
        let contents = stream.iter().map(|entry| &entry.content);
        let mut found = contents.filter(|content| content.metadata.input_id == input_id);
        let first = found.next()?;
        let last = found.next_back().unwrap_or(first);
        let outcome = match last.type_name.as_str() {
            INPUT_PARKED => InputOutcome::Parked,
            PARKED_INPUT_DISCARDED => InputOutcome::Discarded,
            TRIGGER_IGNORED => {
                let ignored = serde_json::from_str::<TriggerIgnored>(last.data.get());
                InputOutcome::Ignored(ignored.map_or_else(|e| e.to_string(), |i| i.reason))
            }
            _ => InputOutcome::Decided,
        };
        Some(Self {
            correlation_id: first.metadata.correlation_id,
            outcome,
        })
    }
}

fn malformed(type_name: &str, error: &dyn std::error::Error) -> DecodeError {
    DecodeError::Malformed {
        type_name: type_name.to_owned(),
        reason: error.to_string(),
    }
}
