//! What was done with carriers is undone, the last thing first.

use contracts::collection::{
    CancelCollectionBooking, CollectionBookingCancelled, CollectionBookingSubprocessFailed,
};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Failure, Nothing, Undone};
use contracts::{MessageSet, Round};
use jiff::SignedDuration;
use shipment_process::{Command, ShipmentProcess};
use testkit::{Then, given};

use crate::fixtures::*;

fn impatient() -> ShipmentProcess {
    ShipmentProcess {
        rebooking_window: SignedDuration::ZERO,
        ..process(false)
    }
}

fn first_leg_taken() -> shipment::ShipmentManifestationFailed {
    shipment::ShipmentManifestationFailed {
        failure: failure().failure,
        round: Round::FIRST,
        legs_to_cancel: vec![1],
    }
}

fn undone() -> Undone {
    Undone {
        round: Round::FIRST,
    }
}

fn cancel_booking() -> Command {
    Command::Collection(CancelCollectionBooking(undo()).into())
}

fn cancel_legs() -> Command {
    ask(shipment::CancelShipmentManifestation(undo()))
}

fn not_undone() -> Failure {
    Failure::because("the carrier does not cancel")
}

/// The history up to the point where legs are being cancelled, after labels have failed.
fn cancelling_legs() -> Vec<ProcessEvent> {
    let mut history = waiting_for_labels();
    history.extend(
        given(process(false), history.clone())
            .when(shipment::ShipmentLabelsGenerationFailed(failure()))
            .events(),
    );
    history
}

fn names(events: &[ProcessEvent]) -> Vec<&'static str> {
    events.iter().map(MessageSet::type_name).collect()
}

#[test]
fn legs_that_a_failed_manifestation_leaves_are_cancelled() {
    given(process(false), waiting_for_manifestation())
        .when(first_leg_taken())
        .then([
            ShipmentManifestationFailed {
                failure: failure().failure,
                may_be_manifested: true,
            }
            .into(),
            ManifestationAndDocumentsFailed(failure()).into(),
            ShipmentProcessFailed(failure()).into(),
            ShipmentProcessCompensationStarted(Nothing {}).into(),
            ShipmentManifestationCancellationStarted(Nothing {}).into(),
        ])
        .sends([cancel_legs()])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ])
        .waits_until(&[]);
}

