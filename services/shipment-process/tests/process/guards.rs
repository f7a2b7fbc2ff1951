//! The complete table of guards, held against the one that people read.

use contracts::collection::{CollectionBookingCancelled, CollectionBookingSubprocessFailed};
use contracts::manifestation::{self as shipment, ShipmentManifestationCancelled};
use contracts::process::*;
use contracts::shipment::{Nothing, Undone};
use contracts::{MessageSet, Round};
use jiff::SignedDuration;
use shipment_process::{Input, ShipmentProcess, Steps};
use testkit::{given, guards, hold_against, patience};

use crate::fixtures::*;
use crate::operations::settle;

fn patient() -> ShipmentProcess {
    ShipmentProcess {
        steps: Steps::all(patience(SignedDuration::from_mins(5), 1)),
        ..process(true)
    }
}

/// The history, and what an input adds to it.
fn and(mut history: Vec<ProcessEvent>, input: impl Into<Input>) -> Vec<ProcessEvent> {
    let more = given(patient(), history.clone()).when(input);
    history.extend(more.events());
    history
}

fn undone() -> Undone {
    Undone {
        round: Round::FIRST,
    }
}

fn states() -> Vec<(&'static str, Vec<ProcessEvent>)> {
    let not_manifested = shipment::ShipmentManifestationFailed {
        failure: failure().failure,
        round: Round::FIRST,
        legs_to_cancel: vec![],
    };
    let mut done = waiting_for_booking();
    done.extend(completed());
    let undoing = and(
        waiting_for_labels(),
        shipment::ShipmentLabelsGenerationFailed(failure()),
    );
    let not_undone = shipment::ShipmentManifestationCancellationFailed(failure());
    let needs_attention = and(undoing.clone(), not_undone);
    let rebooking = and(booking_failed(), RebookCollection::default());
    let asked_to_book = and(waiting_for_booking(), CancelShipment::default());
    let cancelling = and(done.clone(), CancelShipment::default());
    let legs_left = and(cancelling.clone(), CollectionBookingCancelled(undone()));
    vec![
        ("Not started", vec![]),
        ("Waits for the customs invoice", and(vec![], start())),
        ("Waits for the manifestation", waiting_for_manifestation()),
        ("Waits for the labels", waiting_for_labels()),
        ("Waits for the receipt", waiting_for_receipt()),
        (
            "Waits for the combined document",
            waiting_for_combined_document(),
        ),
        ("Waits for the collection booking", waiting_for_booking()),
        ("Completed", done.clone()),
        (
            "Completed, and its documents are generated again",
            and(done, RegenerateDocuments(Nothing {})),
        ),
        (
            "Failed before any leg was manifested",
            and(waiting_for_manifestation(), not_manifested),
        ),
        (
            "Failed to book the collection, and may be rebooked",
            booking_failed(),
        ),
        ("Rebooks the collection", rebooking.clone()),
        ("Failed, and is being undone", undoing.clone()),
        (
            "Failed, and undone",
            and(undoing, ShipmentManifestationCancelled(undone())),
        ),
        (
            "Needs attention: the legs are not cancelled",
            needs_attention.clone(),
        ),
        ("Settled by hand", and(needs_attention, settle())),
        (
            "Needs attention: the collection is not cancelled, and was to be booked anew",
            and(rebooking, kept()),
        ),
        ("Is being cancelled: the collection", cancelling),
        ("Is being cancelled: the legs", legs_left.clone()),
        (
            "Is being cancelled: the legs, and the collection is not cancelled",
            and(asked_to_book, kept()),
        ),
        (
            "Cancelled",
            and(legs_left, ShipmentManifestationCancelled(undone())),
        ),
    ]
}

fn inputs() -> Vec<Input> {
    let doc = || document("document");
    vec![
        start().into(),
        shipment::CustomsInvoiceGenerated(doc()).into(),
        shipment::CustomsInvoiceGenerationFailed(failure()).into(),
        manifested_in(0).into(),
        shipment::ShipmentManifestationFailed {
            failure: failure().failure,
            round: Round::FIRST,
            legs_to_cancel: vec![1],
        }
        .into(),
        shipment::ShipmentLabelsGenerated(doc()).into(),
        shipment::ShipmentLabelsGenerationFailed(failure()).into(),
        shipment::ShipmentReceiptGenerated(doc()).into(),
        shipment::ShipmentReceiptGenerationFailed(failure()).into(),
        shipment::ShipmentCombinedDocumentGenerated(doc()).into(),
        shipment::ShipmentCombinedDocumentGenerationFailed(failure()).into(),
        booked(),
        stands(),
        CollectionBookingSubprocessFailed(failure()).into(),
        CollectionBookingCancelled(undone()).into(),
        kept().into(),
        ShipmentManifestationCancelled(undone()).into(),
        shipment::ShipmentManifestationCancellationFailed(failure()).into(),
        CancelShipment::default().into(),
        AmendShipmentLegs { legs: vec![leg(7)] }.into(),
        RebookCollection::default().into(),
        RetryFailedStep(Nothing {}).into(),
        RegenerateDocuments(Nothing {}).into(),
        settle().into(),
    ]
}

#[test]
fn the_table_that_people_read_is_what_the_process_does() {
    let steps = [
        "CustomsInvoiceGeneration",
        "ShipmentManifestation",
        "ShipmentLabelsGeneration",
        "ReceiptGeneration",
        "CombinedDocumentGeneration",
        "CollectionBooking",
        "CollectionBookingCancellation",
        "ShipmentManifestationCancellation",
    ];
    let retries = steps.map(|step| format!("{step}/retry"));
    let mut deadlines: Vec<&str> = steps.to_vec();
    deadlines.extend(retries.iter().map(String::as_str));
    deadlines.push("Rebooking");
    let table = guards(
        "shipment-process (international-1.0)",
        patient,
        &states(),
        &inputs(),
        &deadlines,
    );
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guards/shipment-process.md"
    );
    hold_against(file, &table);
}

#[test]
fn every_state_of_the_table_is_another() {
    let states = states();
    let names: std::collections::BTreeSet<_> = states.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), states.len());
    for (name, history) in &states[1..] {
        assert_eq!(history[0].type_name(), "ShipmentProcessStarted", "{name}");
    }
}
