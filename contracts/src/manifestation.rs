//! The vocabulary of manifestation.

use serde::{Deserialize, Serialize};

use crate::shipment::{
    Document, Failure, Leg, ManifestedLeg, StepRetried, StepTimedOut, Undo, Undone, payloads,
};
use crate::{Round, ServiceName, ShipmentId, message_set};

/// The service's name.
pub const SERVICE: ServiceName = ServiceName::new("manifestation");
/// Its streams are `{shipmentId}-Shipment`.
pub const STREAM_KIND: &str = "Shipment";

/// The events that tell shipment-process how a step ended.
pub const OUTCOMES: &[&str] = &[
    "CustomsInvoiceGenerated",
    "CustomsInvoiceGenerationFailed",
    "ShipmentManifested",
    "ShipmentManifestationFailed",
    "ShipmentLabelsGenerated",
    "ShipmentLabelsGenerationFailed",
    "ShipmentReceiptGenerated",
    "ShipmentReceiptGenerationFailed",
    "ShipmentCombinedDocumentGenerated",
    "ShipmentCombinedDocumentGenerationFailed",
    "ShipmentManifestationCancelled",
    "ShipmentManifestationCancellationFailed",
];

/// What a command says of a shipment that is not manifested yet. Each command carries the legs, so
/// that it can be handled even when it overtakes [`CreateShipment`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedShipment {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs, in the order of the journey.
    pub legs: Vec<Leg>,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// What a command says of a shipment whose legs are manifested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestedShipment {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs with their tracking numbers.
    pub manifested_legs: Vec<ManifestedLeg>,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

payloads! { PlannedShipment:
    /// Command: take the shipment in.
    CreateShipment,
    /// Command: generate the customs invoice.
    GenerateCustomsInvoice,
    /// Command: manifest each leg with its carrier.
    ManifestShipment,
}

payloads! { ManifestedShipment:
    /// Command: generate the labels.
    GenerateShipmentLabels,
    /// Command: generate the receipt.
    GenerateShipmentReceipt,
    /// Command: generate the combined document.
    GenerateCombinedDocument,
}

payloads! { Undo:
    /// Command: cancel with their carriers whatever legs may be manifested.
    CancelShipmentManifestation,
}

/// The shipment was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentInitialized {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs, in the order of the journey.
    pub legs: Vec<Leg>,
}

/// The shipment has other legs from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentReplanned {
    /// Its legs, in the order of the journey.
    pub legs: Vec<Leg>,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// The carrier was asked to take a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifestationStarted {
    /// Position of the leg, from 1.
    pub position: u32,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// The carrier has taken a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifested {
    /// Position of the leg, from 1.
    pub position: u32,
    /// The carrier's tracking number.
    pub tracking_number: String,
}

/// The carrier has not taken a leg, or has not said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifestationFailed {
    /// Position of the leg, from 1.
    pub position: u32,
    /// Why.
    pub failure: String,
    /// Whether the carrier may have taken it all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_manifested: bool,
}

/// A leg, as its carrier was asked or has agreed to cancel it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegToCancel {
    /// Position of the leg, from 1.
    pub position: u32,
}

payloads! { LegToCancel:
    /// The carrier was asked to cancel a leg.
    ShipmentLegManifestationCancellationStarted,
    /// The carrier has cancelled a leg.
    ShipmentLegManifestationCancelled,
}

/// The carrier has not cancelled a leg, or has not said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifestationCancellationFailed {
    /// Position of the leg, from 1.
    pub position: u32,
    /// Why.
    pub failure: String,
}

/// Not every leg was manifested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentManifestationFailed {
    /// The reason; it names the step and the leg.
    pub failure: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
    /// The positions of the legs that are or may be manifested with their carriers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs_to_cancel: Vec<u32>,
}

/// Every leg has its tracking number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentManifested {
    /// The legs with their tracking numbers.
    pub manifested_legs: Vec<ManifestedLeg>,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

payloads! { Undone:
    /// Legs are being cancelled, the last one first.
    ShipmentManifestationCancellationStarted,
    /// No leg is manifested any more.
    ShipmentManifestationCancelled,
}

