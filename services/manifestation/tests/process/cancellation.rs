//! Legs are cancelled with their carriers, the last one first, and may be manifested anew.

use contracts::Round;
use contracts::carrier::{
    CancelLegWithCarrier, CarrierCommand, LegCancellationRejectedByCarrier, LegCancelledByCarrier,
    LegManifestationRejectedByCarrier, ManifestLegWithCarrier,
};
use contracts::manifestation::*;
use contracts::shipment::{Failure, StepRetried, StepTimedOut, Undo, Undone};
use jiff::SignedDuration;
use manifestation::ShipmentManifestation;
use testkit::{given, patience};

use crate::fixtures::*;

const IN_5_MINUTES: &str = "1970-01-01T00:05:00Z";

fn cancel(round: u32) -> CancelShipmentManifestation {
    CancelShipmentManifestation(Undo {
        shipment_id: id(),
        round: Round(round),
    })
}

fn undone(round: u32) -> Undone {
    Undone {
        round: Round(round),
    }
}

fn cancellation_started() -> ShipmentEvent {
    ShipmentManifestationCancellationStarted(undone(0)).into()
}

fn cancelling(position: u32) -> ShipmentEvent {
    ShipmentLegManifestationCancellationStarted(LegToCancel { position }).into()
}

fn leg_cancelled(position: u32) -> ShipmentEvent {
    ShipmentLegManifestationCancelled(LegToCancel { position }).into()
}

fn not_cancelled(position: u32) -> ShipmentEvent {
    ShipmentLegManifestationCancellationFailed {
        position,
        failure: "the van has left".to_owned(),
    }
    .into()
}

fn cancelled(round: u32) -> ShipmentEvent {
    ShipmentManifestationCancelled(undone(round)).into()
}

fn cancellation_failed(why: &str) -> ShipmentEvent {
    let failure = Failure::because(format!("ShipmentManifestationCancellation: {why}"));
    ShipmentManifestationCancellationFailed(failure).into()
}

fn request(key: &str, position: u32) -> CarrierCommand {
    CancelLegWithCarrier {
        idempotency_key: key.to_owned(),
        cancels: format!("S1/leg/{position}"),
        shipment_id: id(),
        carrier_id: leg(u128::from(position)).carrier_id,
        position,
    }
    .into()
}

fn agrees(position: u32) -> LegCancelledByCarrier {
    LegCancelledByCarrier {
        idempotency_key: format!("S1/leg/{position}/cancel"),
        position,
    }
}

fn refuses(position: u32) -> LegCancellationRejectedByCarrier {
    LegCancellationRejectedByCarrier {
        idempotency_key: format!("S1/leg/{position}/cancel"),
        position,
        failure: "the van has left".to_owned(),
    }
}

fn in_round_1(count: u128) -> PlannedShipment {
    PlannedShipment {
        round: Round(1),
        ..planned(count)
    }
}

#[test]
fn legs_are_cancelled_from_the_last_to_the_first() {
    given(process(), both_manifested())
        .when(cancel(0))
        .then([cancellation_started(), cancelling(2)])
        .sends([request("S1/leg/2/cancel", 2)])
        .waits_until(&[("ShipmentLegManifestationCancellation-2", IN_5_MINUTES)])
        .and_when(agrees(2))
        .then([leg_cancelled(2), cancelling(1)])
        .sends([request("S1/leg/1/cancel", 1)])
        .and_when(agrees(1))
        .then([leg_cancelled(1), cancelled(0)])
        .waits_until(&[])
        .and_refused(agrees(1), "cancelled already")
        .and_refused(answer(1), "no longer waits");
}

#[test]
fn only_the_leg_that_was_taken_is_cancelled_when_the_second_is_refused() {
    given(
        process(),
        [
            initialized(2),
            leg_started(1),
            leg_manifested(1),
            leg_started(2),
        ],
    )
    .when(LegManifestationRejectedByCarrier {
        idempotency_key: "S1/leg/2".to_owned(),
        position: 2,
        failure: "no room".to_owned(),
    })
    .then([
        ShipmentLegManifestationFailed {
            position: 2,
            failure: "no room".to_owned(),
            may_be_manifested: false,
        }
        .into(),
        manifestation_failed("ShipmentManifestation: leg 2: no room", vec![1]),
    ])
    .and_when(cancel(0))
    .then([cancellation_started(), cancelling(1)])
    .sends([request("S1/leg/1/cancel", 1)]);
}

#[test]
fn a_leg_whose_carrier_was_asked_and_has_not_answered_is_cancelled_too() {
    given(process(), [initialized(1)])
        .when(ManifestShipment(planned(1)))
        .and_when(cancel(0))
        .then([cancellation_started(), cancelling(1)])
        .waits_until(&[("ShipmentLegManifestationCancellation-1", IN_5_MINUTES)])
        // Its answer, which was on the way, comes too late.
        .and_refused(answer(1), "no longer waits")
        .and_when(agrees(1))
        .then([leg_cancelled(1), cancelled(0)]);
}

#[test]
fn a_cancellation_that_overtakes_the_request_leaves_nothing_to_manifest() {
    given(process(), [])
        .when(cancel(0))
        .then([cancelled(0)])
        .sends([])
        .and_refused(CreateShipment(planned(1)), "was cancelled")
        .and_refused(
            GenerateShipmentLabels(manifested_shipment()),
            "was cancelled",
        );
}

