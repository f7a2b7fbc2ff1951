//! The eight example shipments of the specification, and what must become of them.

/// The ids, domestic first.
pub const IDS: [&str; 8] = [
    "12EEQ9CS9K10",
    "12EEQ9CS9K11",
    "12EEQ9CS9K12",
    "12EEQ9CS9K13",
    "V74YCBYHC8A0",
    "V74YCBYHC8A1",
    "V74YCBYHC8A2",
    "V74YCBYHC8A3",
];

/// What an id says will happen.
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

/// What the last character of an id says.
#[must_use]
pub fn ending(id: &str) -> Ending {
    match id.chars().last() {
        Some('1') => Ending::ManifestationFails,
        Some('2') => Ending::BookingFails,
        Some('3') => Ending::BookedLate,
        _ => Ending::Success,
    }
}

/// The status in which the process of an id must end.
#[must_use]
pub fn final_status(id: &str) -> &'static str {
    match ending(id) {
        Ending::Success | Ending::BookedLate => "completed",
        Ending::ManifestationFails | Ending::BookingFails => "failed",
    }
}

/// Whether an id is started with one leg.
#[must_use]
pub fn is_domestic(id: &str) -> bool {
    id.starts_with('1')
}

/// The public events of a shipment's stream of one kind (`Process`, `Shipment`, `Collection`), in the
/// order of their versions, once everything has ended.
#[must_use]
pub fn expected_stream(id: &str, kind: &str) -> Vec<&'static str> {
    match kind {
        "Process" => process(id),
        "Shipment" => shipment(id),
        "Collection" => collection(id),
        other => panic!("the specification says nothing of {other} streams"),
    }
}

fn process(id: &str) -> Vec<&'static str> {
    let mut events = vec!["ShipmentProcessStarted", "ManifestationAndDocumentsStarted"];
    if !is_domestic(id) {
        events.extend([
            "CustomsInvoiceGenerationStarted",
            "CustomsInvoiceGenerationCompleted",
        ]);
    }
    events.push("ShipmentManifestationStarted");
    if ending(id) == Ending::ManifestationFails {
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
    if matches!(ending(id), Ending::BookingFails | Ending::BookedLate) {
        events.extend(["CollectionBookingFailed", "ShipmentProcessFailed"]);
    }
    if matches!(ending(id), Ending::Success | Ending::BookedLate) {
        events.extend([
            "CollectionBookingCompleted",
            "ShipmentProcessCompletionChecked",
            "ShipmentProcessCompleted",
        ]);
    }
    events
}

fn shipment(id: &str) -> Vec<&'static str> {
    let mut events = vec!["ShipmentInitialized"];
    if !is_domestic(id) {
        events.push("CustomsInvoiceGenerated");
    }
    if ending(id) == Ending::ManifestationFails {
        events.extend([
            "ShipmentLegManifestationStarted",
            "ShipmentLegManifestationFailed",
            "ShipmentManifestationFailed",
        ]);
        return events;
    }
    for _leg in 0..if is_domestic(id) { 1 } else { 2 } {
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

fn collection(id: &str) -> Vec<&'static str> {
    if ending(id) == Ending::ManifestationFails {
        return vec![];
    }
    let mut events = vec![
        "CollectionBookingInitialized",
        "CollectionBookingScheduled",
        "CollectionBookingWithCarrierStarted",
    ];
    if matches!(ending(id), Ending::BookingFails | Ending::BookedLate) {
        events.push("CollectionBookingSubprocessFailed");
    }
    if matches!(ending(id), Ending::Success | Ending::BookedLate) {
        events.push("CollectionBooked");
    }
    events
}
