//! The vocabulary of the carriers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

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
];
/// The answers that collection-booking waits for.
pub const BOOKING_ANSWERS: &[&str] = &[
    "CollectionBookedByCarrier",
    "CollectionBookingRejectedByCarrier",
];

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
    /// The tracking number of the leg that begins at the collection.
    pub tracking_number: String,
    /// Where the parcel is.
    pub collection: String,
    /// The day of the collection, where the parcel is.
    pub collection_date: Date,
}

message_set! {
    /// What carriers are asked to do.
    pub enum CarrierCommand {
        ManifestLeg(ManifestLegWithCarrier) = "ManifestLegWithCarrier",
        BookCollection(BookCollectionWithCarrier) = "BookCollectionWithCarrier",
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

message_set! {
    /// What stands in the carriers' ledger.
    pub enum CarrierEvent {
        RequestReceived(CarrierRequestReceived) = "CarrierRequestReceived",
        LegManifested(LegManifestedByCarrier) = "LegManifestedByCarrier",
        LegRejected(LegManifestationRejectedByCarrier) = "LegManifestationRejectedByCarrier",
        CollectionBooked(CollectionBookedByCarrier) = "CollectionBookedByCarrier",
        CollectionRejected(CollectionBookingRejectedByCarrier)
            = "CollectionBookingRejectedByCarrier",
    }
}
