//! A shipment, and what must become of it.

/// What an id says the carriers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything succeeds.
    Success,
    /// The manifestation fails.
    ManifestationFails,
    /// The collection booking fails.
    BookingFails,
    /// The collection booking fails, and the carrier books it later all the same.
    BookedLate,
}

impl Ending {
    /// What the last character of an id says.
    #[must_use]
    pub fn of(id: &str) -> Self {
        match id.chars().last() {
            Some('1') => Self::ManifestationFails,
            Some('2') => Self::BookingFails,
            Some('3') => Self::BookedLate,
            _ => Self::Success,
        }
    }
}

/// The steps of a process: the reason of a failure begins with the name of one.
pub const STEPS: [&str; 8] = [
    "CustomsInvoiceGeneration",
    "ShipmentManifestation",
    "ShipmentLabelsGeneration",
    "ReceiptGeneration",
    "CombinedDocumentGeneration",
    "CollectionBooking",
    "CollectionBookingCancellation",
    "ShipmentManifestationCancellation",
];

/// A shipment, as far as what becomes of it hangs on it, when every answer comes in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// How many legs it has; at least one.
    pub legs: usize,
    /// What the carriers will do.
    pub ending: Ending,
    /// Whether a collection can be booked on the day that is asked for: not in the past, and not more
    /// than seven days ahead.
    pub in_time: bool,
}

/// What a carrier's refusal of the collection leads to, in all streams.
pub const REFUSAL: [&str; 3] = [
    "CollectionBookingSubprocessFailed",
    "CollectionBookingFailed",
    "ShipmentProcessFailed",
];

