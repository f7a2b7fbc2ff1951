//! The vocabulary of shipment-process.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::shipment::{
    Document, Failure, Leg, ManifestedLeg, Nothing, StepRetried, StepTimedOut, payloads,
};
use crate::{Round, ServiceName, ShipmentId, message_set};

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

/// Command: cancel the shipment, and undo what was done for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelShipment {
    /// Why, in words of whoever asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Command: send other legs than those that were asked for, which are not manifested yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendShipmentLegs {
    /// The legs, at least one, in the order of the journey.
    pub legs: Vec<Leg>,
}

/// Command: book the collection anew, after the booking has failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RebookCollection {
    /// Another day than the one so far, in the shipment's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_date: Option<Date>,
}

/// Command: end the shipment, since somebody has seen to what could not be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleShipment {
    /// What was done about it, in words of whoever asks.
    pub reason: String,
}

payloads! { Nothing:
    /// Command: try the step that has failed again.
    RetryFailedStep,
    /// Command: generate the documents again, once everything is done.
    RegenerateDocuments,
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

/// Somebody wants the shipment to be cancelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentCancellationRequested {
    /// Why, in words of whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Somebody has seen to what could not be undone: by hand, or by letting it stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentProcessSettled {
    /// What was done about it, in words of whoever asked.
    pub reason: String,
}

/// The shipment has other legs from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLegsAmended {
    /// The legs, in the order of the journey.
    pub legs: Vec<Leg>,
    /// The round of what is begun anew with them.
    pub round: Round,
}

/// The collection is to be booked anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionRebookingRequested {
    /// Another day than the one so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_date: Option<Date>,
    /// The round of the booking.
    pub round: Round,
}

/// The step that had failed is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentProcessRetried {
    /// The step that had failed.
    pub step: String,
    /// The round of what is begun anew.
    pub round: Round,
}

/// The documents are to be generated again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentsRegenerationRequested {
    /// The round of the documents.
    pub round: Round,
}

/// Not every leg was manifested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentManifestationFailed {
    /// The reason; it names the step.
    pub failure: String,
    /// Whether some legs are, or may be, manifested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_manifested: bool,
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
    /// What was done is being undone, the last thing first.
    ShipmentProcessCompensationStarted,
    /// The collection is being cancelled.
    CollectionBookingCancellationStarted,
    /// No collection is booked.
    CollectionBookingCancellationCompleted,
    /// The legs are being cancelled.
    ShipmentManifestationCancellationStarted,
    /// No leg is manifested.
    ShipmentManifestationCancellationCompleted,
    /// Nothing is left of what was done with carriers.
    ShipmentProcessCompensationCompleted,
    /// The shipment is cancelled.
    ShipmentProcessCancelled,
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
    /// The collection could not be cancelled.
    CollectionBookingCancellationFailed,
    /// Some legs could not be cancelled.
    ShipmentManifestationCancellationFailed,
    /// Some of what was done could not be undone: a person has to see to it.
    ShipmentProcessCompensationFailed,
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
        CancellationRequested(ShipmentCancellationRequested) = "ShipmentCancellationRequested",
        LegsAmended(ShipmentLegsAmended) = "ShipmentLegsAmended",
        RebookingRequested(CollectionRebookingRequested) = "CollectionRebookingRequested",
        Retried(ShipmentProcessRetried) = "ShipmentProcessRetried",
        RegenerationRequested(DocumentsRegenerationRequested) = "DocumentsRegenerationRequested",
        CompensationStarted(ShipmentProcessCompensationStarted)
            = "ShipmentProcessCompensationStarted",
        BookingCancellationStarted(CollectionBookingCancellationStarted)
            = "CollectionBookingCancellationStarted",
        BookingCancellationCompleted(CollectionBookingCancellationCompleted)
            = "CollectionBookingCancellationCompleted",
        BookingCancellationFailed(CollectionBookingCancellationFailed)
            = "CollectionBookingCancellationFailed",
        ManifestationCancellationStarted(ShipmentManifestationCancellationStarted)
            = "ShipmentManifestationCancellationStarted",
        ManifestationCancellationCompleted(ShipmentManifestationCancellationCompleted)
            = "ShipmentManifestationCancellationCompleted",
        ManifestationCancellationFailed(ShipmentManifestationCancellationFailed)
            = "ShipmentManifestationCancellationFailed",
        CompensationCompleted(ShipmentProcessCompensationCompleted)
            = "ShipmentProcessCompensationCompleted",
        CompensationFailed(ShipmentProcessCompensationFailed)
            = "ShipmentProcessCompensationFailed",
        Settled(ShipmentProcessSettled) = "ShipmentProcessSettled",
        Cancelled(ShipmentProcessCancelled) = "ShipmentProcessCancelled",
        StepTimedOut(StepTimedOut) = "StepTimedOut",
        StepRetried(StepRetried) = "StepRetried",
    }
}
