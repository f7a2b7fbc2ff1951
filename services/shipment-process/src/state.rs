//! What a shipment's process knows of its past: the fold of its stream.

use contracts::process::{ProcessEvent, ShipmentProcessStarted};
use contracts::shipment::ManifestedLeg;
use kernel::Refusal;
use serde::Serialize;

/// The present of a shipment's process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What was asked for.
    pub request: Option<ShipmentProcessStarted>,
    /// Where the process as a whole stands.
    pub status: Status,
    /// The step that it waits for; or, once it has failed, the step that failed.
    pub step: Option<Step>,
    /// The first stage.
    pub manifestation_and_documents: Stage,
    /// The second stage.
    pub collection_booking: Stage,
    /// The legs with their tracking numbers, once manifested.
    pub manifested_legs: Vec<ManifestedLeg>,
    /// The documents that exist.
    pub documents: Documents,
    /// The carrier's reference of the collection.
    pub booking_reference: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It waits for its next step.
    #[default]
    Running,
    /// Everything is done.
    Completed,
    /// A step has failed.
    Failed,
}

/// Where a stage stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Its turn has not come.
    #[default]
    NotStarted,
    /// It is being worked on.
    Running,
    /// It is done.
    Completed,
    /// One of its steps has failed.
    Failed,
}

/// A step that is delegated to another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The customs invoice is generated.
    CustomsInvoice,
    /// The legs are manifested.
    Manifestation,
    /// The labels are generated.
    Labels,
    /// The receipt is generated.
    Receipt,
    /// The combined document is generated.
    CombinedDocument,
    /// The collection is booked.
    CollectionBooking,
}

impl Step {
    const ALL: [Self; 6] = [
        Self::CustomsInvoice,
        Self::Manifestation,
        Self::Labels,
        Self::Receipt,
        Self::CombinedDocument,
        Self::CollectionBooking,
    ];

    /// The step's name in answers, and of its deadline: a stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomsInvoice => "CustomsInvoiceGeneration",
            Self::Manifestation => "ShipmentManifestation",
            Self::Labels => "ShipmentLabelsGeneration",
            Self::Receipt => "ReceiptGeneration",
            Self::CombinedDocument => "CombinedDocumentGeneration",
            Self::CollectionBooking => "CollectionBooking",
        }
    }

    /// The step of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// Addresses of the documents that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Documents {
    /// The labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// The customs invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customs_invoice: Option<String>,
    /// The receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// All of them in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combined_document: Option<String>,
}

impl State {
    /// Refuses unless the process is running and waits for this step.
    pub(crate) fn expect(&self, step: Step) -> Result<(), Refusal> {
        if self.request.is_none() {
            Err(Refusal::NotStarted)
        } else if self.status == Status::Running && self.step == Some(step) {
            Ok(())
        } else {
            Err(Refusal::because(format!(
                "it does not wait for {}",
                step.name()
            )))
        }
    }

    pub(crate) fn stages_are_complete(&self) -> bool {
        self.manifestation_and_documents == Stage::Completed
            && self.collection_booking == Stage::Completed
    }

    /// The state after a decision.
    #[must_use]
    pub fn after(mut self, event: &ProcessEvent) -> Self {
        use ProcessEvent as E;
        match event {
            E::Started(started) => self.request = Some(started.clone()),
            E::ManifestationAndDocumentsStarted(_) => {
                self.manifestation_and_documents = Stage::Running;
            }
            E::CustomsInvoiceStarted(_) => self.step = Some(Step::CustomsInvoice),
            E::ManifestationStarted(_) => self.step = Some(Step::Manifestation),
            E::LabelsStarted(_) => self.step = Some(Step::Labels),
            E::ReceiptStarted(_) => self.step = Some(Step::Receipt),
            E::CombinedDocumentStarted(_) => self.step = Some(Step::CombinedDocument),
            E::BookingStarted(_) => {
                self.step = Some(Step::CollectionBooking);
                self.collection_booking = Stage::Running;
            }
            E::CustomsInvoiceCompleted(done) => {
                self.documents.customs_invoice = Some(done.0.address.clone());
            }
            E::ManifestationCompleted(done) => {
                self.manifested_legs.clone_from(&done.manifested_legs);
            }
            E::LabelsCompleted(done) => self.documents.labels = Some(done.0.address.clone()),
            E::ReceiptCompleted(done) => self.documents.receipt = Some(done.0.address.clone()),
            E::CombinedDocumentCompleted(done) => {
                self.documents.combined_document = Some(done.0.address.clone());
            }
            E::ManifestationAndDocumentsCompleted(_) => {
                self.manifestation_and_documents = Stage::Completed;
            }
            E::BookingCompleted(done) => {
                self.booking_reference = Some(done.booking_reference.clone());
                self.collection_booking = Stage::Completed;
            }
            E::ManifestationAndDocumentsFailed(_) => {
                self.manifestation_and_documents = Stage::Failed;
            }
            E::BookingFailed(_) => self.collection_booking = Stage::Failed,
            E::Completed(_) => {
                self.status = Status::Completed;
                self.step = None;
                self.failure = None;
            }
            E::Failed(failed) => {
                self.status = Status::Failed;
                self.failure = Some(failed.0.failure.clone());
            }
            // What these tell is told by the stage that fails with them, or by what they lead to.
            E::CustomsInvoiceFailed(_)
            | E::ManifestationFailed(_)
            | E::LabelsFailed(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentFailed(_)
            | E::CompletionChecked(_) => {}
        }
        self
    }
}
