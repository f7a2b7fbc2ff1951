//! The envelope: a CloudEvents 1.0 message (<https://cloudevents.io>) with typed attributes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Actor, DecodeError, MessageId, MessageSet, ServiceName, TraceParent};

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

/// What a payload says about whom it concerns; most of them say nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Concerns {
    shipment_id: Option<String>,
}

impl Envelope {
    /// What it says to whoever is addressed. A payload that names a shipment must name the one that the
    /// message is addressed to: else one instance would act, and ask others, in the name of another.
    ///
    /// # Errors
    /// As [`MessageSet::decode`], and [`DecodeError::Misaddressed`].
    pub fn decode<M: MessageSet>(&self) -> Result<M, DecodeError> {
        let message = M::decode(&self.type_name, &self.data)?;
        // What is no object names nobody.
        let named = serde_json::from_str(self.data.get())
            .ok()
            .and_then(|concerns: Concerns| concerns.shipment_id);
        match named {
            Some(names) if names != self.subject => Err(DecodeError::Misaddressed {
                subject: self.subject.clone(),
                names,
            }),
            Some(_) | None => Ok(message),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::carrier::{self, CarrierCommand, CarrierEvent};
    use crate::shipment::Undo;
    use crate::{Round, ShipmentId, manifestation};

    fn addressed_to(subject: &str, type_name: &str, data: &str) -> Envelope {
        let id = MessageId::derive(&["message"]);
        Envelope {
            id,
            kind: Kind::Command {
                to: carrier::SERVICE,
            },
            source: manifestation::SERVICE,
            type_name: type_name.to_owned(),
            subject: subject.to_owned(),
            time: Timestamp::UNIX_EPOCH,
            correlation_id: id,
            causation_id: id,
            traceparent: None,
            category: None,
            actor: None,
            data: RawValue::from_string(data.to_owned()).unwrap(),
        }
    }

    #[test]
    fn what_names_another_shipment_than_it_is_addressed_to_cannot_be_read() {
        let request = |subject: &str| {
            addressed_to(
                subject,
                "CancelLegWithCarrier",
                r#"{"idempotencyKey":"A/leg/1/cancel","cancels":"A/leg/1","shipmentId":"A",
                    "carrierId":"c62bee76-3e7a-4ce3-87dd-a5eb11678815","position":1}"#,
            )
        };
        let read = request("A").decode::<CarrierCommand>();
        assert!(read.is_ok(), "{read:?}");
        let refused = request("B").decode::<CarrierCommand>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"it is addressed to "B", and its shipmentId is "A""#
        );

        let undo = Undo {
            shipment_id: ShipmentId::parse("A").unwrap(),
            round: Round::FIRST,
        };
        let command = manifestation::ManifestationCommand::from(
            manifestation::CancelShipmentManifestation(undo),
        );
        let data = command.encode().unwrap();
        let command = addressed_to("B", command.type_name(), data.get());
        let refused = command.decode::<manifestation::ManifestationCommand>();
        assert!(
            matches!(refused, Err(DecodeError::Misaddressed { .. })),
            "a payload over a shared value: {refused:?}"
        );
    }

    #[test]
    fn what_names_no_shipment_is_for_whom_it_is_addressed_to() {
        let answer = r#"{"idempotencyKey":"A/leg/1","position":1}"#;
        let answer = addressed_to("B", "LegCancelledByCarrier", answer);
        assert!(answer.decode::<CarrierEvent>().is_ok());
    }

    #[test]
    fn a_shipment_that_a_type_has_no_place_for_counts_as_well() {
        let answer = r#"{"idempotencyKey":"A/leg/1","position":1,"shipment\u0049d":"A"}"#;
        let answer = addressed_to("B", "LegCancelledByCarrier", answer);
        let refused = answer.decode::<CarrierEvent>();
        assert!(
            matches!(refused, Err(DecodeError::Misaddressed { .. })),
            "{refused:?}"
        );
    }
}
