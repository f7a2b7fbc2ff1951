//! The envelope: a CloudEvents 1.0 message (<https://cloudevents.io>) with typed attributes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Actor, MessageId, ServiceName, TraceParent};

/// Whether a message asks for something or tells that it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Tells what happened, to whoever subscribed.
    Event,
    /// Asks one service to do something.
    Command {
        /// The service that is asked.
        to: ServiceName,
    },
}

/// A message between services: what it says, and what it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The same for every repetition of the message; receivers handle each id once.
    pub id: MessageId,
    /// Command or event.
    pub kind: Kind,
    /// The service that says it.
    pub source: ServiceName,
    /// The name of the payload's type.
    pub type_name: String,
    /// The instance it concerns: for the shipment suite, the shipment's id.
    pub subject: String,
    /// When it was decided.
    pub time: Timestamp,
    /// The same for everything that follows from one start.
    pub correlation_id: MessageId,
    /// The message that led to this one.
    pub causation_id: MessageId,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// The process category and version (`domestic-1.0`) that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who asked, when a person did. It does not travel: it is recorded with what the message leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The payload, JSON.
    pub data: Box<RawValue>,
}

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.kind == other.kind
            && self.source == other.source
            && self.type_name == other.type_name
            && self.subject == other.subject
            && self.time == other.time
            && self.correlation_id == other.correlation_id
            && self.causation_id == other.causation_id
            && self.traceparent == other.traceparent
            && self.category == other.category
            && self.actor == other.actor
            && self.data.get() == other.data.get()
    }
}
