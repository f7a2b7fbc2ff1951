//! The decisions of a shipment's process, one sentence a test.

use contracts::collection::{
    CollectionBooked, CollectionBookingSubprocessFailed, CollectionRequest, CreateCollectionBooking,
};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Document, Failure, Leg, ManifestedLeg, Nothing};
use contracts::{MessageSet, ShipmentId};
use jiff::SignedDuration;
use shipment_process::{Command, Input, ShipmentProcess};
use testkit::{Then, given};
use uuid::Uuid;

fn process(customs_invoice: bool) -> ShipmentProcess {
    ShipmentProcess {
        customs_invoice,
        step_timeout: SignedDuration::from_mins(5),
    }
}

fn id() -> ShipmentId {
    ShipmentId::parse("S1").unwrap_or_else(|error| panic!("{error}"))
}

fn leg(n: u128) -> Leg {
    Leg {
        carrier_id: Uuid::from_u128(n),
        sender: format!("sender{n}"),
        receiver: format!("receiver{n}"),
        collection: format!("collection{n}"),
    }
}

fn manifested() -> Vec<ManifestedLeg> {
    vec![ManifestedLeg {
        position: 1,
        leg: leg(1),
        tracking_number: "T1".to_owned(),
    }]
}

fn started() -> ProcessEvent {
    ShipmentProcessStarted {
        shipment_id: id(),
        legs: vec![leg(1)],
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    }
    .into()
}

fn start() -> ProcessShipment {
    ProcessShipment {
        shipment_id: id(),
        legs: vec![leg(1)],
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    }
}

fn planned() -> shipment::PlannedShipment {
    shipment::PlannedShipment {
        shipment_id: id(),
        legs: vec![leg(1)],
    }
}

fn of_manifested() -> shipment::ManifestedShipment {
    shipment::ManifestedShipment {
        shipment_id: id(),
        manifested_legs: manifested(),
    }
}

fn ask(command: impl Into<shipment::ManifestationCommand>) -> Command {
    Command::Manifestation(command.into())
}

fn document(name: &str) -> Document {
    Document {
        address: format!("https://documents/S1/{name}"),
    }
}

fn failure() -> Failure {
    Failure::because("out of ink")
}

/// The history up to the point where the process waits for a step.
fn waiting_for_manifestation() -> Vec<ProcessEvent> {
    vec![
        started(),
        ManifestationAndDocumentsStarted(Nothing {}).into(),
        ShipmentManifestationStarted(Nothing {}).into(),
    ]
}

fn waiting_for_labels() -> Vec<ProcessEvent> {
    let done = ShipmentManifestationCompleted {
        manifested_legs: manifested(),
    };
    let mut history = waiting_for_manifestation();
    history.extend([
        done.into(),
        ShipmentLabelsGenerationStarted(Nothing {}).into(),
    ]);
    history
}

fn waiting_for_receipt() -> Vec<ProcessEvent> {
    let mut history = waiting_for_labels();
    history.extend([
        ShipmentLabelsGenerationCompleted(document("labels")).into(),
        ReceiptGenerationStarted(Nothing {}).into(),
    ]);
    history
}

fn waiting_for_combined_document() -> Vec<ProcessEvent> {
    let mut history = waiting_for_receipt();
    history.extend([
        ReceiptGenerationCompleted(document("receipt")).into(),
        CombinedDocumentGenerationStarted(Nothing {}).into(),
    ]);
    history
}

fn waiting_for_booking() -> Vec<ProcessEvent> {
    let mut history = waiting_for_combined_document();
    history.extend([
        CombinedDocumentGenerationCompleted(document("combined-document")).into(),
        ManifestationAndDocumentsCompleted(Nothing {}).into(),
        CollectionBookingStarted(Nothing {}).into(),
    ]);
    history
}

fn booking_failed() -> Vec<ProcessEvent> {
    let mut history = waiting_for_booking();
    history.extend([
        CollectionBookingFailed(failure()).into(),
        ShipmentProcessFailed(failure()).into(),
    ]);
    history
}

fn booked() -> Input {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
    }
    .into()
}

fn completed() -> Vec<ProcessEvent> {
    vec![
        CollectionBookingCompleted {
            booking_reference: "B1".to_owned(),
        }
        .into(),
        ShipmentProcessCompletionChecked(Nothing {}).into(),
        ShipmentProcessCompleted(Nothing {}).into(),
    ]
}

const IN_5_MINUTES: &str = "1970-01-01T00:05:00Z";

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
        .when(shipment::ShipmentManifested {
            manifested_legs: manifested(),
        })
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
    let request = CollectionRequest {
        shipment_id: id(),
        leg: manifested().remove(0),
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    };
    given(process(false), waiting_for_combined_document())
        .when(shipment::ShipmentCombinedDocumentGenerated(document(
            "combined-document",
        )))
        .then(waiting_for_booking().split_off(9))
        .sends([Command::Collection(CreateCollectionBooking(request).into())])
        // A booking may be scheduled a week ahead: its step waits longer.
        .waits_until(&[("CollectionBooking", "1970-01-09T00:05:00Z")]);
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
        .is_refused("finished");
}

#[test]
fn a_step_that_fails_fails_its_stage_and_the_process() {
    type Case = (Vec<ProcessEvent>, Input, ProcessEvent);
    let cases: [Case; 4] = [
        (
            waiting_for_manifestation(),
            shipment::ShipmentManifestationFailed(failure()).into(),
            ShipmentManifestationFailed(failure()).into(),
        ),
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
            ])
            .sends([])
            .waits_until(&[]);
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
        .is_refused("finished");
}

#[test]
fn a_step_that_is_not_waited_for_is_refused_with_its_name() {
    given(process(false), waiting_for_manifestation())
        .when(shipment::ShipmentLabelsGenerated(document("labels")))
        .is_refused("does not wait for ShipmentLabelsGeneration");
    given(process(false), waiting_for_labels())
        .when(shipment::ShipmentManifested {
            manifested_legs: manifested(),
        })
        .is_refused("does not wait for ShipmentManifestation");
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
        let events = then.events();
        let last = events.last().map(MessageSet::type_name);
        assert_eq!(last, Some("ShipmentProcessFailed"), "{step}");
        match events.last() {
            Some(ProcessEvent::Failed(failed)) => {
                assert!(failed.0.failure.starts_with(step), "{}", failed.0.failure);
            }
            other => panic!("{step}: {other:?}"),
        }
    }
}

#[test]
fn a_booking_that_comes_after_its_time_still_completes() {
    given(process(false), booking_failed())
        .when(booked())
        .then(completed())
        .sends([]);
}
