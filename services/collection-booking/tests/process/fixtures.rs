//! A booking, and what the carrier says.

use collection_booking::CollectionBooking;
use contracts::carrier::{
    BookCollectionWithCarrier, CollectionBookedByCarrier, CollectionBookingRejectedByCarrier,
};
use contracts::collection::*;
use contracts::shipment::{Failure, Leg, ManifestedLeg, Nothing};
use contracts::{Round, ShipmentId};
use jiff::SignedDuration;
use testkit::patience;
use uuid::Uuid;

pub(crate) const NOW: &str = "2024-05-26T10:00:00Z";
pub(crate) const EVENING: &str = "2024-05-26T21:30:00Z";

pub(crate) fn process(book_immediately: bool) -> CollectionBooking {
    CollectionBooking {
        book_immediately,
        carrier: patience(SignedDuration::from_mins(15), 0),
    }
}

pub(crate) fn request(date: i8) -> CollectionRequest {
    CollectionRequest {
        shipment_id: ShipmentId::parse("S1").unwrap_or_else(|error| panic!("{error}")),
        leg: ManifestedLeg {
            position: 1,
            leg: Leg {
                carrier_id: Uuid::from_u128(1),
                sender: "sender".to_owned(),
                receiver: "receiver".to_owned(),
                collection: "collection".to_owned(),
            },
            tracking_number: "T1".to_owned(),
        },
        collection_date: jiff::civil::date(2024, 5, date),
        time_zone: "Europe/London".to_owned(),
        round: Round::FIRST,
    }
}

pub(crate) fn initialized(date: i8) -> CollectionEvent {
    CollectionBookingInitialized(request(date)).into()
}

pub(crate) fn scheduled(book_at: &str) -> CollectionEvent {
    let book_at = book_at.parse().unwrap_or_else(|error| panic!("{error}"));
    CollectionBookingScheduled { book_at }.into()
}

pub(crate) fn asked() -> CollectionEvent {
    CollectionBookingWithCarrierStarted(Nothing {}).into()
}

pub(crate) fn failed(why: &str) -> CollectionEvent {
    CollectionBookingSubprocessFailed(Failure::because(why)).into()
}

pub(crate) fn to_carrier(date: i8) -> contracts::carrier::CarrierCommand {
    BookCollectionWithCarrier {
        idempotency_key: "S1/collection".to_owned(),
        shipment_id: request(date).shipment_id,
        carrier_id: Uuid::from_u128(1),
        tracking_number: "T1".to_owned(),
        collection: "collection".to_owned(),
        collection_date: request(date).collection_date,
    }
    .into()
}

pub(crate) fn collected() -> CollectionEvent {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
        round: Round::FIRST,
        cancellation_refused: false,
    }
    .into()
}

pub(crate) fn booked() -> CollectionBookedByCarrier {
    CollectionBookedByCarrier {
        idempotency_key: "S1/collection".to_owned(),
        booking_reference: "B1".to_owned(),
    }
}

pub(crate) fn rejected() -> CollectionBookingRejectedByCarrier {
    CollectionBookingRejectedByCarrier {
        idempotency_key: "S1/collection".to_owned(),
        failure: "no driver".to_owned(),
    }
}
