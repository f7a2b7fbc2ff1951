//! A booking is cancelled with its carrier, and may be made anew.

use collection_booking::CollectionBooking;
use contracts::Round;
use contracts::carrier::{
    CancelCollectionWithCarrier, CarrierCommand, CollectionCancellationRejectedByCarrier,
    CollectionCancelledByCarrier,
};
use contracts::collection::*;
use contracts::shipment::{StepRetried, StepTimedOut, Undo, Undone};
use jiff::SignedDuration;
use kernel::Process;
use testkit::{given, patience};
use uuid::Uuid;

use crate::fixtures::*;

fn cancel(round: u32) -> CancelCollectionBooking {
    CancelCollectionBooking(Undo {
        shipment_id: request(27).shipment_id,
        round: Round(round),
    })
}

fn undone(round: u32) -> Undone {
    Undone {
        round: Round(round),
    }
}

fn cancelling() -> CollectionEvent {
    CollectionBookingCancellationStarted(undone(0)).into()
}

fn cancelled(round: u32) -> CollectionEvent {
    CollectionBookingCancelled(undone(round)).into()
}

fn not_cancelled(why: &str) -> CollectionEvent {
    CollectionBookingCancellationFailed {
        failure: format!("CollectionBookingCancellation: {why}"),
        round: Round::FIRST,
        refused: false,
    }
    .into()
}

/// The carrier has refused to cancel it.
fn kept() -> CollectionEvent {
    CollectionBookingCancellationFailed {
        failure: "CollectionBookingCancellation: the van has left".to_owned(),
        round: Round::FIRST,
        refused: true,
    }
    .into()
}

/// It is booked, in spite of the cancellation.
fn stands() -> CollectionEvent {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
        round: Round::FIRST,
        cancellation_refused: true,
    }
    .into()
}

fn booked_meanwhile() -> CollectionEvent {
    CollectionBookedMeanwhile {
        booking_reference: "B1".to_owned(),
    }
    .into()
}

fn to_cancel(key: &str) -> CarrierCommand {
    CancelCollectionWithCarrier {
        idempotency_key: key.to_owned(),
        cancels: "S1/collection".to_owned(),
        shipment_id: request(27).shipment_id,
        carrier_id: Uuid::from_u128(1),
    }
    .into()
}

fn agrees() -> CollectionCancelledByCarrier {
    CollectionCancelledByCarrier {
        idempotency_key: "S1/collection/cancel".to_owned(),
    }
}

fn refuses() -> CollectionCancellationRejectedByCarrier {
    CollectionCancellationRejectedByCarrier {
        idempotency_key: "S1/collection/cancel".to_owned(),
        failure: "the van has left".to_owned(),
    }
}

fn with_carrier() -> Vec<CollectionEvent> {
    vec![initialized(27), scheduled(EVENING), asked()]
}

fn collected_history() -> Vec<CollectionEvent> {
    let mut history = with_carrier();
    history.push(collected());
    history
}

#[test]
fn what_is_booked_is_cancelled_with_the_carrier() {
    given(process(true), collected_history())
        .when(cancel(0))
        .then([cancelling()])
        .sends([to_cancel("S1/collection/cancel")])
        .waits_until(&[("CollectionBookingCancellation", "1970-01-01T00:15:00Z")])
        .and_when(agrees())
        .then([cancelled(0)])
        .waits_until(&[])
        .and_refused(agrees(), "cancelled already")
        .and_refused(booked(), "was cancelled");
}

#[test]
fn what_the_carrier_was_asked_or_has_refused_is_cancelled_too_since_it_may_book_late() {
    given(process(true), with_carrier())
        .when(cancel(0))
        .then([cancelling()])
        .and_refused(rejected(), "no longer waits");
    given(process(true), with_carrier())
        .when(rejected())
        .and_when(cancel(0))
        .then([cancelling()])
        .sends([to_cancel("S1/collection/cancel")]);
}

#[test]
fn a_booking_that_waits_for_its_time_is_given_up_without_asking_anybody() {
    given(process(false), [])
        .at(NOW)
        .when(CreateCollectionBooking(request(27)))
        .and_when(cancel(0))
        .then([cancelled(0)])
        .sends([])
        .waits_until(&[]);
}

#[test]
fn a_cancellation_that_overtakes_the_request_leaves_nothing_to_book() {
    given(process(true), [])
        .when(cancel(0))
        .then([cancelled(0)])
        // Whoever asks for it hears that it will not come.
        .and_when(CreateCollectionBooking(request(27)))
        .then([failed("CollectionBooking: the booking was cancelled")])
        .sends([]);
}

