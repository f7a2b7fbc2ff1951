//! What must become of a shipment by its id: its status, its streams, and what carriers do for it.
//!
//! The one place that says it, for the checks of a whole log and of what is answered over HTTP. An
//! ending that is new is added here.

use std::collections::BTreeMap;

use crate::examples::{self, Ending};
use crate::histories::first_illegal;

/// What ids end with whose shipments have two legs, the second with a carrier that refuses it.
pub const SECOND_LEG_REFUSED: &str = "_REFUSED";

/// What ids end with whose shipments succeed, and which someone cancels.
pub const CANCELLED: &str = "_CANCELLED";

/// The kinds of a shipment's streams.
pub const KINDS: [&str; 4] = ["Process", "Shipment", "Collection", "Carrier"];

/// What a carrier has come to with one thing that it was asked for, whatever it answered on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It takes the leg.
    LegManifested,
    /// It does not.
    LegRejected,
    /// It collects the parcel.
    CollectionBooked,
    /// It does not.
    CollectionRejected,
    /// It was asked to give up what it had taken or was about to take, and did.
    Undone,
}

/// What carriers must have done for a shipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effects {
    /// Exactly these, by the keys of what they were asked.
    Exactly(BTreeMap<String, Effect>),
    /// Whatever they did, it is undone.
    NoneLeft,
}

/// The histories of a stream that are right, as public events in the order of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Histories {
    /// Any of these, the undisturbed one first. Where messages may overtake each other, there are several.
    OneOf(Vec<Vec<&'static str>>),
    /// Any that is legal, and ends with this event.
    EndingWith(&'static str),
    /// Any that is legal.
    Legal,
}

impl Histories {
    /// Whether this one of a kind of streams is right.
    #[must_use]
    pub fn allow(&self, kind: &str, history: &[&str]) -> bool {
        if first_illegal(kind, history).is_some() {
            return false;
        }
        match self {
            Self::OneOf(right) => right.iter().any(|one| one == history),
            Self::EndingWith(last) => history.last() == Some(last),
            Self::Legal => true,
        }
    }
}

/// What must have become of a shipment once everything has ended.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What a person calls it.
    pub name: &'static str,
    /// The status of its process.
    pub status: &'static str,
    /// The public event of its process with which it has ended.
    pub last_event: &'static str,
    /// What carriers have done.
    pub effects: Effects,
    /// The stream of each kind.
    histories: BTreeMap<&'static str, Histories>,
}

impl Expectation {
    /// What an id says, as the specification reads it.
    #[must_use]
    pub fn of(id: &str) -> Self {
        if id.ends_with(CANCELLED) {
            return Self::cancelled();
        }
        if id.ends_with(SECOND_LEG_REFUSED) {
            return Self::second_leg_refused(id);
        }
        let shipment = examples::demonstration(id);
        let status = shipment.status();
        let last_event = match status {
            "completed" => "ShipmentProcessCompleted",
            _ => "ShipmentProcessFailed",
        };
        let name = match shipment.ending {
            Ending::Success => "success",
            Ending::ManifestationFails => "manifestation fails",
            Ending::BookingFails => "booking fails",
            Ending::BookedLate => "booked late",
        };
        let one_of = |kind| (kind, Histories::OneOf(shipment.streams(kind)));
        Self {
            name,
            status,
            last_event,
            effects: effects(id),
            histories: KINDS.map(one_of).into(),
        }
    }

    /// Whatever was done when it was cancelled is undone.
    fn cancelled() -> Self {
        const LAST: &str = "ShipmentProcessCancelled";
        let histories = KINDS.map(|kind| match kind {
            "Process" => (kind, Histories::EndingWith(LAST)),
            kind => (kind, Histories::Legal),
        });
        Self {
            name: "cancelled",
            status: "cancelled",
            last_event: LAST,
            effects: Effects::NoneLeft,
            histories: histories.into(),
        }
    }

    /// The first leg is taken, the second is not, and so the first is given up.
    fn second_leg_refused(id: &str) -> Self {
        let effect = |leg: u32, effect| (format!("{id}/leg/{leg}"), effect);
        let effects = [effect(1, Effect::Undone), effect(2, Effect::LegRejected)];
        let one_of = |kind| (kind, Histories::OneOf(vec![with_second_leg_refused(kind)]));
        Self {
            name: "second leg refused",
            status: "failed",
            last_event: "ShipmentProcessCompensationCompleted",
            effects: Effects::Exactly(effects.into()),
            histories: KINDS.map(one_of).into(),
        }
    }

    /// The histories of one kind of stream that are right.
    ///
    /// # Panics
    /// When there is no such kind.
    #[must_use]
    pub fn histories(&self, kind: &str) -> &Histories {
        &self.histories[kind]
    }

