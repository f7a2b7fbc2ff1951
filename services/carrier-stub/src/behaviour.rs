//! What a carrier does: told by its id, or else by the last character of the shipment's id.

use std::collections::BTreeMap;

use contracts::carrier::{
    Answer, BookCollectionWithCarrier, CancelCollectionWithCarrier, CancelLegWithCarrier,
    ManifestLegWithCarrier,
};
use contracts::{MessageId, ShipmentId, message_set};
use jiff::SignedDuration;
use uuid::Uuid;

message_set! {
    /// What carriers take in.
    pub enum Input {
        ManifestLeg(ManifestLegWithCarrier) = "ManifestLegWithCarrier",
        BookCollection(BookCollectionWithCarrier) = "BookCollectionWithCarrier",
        CancelLeg(CancelLegWithCarrier) = "CancelLegWithCarrier",
        CancelCollection(CancelCollectionWithCarrier) = "CancelCollectionWithCarrier",
    }
}

/// How a carrier differs from those that answer once, after the usual time, as the shipment's id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It takes no leg.
    RefusesManifestation,
    /// It never answers when it is to take a leg or to collect. Cancellations it answers.
    NeverAnswers,
    /// It takes this long when it is to take a leg or to collect.
    AnswersAfter(SignedDuration),
    /// It gives each answer twice.
    AnswersTwice,
    /// It cancels nothing.
    RefusesCancellation,
}

/// The carriers that differ, by their ids.
pub type Behaviours = BTreeMap<Uuid, Behaviour>;

impl Input {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::ManifestLeg(request) => &request.idempotency_key,
            Self::BookCollection(request) => &request.idempotency_key,
            Self::CancelLeg(request) => &request.idempotency_key,
            Self::CancelCollection(request) => &request.idempotency_key,
        }
    }

    pub(crate) fn carrier(&self) -> Uuid {
        match self {
            Self::ManifestLeg(request) => request.leg.carrier_id,
            Self::BookCollection(request) => request.carrier_id,
            Self::CancelLeg(request) => request.carrier_id,
            Self::CancelCollection(request) => request.carrier_id,
        }
    }

    /// The key of the request that is to have no effect any more.
    pub(crate) fn cancels(&self) -> Option<&str> {
        match self {
            Self::CancelLeg(request) => Some(&request.cancels),
            Self::CancelCollection(request) => Some(&request.cancels),
            Self::ManifestLeg(_) | Self::BookCollection(_) => None,
        }
    }

    /// What a carrier of this behaviour answers.
    pub(crate) fn answer(&self, behaviour: Option<Behaviour>) -> Answer {
        let refuses = |what| behaviour == Some(what);
        match self {
            Self::ManifestLeg(request) => {
                let position = request.position;
                if refuses(Behaviour::RefusesManifestation) || ending(&request.shipment_id) == '1' {
                    Answer::LegRejected {
                        position,
                        failure: "the carrier does not take this leg".to_owned(),
                    }
                } else {
                    Answer::LegManifested {
                        position,
                        tracking_number: number(&request.idempotency_key),
                    }
                }
            }
            Self::BookCollection(request) => {
                let reference = number(&request.idempotency_key);
                let rejected = |booked_later| Answer::CollectionRejected {
                    failure: "the carrier does not collect there on that day".to_owned(),
                    booked_later,
                };
                match ending(&request.shipment_id) {
                    '2' => rejected(None),
                    '3' => rejected(Some(reference)),
                    _ => Answer::CollectionBooked {
                        booking_reference: reference,
                    },
                }
            }
            Self::CancelLeg(request) => {
                let position = request.position;
                if refuses(Behaviour::RefusesCancellation) {
                    Answer::LegCancellationRejected {
                        position,
                        failure: NOT_CANCELLED.to_owned(),
                    }
                } else {
                    Answer::LegCancelled { position }
                }
            }
            Self::CancelCollection(_) if refuses(Behaviour::RefusesCancellation) => {
                Answer::CollectionCancellationRejected {
                    failure: NOT_CANCELLED.to_owned(),
                }
            }
            Self::CancelCollection(_) => Answer::CollectionCancelled {},
        }
    }
}

const NOT_CANCELLED: &str = "the carrier does not cancel";

/// What the end of the shipment's id says will happen.
fn ending(shipment: &ShipmentId) -> char {
    shipment.as_str().chars().last().unwrap_or_default()
}

/// A number as a carrier gives it, the same for the same request.
fn number(key: &str) -> String {
    MessageId::derive(&["carrier", key])
        .uuid()
        .simple()
        .to_string()
}
