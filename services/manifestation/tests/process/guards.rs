//! The complete table of guards, held against the one that people read.

use contracts::Round;
use contracts::carrier::{
    LegCancellationRejectedByCarrier, LegCancelledByCarrier, LegManifestationRejectedByCarrier,
};
use contracts::manifestation::*;
use contracts::shipment::Undo;
use jiff::SignedDuration;
use manifestation::{Input, ShipmentManifestation};
use testkit::{given, guards, hold_against, patience};

use crate::fixtures::*;

fn patient() -> ShipmentManifestation {
    ShipmentManifestation {
        carrier: patience(SignedDuration::from_mins(5), 1),
        ..process()
    }
}

/// The history, and what an input adds to it.
fn and(mut history: Vec<ShipmentEvent>, input: impl Into<Input>) -> Vec<ShipmentEvent> {
    let more = given(patient(), history.clone()).when(input);
    history.extend(more.events());
    history
}

fn cancel() -> CancelShipmentManifestation {
    CancelShipmentManifestation(Undo {
        shipment_id: id(),
        round: Round::FIRST,
    })
}

fn rejected() -> LegManifestationRejectedByCarrier {
    LegManifestationRejectedByCarrier {
        idempotency_key: "S1/leg/1".to_owned(),
        position: 1,
        failure: "no room".to_owned(),
    }
}

fn agrees(position: u32) -> LegCancelledByCarrier {
    LegCancelledByCarrier {
        idempotency_key: format!("S1/leg/{position}/cancel"),
        position,
    }
}

fn refuses() -> LegCancellationRejectedByCarrier {
    LegCancellationRejectedByCarrier {
        idempotency_key: "S1/leg/1/cancel".to_owned(),
        position: 1,
        failure: "the van has left".to_owned(),
    }
}

#[test]
fn the_table_that_people_read_is_what_the_process_does() {
    let waiting = || vec![initialized(2), leg_started(1)];
    let second = and(waiting(), answer(1));
    let cancelling = and(and(both_manifested(), cancel()), agrees(2));
    let states = [
        ("Nothing has come", vec![]),
        ("Taken in", vec![initialized(2)]),
        ("Waits for the carrier of leg 1", waiting()),
        ("Waits for the carrier of leg 2", second),
        ("Manifested", both_manifested()),
        ("Failed", and(waiting(), rejected())),
        (
            "Is being cancelled: leg 1, the last one left",
            cancelling.clone(),
        ),
        ("Cancelled", and(cancelling.clone(), agrees(1))),
        ("Not cancelled", and(cancelling, refuses())),
    ];
    let inputs: Vec<Input> = vec![
        CreateShipment(planned(2)).into(),
        GenerateCustomsInvoice(planned(2)).into(),
        ManifestShipment(planned(2)).into(),
        GenerateShipmentLabels(manifested_shipment()).into(),
        GenerateShipmentReceipt(manifested_shipment()).into(),
        GenerateCombinedDocument(manifested_shipment()).into(),
        cancel().into(),
        answer(1).into(),
        rejected().into(),
        agrees(1).into(),
        refuses().into(),
    ];
    let table = guards(
        "manifestation",
        patient,
        &states,
        &inputs,
        &[
            "ShipmentLegManifestation-1",
            "ShipmentLegManifestation-1/retry",
            "ShipmentLegManifestationCancellation-1",
            "ShipmentLegManifestationCancellation-1/retry",
        ],
    );
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guards/manifestation.md"
    );
    hold_against(file, &table);
}
