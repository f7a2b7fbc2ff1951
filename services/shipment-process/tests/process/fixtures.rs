//! A shipment with one leg, and how far its process has come.

use contracts::collection::{self, CollectionBooked, CollectionRequest};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Document, Failure, Leg, ManifestedLeg, Nothing, Undo};
use contracts::{Round, ShipmentId};
use jiff::SignedDuration;
use shipment_process::{Command, Input, ShipmentProcess, Steps};
use testkit::patience;
use uuid::Uuid;

pub(crate) fn process(customs_invoice: bool) -> ShipmentProcess {
    ShipmentProcess {
        customs_invoice,
        steps: Steps::all(patience(SignedDuration::from_mins(5), 0)),
        rebooking_window: SignedDuration::from_hours(24),
    }
}

pub(crate) fn id() -> ShipmentId {
    ShipmentId::parse("S1").unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn leg(n: u128) -> Leg {
    Leg {
        carrier_id: Uuid::from_u128(n),
        sender: format!("sender{n}"),
        receiver: format!("receiver{n}"),
        collection: format!("collection{n}"),
    }
}

pub(crate) fn manifested() -> Vec<ManifestedLeg> {
    vec![ManifestedLeg {
        position: 1,
        leg: leg(1),
        tracking_number: "T1".to_owned(),
    }]
}

pub(crate) fn started() -> ProcessEvent {
    ShipmentProcessStarted {
        shipment_id: id(),
        legs: vec![leg(1)],
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    }
    .into()
}

pub(crate) fn start() -> ProcessShipment {
    ProcessShipment {
        shipment_id: id(),
        legs: vec![leg(1)],
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    }
}

pub(crate) fn planned() -> shipment::PlannedShipment {
    shipment::PlannedShipment {
        shipment_id: id(),
        legs: vec![leg(1)],
        round: Round::FIRST,
    }
}

pub(crate) fn of_manifested() -> shipment::ManifestedShipment {
    shipment::ManifestedShipment {
        shipment_id: id(),
        manifested_legs: manifested(),
        round: Round::FIRST,
    }
}

pub(crate) fn ask(command: impl Into<shipment::ManifestationCommand>) -> Command {
    Command::Manifestation(command.into())
}

pub(crate) fn document(name: &str) -> Document {
    Document {
        address: format!("https://documents/S1/{name}"),
        round: Round::FIRST,
    }
}

pub(crate) fn failure() -> Failure {
    Failure::because("out of ink")
}

/// The history up to the point where the process waits for a step.
pub(crate) fn waiting_for_manifestation() -> Vec<ProcessEvent> {
    vec![
        started(),
        ManifestationAndDocumentsStarted(Nothing {}).into(),
        ShipmentManifestationStarted(Nothing {}).into(),
    ]
}

pub(crate) fn waiting_for_labels() -> Vec<ProcessEvent> {
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

pub(crate) fn waiting_for_receipt() -> Vec<ProcessEvent> {
    let mut history = waiting_for_labels();
    history.extend([
        ShipmentLabelsGenerationCompleted(document("labels")).into(),
        ReceiptGenerationStarted(Nothing {}).into(),
    ]);
    history
}

pub(crate) fn waiting_for_combined_document() -> Vec<ProcessEvent> {
    let mut history = waiting_for_receipt();
    history.extend([
        ReceiptGenerationCompleted(document("receipt")).into(),
        CombinedDocumentGenerationStarted(Nothing {}).into(),
    ]);
    history
}

pub(crate) fn waiting_for_booking() -> Vec<ProcessEvent> {
    let mut history = waiting_for_combined_document();
    history.extend([
        CombinedDocumentGenerationCompleted(document("combined-document")).into(),
        ManifestationAndDocumentsCompleted(Nothing {}).into(),
        CollectionBookingStarted(Nothing {}).into(),
    ]);
    history
}

pub(crate) fn booking_failed() -> Vec<ProcessEvent> {
    let mut history = waiting_for_booking();
    history.extend([
        CollectionBookingFailed(failure()).into(),
        ShipmentProcessFailed(failure()).into(),
    ]);
    history
}

pub(crate) fn booked() -> Input {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
        round: Round::FIRST,
        cancellation_refused: false,
    }
    .into()
}

/// The carrier has booked what it was asked to cancel, and does not cancel it.
pub(crate) fn stands() -> Input {
    CollectionBooked {
        booking_reference: "B1".to_owned(),
        round: Round::FIRST,
        cancellation_refused: true,
    }
    .into()
}

/// The carrier does not cancel the collection.
pub(crate) fn kept() -> collection::CollectionBookingCancellationFailed {
    collection::CollectionBookingCancellationFailed {
        failure: kept_because().failure,
        round: Round::FIRST,
        refused: true,
    }
}

pub(crate) fn kept_because() -> Failure {
    Failure::because("CollectionBookingCancellation: the carrier does not cancel")
}

pub(crate) fn completed() -> Vec<ProcessEvent> {
    vec![
        CollectionBookingCompleted {
            booking_reference: "B1".to_owned(),
        }
        .into(),
        ShipmentProcessCompletionChecked(Nothing {}).into(),
        ShipmentProcessCompleted(Nothing {}).into(),
    ]
}

pub(crate) const IN_5_MINUTES: &str = "1970-01-01T00:05:00Z";

pub(crate) fn undo() -> Undo {
    Undo {
        shipment_id: id(),
        round: Round::FIRST,
    }
}

pub(crate) fn collection(round: u32) -> CollectionRequest {
    CollectionRequest {
        shipment_id: id(),
        leg: manifested().remove(0),
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
        round: Round(round),
    }
}

pub(crate) fn manifested_in(round: u32) -> shipment::ShipmentManifested {
    shipment::ShipmentManifested {
        manifested_legs: manifested(),
        round: Round(round),
    }
}
