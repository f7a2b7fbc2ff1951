//! What carriers are asked, under which keys, and the steps that wait for their answers.

use contracts::carrier::{
    CancelLegWithCarrier, CarrierCommand, ManifestLegWithCarrier, cancellation_key,
};
use contracts::{Round, ShipmentId};

use crate::state::{Progress, State};

/// The step that waits for a carrier; the name of its deadline: a stored name.
pub(crate) fn step(progress: Progress) -> Option<String> {
    match progress {
        Progress::WaitsFor(position) => Some(leg_step(position)),
        Progress::Cancelling(position) => Some(cancellation_step(position)),
        Progress::NotStarted
        | Progress::Manifested
        | Progress::Failed
        | Progress::Cancelled
        | Progress::CancellationFailed => None,
    }
}

pub(crate) fn leg_step(position: u32) -> String {
    format!("ShipmentLegManifestation-{position}")
}

pub(crate) fn cancellation_step(position: u32) -> String {
    format!("ShipmentLegManifestationCancellation-{position}")
}

/// The key of the request to take a leg.
pub(crate) fn leg_key(id: &ShipmentId, round: Round, position: u32) -> String {
    round.key(&format!("{id}/leg/{position}"))
}

pub(crate) fn manifest_leg(state: &State, position: u32) -> Option<CarrierCommand> {
    let (id, leg) = (state.id()?, state.leg(position)?);
    Some(
        ManifestLegWithCarrier {
            idempotency_key: leg_key(id, state.round, position),
            shipment_id: id.clone(),
            position,
            leg: leg.clone(),
        }
        .into(),
    )
}

pub(crate) fn cancel_leg(state: &State, position: u32) -> Option<CarrierCommand> {
    let (id, leg) = (state.id()?, state.leg(position)?);
    let cancels = leg_key(id, state.round, position);
    Some(
        CancelLegWithCarrier {
            idempotency_key: cancellation_key(&cancels, state.cancellations),
            cancels,
            shipment_id: id.clone(),
            carrier_id: leg.carrier_id,
            position,
        }
        .into(),
    )
}