#[test]
fn a_cancellation_of_a_round_that_was_never_booked_keeps_the_booking() {
    given(process(true), collected_history())
        .when(cancel(9))
        .is_refused("nothing was booked in round 9");
}

#[test]
fn a_carrier_that_does_not_cancel_is_named_until_it_does() {
    given(process(true), collected_history())
        .when(cancel(0))
        .and_when(refuses())
        .then([kept(), stands()])
        .waits_until(&[])
        .and_refused(refuses(), "no longer waits")
        // Whoever asks for it has not had the answer.
        .and_when(CreateCollectionBooking(request(27)))
        .then([stands()])
        // Asked anew it may answer otherwise: that is a request of its own.
        .and_when(cancel(0))
        .then([cancelling()])
        .sends([to_cancel("S1/collection/cancel/2")])
        .and_when(agrees())
        .then([cancelled(0)]);
}

#[test]
fn what_the_carrier_books_and_does_not_cancel_stands_in_whatever_order_it_says_so() {
    let cancelling = || given(process(true), with_carrier()).when(cancel(0));
    cancelling()
        .and_when(refuses())
        .then([kept()])
        .and_when(booked())
        .then([stands()])
        .and_refused(booked(), "booked already");
    cancelling()
        .and_when(booked())
        .then([booked_meanwhile()])
        .sends([])
        .waits_until(&[("CollectionBookingCancellation", "1970-01-01T00:15:00Z")])
        .and_refused(booked(), "booked already")
        .and_when(refuses())
        .then([kept(), stands()]);
    // And it may be cancelled yet, when that is asked for once more.
    cancelling()
        .and_when(refuses())
        .and_when(booked())
        .and_when(cancel(0))
        .sends([to_cancel("S1/collection/cancel/2")])
        // That was said of the time before.
        .and_refused(refuses(), "no longer waits")
        .and_when(agrees())
        .then([cancelled(0)]);
}

#[test]
fn nobody_counts_on_what_a_silent_carrier_may_cancel_yet() {
    assert!(!process(true).is_public(&booked_meanwhile()));
    let mut history = with_carrier();
    history.extend([
        cancelling(),
        not_cancelled("the carrier did not answer in time"),
    ]);
    given(process(true), history.clone())
        .when(booked())
        .then([booked_meanwhile()])
        .and_when(refuses())
        .then([kept(), stands()]);
    given(process(true), history.clone())
        .when(booked())
        .and_when(agrees())
        .then([cancelled(0)]);
    given(process(true), history)
        .when(refuses())
        .then([kept()])
        .and_when(booked())
        .then([stands()]);
}

#[test]
fn a_silent_carrier_is_asked_again_and_then_given_up() {
    let patient = || CollectionBooking {
        carrier: patience(SignedDuration::from_mins(15), 1),
        ..process(true)
    };
    let step = || "CollectionBookingCancellation".to_owned();
    let mut history = collected_history();
    history.push(cancelling());
    let timed_out = CollectionEvent::from(StepTimedOut {
        step: step(),
        attempt: 1,
    });
    given(patient(), history.clone())
        .when_deadline_passes("CollectionBookingCancellation")
        .then([timed_out.clone()]);
    history.push(timed_out);
    let retried = CollectionEvent::from(StepRetried {
        step: step(),
        attempt: 1,
    });
    given(patient(), history.clone())
        .when_deadline_passes("CollectionBookingCancellation/retry")
        .then([retried.clone()])
        .sends([to_cancel("S1/collection/cancel")]);
    history.push(retried);
    given(patient(), history)
        .when_deadline_passes("CollectionBookingCancellation")
        .then([not_cancelled("the carrier did not answer in time")]);
}

#[test]
fn a_later_round_is_booked_anew_under_a_key_of_its_own() {
    let mut again = request(27);
    again.round = Round(1);
    let mut history = collected_history();
    history.extend([cancelling(), cancelled(0)]);
    given(process(true), history)
        .at(NOW)
        .when(CreateCollectionBooking(again.clone()))
        .then([
            CollectionBookingInitialized(again).into(),
            scheduled(EVENING),
            asked(),
        ])
        .and_refused(booked(), "begun anew meanwhile")
        .and_refused(CreateCollectionBooking(request(27)), "begun anew meanwhile")
        .and_refused(cancel(0), "begun anew meanwhile");
}

#[test]
fn whoever_asks_again_gets_the_answer_again() {
    given(process(true), collected_history())
        .when(CreateCollectionBooking(request(27)))
        .then([collected()]);
    given(process(true), with_carrier())
        .when(rejected())
        .and_when(CreateCollectionBooking(request(27)))
        .then([failed("CollectionBooking: no driver")]);
}
