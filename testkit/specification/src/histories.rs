//! What may follow upon what in a stream, whatever happened: the legal histories.

/// An event, and those of which one may be the next.
type Successors = (&'static str, &'static [&'static str]);

/// What a stream begins with.
const BEGINNING: &str = "";

const PROCESS: &[Successors] = &[
    (BEGINNING, &["ShipmentProcessStarted"]),
    (
        "ShipmentProcessStarted",
        &["ManifestationAndDocumentsStarted"],
    ),
    (
        "ManifestationAndDocumentsStarted",
        &[
            "CustomsInvoiceGenerationStarted",
            "ShipmentManifestationStarted",
        ],
    ),
    (
        "CustomsInvoiceGenerationStarted",
        &[
            "CustomsInvoiceGenerationCompleted",
            "CustomsInvoiceGenerationFailed",
            "ShipmentCancellationRequested",
            "ShipmentLegsAmended",
        ],
    ),
    (
        "CustomsInvoiceGenerationCompleted",
        &["ShipmentManifestationStarted"],
    ),
    (
        "ShipmentManifestationStarted",
        &[
            "ShipmentManifestationCompleted",
            "ShipmentManifestationFailed",
            "ShipmentCancellationRequested",
        ],
    ),
    (
        "ShipmentManifestationCompleted",
        &["ShipmentLabelsGenerationStarted"],
    ),
    (
        "ShipmentLabelsGenerationStarted",
        &[
            "ShipmentLabelsGenerationCompleted",
            "ShipmentLabelsGenerationFailed",
            "ShipmentCancellationRequested",
            // Somebody else cancels the legs; or the booking, while documents are generated again.
            "ShipmentManifestationFailed",
            "CollectionBookingFailed",
        ],
    ),
    (
        "ShipmentLabelsGenerationCompleted",
        &["ReceiptGenerationStarted"],
    ),
    (
        "ReceiptGenerationStarted",
        &[
            "ReceiptGenerationCompleted",
            "ReceiptGenerationFailed",
            "ShipmentCancellationRequested",
            // Somebody else cancels the legs; or the booking, while documents are generated again.
            "ShipmentManifestationFailed",
            "CollectionBookingFailed",
        ],
    ),
    (
        "ReceiptGenerationCompleted",
        &["CombinedDocumentGenerationStarted"],
    ),
    (
        "CombinedDocumentGenerationStarted",
        &[
            "CombinedDocumentGenerationCompleted",
            "CombinedDocumentGenerationFailed",
            "ShipmentCancellationRequested",
            // Somebody else cancels the legs; or the booking, while documents are generated again.
            "ShipmentManifestationFailed",
            "CollectionBookingFailed",
        ],
    ),
    (
        "CombinedDocumentGenerationCompleted",
        &["ManifestationAndDocumentsCompleted"],
    ),
    (
        "ManifestationAndDocumentsCompleted",
        &[
            "CollectionBookingStarted",
            "ShipmentProcessCompletionChecked",
        ],
    ),
    (
        "CollectionBookingStarted",
        &[
            "CollectionBookingCompleted",
            "CollectionBookingFailed",
            "ShipmentCancellationRequested",
            // Somebody else cancels the legs.
            "ShipmentManifestationFailed",
        ],
    ),
    (
        "CollectionBookingCompleted",
        &[
            "ShipmentProcessCompletionChecked",
            // Documents that were generated again when somebody else cancelled the booking.
            "ShipmentLabelsGenerationStarted",
            // A booking that was to be cancelled stands; what is being undone goes on.
            "CollectionBookingCancellationCompleted",
            "CollectionBookingCancellationFailed",
            "ShipmentManifestationCancellationCompleted",
            "ShipmentManifestationCancellationFailed",
            "ShipmentCancellationRequested",
            "ShipmentProcessRetried",
            "ShipmentProcessSettled",
        ],
    ),
    (
        "ShipmentProcessCompletionChecked",
        &["ShipmentProcessCompleted"],
    ),
    (
        "ShipmentProcessCompleted",
        &[
            "DocumentsRegenerationRequested",
            "ShipmentCancellationRequested",
            // Somebody else cancels the booking.
            "CollectionBookingFailed",
            // Somebody else cancels the legs.
            "ShipmentManifestationFailed",
        ],
    ),
    (
        "DocumentsRegenerationRequested",
        &["ShipmentLabelsGenerationStarted"],
    ),
    (
        "CustomsInvoiceGenerationFailed",
        &["ManifestationAndDocumentsFailed"],
    ),
    (
        "ShipmentManifestationFailed",
        &["ManifestationAndDocumentsFailed"],
    ),
    (
        "ShipmentLabelsGenerationFailed",
        &["ManifestationAndDocumentsFailed"],
    ),
    (
        "ReceiptGenerationFailed",
        &["ManifestationAndDocumentsFailed"],
    ),
    (
        "CombinedDocumentGenerationFailed",
        &["ManifestationAndDocumentsFailed"],
    ),
    (
        "ManifestationAndDocumentsFailed",
        &["ShipmentProcessFailed"],
    ),
    ("CollectionBookingFailed", &["ShipmentProcessFailed"]),
    // A carrier may book after all.
    (
        "ShipmentProcessFailed",
        &[
            "ShipmentProcessCompensationStarted",
            "ShipmentProcessRetried",
            "ShipmentLegsAmended",
            "ShipmentCancellationRequested",
            "CollectionRebookingRequested",
            "CollectionBookingCompleted",
            // Somebody else cancels the booking of what was complete.
            "CollectionBookingFailed",
            // Somebody else cancels the legs.
            "ShipmentManifestationFailed",
        ],
    ),
    (
        "ShipmentLegsAmended",
        &[
            "CustomsInvoiceGenerationStarted",
            // Under a category that needs no invoice, to which it was switched.
            "ShipmentManifestationStarted",
            "ShipmentProcessRetried",
            "ShipmentLegsAmended",
            "ShipmentCancellationRequested",
        ],
    ),
    (
        "CollectionRebookingRequested",
        &[
            "CollectionBookingStarted",
            "CollectionBookingCancellationStarted",
        ],
    ),
    (
        "ShipmentProcessRetried",
        &[
            "CustomsInvoiceGenerationStarted",
            "ShipmentManifestationStarted",
            "ShipmentLabelsGenerationStarted",
            "ShipmentProcessCompensationStarted",
            "CollectionBookingCancellationStarted",
        ],
    ),
    // While something is being undone, it goes on.
    (
        "ShipmentCancellationRequested",
        &[
            "ShipmentProcessCompensationStarted",
            "CollectionBookingCancellationCompleted",
            "CollectionBookingCancellationFailed",
            "ShipmentManifestationCancellationCompleted",
            "ShipmentManifestationCancellationFailed",
            "CollectionBookingCompleted",
        ],
    ),
    (
        "ShipmentProcessCompensationStarted",
        &[
            "CollectionBookingCancellationStarted",
            "ShipmentManifestationCancellationStarted",
            "ShipmentProcessCompensationCompleted",
        ],
    ),
    (
        "CollectionBookingCancellationStarted",
        &[
            "CollectionBookingCancellationCompleted",
            "CollectionBookingCancellationFailed",
            "ShipmentCancellationRequested",
            // It is booked, and the carrier does not cancel it.
            "CollectionBookingCompleted",
            // Somebody else cancels the legs.
            "ShipmentManifestationFailed",
        ],
    ),
    // Before the collection is booked anew, it is cancelled.
    (
        "CollectionBookingCancellationCompleted",
        &[
            "ShipmentManifestationCancellationStarted",
            "CollectionBookingStarted",
            "ShipmentProcessCompensationCompleted",
            // After it had been given up, while legs are being cancelled, or could not be either.
            "ShipmentManifestationCancellationCompleted",
            "ShipmentManifestationCancellationFailed",
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationFailed",
        ],
    ),
    (
        "CollectionBookingCancellationFailed",
        &[
            "ShipmentProcessCompensationFailed",
            "ShipmentManifestationCancellationStarted",
        ],
    ),
    (
        "ShipmentManifestationCancellationStarted",
        &[
            "ShipmentManifestationCancellationCompleted",
            "ShipmentManifestationCancellationFailed",
            "ShipmentCancellationRequested",
            // The collection, after that had been given up.
            "CollectionBookingCancellationCompleted",
            "CollectionBookingCompleted",
        ],
    ),
    (
        "ShipmentManifestationCancellationCompleted",
        &[
            "ShipmentProcessCompensationCompleted",
            "ShipmentProcessCompensationFailed",
        ],
    ),
    (
        "ShipmentManifestationCancellationFailed",
        &["ShipmentProcessCompensationFailed"],
    ),
    // An answer that was given up may come after all.
    (
        "ShipmentProcessCompensationFailed",
        &[
            "ShipmentProcessRetried",
            "ShipmentCancellationRequested",
            "CollectionBookingCancellationCompleted",
            "ShipmentManifestationCancellationCompleted",
            "CollectionBookingCompleted",
            "ShipmentProcessSettled",
        ],
    ),
    ("ShipmentProcessSettled", &["ShipmentProcessCancelled"]),
    (
        "ShipmentProcessCompensationCompleted",
        &[
            "ShipmentProcessCancelled",
            "ShipmentProcessRetried",
            "ShipmentLegsAmended",
            "ShipmentCancellationRequested",
        ],
    ),
];

const SHIPMENT: &[Successors] = &[
    (
        BEGINNING,
        &["ShipmentInitialized", "ShipmentManifestationCancelled"],
    ),
    (
        "ShipmentInitialized",
        &[
            "CustomsInvoiceGenerated",
            "ShipmentLegManifestationStarted",
            "ShipmentReplanned",
            "ShipmentManifestationCancelled",
        ],
    ),
    (
        "CustomsInvoiceGenerated",
        &[
            "ShipmentLegManifestationStarted",
            "ShipmentReplanned",
            "ShipmentManifestationCancelled",
        ],
    ),
    (
        "ShipmentReplanned",
        &[
            "CustomsInvoiceGenerated",
            "ShipmentLegManifestationStarted",
            "ShipmentReplanned",
            "ShipmentManifestationCancelled",
        ],
    ),
    (
        "ShipmentLegManifestationStarted",
        &[
            "ShipmentLegManifested",
            "ShipmentLegManifestationFailed",
            "ShipmentManifestationCancellationStarted",
        ],
    ),
    (
        "ShipmentLegManifested",
        &["ShipmentLegManifestationStarted", "ShipmentManifested"],
    ),
    (
        "ShipmentLegManifestationFailed",
        &["ShipmentManifestationFailed"],
    ),
    (
        "ShipmentManifested",
        &[
            "ShipmentLabelsGenerated",
            "ShipmentManifestationCancellationStarted",
        ],
    ),
    // Where nothing is left with carriers, it may be begun anew.
    (
        "ShipmentManifestationFailed",
        &[
            "ShipmentManifestationCancellationStarted",
            "ShipmentManifestationCancelled",
            // It was cancelled before it was taken in.
            "ShipmentInitialized",
            "ShipmentReplanned",
            "ShipmentLegManifestationStarted",
        ],
    ),
    (
        "ShipmentLabelsGenerated",
        &[
            "ShipmentReceiptGenerated",
            "ShipmentManifestationCancellationStarted",
        ],
    ),
    (
        "ShipmentReceiptGenerated",
        &[
            "ShipmentCombinedDocumentGenerated",
            "ShipmentManifestationCancellationStarted",
        ],
    ),
    (
        "ShipmentCombinedDocumentGenerated",
        &["ShipmentManifestationCancellationStarted"],
    ),
    (
        "ShipmentManifestationCancellationStarted",
        &["ShipmentLegManifestationCancellationStarted"],
    ),
    (
        "ShipmentLegManifestationCancellationStarted",
        &[
            "ShipmentLegManifestationCancelled",
            "ShipmentLegManifestationCancellationFailed",
        ],
    ),
    // An answer that was given up may come after all, also while another is waited for.
    (
        "ShipmentLegManifestationCancelled",
        &[
            "ShipmentLegManifestationCancellationStarted",
            "ShipmentLegManifestationCancelled",
            "ShipmentLegManifestationCancellationFailed",
            "ShipmentManifestationCancelled",
            "ShipmentManifestationCancellationStarted",
            "ShipmentManifestationCancellationFailed",
        ],
    ),
    (
        "ShipmentLegManifestationCancellationFailed",
        &[
            "ShipmentLegManifestationCancellationStarted",
            "ShipmentManifestationCancellationFailed",
        ],
    ),
    (
        "ShipmentManifestationCancellationFailed",
        &[
            "ShipmentManifestationCancellationStarted",
            "ShipmentLegManifestationCancelled",
        ],
    ),
    (
        "ShipmentManifestationCancelled",
        &[
            "ShipmentInitialized",
            "ShipmentReplanned",
            "CustomsInvoiceGenerated",
            "ShipmentLegManifestationStarted",
            // Whoever asked for it hears that it will not come.
            "ShipmentManifestationFailed",
        ],
    ),
];

const COLLECTION: &[Successors] = &[
    (
        BEGINNING,
        &["CollectionBookingInitialized", "CollectionBookingCancelled"],
    ),
    (
        "CollectionBookingInitialized",
        &[
            "CollectionBookingScheduled",
            "CollectionBookingSchedulingFailed",
        ],
    ),
    (
        "CollectionBookingScheduled",
        &[
            "CollectionBookingWithCarrierStarted",
            "CollectionBookingCancelled",
        ],
    ),
    (
        "CollectionBookingSchedulingFailed",
        &["CollectionBookingSubprocessFailed"],
    ),
    (
        "CollectionBookingWithCarrierStarted",
        &[
            "CollectionBooked",
            "CollectionBookingSubprocessFailed",
            "CollectionBookingCancellationStarted",
        ],
    ),
    (
        "CollectionBookingSubprocessFailed",
        &[
            "CollectionBooked",
            "CollectionBookingCancellationStarted",
            "CollectionBookingCancelled",
            "CollectionBookingInitialized",
        ],
    ),
    (
        "CollectionBooked",
        &[
            "CollectionBookingCancellationStarted",
            // The carrier agrees after all.
            "CollectionBookingCancelled",
        ],
    ),
    (
        "CollectionBookingCancellationStarted",
        &[
            "CollectionBookingCancelled",
            "CollectionBookingCancellationFailed",
        ],
    ),
    (
        "CollectionBookingCancellationFailed",
        &[
            "CollectionBookingCancellationStarted",
            "CollectionBookingCancelled",
            // A carrier that was silent refuses.
            "CollectionBookingCancellationFailed",
            // It has booked what it does not cancel.
            "CollectionBooked",
        ],
    ),
    (
        "CollectionBookingCancelled",
        &[
            "CollectionBookingInitialized",
            // Whoever asked for it hears that it will not come.
            "CollectionBookingSubprocessFailed",
        ],
    ),
];

/// A process goes on under another category as it would have gone on.
const NEUTRAL: &[&str] = &["ProcessCategoryChanged"];

/// Answers: whoever asks again gets them again. In the stream of a process the same names are decisions.
const ANSWERS: &[&str] = &[
    "CustomsInvoiceGenerated",
    "ShipmentManifested",
    "ShipmentManifestationFailed",
    "ShipmentLabelsGenerated",
    "ShipmentReceiptGenerated",
    "ShipmentCombinedDocumentGenerated",
    "ShipmentManifestationCancelled",
    "CollectionBooked",
    "CollectionBookingSubprocessFailed",
    "CollectionBookingCancelled",
];

/// What begins something anew, and the first of the answers that no longer hold; those behind it do not
/// either.
const BEGINS: &[(&str, &str)] = &[
    ("ShipmentReplanned", "CustomsInvoiceGenerated"),
    ("ShipmentLegManifestationStarted", "ShipmentManifested"),
    (
        "ShipmentManifestationCancellationStarted",
        "ShipmentManifestationCancelled",
    ),
    ("CollectionBookingInitialized", "CollectionBooked"),
    (
        "CollectionBookingCancellationStarted",
        "CollectionBookingCancelled",
    ),
];

/// The first event of a stream that may not stand where it stands, and the one before it (empty at the
/// beginning). Of the streams of carriers it says nothing: they are as many histories as there are keys.
#[must_use]
pub fn first_illegal<'a>(kind: &str, public_events: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let table = match kind {
        "Process" => PROCESS,
        "Shipment" => SHIPMENT,
        "Collection" => COLLECTION,
        _ => return None,
    };
    let mut before = BEGINNING;
    let mut answered = Vec::new();
    for event in public_events.iter().copied() {
        let neutral = NEUTRAL.contains(&event) && before != BEGINNING;
        if neutral || answered.contains(&event) {
            continue;
        }
        let successors = table.iter().find(|(name, _)| *name == before);
        if !successors.is_some_and(|(_, next)| next.contains(&event)) {
            return Some((before, event));
        }
        let place = |answer: &str| ANSWERS.iter().position(|known| *known == answer);
        if let Some((_, first)) = BEGINS.iter().find(|(begins, _)| *begins == event) {
            answered.retain(|answer| place(answer) < place(first));
        }
        if kind != "Process" && place(event).is_some() {
            answered.push(event);
        }
        before = event;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ending, Shipment};

    #[test]
    fn what_must_become_of_a_shipment_is_a_legal_history() {
        for ending in [
            Ending::Success,
            Ending::ManifestationFails,
            Ending::BookingFails,
            Ending::BookedLate,
        ] {
            for (legs, in_time) in [(1, true), (2, true), (3, false)] {
                let shipment = Shipment {
                    legs,
                    ending,
                    in_time,
                };
                for kind in ["Process", "Shipment", "Collection", "Carrier"] {
                    let mut streams = shipment.streams(kind);
                    streams.push(shipment.last_stream(kind));
                    for stream in streams {
                        assert_eq!(first_illegal(kind, &stream), None, "{shipment:?} {kind}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_undone_is_told_once_all_was_tried_and_only_then_settled() {
        let cancelled = [
            "ShipmentProcessStarted",
            "ManifestationAndDocumentsStarted",
            "ShipmentManifestationStarted",
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationStarted",
            "CollectionBookingCancellationStarted",
            "CollectionBookingCancellationFailed",
            "ShipmentManifestationCancellationStarted",
            "ShipmentManifestationCancellationCompleted",
            "ShipmentProcessCompensationFailed",
            "ShipmentProcessSettled",
            "ShipmentProcessCancelled",
        ];
        assert_eq!(first_illegal("Process", &cancelled), None);
        let settled_before = [&cancelled[..9], &cancelled[10..]].concat();
        let illegal = (cancelled[8], cancelled[10]);
        assert_eq!(first_illegal("Process", &settled_before), Some(illegal));
        let after_all = [&cancelled[..11], &["ShipmentProcessRetried"]].concat();
        assert!(first_illegal("Process", &after_all).is_some(), "it is over");
    }

    #[test]
    fn a_booking_that_the_carrier_does_not_cancel_stands_and_may_be_cancelled_after_all() {
        let stands = [
            "CollectionBookingInitialized",
            "CollectionBookingScheduled",
            "CollectionBookingWithCarrierStarted",
            "CollectionBookingCancellationStarted",
            "CollectionBookingCancellationFailed",
            "CollectionBooked",
            "CollectionBookingCancelled",
        ];
        assert_eq!(first_illegal("Collection", &stands), None);
        let unheard = [&stands[..4], &stands[5..]].concat();
        let illegal = (stands[3], stands[5]);
        assert_eq!(first_illegal("Collection", &unheard), Some(illegal));
    }

    #[test]
    fn what_is_missing_or_there_twice_is_illegal() {
        let shipment = Shipment {
            legs: 1,
            ending: Ending::Success,
            in_time: true,
        };
        for kind in ["Process", "Shipment", "Collection"] {
            let stream = shipment.stream(kind);
            for at in 0..stream.len() - 1 {
                let mut without = stream.clone();
                without.remove(at);
                assert!(first_illegal(kind, &without).is_some(), "{kind} {at}");
                let mut twice = stream.clone();
                twice.insert(at, stream[at]);
                let said_again = kind != "Process" && ANSWERS.contains(&stream[at]);
                let illegal = first_illegal(kind, &twice).is_some();
                assert_eq!(illegal, !said_again, "{kind} {at}");
            }
        }
    }

    #[test]
    fn an_answer_is_said_again_only_as_long_as_it_holds() {
        let anew = [
            "CollectionBookingInitialized",
            "CollectionBookingSchedulingFailed",
            "CollectionBookingSubprocessFailed",
            "CollectionBookingSubprocessFailed",
            "CollectionBookingCancelled",
            "CollectionBookingInitialized",
            "CollectionBookingSubprocessFailed",
        ];
        let illegal = (
            "CollectionBookingInitialized",
            "CollectionBookingSubprocessFailed",
        );
        assert_eq!(first_illegal("Collection", &anew), Some(illegal));
        assert_eq!(first_illegal("Collection", &anew[..6]), None);
    }
}
