//! A shipment, its legs, and what carriers say.

use contracts::carrier::{LegManifestedByCarrier, ManifestLegWithCarrier};
use contracts::manifestation::*;
use contracts::shipment::{Document, Leg, ManifestedLeg};
use contracts::{Round, ShipmentId};
use jiff::SignedDuration;
use manifestation::{Documents, ShipmentManifestation};
use testkit::patience;
use uuid::Uuid;

pub(crate) fn process() -> ShipmentManifestation {
    ShipmentManifestation {
        documents: Documents {
            base_url: "https://documents".to_owned(),
        },
        carrier: patience(SignedDuration::from_mins(5), 0),
    }
}

pub(crate) fn id() -> ShipmentId {
    ShipmentId::parse("S1").unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn leg(n: u128) -> Leg {
    Leg {
        carrier_id: Uuid::from_u128(n),
        sender: format!("sender{n}"),
        receiver: format!("receiver{n}"),
        collection: format!("collection{n}"),
    }
}

pub(crate) fn legs(count: u128) -> Vec<Leg> {
    (1..=count).map(leg).collect()
}

pub(crate) fn planned(count: u128) -> PlannedShipment {
    PlannedShipment {
        shipment_id: id(),
        legs: legs(count),
        round: Round::FIRST,
    }
}

pub(crate) fn initialized(count: u128) -> ShipmentEvent {
    ShipmentInitialized {
        shipment_id: id(),
        legs: legs(count),
    }
    .into()
}

pub(crate) fn leg_started(position: u32) -> ShipmentEvent {
    ShipmentLegManifestationStarted {
        position,
        round: Round::FIRST,
    }
    .into()
}

pub(crate) fn leg_manifested(position: u32) -> ShipmentEvent {
    ShipmentLegManifested {
        position,
        tracking_number: format!("T{position}"),
    }
    .into()
}

pub(crate) fn manifested_legs(count: u32) -> Vec<ManifestedLeg> {
    (1..=count)
        .map(|position| ManifestedLeg {
            position,
            leg: leg(u128::from(position)),
            tracking_number: format!("T{position}"),
        })
        .collect()
}

pub(crate) fn manifested_shipment() -> ManifestedShipment {
    ManifestedShipment {
        shipment_id: id(),
        manifested_legs: manifested_legs(1),
        round: Round::FIRST,
    }
}

pub(crate) fn answer(position: u32) -> LegManifestedByCarrier {
    LegManifestedByCarrier {
        idempotency_key: format!("S1/leg/{position}"),
        position,
        tracking_number: format!("T{position}"),
    }
}

pub(crate) fn request(position: u32) -> ManifestLegWithCarrier {
    ManifestLegWithCarrier {
        idempotency_key: format!("S1/leg/{position}"),
        shipment_id: id(),
        position,
        leg: leg(u128::from(position)),
    }
}

pub(crate) fn manifestation_failed(failure: &str, legs_to_cancel: Vec<u32>) -> ShipmentEvent {
    ShipmentManifestationFailed {
        failure: failure.to_owned(),
        round: Round::FIRST,
        legs_to_cancel,
    }
    .into()
}

pub(crate) fn document(name: &str) -> Document {
    Document {
        address: format!("https://documents/S1/{name}"),
        round: Round::FIRST,
    }
}

pub(crate) fn manifested(count: u32) -> ShipmentEvent {
    ShipmentManifested {
        manifested_legs: manifested_legs(count),
        round: Round::FIRST,
    }
    .into()
}

/// Both legs of a shipment are manifested.
pub(crate) fn both_manifested() -> Vec<ShipmentEvent> {
    vec![
        initialized(2),
        leg_started(1),
        leg_manifested(1),
        leg_started(2),
        leg_manifested(2),
        manifested(2),
    ]
}
