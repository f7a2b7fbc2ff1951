//! What people ask for while a shipment is under way, and what is undone when a step fails for good.

use serde_json::json;
use specification::{Ending, Shipment};

use crate::case::{Act, Case, When};

const USUAL: &str = "c62bee76-3e7a-4ce3-87dd-a5eb11678815";
const REFUSES: &str = "00000000-0000-4000-8000-000000000001";

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        second_carrier_refuses(),
        cancelled_while_manifesting(),
        cancelled_while_booking(),
        cancelled_when_completed(),
        not_rebooked_in_time(),
    ]
}

/// The first leg is cancelled.
fn second_carrier_refuses() -> Case {
    let process = [
        "ShipmentManifestationFailed",
        "ManifestationAndDocumentsFailed",
        "ShipmentProcessFailed",
        "ShipmentProcessCompensationStarted",
        "ShipmentManifestationCancellationStarted",
        "ShipmentManifestationCancellationCompleted",
        "ShipmentProcessCompensationCompleted",
    ];
    let shipment = [
        "ShipmentLegManifestationFailed",
        "ShipmentManifestationFailed",
        "ShipmentManifestationCancellationStarted",
        "ShipmentLegManifestationCancellationStarted",
        "ShipmentLegManifestationCancelled",
        "ShipmentManifestationCancelled",
    ];
    Case {
        streams: [
            behind(2, "Process", "ShipmentManifestationStarted", &process),
            behind(2, "Shipment", "ShipmentLegManifestationStarted", &shipment),
            ("Collection", vec![vec![]]),
        ]
        .into(),
        ledger: ledger(
            "UNDO0",
            &[
                ("leg/1", MANIFESTED),
                ("leg/2", "LegManifestationRejectedByCarrier"),
                ("leg/1/cancel", LEG_CANCELLED),
            ],
        ),
        ..started("UNDO0", &[USUAL, REFUSES])
    }
}

/// What may have been done with the carrier is undone, though it has not answered.
fn cancelled_while_manifesting() -> Case {
    let id = "MANIFESTING0";
    let process = [
        "ShipmentCancellationRequested",
        "ShipmentProcessCompensationStarted",
        "ShipmentManifestationCancellationStarted",
        "ShipmentManifestationCancellationCompleted",
        "ShipmentProcessCompensationCompleted",
        "ShipmentProcessCancelled",
    ];
    let shipment = [
        "ShipmentInitialized",
        "CustomsInvoiceGenerated",
        "ShipmentLegManifestationStarted",
        "ShipmentManifestationCancellationStarted",
        "ShipmentLegManifestationCancellationStarted",
        "ShipmentLegManifestationCancelled",
        "ShipmentManifestationCancelled",
    ];
    let when = When::Stored("Shipment", "ShipmentLegManifestationStarted");
    Case {
        streams: [
            behind(2, "Process", "ShipmentManifestationStarted", &process),
            ("Shipment", vec![shipment.to_vec()]),
            ("Collection", vec![vec![]]),
        ]
        .into(),
        ledger: ledger(id, &[("leg/1", NOTHING), ("leg/1/cancel", LEG_CANCELLED)]),
        ..cancelled(id, 2, when)
    }
}

/// The booking first, though the carrier has not answered; then the leg.
fn cancelled_while_booking() -> Case {
    let id = "BOOKING0";
    let when = When::Stored("Collection", "CollectionBookingWithCarrierStarted");
    Case {
        streams: [
            behind(1, "Process", "CollectionBookingStarted", &CANCELLATION),
            behind(1, "Shipment", DOCUMENTED, &LEG_CANCELLATION),
            behind(
                1,
                "Collection",
                "CollectionBookingWithCarrierStarted",
                &COLLECTION_CANCELLED,
            ),
        ]
        .into(),
        ledger: ledger(id, &one_leg_undone(NOTHING)),
        ..cancelled(id, 1, when)
    }
}

fn cancelled_when_completed() -> Case {
    let id = "COMPLETED0";
    let when = When::Stored("Process", "ShipmentProcessCompleted");
    Case {
        streams: [
            behind(1, "Process", "ShipmentProcessCompleted", &CANCELLATION),
            behind(1, "Shipment", DOCUMENTED, &LEG_CANCELLATION),
            behind(1, "Collection", "CollectionBooked", &COLLECTION_CANCELLED),
        ]
        .into(),
        ledger: ledger(id, &one_leg_undone("CollectionBookedByCarrier")),
        has_slow_carriers: false,
        ..cancelled(id, 1, when)
    }
}

