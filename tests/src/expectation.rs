//! What must become of a shipment: its status, its streams, and what carriers do for it.
//!
//! The one place that says it, for the checks of a whole log and of what is answered over HTTP. An
//! ending that is new is added here.

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
        let histories = KINDS.map(|kind| {
            let undisturbed = undisturbed(id, kind);
            let mut right = vec![undisturbed.clone()];
            if examples::ending(id) == Ending::BookedLate {
                let overtaken = without_refusal(&undisturbed);
                // The carriers themselves always refuse first.
                if kind != "Carrier" && overtaken != undisturbed {
                    right.push(overtaken);
                }
            }
            (kind, right)
        });
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

/// The public events of a stream; of the carriers too, of which the examples do not tell.
fn undisturbed(id: &str, kind: &str) -> Vec<&'static str> {
    if kind != "Carrier" {
        return examples::expected_stream(id, kind);
    }
    const ASKED: &str = "CarrierRequestReceived";
    let ending = examples::ending(id);
    if ending == Ending::ManifestationFails {
        return vec![ASKED, "LegManifestationRejectedByCarrier"];
    }
    let mut events = [ASKED, "LegManifestedByCarrier"].repeat(legs(id));
    events.push(ASKED);
    if ending != Ending::Success {
        events.push("CollectionBookingRejectedByCarrier");
    }
    if ending != Ending::BookingFails {
        events.push("CollectionBookedByCarrier");
    }
    events
}

/// A refusal that comes behind the late booking is no longer of interest.
fn without_refusal(events: &[&'static str]) -> Vec<&'static str> {
    let refusals = [
        "CollectionBookingSubprocessFailed",
        "CollectionBookingFailed",
        "ShipmentProcessFailed",
    ];
    let mut events = events.to_vec();
    events.retain(|event| !refusals.contains(event));
    events
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
    let legs = (1..=legs(id)).map(|position| (leg(position), Effect::LegManifested));
    legs.chain([(format!("{id}/collection"), booking)])
        .collect()
}

fn legs(id: &str) -> usize {
    if examples::is_domestic(id) { 1 } else { 2 }
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