impl Shipment {
    /// The status in which its process must end.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.is_booked() {
            "completed"
        } else {
            "failed"
        }
    }

    /// The public events of its stream of one kind, in the order of their versions, once everything has
    /// ended, and came in the order in which it was sent.
    ///
    /// # Panics
    /// When there is no such kind of streams.
    #[must_use]
    pub fn stream(&self, kind: &str) -> Vec<&'static str> {
        match kind {
            "Process" => self.process(),
            "Shipment" => self.shipment(),
            "Collection" => self.collection(),
            "Carrier" => self.carrier(),
            other => panic!("the specification says nothing of {other} streams"),
        }
    }

    /// The public events of its stream of one kind once nothing is pending any more: where the collection
    /// was not booked, and nobody has booked it within the time that is given for it, the legs are
    /// cancelled, the last one first.
    ///
    /// # Panics
    /// When there is no such kind of streams.
    #[must_use]
    pub fn last_stream(&self, kind: &str) -> Vec<&'static str> {
        let mut stream = self.stream(kind);
        if !self.is_booked() && self.is_manifested() {
            stream.extend(self.undoing(kind));
        }
        stream
    }

    fn undoing(&self, kind: &str) -> Vec<&'static str> {
        const ASKED: &str = "CarrierRequestReceived";
        match kind {
            "Process" => vec![
                "ShipmentProcessCompensationStarted",
                "CollectionBookingCancellationStarted",
                "CollectionBookingCancellationCompleted",
                "ShipmentManifestationCancellationStarted",
                "ShipmentManifestationCancellationCompleted",
                "ShipmentProcessCompensationCompleted",
            ],
            "Shipment" => {
                let mut events = vec!["ShipmentManifestationCancellationStarted"];
                for _leg in 0..self.legs {
                    events.extend([
                        "ShipmentLegManifestationCancellationStarted",
                        "ShipmentLegManifestationCancelled",
                    ]);
                }
                events.push("ShipmentManifestationCancelled");
                events
            }
            // A carrier that was never asked need not be asked to cancel.
            "Collection" if !self.in_time => vec!["CollectionBookingCancelled"],
            "Collection" => vec![
                "CollectionBookingCancellationStarted",
                "CollectionBookingCancelled",
            ],
            "Carrier" => {
                let collection: &[&str] = if self.in_time {
                    &[ASKED, "CollectionCancelledByCarrier"]
                } else {
                    &[]
                };
                let mut events = collection.to_vec();
                events.extend([ASKED, "LegCancelledByCarrier"].repeat(self.legs));
                events
            }
            _ => vec![],
        }
    }

    /// All that its stream of one kind may be, in whatever order messages came. Where a carrier books
    /// what it had refused, the refusal may come behind the booking, and is then no longer of interest.
    ///
    /// # Panics
    /// When there is no such kind of streams.
    #[must_use]
    pub fn streams(&self, kind: &str) -> Vec<Vec<&'static str>> {
        let stream = self.stream(kind);
        let without_refusal: Vec<_> = stream
            .iter()
            .copied()
            .filter(|name| !REFUSAL.contains(name))
            .collect();
        if self.is_booked() && without_refusal != stream {
            vec![stream, without_refusal]
        } else {
            vec![stream]
        }
    }

    fn is_booked(&self) -> bool {
        self.in_time && matches!(self.ending, Ending::Success | Ending::BookedLate)
    }

    fn is_manifested(&self) -> bool {
        self.ending != Ending::ManifestationFails
    }

    fn booking_fails(&self) -> bool {
        !self.in_time || matches!(self.ending, Ending::BookingFails | Ending::BookedLate)
    }

    fn process(&self) -> Vec<&'static str> {
        let mut events = vec!["ShipmentProcessStarted", "ManifestationAndDocumentsStarted"];
        if self.legs > 1 {
            events.extend([
                "CustomsInvoiceGenerationStarted",
                "CustomsInvoiceGenerationCompleted",
            ]);
        }
        events.push("ShipmentManifestationStarted");
        if !self.is_manifested() {
            events.extend([
                "ShipmentManifestationFailed",
                "ManifestationAndDocumentsFailed",
                "ShipmentProcessFailed",
            ]);
            return events;
        }
        events.extend([
            "ShipmentManifestationCompleted",
            "ShipmentLabelsGenerationStarted",
            "ShipmentLabelsGenerationCompleted",
            "ReceiptGenerationStarted",
            "ReceiptGenerationCompleted",
            "CombinedDocumentGenerationStarted",
            "CombinedDocumentGenerationCompleted",
            "ManifestationAndDocumentsCompleted",
            "CollectionBookingStarted",
        ]);
        if self.booking_fails() {
            events.extend(["CollectionBookingFailed", "ShipmentProcessFailed"]);
        }
        if self.is_booked() {
            events.extend([
                "CollectionBookingCompleted",
                "ShipmentProcessCompletionChecked",
                "ShipmentProcessCompleted",
            ]);
        }
        events
    }

    fn shipment(&self) -> Vec<&'static str> {
        let mut events = vec!["ShipmentInitialized"];
        if self.legs > 1 {
            events.push("CustomsInvoiceGenerated");
        }
        if !self.is_manifested() {
            events.extend([
                "ShipmentLegManifestationStarted",
                "ShipmentLegManifestationFailed",
                "ShipmentManifestationFailed",
            ]);
            return events;
        }
        for _leg in 0..self.legs {
            events.extend(["ShipmentLegManifestationStarted", "ShipmentLegManifested"]);
        }
        events.extend([
            "ShipmentManifested",
            "ShipmentLabelsGenerated",
            "ShipmentReceiptGenerated",
            "ShipmentCombinedDocumentGenerated",
        ]);
        events
    }

    fn collection(&self) -> Vec<&'static str> {
        if !self.is_manifested() {
            return vec![];
        }
        let mut events = vec!["CollectionBookingInitialized"];
        events.extend(if self.in_time {
            [
                "CollectionBookingScheduled",
                "CollectionBookingWithCarrierStarted",
            ]
            .as_slice()
        } else {
            &["CollectionBookingSchedulingFailed"]
        });
        if self.booking_fails() {
            events.push("CollectionBookingSubprocessFailed");
        }
        if self.is_booked() {
            events.push("CollectionBooked");
        }
        events
    }

    fn carrier(&self) -> Vec<&'static str> {
        const ASKED: &str = "CarrierRequestReceived";
        if !self.is_manifested() {
            return vec![ASKED, "LegManifestationRejectedByCarrier"];
        }
        let mut events = [ASKED, "LegManifestedByCarrier"].repeat(self.legs);
        if self.in_time {
            events.push(ASKED);
            if self.booking_fails() {
                events.push("CollectionBookingRejectedByCarrier");
            }
            if self.is_booked() {
                events.push("CollectionBookedByCarrier");
            }
        }
        events
    }
}