/// The booking fails, and nobody asks for another within the time that is given for that: the legs are
/// cancelled, the last one first.
fn not_rebooked_in_time() -> Case {
    let id = "WINDOW2";
    let shipment = Shipment {
        legs: 2,
        ending: Ending::BookingFails,
        in_time: true,
    };
    let kinds = ["Process", "Shipment", "Collection"];
    Case {
        settings: vec![("shipment_process.rebooking_window_ms", "40")],
        streams: kinds
            .map(|kind| (kind, vec![shipment.last_stream(kind)]))
            .into(),
        ledger: ledger(
            id,
            &[
                ("leg/1", MANIFESTED),
                ("leg/2", MANIFESTED),
                ("collection", "CollectionBookingRejectedByCarrier"),
                COLLECTION_UNDONE,
                ("leg/2/cancel", LEG_CANCELLED),
                ("leg/1/cancel", LEG_CANCELLED),
            ],
        ),
        ..started(id, &[USUAL, USUAL])
    }
}

const CANCELLATION: [&str; 8] = [
    "ShipmentCancellationRequested",
    "ShipmentProcessCompensationStarted",
    "CollectionBookingCancellationStarted",
    "CollectionBookingCancellationCompleted",
    "ShipmentManifestationCancellationStarted",
    "ShipmentManifestationCancellationCompleted",
    "ShipmentProcessCompensationCompleted",
    "ShipmentProcessCancelled",
];

/// After this, nothing more is done with the legs.
const DOCUMENTED: &str = "ShipmentCombinedDocumentGenerated";

const LEG_CANCELLATION: [&str; 4] = [
    "ShipmentManifestationCancellationStarted",
    "ShipmentLegManifestationCancellationStarted",
    "ShipmentLegManifestationCancelled",
    "ShipmentManifestationCancelled",
];

const COLLECTION_CANCELLED: [&str; 2] = [
    "CollectionBookingCancellationStarted",
    "CollectionBookingCancelled",
];

/// What carriers answer.
const MANIFESTED: &str = "LegManifestedByCarrier";
const LEG_CANCELLED: &str = "LegCancelledByCarrier";
const COLLECTION_UNDONE: (&str, &str) = ("collection/cancel", "CollectionCancelledByCarrier");
/// A request that was cancelled before its answer.
const NOTHING: &str = "";

/// What the carriers of a shipment with one leg have answered, when the booking came to this.
fn one_leg_undone(booking: &'static str) -> [(&'static str, &'static str); 4] {
    [
        ("leg/1", MANIFESTED),
        ("collection", booking),
        COLLECTION_UNDONE,
        ("leg/1/cancel", LEG_CANCELLED),
    ]
}

fn ledger(id: &str, answers: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    let entries = answers.iter().flat_map(|(key, answer)| {
        let events = ["CarrierRequestReceived", answer].into_iter();
        let events = events.filter(|event| *event != NOTHING);
        events.map(move |event| (format!("{id}/{key}"), event))
    });
    entries.collect()
}

/// A stream of a shipment with so many legs that succeeds, up to an event, and then these.
fn behind(
    legs: usize,
    kind: &'static str,
    event: &str,
    more: &[&'static str],
) -> (&'static str, Vec<Vec<&'static str>>) {
    let succeeding = Shipment {
        legs,
        ending: Ending::Success,
        in_time: true,
    };
    let mut stream = succeeding.stream(kind);
    let end = stream.iter().rposition(|name| *name == event).unwrap();
    stream.truncate(end + 1);
    stream.extend(more);
    (kind, vec![stream])
}

/// A shipment that is started with a leg for each of these carriers.
fn started(id: &str, carriers: &[&str]) -> Case {
    let leg = |carrier: &&str| {
        json!({
            "carrierId": carrier,
            "sender": "Ada",
            "receiver": "Charles",
            "collection": "Berlin",
        })
    };
    let body = json!({
        "shipmentId": id,
        "legs": carriers.iter().map(leg).collect::<Vec<_>>(),
        "collectionDate": "2024-05-27",
        "timeZone": "Europe/Berlin",
    });
    Case {
        id: id.to_owned(),
        settings: vec![],
        has_slow_carriers: false,
        acts: vec![Act::starting("/shipments".to_owned(), Some(body))],
        streams: [].into(),
        ledger: vec![],
        status: "failed",
        waits_for: vec![],
        is_golden: false,
    }
}

/// A shipment with so many legs that its user cancels, before carriers answer what they were asked last.
fn cancelled(id: &str, legs: usize, when: When) -> Case {
    let mut case = started(id, &[USUAL].repeat(legs));
    case.acts.push(Act {
        when,
        method: "POST",
        path: format!("/shipments/{id}/cancel"),
        body: Some(json!({ "reason": "sent twice" })),
        status: 200,
        idempotency_key: Some(format!("cancel {id}")),
    });
    Case {
        has_slow_carriers: true,
        status: "cancelled",
        ..case
    }
}