#[test]
fn a_failed_booking_waits_for_a_rebooking_and_then_cancels_the_collection_before_the_legs() {
    given(process(false), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .sends([])
        .waits_until(&[("Rebooking", "1970-01-02T00:00:00Z")]);
    given(process(false), booking_failed())
        .when_deadline_passes("Rebooking")
        .then([
            ShipmentProcessCompensationStarted(Nothing {}).into(),
            CollectionBookingCancellationStarted(Nothing {}).into(),
        ])
        .sends([cancel_booking()])
        .and_when(CollectionBookingCancelled(undone()))
        .then([
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            ShipmentManifestationCancellationStarted(Nothing {}).into(),
        ])
        .sends([cancel_legs()])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
}

#[test]
fn without_a_window_a_failed_booking_is_undone_at_once() {
    given(impatient(), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .sends([cancel_booking()])
        .waits_until(&[("CollectionBookingCancellation", IN_5_MINUTES)]);
}

#[test]
fn a_collection_that_is_booked_within_the_window_ends_it() {
    given(process(false), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .and_when(booked())
        .then(completed())
        .waits_until(&[]);
}

#[test]
fn a_collection_that_is_booked_while_all_is_undone_comes_too_late() {
    given(impatient(), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .and_when(booked())
        .is_refused("no longer waits for CollectionBooking");
}

#[test]
fn an_undo_that_cannot_succeed_asks_for_a_person() {
    let failed = given(process(false), cancelling_legs()).when(
        shipment::ShipmentManifestationCancellationFailed(not_undone()),
    );
    let mut history = cancelling_legs();
    history.extend(failed.events());
    failed
        .then([
            ShipmentManifestationCancellationFailed(not_undone()).into(),
            ShipmentProcessCompensationFailed(not_undone()).into(),
        ])
        .waits_until(&[])
        .and_when(shipment::ShipmentManifestationCancellationFailed(
            not_undone(),
        ))
        .is_refused("failed already");
    // A person has it tried again.
    let again = given(process(false), history.clone()).when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again.events()),
        [
            "ShipmentProcessRetried",
            "ShipmentProcessCompensationStarted",
            "ShipmentManifestationCancellationStarted"
        ]
    );
    again
        .sends([cancel_legs()])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
    // Or the carrier has cancelled after all.
    given(process(false), history)
        .when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
}

/// The carrier keeps the collection, and legs are being cancelled.
fn without_collection() -> Then<ShipmentProcess> {
    given(impatient(), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .and_when(kept())
}

fn legs_kept() -> shipment::ShipmentManifestationCancellationFailed {
    shipment::ShipmentManifestationCancellationFailed(not_undone())
}

fn both_kept() -> Failure {
    let reasons = [kept_because().failure, not_undone().failure];
    Failure::because(reasons.join("; "))
}

#[test]
fn a_collection_that_is_not_cancelled_does_not_keep_the_legs_from_it() {
    let needs_attention = without_collection()
        .then([
            CollectionBookingCancellationFailed(kept_because()).into(),
            ShipmentManifestationCancellationStarted(Nothing {}).into(),
        ])
        .sends([cancel_legs()])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationFailed(kept_because()).into(),
        ])
        .waits_until(&[]);
    // Only what could not be undone is tried again.
    let again = needs_attention.and_when(RetryFailedStep(Nothing {}));
    let [ProcessEvent::Retried(retried), ..] = &again.events()[..] else {
        panic!("{:?}", again.events());
    };
    assert_eq!(retried.step, "CollectionBookingCancellation");
    again
        .sends([cancel_booking()])
        .and_when(CollectionBookingCancelled(undone()))
        .then([
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
}

#[test]
fn everything_that_could_not_be_undone_is_named_and_tried_again() {
    let needs_attention = without_collection()
        .and_when(legs_kept())
        .then([
            ShipmentManifestationCancellationFailed(not_undone()).into(),
            ShipmentProcessCompensationFailed(both_kept()).into(),
        ])
        .and_refused(kept(), "failed already")
        .and_refused(legs_kept(), "failed already");
    needs_attention
        .and_when(RetryFailedStep(Nothing {}))
        .sends([cancel_booking()])
        .and_when(CollectionBookingCancelled(undone()))
        .sends([cancel_legs()])
        .and_when(legs_kept())
        .then([
            ShipmentManifestationCancellationFailed(not_undone()).into(),
            ShipmentProcessCompensationFailed(not_undone()).into(),
        ]);
}

#[test]
fn what_is_undone_after_all_is_no_longer_named() {
    // While the legs are being cancelled, which are not asked for again for that.
    without_collection()
        .and_when(CollectionBookingCancelled(undone()))
        .then([CollectionBookingCancellationCompleted(Nothing {}).into()])
        .waits_until(&[("ShipmentManifestationCancellation", IN_5_MINUTES)])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
    // Or once a person has to see to it.
    without_collection()
        .and_when(legs_kept())
        .and_when(CollectionBookingCancelled(undone()))
        .then([
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationFailed(not_undone()).into(),
        ])
        .sends([])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
}

#[test]
fn a_deadline_of_an_undo_that_was_given_up_is_late() {
    for name in [
        "CollectionBookingCancellation",
        "CollectionBookingCancellation/retry",
    ] {
        let mut history = waiting_for_booking();
        for event in [
            given(impatient(), history.clone()).when(CollectionBookingSubprocessFailed(failure())),
            without_collection(),
        ] {
            history.extend(event.events());
        }
        given(impatient(), history)
            .when_deadline_passes(name)
            .is_refused("no longer waits");
    }
}

#[test]
fn a_collection_that_stands_is_known_and_a_person_sees_to_it() {
    let booked = || [completed().remove(0)];
    // Whether its word comes before the refusal, behind it, or when all else is undone.
    given(impatient(), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .and_when(stands())
        .then(booked())
        .waits_until(&[("CollectionBookingCancellation", IN_5_MINUTES)])
        .and_when(kept())
        .sends([cancel_legs()])
        .and_refused(stands(), "done already");
    let needs_attention = without_collection()
        .and_when(stands())
        .then(booked())
        .waits_until(&[("ShipmentManifestationCancellation", IN_5_MINUTES)])
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationFailed(kept_because()).into(),
        ]);
    needs_attention
        .and_when(CollectionBookingCancelled(undone()))
        .then([
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
        ]);
    without_collection()
        .and_when(shipment::ShipmentManifestationCancelled(undone()))
        .and_when(stands())
        .then(booked())
        .sends([]);
}

#[test]
fn a_collection_that_stands_while_it_is_rebooked_is_the_one_that_counts() {
    let rebooking = || given(process(false), booking_failed()).when(RebookCollection::default());
    rebooking()
        .and_when(kept())
        .then([
            CollectionBookingCancellationFailed(kept_because()).into(),
            ShipmentProcessCompensationFailed(kept_because()).into(),
        ])
        // One that may be cancelled yet is not counted on.
        .and_refused(booked(), "no longer waits")
        .and_when(stands())
        .then(completed())
        .waits_until(&[]);
    rebooking()
        .and_when(stands())
        .then(completed())
        .waits_until(&[])
        .and_refused(kept(), "no longer waits");
}

#[test]
fn an_undo_that_nobody_answers_fails_too() {
    let failed = given(process(false), cancelling_legs())
        .when_deadline_passes("ShipmentManifestationCancellation");
    assert_eq!(
        names(&failed.events()),
        [
            "ShipmentManifestationCancellationFailed",
            "ShipmentProcessCompensationFailed"
        ]
    );
}
