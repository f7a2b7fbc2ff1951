//! The vocabulary of collection-booking.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::shipment::{
    Failure, ManifestedLeg, Nothing, StepRetried, StepTimedOut, Undo, Undone, payloads,
};
use crate::{Round, ServiceName, ShipmentId, message_set};

/// The service's name.
pub const SERVICE: ServiceName = ServiceName::new("collection-booking");
/// Its streams are `{shipmentId}-Collection`.
pub const STREAM_KIND: &str = "Collection";

/// The events that tell shipment-process how the booking ended.
pub const OUTCOMES: &[&str] = &[
    "CollectionBooked",
    "CollectionBookingSubprocessFailed",
    "CollectionBookingCancelled",
    "CollectionBookingCancellationFailed",
];

/// What is to be collected, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionRequest {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// The first leg of its journey, which begins at the collection.
    pub leg: ManifestedLeg,
    /// The day of the collection, in `time_zone`.
    pub collection_date: Date,
    /// IANA name of the time zone of the collection.
    pub time_zone: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

payloads! { CollectionRequest:
    /// Command: book the collection.
    CreateCollectionBooking,
    /// The request was taken in.
    CollectionBookingInitialized,
}

payloads! { Undo:
    /// Command: cancel the collection, if it is or may be booked.
    CancelCollectionBooking,
}

/// It is known when the carrier will be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookingScheduled {
    /// When the booking is to be made (UTC).
    pub book_at: Timestamp,
}

/// The carrier will collect the parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBooked {
    /// The carrier's reference of the booking.
    pub booking_reference: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
    /// Whether the carrier was asked to cancel it, and has refused: the booking stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancellation_refused: bool,
}

/// The carrier has booked what it was asked to cancel, and has not said what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookedMeanwhile {
    /// The carrier's reference of the booking.
    pub booking_reference: String,
}

/// The carrier has not cancelled the collection, or has not said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookingCancellationFailed {
    /// The reason; it names the step.
    pub failure: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
    /// Whether the carrier has refused; otherwise it has not answered, and may cancel it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

payloads! { Nothing:
    /// The carrier was asked.
    CollectionBookingWithCarrierStarted,
}

payloads! { Undone:
    /// The carrier was asked to cancel the collection.
    CollectionBookingCancellationStarted,
    /// No collection is booked.
    CollectionBookingCancelled,
}

payloads! { Failure:
    /// There is no time at which the booking could be made.
    CollectionBookingSchedulingFailed,
    /// The collection is not booked.
    CollectionBookingSubprocessFailed,
}

message_set! {
    /// What collection-booking is asked to do.
    pub enum CollectionCommand {
        Create(CreateCollectionBooking) = "CreateCollectionBooking",
        Cancel(CancelCollectionBooking) = "CancelCollectionBooking",
    }
}

message_set! {
    /// What happens to the booking of a collection.
    pub enum CollectionEvent {
        Initialized(CollectionBookingInitialized) = "CollectionBookingInitialized",
        Scheduled(CollectionBookingScheduled) = "CollectionBookingScheduled",
        SchedulingFailed(CollectionBookingSchedulingFailed) = "CollectionBookingSchedulingFailed",
        WithCarrierStarted(CollectionBookingWithCarrierStarted)
            = "CollectionBookingWithCarrierStarted",
        Booked(CollectionBooked) = "CollectionBooked",
        Failed(CollectionBookingSubprocessFailed) = "CollectionBookingSubprocessFailed",
        CancellationStarted(CollectionBookingCancellationStarted)
            = "CollectionBookingCancellationStarted",
        Cancelled(CollectionBookingCancelled) = "CollectionBookingCancelled",
        CancellationFailed(CollectionBookingCancellationFailed)
            = "CollectionBookingCancellationFailed",
        BookedMeanwhile(CollectionBookedMeanwhile) = "CollectionBookedMeanwhile",
        StepTimedOut(StepTimedOut) = "StepTimedOut",
        StepRetried(StepRetried) = "StepRetried",
    }
}
