//! From the request to the booking.

use contracts::collection::*;
use contracts::shipment::Failure;
use testkit::given;

use crate::fixtures::*;

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
