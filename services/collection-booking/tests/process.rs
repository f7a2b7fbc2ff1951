//! The decisions of collection-booking, one sentence a test.

use collection_booking::CollectionBooking;
use contracts::carrier::{
    BookCollectionWithCarrier, CollectionBookedByCarrier, CollectionBookingRejectedByCarrier,
};
use contracts::collection::*;
use contracts::shipment::{Failure, Leg, ManifestedLeg, Nothing};
use contracts::{Round, ShipmentId};
use jiff::SignedDuration;
use testkit::{given, patience};
use uuid::Uuid;

const NOW: &str = "2024-05-26T10:00:00Z";
const EVENING: &str = "2024-05-26T21:30:00Z";

fn process(book_immediately: bool) -> CollectionBooking {
    CollectionBooking {
        book_immediately,
        carrier: patience(SignedDuration::from_mins(15), 0),
    }
}

fn request(date: i8) -> CollectionRequest {
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

fn initialized(date: i8) -> CollectionEvent {
    CollectionBookingInitialized(request(date)).into()
}

fn scheduled(book_at: &str) -> CollectionEvent {
    let book_at = book_at.parse().unwrap_or_else(|error| panic!("{error}"));
    CollectionBookingScheduled { book_at }.into()
}

fn asked() -> CollectionEvent {
    CollectionBookingWithCarrierStarted(Nothing {}).into()
}

fn failed(why: &str) -> CollectionEvent {
    CollectionBookingSubprocessFailed(Failure::because(why)).into()
}

fn to_carrier(date: i8) -> contracts::carrier::CarrierCommand {
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

fn collected() -> CollectionEvent {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
        round: Round::FIRST,
    }
    .into()
}

fn booked() -> CollectionBookedByCarrier {
    CollectionBookedByCarrier {
        idempotency_key: "S1/collection".to_owned(),
        booking_reference: "B1".to_owned(),
    }
}

fn rejected() -> CollectionBookingRejectedByCarrier {
    CollectionBookingRejectedByCarrier {
        idempotency_key: "S1/collection".to_owned(),
        failure: "no driver".to_owned(),
    }
}

#[test]
fn booking_immediately_asks_the_carrier_at_once_and_records_the_time_all_the_same() {
    given(process(true), [])
        .at(NOW)
        .when(CreateCollectionBooking(request(27)))
        .then([initialized(27), scheduled(EVENING), asked()])
        .sends([to_carrier(27)])
        .waits_until(&[("CollectionBookingWithCarrier", "2024-05-26T10:15:00Z")]);
}

#[test]
fn otherwise_it_waits_for_the_evening_before() {
    given(process(false), [])
        .at(NOW)
        .when(CreateCollectionBooking(request(27)))
        .then([initialized(27), scheduled(EVENING)])
        .sends([])
        .waits_until(&[("CollectionBooking", EVENING)]);
    given(process(false), [initialized(27), scheduled(EVENING)])
        .at(EVENING)
        .when_deadline_passes("CollectionBooking")
        .then([asked()])
        .sends([to_carrier(27)])
        .waits_until(&[("CollectionBookingWithCarrier", "2024-05-26T21:45:00Z")]);
}

#[test]
fn a_collection_today_is_booked_now() {
    given(process(false), [])
        .at(NOW)
        .when(CreateCollectionBooking(request(26)))
        .then([initialized(26), scheduled(NOW), asked()])
        .sends([to_carrier(26)]);
}

#[test]
fn a_date_in_the_past_or_too_far_ahead_fails_the_scheduling() {
    for (date, why) in [
        (
            25,
            "CollectionBooking: the collection date 2024-05-25 is in the past in Europe/London",
        ),
        (
            31,
            "CollectionBooking: the collection date 2024-05-31 is more than 7 days ahead in \
             Europe/London",
        ),
    ] {
        given(process(true), [])
            .at("2024-05-23T10:00:00Z")
            .at(if date == 25 {
                NOW
            } else {
                "2024-05-23T10:00:00Z"
            })
            .when(CreateCollectionBooking(request(date)))
            .then([
                initialized(date),
                CollectionBookingSchedulingFailed(Failure::because(why)).into(),
                failed(why),
            ])
            .sends([])
            .and_when(booked())
            .is_refused("no carrier was asked");
    }
}

#[test]
fn the_carrier_books() {
    given(
        process(true),
        [initialized(27), scheduled(EVENING), asked()],
    )
    .when(booked())
    .then([collected()])
    .waits_until(&[])
    .and_when(rejected())
    .is_refused("no longer waits for the carrier");
}

#[test]
fn the_carrier_refuses_and_books_later_all_the_same() {
    given(
        process(true),
        [initialized(27), scheduled(EVENING), asked()],
    )
    .when(rejected())
    .then([failed("CollectionBooking: no driver")])
    .and_when(booked())
    .then([collected()]);
}

#[test]
fn a_carrier_that_does_not_answer_fails_the_booking_until_it_does() {
    given(
        process(true),
        [initialized(27), scheduled(EVENING), asked()],
    )
    .when_deadline_passes("CollectionBookingWithCarrier")
    .then([failed(
        "CollectionBooking: the carrier did not answer in time",
    )])
    .and_when(booked())
    .then([collected()]);
}

#[test]
fn answers_before_the_carrier_was_asked_are_refused() {
    given(process(false), [initialized(27), scheduled(EVENING)])
        .when(booked())
        .is_refused("no carrier was asked");
    given(process(false), [initialized(27), scheduled(EVENING)])
        .when(rejected())
        .is_refused("no carrier was asked");
}

#[test]
fn a_second_request_is_refused() {
    given(process(true), [initialized(27), scheduled(EVENING)])
        .when(CreateCollectionBooking(request(27)))
        .is_refused("being booked already");
}