#[test]
fn whoever_asks_for_what_was_cancelled_hears_that_it_will_not_come() {
    given(process(), [])
        .when(cancel(0))
        .and_when(ManifestShipment(planned(1)))
        .then([manifestation_failed(
            "ShipmentManifestation: it was cancelled",
            vec![],
        )])
        .sends([])
        .and_when(cancel(0))
        .then([cancelled(0)]);
}

#[test]
fn a_cancellation_of_a_round_that_was_never_manifested_keeps_the_legs() {
    given(process(), both_manifested())
        .when(cancel(9))
        .is_refused("nothing was manifested in round 9");
}

#[test]
fn a_leg_that_is_not_cancelled_does_not_keep_the_others_from_it() {
    given(process(), both_manifested())
        .when(cancel(0))
        .and_when(refuses(2))
        .then([not_cancelled(2), cancelling(1)])
        .and_when(agrees(1))
        .then([
            leg_cancelled(1),
            cancellation_failed("leg 2: the van has left"),
        ])
        // Asked once more, only what is left is asked for, under a key of its own.
        .and_when(cancel(0))
        .then([cancellation_started(), cancelling(2)])
        .sends([request("S1/leg/2/cancel/2", 2)]);
}

#[test]
fn a_carrier_that_agrees_after_all_ends_the_cancellation() {
    given(
        process(),
        [initialized(1), leg_started(1), leg_manifested(1)],
    )
    .when(cancel(0))
    .and_when(refuses(1))
    .then([
        not_cancelled(1),
        cancellation_failed("leg 1: the van has left"),
    ])
    .and_refused(refuses(1), "is over")
    .and_when(agrees(1))
    .then([leg_cancelled(1), cancelled(0)]);
}

#[test]
fn a_silent_carrier_is_asked_again_under_the_same_key() {
    let patient = || ShipmentManifestation {
        carrier: patience(SignedDuration::from_mins(5), 1),
        ..process()
    };
    let step = || "ShipmentLegManifestation-1".to_owned();
    let timed_out = || -> ShipmentEvent {
        StepTimedOut {
            step: step(),
            attempt: 1,
        }
        .into()
    };
    let retried = || -> ShipmentEvent {
        StepRetried {
            step: step(),
            attempt: 1,
        }
        .into()
    };
    given(patient(), [initialized(1), leg_started(1)])
        .when_deadline_passes("ShipmentLegManifestation-1")
        .then([timed_out()])
        .waits_until(&[("ShipmentLegManifestation-1/retry", "1970-01-01T00:00:01Z")]);
    given(patient(), [initialized(1), leg_started(1), timed_out()])
        .when_deadline_passes("ShipmentLegManifestation-1/retry")
        .then([retried()])
        .sends([ManifestLegWithCarrier {
            idempotency_key: "S1/leg/1".to_owned(),
            shipment_id: id(),
            position: 1,
            leg: leg(1),
        }
        .into()]);
    given(
        patient(),
        [initialized(1), leg_started(1), timed_out(), retried()],
    )
    .when_deadline_passes("ShipmentLegManifestation-1")
    .then([
        ShipmentLegManifestationFailed {
            position: 1,
            failure: "the carrier did not answer in time".to_owned(),
            may_be_manifested: true,
        }
        .into(),
        manifestation_failed(
            "ShipmentManifestation: leg 1: the carrier did not answer in time",
            vec![1],
        ),
    ]);
}

#[test]
fn a_later_round_is_manifested_anew_under_keys_of_its_own() {
    let mut history = both_manifested();
    history.extend([
        cancellation_started(),
        cancelling(2),
        leg_cancelled(2),
        cancelling(1),
        leg_cancelled(1),
        cancelled(0),
    ]);
    let again = given(process(), history)
        .when(ManifestShipment(in_round_1(1)))
        .then([
            ShipmentReplanned {
                legs: legs(1),
                round: Round(1),
            }
            .into(),
            ShipmentLegManifestationStarted {
                position: 1,
                round: Round(1),
            }
            .into(),
        ])
        .sends([ManifestLegWithCarrier {
            idempotency_key: "S1/leg/1/round/1".to_owned(),
            shipment_id: id(),
            position: 1,
            leg: leg(1),
        }
        .into()]);
    // What belongs to the round before is late, whenever it comes.
    again
        .and_refused(answer(1), "no longer waits")
        .and_refused(cancel(0), "begun anew meanwhile")
        .and_refused(ManifestShipment(planned(2)), "begun anew meanwhile")
        .and_refused(agrees(1), "no cancellation of leg 1");
}

#[test]
fn whoever_asks_again_gets_the_answer_again() {
    given(process(), both_manifested())
        .when(ManifestShipment(planned(2)))
        .then([manifested(2)])
        .sends([]);
    given(process(), [])
        .when(cancel(0))
        .and_when(cancel(0))
        .then([cancelled(0)]);
}

#[test]
fn no_invoice_is_generated_of_legs_that_were_amended_meanwhile() {
    for history in [vec![initialized(2)], vec![]] {
        given(process(), history)
            .when(ManifestShipment(in_round_1(1)))
            .and_refused(GenerateCustomsInvoice(planned(2)), "begun anew meanwhile");
    }
}
