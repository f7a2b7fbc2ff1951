//! The steps that are delegated to other services, and how long each is waited for.

use kernel::Patience;

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
    /// The collection is cancelled.
    BookingCancellation,
    /// The legs are cancelled.
    ManifestationCancellation,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::CustomsInvoice,
        Self::Manifestation,
        Self::Labels,
        Self::Receipt,
        Self::CombinedDocument,
        Self::CollectionBooking,
        Self::BookingCancellation,
        Self::ManifestationCancellation,
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
            Self::BookingCancellation => "CollectionBookingCancellation",
            Self::ManifestationCancellation => "ShipmentManifestationCancellation",
        }
    }

    /// The step of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Whether it undoes what another has done.
    #[must_use]
    pub const fn undoes(self) -> bool {
        matches!(
            self,
            Self::BookingCancellation | Self::ManifestationCancellation
        )
    }
}

/// How long each step is waited for, and how often it is asked for again.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// For [`Step::CustomsInvoice`].
    pub customs_invoice: Patience,
    /// For [`Step::Manifestation`].
    pub manifestation: Patience,
    /// For [`Step::Labels`].
    pub labels: Patience,
    /// For [`Step::Receipt`].
    pub receipt: Patience,
    /// For [`Step::CombinedDocument`].
    pub combined_document: Patience,
    /// For [`Step::CollectionBooking`]; it includes the time until the booking is to be made.
    pub collection_booking: Patience,
    /// For [`Step::BookingCancellation`].
    pub booking_cancellation: Patience,
    /// For [`Step::ManifestationCancellation`].
    pub manifestation_cancellation: Patience,
}

impl Steps {
    /// The same for every step.
    #[must_use]
    pub const fn all(patience: Patience) -> Self {
        Self {
            customs_invoice: patience,
            manifestation: patience,
            labels: patience,
            receipt: patience,
            combined_document: patience,
            collection_booking: patience,
            booking_cancellation: patience,
            manifestation_cancellation: patience,
        }
    }

    pub(crate) const fn of(&self, step: Step) -> &Patience {
        match step {
            Step::CustomsInvoice => &self.customs_invoice,
            Step::Manifestation => &self.manifestation,
            Step::Labels => &self.labels,
            Step::Receipt => &self.receipt,
            Step::CombinedDocument => &self.combined_document,
            Step::CollectionBooking => &self.collection_booking,
            Step::BookingCancellation => &self.booking_cancellation,
            Step::ManifestationCancellation => &self.manifestation_cancellation,
        }
    }
}
