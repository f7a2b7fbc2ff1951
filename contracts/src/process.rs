//! The vocabulary of shipment-process.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::shipment::{Document, Failure, Leg, ManifestedLeg, Nothing, payloads};
use crate::{ServiceName, ShipmentId, message_set};

/// The service's name.
pub const SERVICE: ServiceName = ServiceName::new("shipment-process");
/// Its streams are `{shipmentId}-Process`.
pub const STREAM_KIND: &str = "Process";

/// Command: start the process of a shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessShipment {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs, at least one, in the order of the journey.
    pub legs: Vec<Leg>,
    /// The day on which the parcel is to be collected, in `time_zone`.
    pub collection_date: Date,
    /// IANA name of the time zone of the collection.
    pub time_zone: String,
}

/// The process has started, under the category that was decided for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentProcessStarted {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its legs, in the order of the journey.
    pub legs: Vec<Leg>,
    /// The day of the collection, in `time_zone`.
    pub collection_date: Date,
    /// IANA name of the time zone of the collection.
    pub time_zone: String,
}

/// Every leg has its tracking number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentManifestationCompleted {
    /// The legs with their tracking numbers.
    pub manifested_legs: Vec<ManifestedLeg>,
}

/// The carrier will collect the parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionBookingCompleted {
    /// The carrier's reference of the booking.
    pub booking_reference: String,
}

payloads! { Nothing:
    /// The first stage has begun.
    ManifestationAndDocumentsStarted,
    /// The customs invoice is being generated.
    CustomsInvoiceGenerationStarted,
    /// The legs are being manifested.
    ShipmentManifestationStarted,
    /// The labels are being generated.
    ShipmentLabelsGenerationStarted,
    /// The receipt is being generated.
    ReceiptGenerationStarted,
    /// The combined document is being generated.
    CombinedDocumentGenerationStarted,
    /// The first stage is complete.
    ManifestationAndDocumentsCompleted,
    /// The second stage has begun.
    CollectionBookingStarted,
    /// It was looked whether both stages are complete.
    ShipmentProcessCompletionChecked,
    /// Everything is done.
    ShipmentProcessCompleted,
}

payloads! { Document:
    /// The customs invoice exists.
    CustomsInvoiceGenerationCompleted,
    /// The labels exist.
    ShipmentLabelsGenerationCompleted,
    /// The receipt exists.
    ReceiptGenerationCompleted,
    /// The combined document exists.
    CombinedDocumentGenerationCompleted,
}

payloads! { Failure:
    /// There is no customs invoice.
    CustomsInvoiceGenerationFailed,
    /// Not every leg was manifested.
    ShipmentManifestationFailed,
    /// There are no labels.
    ShipmentLabelsGenerationFailed,
    /// There is no receipt.
    ReceiptGenerationFailed,
    /// There is no combined document.
    CombinedDocumentGenerationFailed,
    /// The first stage has failed.
    ManifestationAndDocumentsFailed,
    /// The second stage has failed.
    CollectionBookingFailed,
    /// The process has failed.
    ShipmentProcessFailed,
}

message_set! {
    /// What a shipment's process decides.
    pub enum ProcessEvent {
        Started(ShipmentProcessStarted) = "ShipmentProcessStarted",
        ManifestationAndDocumentsStarted(ManifestationAndDocumentsStarted)
            = "ManifestationAndDocumentsStarted",
        CustomsInvoiceStarted(CustomsInvoiceGenerationStarted) = "CustomsInvoiceGenerationStarted",
        CustomsInvoiceCompleted(CustomsInvoiceGenerationCompleted)
            = "CustomsInvoiceGenerationCompleted",
        CustomsInvoiceFailed(CustomsInvoiceGenerationFailed) = "CustomsInvoiceGenerationFailed",
        ManifestationStarted(ShipmentManifestationStarted) = "ShipmentManifestationStarted",
        ManifestationCompleted(ShipmentManifestationCompleted) = "ShipmentManifestationCompleted",
        ManifestationFailed(ShipmentManifestationFailed) = "ShipmentManifestationFailed",
        LabelsStarted(ShipmentLabelsGenerationStarted) = "ShipmentLabelsGenerationStarted",
        LabelsCompleted(ShipmentLabelsGenerationCompleted) = "ShipmentLabelsGenerationCompleted",
        LabelsFailed(ShipmentLabelsGenerationFailed) = "ShipmentLabelsGenerationFailed",
        ReceiptStarted(ReceiptGenerationStarted) = "ReceiptGenerationStarted",
        ReceiptCompleted(ReceiptGenerationCompleted) = "ReceiptGenerationCompleted",
        ReceiptFailed(ReceiptGenerationFailed) = "ReceiptGenerationFailed",
        CombinedDocumentStarted(CombinedDocumentGenerationStarted)
            = "CombinedDocumentGenerationStarted",
        CombinedDocumentCompleted(CombinedDocumentGenerationCompleted)
            = "CombinedDocumentGenerationCompleted",
        CombinedDocumentFailed(CombinedDocumentGenerationFailed)
            = "CombinedDocumentGenerationFailed",
        ManifestationAndDocumentsCompleted(ManifestationAndDocumentsCompleted)
            = "ManifestationAndDocumentsCompleted",
        ManifestationAndDocumentsFailed(ManifestationAndDocumentsFailed)
            = "ManifestationAndDocumentsFailed",
        BookingStarted(CollectionBookingStarted) = "CollectionBookingStarted",
        BookingCompleted(CollectionBookingCompleted) = "CollectionBookingCompleted",
        BookingFailed(CollectionBookingFailed) = "CollectionBookingFailed",
        CompletionChecked(ShipmentProcessCompletionChecked) = "ShipmentProcessCompletionChecked",
        Completed(ShipmentProcessCompleted) = "ShipmentProcessCompleted",
        Failed(ShipmentProcessFailed) = "ShipmentProcessFailed",
    }
}
