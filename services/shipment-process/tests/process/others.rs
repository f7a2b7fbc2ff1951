//! What was done for a shipment is cancelled by somebody else: the process has not asked for it.

use contracts::MessageSet;
use contracts::collection::CollectionBookingCancelled;
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Failure, Nothing, Undone};
use jiff::SignedDuration;
use shipment_process::{ShipmentProcess, State, Step};
use testkit::{Then, given};

use crate::fixtures::*;

fn collection_cancelled(round: u32) -> CollectionBookingCancelled {
    CollectionBookingCancelled(undone(round))
}

fn legs_cancelled(round: u32) -> shipment::ShipmentManifestationCancelled {
    shipment::ShipmentManifestationCancelled(undone(round))
}

fn undone(round: u32) -> Undone {
    Undone {
        round: contracts::Round(round),
    }
}

fn done() -> Vec<ProcessEvent> {
    let mut history = waiting_for_booking();
    history.extend(completed());
    history
}

fn by_others(step: &str) -> Failure {
    Failure::because(format!("{step}: it was cancelled by somebody else"))
}

fn names(then: &Then<ShipmentProcess>) -> Vec<&'static str> {
    then.events().iter().map(MessageSet::type_name).collect()
}

/// What follows where legs are cancelled that were counted on.
const LEGS_FAILED: [&str; 4] = [
    "ShipmentManifestationFailed",
    "ManifestationAndDocumentsFailed",
    "ShipmentProcessFailed",
    "ShipmentProcessCompensationStarted",
];

#[test]
fn legs_that_are_counted_on_fail_their_step_and_whatever_is_left_is_undone() {
    let again = || -> [ProcessEvent; 2] {
        let round = contracts::Round(1);
        [
            DocumentsRegenerationRequested { round }.into(),
            ShipmentLabelsGenerationStarted(Nothing {}).into(),
        ]
    };
    let legs = "ShipmentManifestationCancellation";
    let booking = "CollectionBookingCancellation";
    for (history, next) in [
        (waiting_for_manifestation(), legs),
        (waiting_for_labels(), legs),
        (waiting_for_receipt(), legs),
        (waiting_for_combined_document(), legs),
        (waiting_for_booking(), booking),
        (booking_failed(), booking),
        (done(), booking),
        (done().into_iter().chain(again()).collect(), booking),
    ] {
        let then = given(process(false), history).when(legs_cancelled(0));
        let started = format!("{next}Started");
        assert_eq!(names(&then), [&LEGS_FAILED[..], &[&*started]].concat());
        let told = ShipmentProcessFailed(by_others("ShipmentManifestation")).into();
        assert!(then.events().contains(&told), "{:?}", then.events());
        // Nothing else is waited for: neither an answer nor a rebooking.
        then.waits_until(&[(next, IN_5_MINUTES)]);
    }
}

#[test]
fn a_collection_that_is_waited_for_fails_and_may_be_rebooked() {
    given(process(false), waiting_for_booking())
        .when(collection_cancelled(0))
        .then([
            CollectionBookingFailed(by_others("CollectionBooking")).into(),
            ShipmentProcessFailed(by_others("CollectionBooking")).into(),
        ])
        .waits_until(&[("Rebooking", "1970-01-02T00:00:00Z")])
        .and_refused(collection_cancelled(0), "no longer waits")
        .and_when(RebookCollection::default())
        .and_when(collection_cancelled(0))
        .then([
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            CollectionBookingStarted(Nothing {}).into(),
        ]);
}

#[test]
fn a_complete_shipment_whose_collection_is_cancelled_is_complete_no_longer() {
    let failed = given(process(false), done())
        .when(collection_cancelled(0))
        .then([
            CollectionBookingFailed(by_others("CollectionBooking")).into(),
            ShipmentProcessFailed(by_others("CollectionBooking")).into(),
        ])
        .waits_until(&[("Rebooking", "1970-01-02T00:00:00Z")]);
    let history = done().into_iter().chain(failed.events());
    let state = history.fold(State::default(), |state, event| state.after(&event));
    assert_eq!(state.booking_reference, None);
    assert_eq!(state.failed_step, Some(Step::CollectionBooking));
}

