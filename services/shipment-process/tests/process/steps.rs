//! From the start to the end, step by step.

use contracts::Round;
use contracts::collection::{CollectionBookingSubprocessFailed, CreateCollectionBooking};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::Nothing;
use shipment_process::{Command, Input};
use testkit::{Then, given};

use crate::fixtures::*;

#[test]
fn a_domestic_start_delegates_creation_and_manifestation() {
    given(process(false), [])
        .when(start())
        .then(waiting_for_manifestation())
        .sends([
            ask(shipment::CreateShipment(planned())),
            ask(shipment::ManifestShipment(planned())),
        ])
        .waits_until(&[("ShipmentManifestation", IN_5_MINUTES)]);
}

#[test]
fn an_international_start_delegates_the_customs_invoice_first() {
    given(process(true), [])
        .when(start())
        .then([
            started(),
            ManifestationAndDocumentsStarted(Nothing {}).into(),
            CustomsInvoiceGenerationStarted(Nothing {}).into(),
        ])
        .sends([
            ask(shipment::CreateShipment(planned())),
            ask(shipment::GenerateCustomsInvoice(planned())),
        ])
        .waits_until(&[("CustomsInvoiceGeneration", IN_5_MINUTES)])
        .and_when(shipment::CustomsInvoiceGenerated(document(
            "customs-invoice",
        )))
        .then([
            CustomsInvoiceGenerationCompleted(document("customs-invoice")).into(),
            ShipmentManifestationStarted(Nothing {}).into(),
        ])
        .sends([ask(shipment::ManifestShipment(planned()))])
        .waits_until(&[("ShipmentManifestation", IN_5_MINUTES)]);
}

#[test]
fn each_step_that_is_done_leads_to_the_next() {
    given(process(false), waiting_for_manifestation())
        .when(manifested_in(0))
        .then(waiting_for_labels().split_off(3))
        .sends([ask(shipment::GenerateShipmentLabels(of_manifested()))]);
    given(process(false), waiting_for_labels())
        .when(shipment::ShipmentLabelsGenerated(document("labels")))
        .then(waiting_for_receipt().split_off(5))
        .sends([ask(shipment::GenerateShipmentReceipt(of_manifested()))]);
    given(process(false), waiting_for_receipt())
        .when(shipment::ShipmentReceiptGenerated(document("receipt")))
        .then(waiting_for_combined_document().split_off(7))
        .sends([ask(shipment::GenerateCombinedDocument(of_manifested()))]);
}

#[test]
fn the_last_document_completes_the_first_stage_and_begins_the_booking() {
    given(process(false), waiting_for_combined_document())
        .when(shipment::ShipmentCombinedDocumentGenerated(document(
            "combined-document",
        )))
        .then(waiting_for_booking().split_off(9))
        .sends([Command::Collection(
            CreateCollectionBooking(collection(0)).into(),
        )])
        .waits_until(&[("CollectionBooking", IN_5_MINUTES)]);
}

#[test]
fn the_booking_completes_the_process() {
    given(process(false), waiting_for_booking())
        .when(booked())
        .then(completed())
        .waits_until(&[]);
}

#[test]
fn a_process_that_is_complete_takes_nothing_more() {
    given(process(false), waiting_for_booking())
        .when(booked())
        .and_when(CollectionBookingSubprocessFailed(failure()))
        .is_refused("done already");
}

#[test]
fn a_manifestation_that_fails_before_any_leg_is_taken_leaves_nothing_to_undo() {
    given(process(false), waiting_for_manifestation())
        .when(shipment::ShipmentManifestationFailed {
            failure: failure().failure,
            round: Round::FIRST,
            legs_to_cancel: vec![],
        })
        .then([
            ShipmentManifestationFailed {
                failure: failure().failure,
                may_be_manifested: false,
            }
            .into(),
            ManifestationAndDocumentsFailed(failure()).into(),
            ShipmentProcessFailed(failure()).into(),
        ])
        .sends([])
        .waits_until(&[]);
}