    /// The history of one kind of stream when nothing was disturbed.
    ///
    /// # Panics
    /// When there is no such kind, or no such history.
    #[must_use]
    pub fn undisturbed(&self, kind: &str) -> &[&'static str] {
        match self.histories(kind) {
            Histories::OneOf(right) => &right[0],
            Histories::EndingWith(_) | Histories::Legal => panic!("{kind} has many histories"),
        }
    }
}

fn with_second_leg_refused(kind: &str) -> Vec<&'static str> {
    match kind {
        "Process" => vec![
            "ShipmentProcessStarted",
            "ManifestationAndDocumentsStarted",
            "CustomsInvoiceGenerationStarted",
            "CustomsInvoiceGenerationCompleted",
            "ShipmentManifestationStarted",
            "ShipmentManifestationFailed",
            "ManifestationAndDocumentsFailed",
            "ShipmentProcessFailed",
            "ShipmentProcessCompensationStarted",
            "ShipmentManifestationCancellationStarted",
            "ShipmentManifestationCancellationCompleted",
            "ShipmentProcessCompensationCompleted",
        ],
        "Shipment" => vec![
            "ShipmentInitialized",
            "CustomsInvoiceGenerated",
            "ShipmentLegManifestationStarted",
            "ShipmentLegManifested",
            "ShipmentLegManifestationStarted",
            "ShipmentLegManifestationFailed",
            "ShipmentManifestationFailed",
            "ShipmentManifestationCancellationStarted",
            "ShipmentLegManifestationCancellationStarted",
            "ShipmentLegManifestationCancelled",
            "ShipmentManifestationCancelled",
        ],
        "Carrier" => vec![
            "CarrierRequestReceived",
            "LegManifestedByCarrier",
            "CarrierRequestReceived",
            "LegManifestationRejectedByCarrier",
            "CarrierRequestReceived",
            "LegCancelledByCarrier",
        ],
        _ => vec![],
    }
}

fn effects(id: &str) -> Effects {
    let leg = |position: usize| format!("{id}/leg/{position}");
    let shipment = examples::demonstration(id);
    let booking = match shipment.ending {
        Ending::ManifestationFails => {
            return Effects::Exactly([(leg(1), Effect::LegRejected)].into());
        }
        Ending::BookingFails => Effect::CollectionRejected,
        Ending::Success | Ending::BookedLate => Effect::CollectionBooked,
    };
    let legs = (1..=shipment.legs).map(|position| (leg(position), Effect::LegManifested));
    let booking = (format!("{id}/collection"), booking);
    Effects::Exactly(legs.chain([booking]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_booking_may_overtake_the_refusal_and_nothing_else_may() {
        for id in examples::IDS {
            let late = examples::ending(id) == Ending::BookedLate;
            let expectation = Expectation::of(id);
            let right = KINDS.map(|kind| match expectation.histories(kind) {
                Histories::OneOf(right) => right.len(),
                Histories::EndingWith(_) | Histories::Legal => panic!("{id}-{kind}"),
            });
            let expected = if late { [2, 1, 2, 1] } else { [1; 4] };
            assert_eq!(right, expected, "{id}");
        }
    }

    #[test]
    fn each_ending_has_its_effects() {
        let effects = |id| match Expectation::of(id).effects {
            Effects::Exactly(effects) => effects.into_values().collect(),
            Effects::NoneLeft => Vec::new(),
        };
        let (manifested, rejected) = (Effect::LegManifested, Effect::LegRejected);
        assert_eq!(effects("12EEQ9CS9K11"), [rejected]);
        let refused = Effect::CollectionRejected;
        assert_eq!(effects("12EEQ9CS9K12"), [refused, manifested]);
        let booked = Effect::CollectionBooked;
        assert_eq!(effects("V74YCBYHC8A3"), [booked, manifested, manifested]);
        assert_eq!(effects("V1_REFUSED"), [Effect::Undone, rejected]);
        assert_eq!(effects("V1_CANCELLED"), []);
    }

    #[test]
    fn what_is_cancelled_may_have_any_legal_history_that_ends_so() {
        let expectation = Expectation::of("11_CANCELLED");
        let process = expectation.histories("Process");
        let cancelled = [
            "ShipmentProcessStarted",
            "ManifestationAndDocumentsStarted",
            "ShipmentManifestationStarted",
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationStarted",
            "ShipmentManifestationCancellationStarted",
            "ShipmentManifestationCancellationCompleted",
            "ShipmentProcessCompensationCompleted",
            "ShipmentProcessCancelled",
        ];
        assert!(process.allow("Process", &cancelled));
        assert!(!process.allow("Process", &cancelled[..8]), "it goes on");
        assert!(!process.allow("Process", &[cancelled[0], cancelled[8]]));
        assert!(expectation.histories("Carrier").allow("Carrier", &[]));
    }

    #[test]
    fn a_second_leg_that_is_refused_is_a_legal_history() {
        let expectation = Expectation::of("V1_REFUSED");
        for kind in KINDS {
            let right = expectation.undisturbed(kind);
            assert!(expectation.histories(kind).allow(kind, right), "{kind}");
        }
    }
}