payloads! { Document:
    /// The customs invoice exists.
    CustomsInvoiceGenerated,
    /// The labels exist.
    ShipmentLabelsGenerated,
    /// The receipt exists.
    ShipmentReceiptGenerated,
    /// The combined document exists.
    ShipmentCombinedDocumentGenerated,
}

payloads! { Failure:
    /// There is no customs invoice.
    CustomsInvoiceGenerationFailed,
    /// Some legs could not be cancelled.
    ShipmentManifestationCancellationFailed,
    /// There are no labels.
    ShipmentLabelsGenerationFailed,
    /// There is no receipt.
    ShipmentReceiptGenerationFailed,
    /// There is no combined document.
    ShipmentCombinedDocumentGenerationFailed,
}

message_set! {
    /// What manifestation is asked to do.
    pub enum ManifestationCommand {
        Create(CreateShipment) = "CreateShipment",
        GenerateCustomsInvoice(GenerateCustomsInvoice) = "GenerateCustomsInvoice",
        Manifest(ManifestShipment) = "ManifestShipment",
        GenerateLabels(GenerateShipmentLabels) = "GenerateShipmentLabels",
        GenerateReceipt(GenerateShipmentReceipt) = "GenerateShipmentReceipt",
        GenerateCombinedDocument(GenerateCombinedDocument) = "GenerateCombinedDocument",
        Cancel(CancelShipmentManifestation) = "CancelShipmentManifestation",
    }
}

message_set! {
    /// What happens to a shipment at manifestation.
    pub enum ShipmentEvent {
        Initialized(ShipmentInitialized) = "ShipmentInitialized",
        Replanned(ShipmentReplanned) = "ShipmentReplanned",
        CustomsInvoiceGenerated(CustomsInvoiceGenerated) = "CustomsInvoiceGenerated",
        CustomsInvoiceFailed(CustomsInvoiceGenerationFailed) = "CustomsInvoiceGenerationFailed",
        LegStarted(ShipmentLegManifestationStarted) = "ShipmentLegManifestationStarted",
        LegManifested(ShipmentLegManifested) = "ShipmentLegManifested",
        LegFailed(ShipmentLegManifestationFailed) = "ShipmentLegManifestationFailed",
        Manifested(ShipmentManifested) = "ShipmentManifested",
        ManifestationFailed(ShipmentManifestationFailed) = "ShipmentManifestationFailed",
        LabelsGenerated(ShipmentLabelsGenerated) = "ShipmentLabelsGenerated",
        LabelsFailed(ShipmentLabelsGenerationFailed) = "ShipmentLabelsGenerationFailed",
        ReceiptGenerated(ShipmentReceiptGenerated) = "ShipmentReceiptGenerated",
        ReceiptFailed(ShipmentReceiptGenerationFailed) = "ShipmentReceiptGenerationFailed",
        CombinedDocumentGenerated(ShipmentCombinedDocumentGenerated)
            = "ShipmentCombinedDocumentGenerated",
        CombinedDocumentFailed(ShipmentCombinedDocumentGenerationFailed)
            = "ShipmentCombinedDocumentGenerationFailed",
        CancellationStarted(ShipmentManifestationCancellationStarted)
            = "ShipmentManifestationCancellationStarted",
        LegCancellationStarted(ShipmentLegManifestationCancellationStarted)
            = "ShipmentLegManifestationCancellationStarted",
        LegCancelled(ShipmentLegManifestationCancelled) = "ShipmentLegManifestationCancelled",
        LegCancellationFailed(ShipmentLegManifestationCancellationFailed)
            = "ShipmentLegManifestationCancellationFailed",
        Cancelled(ShipmentManifestationCancelled) = "ShipmentManifestationCancelled",
        CancellationFailed(ShipmentManifestationCancellationFailed)
            = "ShipmentManifestationCancellationFailed",
        StepTimedOut(StepTimedOut) = "StepTimedOut",
        StepRetried(StepRetried) = "StepRetried",
    }
}