#[test]
fn a_document_that_fails_fails_its_stage_and_the_process_and_the_legs_are_cancelled() {
    type Case = (Vec<ProcessEvent>, Input, ProcessEvent);
    let cases: [Case; 3] = [
        (
            waiting_for_labels(),
            shipment::ShipmentLabelsGenerationFailed(failure()).into(),
            ShipmentLabelsGenerationFailed(failure()).into(),
        ),
        (
            waiting_for_receipt(),
            shipment::ShipmentReceiptGenerationFailed(failure()).into(),
            ReceiptGenerationFailed(failure()).into(),
        ),
        (
            waiting_for_combined_document(),
            shipment::ShipmentCombinedDocumentGenerationFailed(failure()).into(),
            CombinedDocumentGenerationFailed(failure()).into(),
        ),
    ];
    for (history, input, failed) in cases {
        given(process(false), history)
            .when(input)
            .then([
                failed,
                ManifestationAndDocumentsFailed(failure()).into(),
                ShipmentProcessFailed(failure()).into(),
                ShipmentProcessCompensationStarted(Nothing {}).into(),
                ShipmentManifestationCancellationStarted(Nothing {}).into(),
            ])
            .sends([ask(shipment::CancelShipmentManifestation(undo()))])
            .waits_until(&[("ShipmentManifestationCancellation", IN_5_MINUTES)]);
    }
}

#[test]
fn a_customs_invoice_that_fails_fails_the_process() {
    given(process(true), [])
        .when(start())
        .and_when(shipment::CustomsInvoiceGenerationFailed(failure()))
        .then([
            CustomsInvoiceGenerationFailed(failure()).into(),
            ManifestationAndDocumentsFailed(failure()).into(),
            ShipmentProcessFailed(failure()).into(),
        ]);
}

#[test]
fn a_booking_that_fails_fails_the_process() {
    given(process(false), waiting_for_booking())
        .when(CollectionBookingSubprocessFailed(failure()))
        .then(booking_failed().split_off(12));
}

#[test]
fn a_collection_booked_after_all_completes_a_failed_process() {
    given(process(false), booking_failed())
        .when(booked())
        .then(completed());
}

#[test]
fn a_booking_that_overtakes_its_failure_still_completes() {
    given(process(false), waiting_for_booking())
        .when(booked())
        .then(completed())
        .and_when(CollectionBookingSubprocessFailed(failure()))
        .is_refused("done already");
}

#[test]
fn a_step_that_is_not_waited_for_is_refused_with_its_name() {
    given(process(false), waiting_for_manifestation())
        .when(shipment::ShipmentLabelsGenerated(document("labels")))
        .is_refused("does not wait for ShipmentLabelsGeneration");
    given(process(false), waiting_for_labels())
        .when(manifested_in(0))
        .is_refused("ShipmentManifestation is done already");
    given(process(false), waiting_for_labels())
        .when(booked())
        .is_refused("CollectionBooking");
}

#[test]
fn a_second_start_is_refused() {
    given(process(false), waiting_for_labels())
        .when(start())
        .is_refused("started already");
}

#[test]
fn each_step_whose_time_is_over_fails_with_its_name() {
    let cases = [
        (waiting_for_manifestation(), "ShipmentManifestation"),
        (waiting_for_labels(), "ShipmentLabelsGeneration"),
        (waiting_for_receipt(), "ReceiptGeneration"),
        (
            waiting_for_combined_document(),
            "CombinedDocumentGeneration",
        ),
        (waiting_for_booking(), "CollectionBooking"),
    ];
    for (history, step) in cases {
        let then: Then<_> = given(process(false), history).when_deadline_passes(step);
        let failure = then.events().into_iter().find_map(|event| match event {
            ProcessEvent::Failed(failed) => Some(failed.0.failure),
            _ => None,
        });
        let failure = failure.unwrap_or_else(|| panic!("{step} does not fail"));
        assert!(failure.starts_with(step), "{failure}");
    }
}

#[test]
fn a_booking_that_comes_after_its_time_still_completes() {
    given(process(false), booking_failed())
        .when(booked())
        .then(completed())
        .sends([]);
}
