//! The vocabulary of the carriers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::shipment::Leg;
use crate::{ServiceName, ShipmentId, message_set};

/// The service's name.
pub const SERVICE: ServiceName = ServiceName::new("carrier-stub");
/// Its streams, its ledger, are `{shipmentId}-Carrier`.
pub const STREAM_KIND: &str = "Carrier";

/// The answers that manifestation waits for.
pub const MANIFESTATION_ANSWERS: &[&str] = &[
    "LegManifestedByCarrier",
    "LegManifestationRejectedByCarrier",
    "LegCancelledByCarrier",
    "LegCancellationRejectedByCarrier",
];
/// The answers that collection-booking waits for.
pub const BOOKING_ANSWERS: &[&str] = &[
    "CollectionBookedByCarrier",
    "CollectionBookingRejectedByCarrier",
    "CollectionCancelledByCarrier",
    "CollectionCancellationRejectedByCarrier",
];

/// What the key of a request that cancels another ends with.
const CANCEL: &str = "/cancel";

/// The key of the n-th request to cancel the request of this key. One that is made anew is a request of
/// its own, since a carrier gives the first answer to a repeated key.
#[must_use]
pub fn cancellation_key(cancels: &str, nth: u32) -> String {
    match nth {
        0 | 1 => format!("{cancels}{CANCEL}"),
        nth => format!("{cancels}{CANCEL}/{nth}"),
    }
}

/// Whether a key is of some request to cancel the request of that key.
#[must_use]
pub fn is_cancellation_of(key: &str, cancels: &str) -> bool {
    key.strip_prefix(cancels)
        .and_then(|rest| rest.strip_prefix(CANCEL))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Command: take a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestLegWithCarrier {
    /// The same for each repetition of this request, which has one effect.
    pub idempotency_key: String,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Position of the leg, from 1.
    pub position: u32,
    /// The leg.
    pub leg: Leg,
}

/// Command: collect the parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookCollectionWithCarrier {
    /// The same for each repetition of this request, which has one effect.
    pub idempotency_key: String,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// The carrier of the first leg.
    pub carrier_id: Uuid,
    /// The tracking number of the leg that begins at the collection.
    pub tracking_number: String,
    /// Where the parcel is.
    pub collection: String,
    /// The day of the collection, where the parcel is.
    pub collection_date: Date,
}

/// Command: give up a leg, whether the request to take it was answered, is still being worked on, or has
/// yet to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelLegWithCarrier {
    /// The same for each repetition of this request, which has one effect.
    pub idempotency_key: String,
    /// The key of the request that is to have no effect any more.
    pub cancels: String,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// The carrier.
    pub carrier_id: Uuid,
    /// Position of the leg, from 1.
    pub position: u32,
}

/// Command: do not collect the parcel, whatever became of the request to do so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelCollectionWithCarrier {
    /// The same for each repetition of this request, which has one effect.
    pub idempotency_key: String,
    /// The key of the request that is to have no effect any more.
    pub cancels: String,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// The carrier.
    pub carrier_id: Uuid,
}

message_set! {
    /// What carriers are asked to do.
    pub enum CarrierCommand {
        ManifestLeg(ManifestLegWithCarrier) = "ManifestLegWithCarrier",
        BookCollection(BookCollectionWithCarrier) = "BookCollectionWithCarrier",
        CancelLeg(CancelLegWithCarrier) = "CancelLegWithCarrier",
        CancelCollection(CancelCollectionWithCarrier) = "CancelCollectionWithCarrier",
    }
}

/// The carrier has the request, and will answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarrierRequestReceived {
    /// The request's key.
    pub idempotency_key: String,
    /// The answer that will be given.
    pub answer: Answer,
    /// The key of the request that this one cancels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancels: Option<String>,
    /// The carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_id: Option<Uuid>,
}

/// What a carrier answers to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Answer {
    /// The leg is taken.
    LegManifested {
        /// Position of the leg, from 1.
        position: u32,
        /// The tracking number.
        tracking_number: String,
    },
    /// The leg is not taken.
    LegRejected {
        /// Position of the leg, from 1.
        position: u32,
        /// Why.
        failure: String,
    },
    /// The parcel will be collected.
    CollectionBooked {
        /// The reference of the booking.
        booking_reference: String,
    },
    /// The parcel will not be collected.
    CollectionRejected {
        /// Why.
        failure: String,
        /// Set when the carrier changes its mind later: the reference under which it then books.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booked_later: Option<String>,
    },
    /// The leg is given up.
    LegCancelled {
        /// Position of the leg, from 1.
        position: u32,
    },
    /// The leg is not given up.
    LegCancellationRejected {
        /// Position of the leg, from 1.
        position: u32,
        /// Why.
        failure: String,
    },
    /// The parcel will not be collected.
    CollectionCancelled {},
    /// The parcel will be collected all the same.
    CollectionCancellationRejected {
        /// Why.
        failure: String,
    },
}

/// The leg is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegManifestedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Position of the leg, from 1.
    pub position: u32,
    /// The tracking number.
    pub tracking_number: String,
}

/// The leg is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegManifestationRejectedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Position of the leg, from 1.
    pub position: u32,
    /// Why.
    pub failure: String,
}

/// The parcel will be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// The reference of the booking.
    pub booking_reference: String,
}

/// The parcel will not be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookingRejectedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Why.
    pub failure: String,
}

/// The leg is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegCancelledByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Position of the leg, from 1.
    pub position: u32,
}

/// The leg is not given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegCancellationRejectedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Position of the leg, from 1.
    pub position: u32,
    /// Why.
    pub failure: String,
}

/// The parcel will not be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionCancelledByCarrier {
    /// The request's key.
    pub idempotency_key: String,
}

/// The parcel will be collected all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionCancellationRejectedByCarrier {
    /// The request's key.
    pub idempotency_key: String,
    /// Why.
    pub failure: String,
}

message_set! {
    /// What stands in the carriers' ledger.
    pub enum CarrierEvent {
        RequestReceived(CarrierRequestReceived) = "CarrierRequestReceived",
        LegManifested(LegManifestedByCarrier) = "LegManifestedByCarrier",
        LegRejected(LegManifestationRejectedByCarrier) = "LegManifestationRejectedByCarrier",
        CollectionBooked(CollectionBookedByCarrier) = "CollectionBookedByCarrier",
        CollectionRejected(CollectionBookingRejectedByCarrier)
            = "CollectionBookingRejectedByCarrier",
        LegCancelled(LegCancelledByCarrier) = "LegCancelledByCarrier",
        LegCancellationRejected(LegCancellationRejectedByCarrier)
            = "LegCancellationRejectedByCarrier",
        CollectionCancelled(CollectionCancelledByCarrier) = "CollectionCancelledByCarrier",
        CollectionCancellationRejected(CollectionCancellationRejectedByCarrier)
            = "CollectionCancellationRejectedByCarrier",
    }
}
