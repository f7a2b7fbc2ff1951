//! Every message as it is written, frozen: renaming a Rust type or field must not change it.
//!
//! After a change that is meant, `LONGHAUL_TEST_UPDATE_GOLDEN=1` writes the file anew; read the diff.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use contracts::carrier::*;
use contracts::collection::{self, *};
use contracts::manifestation::{self, *};
use contracts::process::{self, *};
use contracts::shipment::{
    Document, Failure, Leg, ManifestedLeg, Nothing, StepRetried, StepTimedOut, Undo, Undone,
};
use contracts::{Envelope, Kind, MessageId, MessageSet, Round, ShipmentId, TraceParent};
use uuid::Uuid;

fn id() -> ShipmentId {
    ShipmentId::parse("12EEQ9CS9K10").unwrap()
}

fn leg() -> Leg {
    Leg {
        carrier_id: Uuid::from_u128(0xc62bee76_3e7a_4ce3_87dd_a5eb11678815),
        sender: "GB-sender1".to_owned(),
        receiver: "GB-receiver1".to_owned(),
        collection: "GB-collection1".to_owned(),
    }
}

fn manifested_leg() -> ManifestedLeg {
    ManifestedLeg {
        position: 1,
        leg: leg(),
        tracking_number: "T1".to_owned(),
    }
}

fn planned() -> PlannedShipment {
    PlannedShipment {
        shipment_id: id(),
        legs: vec![leg()],
        round: Round::FIRST,
    }
}

fn manifested() -> ManifestedShipment {
    ManifestedShipment {
        shipment_id: id(),
        manifested_legs: vec![manifested_leg()],
        round: Round::FIRST,
    }
}

fn later() -> Round {
    Round::FIRST.next()
}

fn undo() -> Undo {
    Undo {
        shipment_id: id(),
        round: later(),
    }
}

fn undone() -> Undone {
    Undone { round: later() }
}

fn timed_out() -> StepTimedOut {
    StepTimedOut {
        step: "ShipmentManifestation".to_owned(),
        attempt: 1,
    }
}

fn retried() -> StepRetried {
    StepRetried {
        step: "ShipmentManifestation".to_owned(),
        attempt: 1,
    }
}

fn failure() -> Failure {
    Failure::because("a reason")
}

fn document() -> Document {
    Document {
        address: "https://documents/labels".to_owned(),
        round: Round::FIRST,
    }
}

fn request() -> CollectionRequest {
    CollectionRequest {
        shipment_id: id(),
        leg: manifested_leg(),
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
        round: Round::FIRST,
    }
}

fn key() -> String {
    "12EEQ9CS9K10/leg/1".to_owned()
}

/// Writes these messages of a set, reads each back, and holds their names against all of the set.
fn freeze<S: MessageSet + PartialEq + std::fmt::Debug>(
    text: &mut String,
    set: &str,
    messages: Vec<S>,
) {
    writeln!(text, "# {set}").unwrap();
    for message in &messages {
        let data = message.encode().unwrap();
        writeln!(text, "{} {data}", message.type_name()).unwrap();
        assert_eq!(S::decode(message.type_name(), &data).unwrap(), *message);
    }
    let names: Vec<_> = messages.iter().map(MessageSet::type_name).collect();
    assert_eq!(
        names,
        S::NAMES,
        "one of each message of {set}, in the order of declaration"
    );
}

