//! A step that nobody answers is asked for again, until that was in vain often enough.

use contracts::collection::{CollectionBookingSubprocessFailed, CreateCollectionBooking};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{StepRetried, StepTimedOut};
use jiff::SignedDuration;
use shipment_process::{Command, ShipmentProcess, Steps};
use testkit::{given, patience};

use crate::fixtures::*;

fn patient(retries: u32) -> ShipmentProcess {
    ShipmentProcess {
        steps: Steps::all(patience(SignedDuration::from_mins(5), retries)),
        ..process(false)
    }
}

fn timed_out(attempt: u32) -> ProcessEvent {
    StepTimedOut {
        step: "ShipmentLabelsGeneration".to_owned(),
        attempt,
    }
    .into()
}

fn retried(attempt: u32) -> ProcessEvent {
    StepRetried {
        step: "ShipmentLabelsGeneration".to_owned(),
        attempt,
    }
    .into()
}

#[test]
fn silence_leads_to_a_pause_and_then_to_the_same_request_again() {
    given(patient(2), waiting_for_labels())
        .when_deadline_passes("ShipmentLabelsGeneration")
        .then([timed_out(1)])
        .sends([])
        .waits_until(&[("ShipmentLabelsGeneration/retry", "1970-01-01T00:00:01Z")]);
    let mut history = waiting_for_labels();
    history.push(timed_out(1));
    given(patient(2), history)
        .when_deadline_passes("ShipmentLabelsGeneration/retry")
        .then([retried(1)])
        .sends([ask(shipment::GenerateShipmentLabels(of_manifested()))])
        .waits_until(&[("ShipmentLabelsGeneration", IN_5_MINUTES)]);
}

#[test]
fn each_pause_is_longer_and_the_last_silence_fails_the_step_by_its_name() {
    let mut history = waiting_for_labels();
    history.extend([timed_out(1), retried(1)]);
    given(patient(2), history.clone())
        .when_deadline_passes("ShipmentLabelsGeneration")
        .then([timed_out(2)])
        .waits_until(&[("ShipmentLabelsGeneration/retry", "1970-01-01T00:00:02Z")]);
    history.extend([timed_out(2), retried(2)]);
    let failed = given(patient(2), history).when_deadline_passes("ShipmentLabelsGeneration");
    let ProcessEvent::LabelsFailed(failure) = failed.events().remove(0) else {
        panic!("{:?}", failed.events());
    };
    assert_eq!(
        failure.0.failure,
        "ShipmentLabelsGeneration timed out: no answer came in time, to 3 attempts"
    );
}

#[test]
fn an_answer_between_two_attempts_is_taken_and_leaves_no_deadline() {
    let mut history = waiting_for_labels();
    history.push(timed_out(1));
    given(patient(2), history)
        .when(shipment::ShipmentLabelsGenerated(document("labels")))
        .then(waiting_for_receipt().split_off(5))
        .waits_until(&[("ReceiptGeneration", IN_5_MINUTES)]);
}

#[test]
fn a_step_that_begins_has_all_its_attempts() {
    let mut history = waiting_for_labels();
    history.extend([timed_out(1), retried(1), timed_out(2)]);
    history.extend(waiting_for_receipt().split_off(5));
    let step = "ReceiptGeneration".to_owned();
    given(patient(2), history)
        .when_deadline_passes("ReceiptGeneration")
        .then([StepTimedOut { step, attempt: 1 }.into()]);
}

#[test]
fn a_deadline_of_a_step_that_is_over_is_late() {
    for name in ["ShipmentManifestation", "ShipmentManifestation/retry"] {
        given(patient(2), waiting_for_labels())
            .when_deadline_passes(name)
            .is_refused("ShipmentManifestation is done already");
    }
}

#[test]
fn a_booking_that_is_asked_for_again_is_the_same_booking() {
    let mut history = waiting_for_booking();
    history.push(
        StepTimedOut {
            step: "CollectionBooking".to_owned(),
            attempt: 1,
        }
        .into(),
    );
    given(patient(1), history)
        .when_deadline_passes("CollectionBooking/retry")
        .sends([Command::Collection(
            CreateCollectionBooking(collection(0)).into(),
        )])
        .and_when(CollectionBookingSubprocessFailed(failure()))
        .then(booking_failed().split_off(12));
}
