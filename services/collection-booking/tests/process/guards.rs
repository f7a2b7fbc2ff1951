//! The complete table of guards, held against the one that people read.

use collection_booking::{CollectionBooking, Input};
use contracts::Round;
use contracts::carrier::{CollectionCancellationRejectedByCarrier, CollectionCancelledByCarrier};
use contracts::collection::*;
use contracts::shipment::Undo;
use jiff::SignedDuration;
use testkit::{given, guards, hold_against, patience};

use crate::fixtures::*;

fn patient() -> CollectionBooking {
    CollectionBooking {
        carrier: patience(SignedDuration::from_mins(15), 1),
        ..process(false)
    }
}

/// The history, and what an input adds to it.
fn and(mut history: Vec<CollectionEvent>, input: impl Into<Input>) -> Vec<CollectionEvent> {
    let more = given(patient(), history.clone()).when(input);
    history.extend(more.events());
    history
}

fn cancel() -> CancelCollectionBooking {
    CancelCollectionBooking(Undo {
        shipment_id: request(27).shipment_id,
        round: Round::FIRST,
    })
}

fn agrees() -> CollectionCancelledByCarrier {
    CollectionCancelledByCarrier {
        idempotency_key: "S1/collection/cancel".to_owned(),
    }
}

fn refuses() -> CollectionCancellationRejectedByCarrier {
    CollectionCancellationRejectedByCarrier {
        idempotency_key: "S1/collection/cancel".to_owned(),
        failure: "the van has left".to_owned(),
    }
}

#[test]
fn the_table_that_people_read_is_what_the_process_does() {
    let scheduled = || vec![initialized(27), scheduled(EVENING)];
    let mut with_carrier = scheduled();
    with_carrier.push(asked());
    let done = and(with_carrier.clone(), booked());
    let cancelling = and(with_carrier.clone(), cancel());
    let was_booked = and(done.clone(), cancel());
    let mut silent = cancelling.clone();
    silent.push(
        CollectionBookingCancellationFailed {
            failure: "CollectionBookingCancellation: silence".to_owned(),
            round: Round::FIRST,
            refused: false,
        }
        .into(),
    );
    let refused = and(cancelling.clone(), refuses());
    let states = [
        ("Nothing has come", vec![]),
        ("Waits for the time to book", scheduled()),
        ("Waits for the carrier", with_carrier.clone()),
        ("Booked", done),
        ("Failed", and(with_carrier, rejected())),
        (
            "Is being cancelled, before the carrier has booked",
            cancelling.clone(),
        ),
        ("Is being cancelled, and was booked", was_booked),
        ("Cancelled", and(cancelling, agrees())),
        ("Not cancelled: the carrier has not answered", silent),
        ("Not cancelled: the carrier has refused", refused.clone()),
        (
            "Booked, and the carrier has refused to cancel it",
            and(refused, booked()),
        ),
    ];
    let inputs: Vec<Input> = vec![
        CreateCollectionBooking(request(27)).into(),
        cancel().into(),
        booked().into(),
        rejected().into(),
        agrees().into(),
        refuses().into(),
    ];
    let table = guards(
        "collection-booking",
        patient,
        &states,
        &inputs,
        &[
            "CollectionBooking",
            "CollectionBookingWithCarrier",
            "CollectionBookingWithCarrier/retry",
            "CollectionBookingCancellation",
            "CollectionBookingCancellation/retry",
        ],
    );
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guards/collection-booking.md"
    );
    hold_against(file, &table);
}