#[test]
fn every_message_is_frozen() {
    let mut text = String::new();
    let start = ProcessShipment {
        shipment_id: id(),
        legs: vec![leg()],
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    };
    writeln!(
        text,
        "# to start\nProcessShipment {}",
        serde_json::to_string(&start).unwrap()
    )
    .unwrap();
    freeze::<ProcessEvent>(
        &mut text,
        "shipment-process",
        vec![
            ShipmentProcessStarted {
                shipment_id: id(),
                legs: vec![leg()],
                collection_date: jiff::civil::date(2024, 5, 27),
                time_zone: "Europe/London".to_owned(),
            }
            .into(),
            ManifestationAndDocumentsStarted(Nothing {}).into(),
            CustomsInvoiceGenerationStarted(Nothing {}).into(),
            CustomsInvoiceGenerationCompleted(document()).into(),
            process::CustomsInvoiceGenerationFailed(failure()).into(),
            ShipmentManifestationStarted(Nothing {}).into(),
            ShipmentManifestationCompleted {
                manifested_legs: vec![manifested_leg()],
            }
            .into(),
            process::ShipmentManifestationFailed {
                failure: "a reason".to_owned(),
                may_be_manifested: true,
            }
            .into(),
            ShipmentLabelsGenerationStarted(Nothing {}).into(),
            ShipmentLabelsGenerationCompleted(document()).into(),
            process::ShipmentLabelsGenerationFailed(failure()).into(),
            ReceiptGenerationStarted(Nothing {}).into(),
            ReceiptGenerationCompleted(document()).into(),
            ReceiptGenerationFailed(failure()).into(),
            CombinedDocumentGenerationStarted(Nothing {}).into(),
            CombinedDocumentGenerationCompleted(document()).into(),
            CombinedDocumentGenerationFailed(failure()).into(),
            ManifestationAndDocumentsCompleted(Nothing {}).into(),
            ManifestationAndDocumentsFailed(failure()).into(),
            CollectionBookingStarted(Nothing {}).into(),
            CollectionBookingCompleted {
                booking_reference: "B1".to_owned(),
            }
            .into(),
            CollectionBookingFailed(failure()).into(),
            ShipmentProcessCompletionChecked(Nothing {}).into(),
            ShipmentProcessCompleted(Nothing {}).into(),
            ShipmentProcessFailed(failure()).into(),
            ShipmentCancellationRequested {
                reason: Some("a reason".to_owned()),
            }
            .into(),
            ShipmentLegsAmended {
                legs: vec![leg()],
                round: later(),
            }
            .into(),
            CollectionRebookingRequested {
                collection_date: Some(jiff::civil::date(2024, 5, 28)),
                round: later(),
            }
            .into(),
            ShipmentProcessRetried {
                step: "ShipmentManifestation".to_owned(),
                round: later(),
            }
            .into(),
            DocumentsRegenerationRequested { round: later() }.into(),
            ShipmentProcessCompensationStarted(Nothing {}).into(),
            process::CollectionBookingCancellationStarted(Nothing {}).into(),
            CollectionBookingCancellationCompleted(Nothing {}).into(),
            process::CollectionBookingCancellationFailed(failure()).into(),
            process::ShipmentManifestationCancellationStarted(Nothing {}).into(),
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            process::ShipmentManifestationCancellationFailed(failure()).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationFailed(failure()).into(),
            ShipmentProcessSettled {
                reason: "a reason".to_owned(),
            }
            .into(),
            ShipmentProcessCancelled(Nothing {}).into(),
            timed_out().into(),
            retried().into(),
        ],
    );
    freeze::<ManifestationCommand>(
        &mut text,
        "to manifestation",
        vec![
            CreateShipment(planned()).into(),
            GenerateCustomsInvoice(planned()).into(),
            ManifestShipment(planned()).into(),
            GenerateShipmentLabels(manifested()).into(),
            GenerateShipmentReceipt(manifested()).into(),
            GenerateCombinedDocument(manifested()).into(),
            CancelShipmentManifestation(undo()).into(),
        ],
    );
    freeze::<ShipmentEvent>(
        &mut text,
        "manifestation",
        vec![
            ShipmentInitialized {
                shipment_id: id(),
                legs: vec![leg()],
            }
            .into(),
            ShipmentReplanned {
                legs: vec![leg()],
                round: later(),
            }
            .into(),
            CustomsInvoiceGenerated(document()).into(),
            manifestation::CustomsInvoiceGenerationFailed(failure()).into(),
            ShipmentLegManifestationStarted {
                position: 1,
                round: later(),
            }
            .into(),
            ShipmentLegManifested {
                position: 1,
                tracking_number: "T1".to_owned(),
            }
            .into(),
            ShipmentLegManifestationFailed {
                position: 1,
                failure: "a reason".to_owned(),
                may_be_manifested: true,
            }
            .into(),
            ShipmentManifested {
                manifested_legs: vec![manifested_leg()],
                round: later(),
            }
            .into(),
            manifestation::ShipmentManifestationFailed {
                failure: "a reason".to_owned(),
                round: later(),
                legs_to_cancel: vec![1],
            }
            .into(),
            ShipmentLabelsGenerated(document()).into(),
            manifestation::ShipmentLabelsGenerationFailed(failure()).into(),
            ShipmentReceiptGenerated(document()).into(),
            ShipmentReceiptGenerationFailed(failure()).into(),
            ShipmentCombinedDocumentGenerated(document()).into(),
            ShipmentCombinedDocumentGenerationFailed(failure().in_round(later())).into(),
            manifestation::ShipmentManifestationCancellationStarted(undone()).into(),
            ShipmentLegManifestationCancellationStarted(LegToCancel { position: 1 }).into(),
            ShipmentLegManifestationCancelled(LegToCancel { position: 1 }).into(),
            ShipmentLegManifestationCancellationFailed {
                position: 1,
                failure: "a reason".to_owned(),
            }
            .into(),
            ShipmentManifestationCancelled(undone()).into(),
            manifestation::ShipmentManifestationCancellationFailed(failure()).into(),
            timed_out().into(),
            retried().into(),
        ],
    );
    freeze::<CollectionCommand>(
        &mut text,
        "to collection-booking",
        vec![
            CreateCollectionBooking(request()).into(),
            CancelCollectionBooking(undo()).into(),
        ],
    );
    freeze::<CollectionEvent>(
        &mut text,
        "collection-booking",
        vec![
            CollectionBookingInitialized(request()).into(),
            CollectionBookingScheduled {
                book_at: "2024-05-26T21:30:00Z".parse().unwrap(),
            }
            .into(),
            CollectionBookingSchedulingFailed(failure()).into(),
            CollectionBookingWithCarrierStarted(Nothing {}).into(),
            CollectionBooked {
                booking_reference: "B1".to_owned(),
                round: later(),
                cancellation_refused: true,
            }
            .into(),
            CollectionBookingSubprocessFailed(failure()).into(),
            collection::CollectionBookingCancellationStarted(undone()).into(),
            CollectionBookingCancelled(undone()).into(),
            collection::CollectionBookingCancellationFailed {
                failure: "a reason".to_owned(),
                round: later(),
                refused: true,
            }
            .into(),
            CollectionBookedMeanwhile {
                booking_reference: "B1".to_owned(),
            }
            .into(),
            timed_out().into(),
            retried().into(),
        ],
    );
    freeze::<CarrierCommand>(
        &mut text,
        "to carrier-stub",
        vec![
            ManifestLegWithCarrier {
                idempotency_key: key(),
                shipment_id: id(),
                position: 1,
                leg: leg(),
            }
            .into(),
            BookCollectionWithCarrier {
                idempotency_key: key(),
                shipment_id: id(),
                carrier_id: leg().carrier_id,
                tracking_number: "T1".to_owned(),
                collection: "GB-collection1".to_owned(),
                collection_date: jiff::civil::date(2024, 5, 27),
            }
            .into(),
            CancelLegWithCarrier {
                idempotency_key: cancellation_key(&key(), 1),
                cancels: key(),
                shipment_id: id(),
                carrier_id: leg().carrier_id,
                position: 1,
            }
            .into(),
            CancelCollectionWithCarrier {
                idempotency_key: cancellation_key(&key(), 2),
                cancels: key(),
                shipment_id: id(),
                carrier_id: leg().carrier_id,
            }
            .into(),
        ],
    );
    let rejected = Answer::CollectionRejected {
        failure: "a reason".to_owned(),
        booked_later: Some("B1".to_owned()),
    };
    freeze::<CarrierEvent>(
        &mut text,
        "carrier-stub",
        vec![
            CarrierRequestReceived {
                idempotency_key: key(),
                answer: rejected,
                cancels: Some(key()),
                carrier_id: Some(leg().carrier_id),
            }
            .into(),
            LegManifestedByCarrier {
                idempotency_key: key(),
                position: 1,
                tracking_number: "T1".to_owned(),
            }
            .into(),
            LegManifestationRejectedByCarrier {
                idempotency_key: key(),
                position: 1,
                failure: "a reason".to_owned(),
            }
            .into(),
            CollectionBookedByCarrier {
                idempotency_key: key(),
                booking_reference: "B1".to_owned(),
            }
            .into(),
            CollectionBookingRejectedByCarrier {
                idempotency_key: key(),
                failure: "a reason".to_owned(),
            }
            .into(),
            LegCancelledByCarrier {
                idempotency_key: key(),
                position: 1,
            }
            .into(),
            LegCancellationRejectedByCarrier {
                idempotency_key: key(),
                position: 1,
                failure: "a reason".to_owned(),
            }
            .into(),
            CollectionCancelledByCarrier {
                idempotency_key: key(),
            }
            .into(),
            CollectionCancellationRejectedByCarrier {
                idempotency_key: key(),
                failure: "a reason".to_owned(),
            }
            .into(),
        ],
    );
    let envelope = Envelope {
        id: MessageId::derive(&["id"]),
        kind: Kind::Command {
            to: manifestation::SERVICE,
        },
        source: process::SERVICE,
        type_name: "CreateShipment".to_owned(),
        subject: id().to_string(),
        time: "2024-05-26T21:30:00.123456Z".parse().unwrap(),
        correlation_id: MessageId::derive(&["correlation"]),
        causation_id: MessageId::derive(&["causation"]),
        traceparent: TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        category: Some("domestic-1.0".to_owned()),
        actor: None,
        data: ManifestationCommand::from(CreateShipment(planned()))
            .encode()
            .unwrap(),
    };
    let written = serde_json::to_string(&envelope).unwrap();
    assert_eq!(
        serde_json::from_str::<Envelope>(&written).unwrap(),
        envelope
    );
    writeln!(
        text,
        "# an envelope, as it is kept while it is parked\n{written}"
    )
    .unwrap();

    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/messages.txt");
    if std::env::var_os("LONGHAUL_TEST_UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &text).unwrap();
    }
    assert!(
        text == std::fs::read_to_string(golden).unwrap(),
        "messages have changed:\n{text}"
    );
}

/// The names by which services hear each other are names of messages that exist.
#[test]
fn what_is_heard_is_what_is_told() {
    let told = [
        ShipmentEvent::NAMES,
        CollectionEvent::NAMES,
        CarrierEvent::NAMES,
    ]
    .concat();
    for service in contracts::shipment_suite().services {
        for (source, name) in &service.hears {
            assert!(
                told.contains(name),
                "{} hears {name} of {source}",
                service.name
            );
        }
    }
}
