//! What a shipment's process takes in, and what it asks of other services.

use contracts::collection::{
    CancelCollectionBooking, CollectionBookingCancellationFailed, CollectionBookingCancelled,
    CollectionCommand, CollectionRequest, CreateCollectionBooking,
};
use contracts::collection::{CollectionBooked, CollectionBookingSubprocessFailed};
use contracts::manifestation::{
    self as shipment, CancelShipmentManifestation, GenerateCombinedDocument,
    GenerateCustomsInvoice, GenerateShipmentLabels, GenerateShipmentReceipt, ManifestShipment,
    ManifestationCommand, ManifestedShipment, PlannedShipment,
};
use contracts::process::{
    AmendShipmentLegs, CancelShipment, ProcessShipment, RebookCollection, RegenerateDocuments,
    RetryFailedStep, SettleShipment,
};
use contracts::shipment::Undo;
use contracts::{ServiceName, message_set};
use serde_json::value::RawValue;

use crate::state::State;
use crate::step::Step;

message_set! {
    /// What a shipment's process takes in.
    pub enum Input {
        Process(ProcessShipment) = "ProcessShipment",
        CustomsInvoiceGenerated(shipment::CustomsInvoiceGenerated) = "CustomsInvoiceGenerated",
        CustomsInvoiceFailed(shipment::CustomsInvoiceGenerationFailed)
            = "CustomsInvoiceGenerationFailed",
        Manifested(shipment::ShipmentManifested) = "ShipmentManifested",
        ManifestationFailed(shipment::ShipmentManifestationFailed) = "ShipmentManifestationFailed",
        LabelsGenerated(shipment::ShipmentLabelsGenerated) = "ShipmentLabelsGenerated",
        LabelsFailed(shipment::ShipmentLabelsGenerationFailed) = "ShipmentLabelsGenerationFailed",
        ReceiptGenerated(shipment::ShipmentReceiptGenerated) = "ShipmentReceiptGenerated",
        ReceiptFailed(shipment::ShipmentReceiptGenerationFailed)
            = "ShipmentReceiptGenerationFailed",
        CombinedDocumentGenerated(shipment::ShipmentCombinedDocumentGenerated)
            = "ShipmentCombinedDocumentGenerated",
        CombinedDocumentFailed(shipment::ShipmentCombinedDocumentGenerationFailed)
            = "ShipmentCombinedDocumentGenerationFailed",
        CollectionBooked(CollectionBooked) = "CollectionBooked",
        CollectionBookingFailed(CollectionBookingSubprocessFailed)
            = "CollectionBookingSubprocessFailed",
        BookingCancelled(CollectionBookingCancelled) = "CollectionBookingCancelled",
        BookingCancellationFailed(CollectionBookingCancellationFailed)
            = "CollectionBookingCancellationFailed",
        ManifestationCancelled(shipment::ShipmentManifestationCancelled)
            = "ShipmentManifestationCancelled",
        ManifestationCancellationFailed(shipment::ShipmentManifestationCancellationFailed)
            = "ShipmentManifestationCancellationFailed",
        Cancel(CancelShipment) = "CancelShipment",
        AmendLegs(AmendShipmentLegs) = "AmendShipmentLegs",
        Rebook(RebookCollection) = "RebookCollection",
        Retry(RetryFailedStep) = "RetryFailedStep",
        RegenerateDocuments(RegenerateDocuments) = "RegenerateDocuments",
        Settle(SettleShipment) = "SettleShipment",
    }
}

/// What the process asks of other services.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Of manifestation.
    Manifestation(ManifestationCommand),
    /// Of collection-booking.
    Collection(CollectionCommand),
}

impl contracts::Command for Command {
    fn to(&self) -> ServiceName {
        match self {
            Self::Manifestation(command) => command.to(),
            Self::Collection(command) => command.to(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Manifestation(command) => contracts::Command::type_name(command),
            Self::Collection(command) => contracts::Command::type_name(command),
        }
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::Manifestation(command) => contracts::Command::encode(command),
            Self::Collection(command) => contracts::Command::encode(command),
        }
    }
}

/// The legs as another service has to know them; every command carries what its handler needs.
pub(crate) fn planned(state: &State, round: contracts::Round) -> Option<PlannedShipment> {
    let request = state.request.as_ref()?;
    Some(PlannedShipment {
        shipment_id: request.shipment_id.clone(),
        legs: request.legs.clone(),
        round,
    })
}

/// The command that asks for a step; the same again for as long as the step is waited for.
pub(crate) fn command(state: &State, step: Step) -> Option<Command> {
    let request = state.request.as_ref()?;
    let round = state.round_of(step);
    let manifested = || ManifestedShipment {
        shipment_id: request.shipment_id.clone(),
        manifested_legs: state.manifested_legs.clone(),
        round,
    };
    let undo = || Undo {
        shipment_id: request.shipment_id.clone(),
        round,
    };
    let manifestation: ManifestationCommand = match step {
        Step::CustomsInvoice => GenerateCustomsInvoice(planned(state, round)?).into(),
        Step::Manifestation => ManifestShipment(planned(state, round)?).into(),
        Step::Labels => GenerateShipmentLabels(manifested()).into(),
        Step::Receipt => GenerateShipmentReceipt(manifested()).into(),
        Step::CombinedDocument => GenerateCombinedDocument(manifested()).into(),
        Step::ManifestationCancellation => CancelShipmentManifestation(undo()).into(),
        Step::CollectionBooking => {
            let booking = CreateCollectionBooking(CollectionRequest {
                shipment_id: request.shipment_id.clone(),
                leg: state.manifested_legs.first()?.clone(),
                collection_date: request.collection_date,
                time_zone: request.time_zone.clone(),
                round,
            });
            return Some(Command::Collection(booking.into()));
        }
        Step::BookingCancellation => {
            return Some(Command::Collection(CancelCollectionBooking(undo()).into()));
        }
    };
    Some(Command::Manifestation(manifestation))
}
