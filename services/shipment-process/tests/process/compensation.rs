//! What was done with carriers is undone, the last thing first.

use contracts::collection::{
    self, CancelCollectionBooking, CollectionBookingCancelled, CollectionBookingSubprocessFailed,
};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Failure, Nothing, Undone};
use contracts::{MessageSet, Round};
use jiff::SignedDuration;
use shipment_process::{Command, ShipmentProcess};
use testkit::given;

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

#[test]
fn a_collection_that_is_not_cancelled_keeps_the_legs() {
    given(impatient(), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .and_when(collection::CollectionBookingCancellationFailed(not_undone()))
        .then([
            CollectionBookingCancellationFailed(not_undone()).into(),
            ShipmentProcessCompensationFailed(not_undone()).into(),
        ])
        .sends([]);
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
