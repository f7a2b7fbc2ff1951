//! A stream of which the first input is parked, as it stands in the log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use contracts::MessageId;
use event_store::{Append, Metadata, NewEntry, StreamKind, StreamName, Version, Visibility};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::suite::BEGINNING;

/// What was kept of something that is no message.
#[must_use]
pub fn garbage() -> Value {
    json!({ "unreadable": { "reason": "no JSON", "raw": "garbage" } })
}

/// Parks what was kept of an input as the first of a shipment's process.
///
/// # Panics
/// Never.
#[must_use]
pub fn parking(shipment: &str, kept: &Value) -> Append {
    let data = json!({
        "trigger": "unreadable",
        "reason": "no JSON",
        "input": kept.to_string(),
    });
    let entry = NewEntry {
        id: MessageId::derive(&["parked", shipment]),
        type_name: "InputParked".to_owned(),
        data: to_raw_value(&data).unwrap(),
        recorded_at: BEGINNING.parse().unwrap(),
        metadata: Metadata {
            input_id: MessageId::derive(&["input", shipment]),
            correlation_id: MessageId::derive(&["input", shipment]),
            traceparent: None,
            actor: None,
            category: None,
            visibility: Visibility::Internal,
            commands: vec![],
            deadlines_set: BTreeMap::new(),
            deadlines_cleared: vec![],
            data_subject: None,
        },
    };
    Append {
        stream: StreamName::new(shipment, &StreamKind::new("Process")),
        expected: Version::NONE,
        entries: vec![entry],
    }
}