#[test]
fn what_nobody_rebooks_is_undone_also_while_documents_are_generated_again() {
    let impatient = || ShipmentProcess {
        rebooking_window: SignedDuration::ZERO,
        ..process(false)
    };
    let again = given(impatient(), done())
        .when(RegenerateDocuments(Nothing {}))
        .and_when(collection_cancelled(0));
    assert_eq!(
        names(&again),
        [
            "CollectionBookingFailed",
            "ShipmentProcessFailed",
            "ShipmentProcessCompensationStarted",
            "CollectionBookingCancellationStarted"
        ]
    );
    let again = given(impatient(), done())
        .when(collection_cancelled(0))
        .and_when(collection_cancelled(0))
        .and_when(legs_cancelled(0))
        .and_when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again),
        ["ShipmentProcessRetried", "ShipmentManifestationStarted"]
    );
}

#[test]
fn documents_that_were_generated_again_meanwhile_are_generated_once_the_collection_is_rebooked() {
    let rebooked = given(process(false), done())
        .when(RegenerateDocuments(Nothing {}))
        .and_when(collection_cancelled(0))
        .waits_until(&[("Rebooking", "1970-01-02T00:00:00Z")])
        .and_when(RebookCollection::default())
        .and_when(collection_cancelled(0))
        .and_when(contracts::collection::CollectionBooked {
            booking_reference: "B2".to_owned(),
            round: contracts::Round(2),
            cancellation_refused: false,
        });
    assert_eq!(
        names(&rebooked),
        [
            "CollectionBookingCompleted",
            "ShipmentLabelsGenerationStarted"
        ]
    );
    let document = || contracts::shipment::Document {
        round: contracts::Round(2),
        ..document("again")
    };
    let last = rebooked
        .and_when(shipment::ShipmentLabelsGenerated(document()))
        .and_when(shipment::ShipmentReceiptGenerated(document()))
        .and_when(shipment::ShipmentCombinedDocumentGenerated(document()));
    assert_eq!(names(&last).last(), Some(&"ShipmentProcessCompleted"));
}

/// Its documents are not generated again, and then its collection is cancelled by somebody else.
fn without_documents_and_collection() -> Then<ShipmentProcess> {
    let failed = shipment::ShipmentLabelsGenerationFailed(
        Failure::because("no paper").in_round(contracts::Round(1)),
    );
    given(process(false), done())
        .when(RegenerateDocuments(Nothing {}))
        .and_when(failed)
        .waits_until(&[])
        .and_when(collection_cancelled(0))
        .waits_until(&[("Rebooking", "1970-01-02T00:00:00Z")])
}

fn booked_in(round: u32) -> contracts::collection::CollectionBooked {
    contracts::collection::CollectionBooked {
        booking_reference: "B2".to_owned(),
        round: contracts::Round(round),
        cancellation_refused: false,
    }
}

#[test]
fn documents_that_failed_before_are_generated_once_there_is_a_collection_and_are_worth_no_shipment()
{
    let rebooked = without_documents_and_collection()
        .and_when(RebookCollection::default())
        .and_when(collection_cancelled(0))
        .and_when(booked_in(2));
    let booked_late = without_documents_and_collection().and_when(booked_in(0));
    for (then, round) in [(rebooked, 2), (booked_late, 1)] {
        assert_eq!(
            names(&then),
            [
                "CollectionBookingCompleted",
                "ShipmentLabelsGenerationStarted"
            ]
        );
        let failed = || Failure::because("no paper").in_round(contracts::Round(round));
        let then = then
            .waits_until(&[("ShipmentLabelsGeneration", IN_5_MINUTES)])
            .and_when(shipment::ShipmentLabelsGenerationFailed(failed()));
        assert_eq!(names(&then).last(), Some(&"ShipmentProcessFailed"));
        let then = then.waits_until(&[]).and_when(RetryFailedStep(Nothing {}));
        assert_eq!(
            names(&then),
            ["ShipmentProcessRetried", "ShipmentLabelsGenerationStarted"]
        );
    }
}

#[test]
fn other_legs_than_those_of_the_shipment_are_refused() {
    let manifested = |legs| shipment::ShipmentManifested {
        manifested_legs: legs,
        ..manifested_in(0)
    };
    let mut another = manifested_in(0).manifested_legs;
    another[0].leg = leg(7);
    for legs in [vec![], another] {
        given(process(false), waiting_for_manifestation())
            .when(manifested(legs))
            .is_refused("not the legs of this shipment");
    }
}

#[test]
fn what_belongs_to_another_round_is_nothing_to_it() {
    given(process(false), waiting_for_booking())
        .when(collection_cancelled(9))
        .is_refused("not asked for in that round");
    given(process(false), waiting_for_labels())
        .when(legs_cancelled(9))
        .is_refused("not asked for in that round");
    given(process(false), waiting_for_booking())
        .when(booked_in(9))
        .is_refused("not asked for in that round");
}
