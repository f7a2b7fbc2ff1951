//! The vocabulary of manifestation.

use serde::{Deserialize, Serialize};

use crate::shipment::{Document, Failure, Leg, ManifestedLeg, payloads};
use crate::{ServiceName, ShipmentId, message_set};

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
}

/// What a command says of a shipment whose legs are manifested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestedShipment {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs with their tracking numbers.
    pub manifested_legs: Vec<ManifestedLeg>,
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

/// The shipment was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentInitialized {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs, in the order of the journey.
    pub legs: Vec<Leg>,
}

/// The carrier was asked to take a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifestationStarted {
    /// Position of the leg, from 1.
    pub position: u32,
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

/// The carrier has not taken a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegManifestationFailed {
    /// Position of the leg, from 1.
    pub position: u32,
    /// Why.
    pub failure: String,
}

/// Every leg has its tracking number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentManifested {
    /// The legs with their tracking numbers.
    pub manifested_legs: Vec<ManifestedLeg>,
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
    /// Not every leg was manifested.
    ShipmentManifestationFailed,
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
    }
}

message_set! {
    /// What happens to a shipment at manifestation.
    pub enum ShipmentEvent {
        Initialized(ShipmentInitialized) = "ShipmentInitialized",
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
    }
}
