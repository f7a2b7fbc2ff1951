//! What must become of a demonstration by its id: its status, its streams, and what carriers do for it.

use std::collections::BTreeMap;

use crate::examples::{self, Ending};

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
}

/// What must have become of a shipment once everything has ended.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The status of its process.
    pub status: &'static str,
    /// The public event of its process with which it has ended.
    pub last_event: &'static str,
    /// What carriers have done, by the keys of what they were asked.
    pub effects: BTreeMap<String, Effect>,
    /// The stream of each kind, as the public events in the order of versions. Where messages may
    /// overtake each other, several are right.
    histories: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
}

impl Expectation {
    /// What an id says, as the specification reads it.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let status = examples::final_status(id);
        let last_event = match status {
            "completed" => "ShipmentProcessCompleted",
            _ => "ShipmentProcessFailed",
        };
        let shipment = examples::demonstration(id);
        let histories = KINDS.map(|kind| (kind, shipment.streams(kind)));
        Self {
            status,
            last_event,
            effects: effects(id),
            histories: histories.into(),
        }
    }

    /// The histories of one kind of stream that are right, the undisturbed one first.
    ///
    /// # Panics
    /// When there is no such kind.
    #[must_use]
    pub fn histories(&self, kind: &str) -> &[Vec<&'static str>] {
        &self.histories[kind]
    }
}

fn effects(id: &str) -> BTreeMap<String, Effect> {
    let leg = |position: usize| format!("{id}/leg/{position}");
    let booking = match examples::ending(id) {
        Ending::ManifestationFails => {
            return BTreeMap::from([(leg(1), Effect::LegRejected)]);
        }
        Ending::BookingFails => Effect::CollectionRejected,
        Ending::Success | Ending::BookedLate => Effect::CollectionBooked,
    };
    let legs = (1..=examples::demonstration(id).legs)
        .map(|position| (leg(position), Effect::LegManifested));
    legs.chain([(format!("{id}/collection"), booking)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_booking_may_overtake_the_refusal_and_nothing_else_may() {
        for id in examples::IDS {
            let late = examples::ending(id) == Ending::BookedLate;
            let expectation = Expectation::of(id);
            let right = KINDS.map(|kind| expectation.histories(kind).len());
            let [process, shipment, collection, carrier] = right;
            assert_eq!((shipment, carrier), (1, 1), "{id}");
            let expected = if late { (2, 2) } else { (1, 1) };
            assert_eq!((process, collection), expected, "{id}");
        }
    }

    #[test]
    fn each_ending_has_its_effects() {
        let effects = |id| {
            Expectation::of(id)
                .effects
                .into_values()
                .collect::<Vec<_>>()
        };
        assert_eq!(effects("12EEQ9CS9K11"), [Effect::LegRejected]);
        let domestic = effects("12EEQ9CS9K12");
        assert_eq!(
            domestic,
            [Effect::CollectionRejected, Effect::LegManifested]
        );
        let international = effects("V74YCBYHC8A3");
        let manifested = Effect::LegManifested;
        let booked = Effect::CollectionBooked;
        assert_eq!(international, [booked, manifested, manifested]);
    }
}
