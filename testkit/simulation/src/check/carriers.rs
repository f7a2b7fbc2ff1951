//! The carriers: each thing that was asked for is done once, what is cancelled stays so, and everyone knows
//! the same numbers.

use std::collections::{BTreeMap, BTreeSet};

use event_store::{Entry, Visibility};
use serde_json::Value;

use super::History;

/// What stands in a carrier's books under a key.
#[derive(Debug, Default)]
struct Effect {
    /// The number that the carrier gave, or will give when it answers.
    number: Option<String>,
    cancelled: bool,
    answers: usize,
}

/// What the carriers have done for one shipment.
#[derive(Debug, Default)]
pub(super) struct Books {
    effects: BTreeMap<String, Effect>,
}

impl Books {
    /// The numbers of legs that are manifested, in the order of their keys, and of collections that are
    /// booked.
    pub(super) fn standing(&self) -> (Vec<String>, Vec<String>) {
        let (mut legs, mut collections) = (Vec::new(), Vec::new());
        for (key, effect) in &self.effects {
            if let (Some(number), false) = (&effect.number, effect.cancelled) {
                let kind = if key.contains("/leg/") {
                    &mut legs
                } else {
                    &mut collections
                };
                kind.push(number.clone());
            }
        }
        (legs, collections)
    }

    /// Reads the books of a shipment, and says what does not hold in them.
    pub(super) fn of(history: &History<'_>, shipment: &str, broken: &mut Vec<String>) -> Self {
        let mut books = Self::default();
        for entry in history.stream("Carrier", shipment) {
            if entry.content.metadata.visibility == Visibility::Public {
                books.enter(&entry.content.type_name, &data(entry), broken);
            }
        }
        books
    }

    fn enter(&mut self, name: &str, data: &Value, broken: &mut Vec<String>) {
        let Some(key) = data["idempotencyKey"].as_str() else {
            broken.push(format!("{name} without a key"));
            return;
        };
        if name == "CarrierRequestReceived" {
            self.receive(key, data, broken);
            return;
        }
        let Some(effect) = self.effects.get_mut(key) else {
            broken.push(format!("{key} is answered, and was never taken in: {name}"));
            return;
        };
        effect.answers += 1;
        let number = match name {
            "LegManifestedByCarrier" => &data["trackingNumber"],
            "CollectionBookedByCarrier" => &data["bookingReference"],
            _ => return,
        };
        if effect.cancelled {
            broken.push(format!("{key} is cancelled, and done all the same"));
        }
        // A collection may be booked after it was refused.
        let before = effect.number.get_or_insert_with(|| text(number));
        if *before != text(number) {
            broken.push(format!("{key} has two effects"));
        }
    }

    fn receive(&mut self, key: &str, data: &Value, broken: &mut Vec<String>) {
        let answer = &data["answer"];
        let number = [&answer["trackingNumber"], &answer["bookingReference"]]
            .into_iter()
            .find(|number| number.is_string())
            .map(text);
        let effect = Effect {
            number,
            ..Effect::default()
        };
        if self.effects.insert(key.to_owned(), effect).is_some() {
            broken.push(format!(
                "{key} is taken in twice, or after it was cancelled"
            ));
        }
        let agreed = ["legCancelled", "collectionCancelled"].map(Value::from);
        if let (Some(cancelled), true) = (
            data["cancels"].as_str(),
            agreed.contains(&answer["outcome"]),
        ) {
            self.effects
                .entry(cancelled.to_owned())
                .or_default()
                .cancelled = true;
        }
    }
}

/// Everything that was asked for was taken in, or cancelled before it came; and nothing else was.
pub(super) fn did_what_was_asked(history: &History<'_>, broken: &mut Vec<String>) {
    let asked = asked(history);
    let mut known = BTreeSet::new();
    let mut numbers = BTreeMap::new();
    let shipments = history
        .kinds
        .get("Carrier")
        .into_iter()
        .flat_map(|s| s.keys());
    for shipment in shipments {
        let books = Books::of(history, shipment, broken);
        for (key, effect) in books.effects {
            if let Some(number) = effect.number
                && let Some(other) = numbers.insert(number, key.clone())
            {
                broken.push(format!("{other} and {key} have the same number"));
            }
            known.insert(key);
        }
    }
    for key in asked.symmetric_difference(&known) {
        broken.push(format!(
            "{key} was asked for or is in the books, but not both"
        ));
    }
    let given = |shipment: &str, number: &Value| {
        let key = number.as_str().and_then(|number| numbers.get(number));
        key.is_some_and(|key| key.split('/').next() == Some(shipment))
    };
    for entry in history.entries() {
        let data = data(entry);
        let shipment = entry.stream.instance();
        let same = match entry.content.type_name.as_str() {
            "ShipmentLegManifested" => given(shipment, &data["trackingNumber"]),
            "ShipmentManifested" | "ShipmentManifestationCompleted" => {
                let legs = data["manifestedLegs"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice);
                let mut places = legs.iter().zip(1..);
                places.all(|(leg, at)| {
                    leg["position"] == at && given(shipment, &leg["trackingNumber"])
                })
            }
            "CollectionBooked" | "CollectionBookingCompleted" => {
                given(shipment, &data["bookingReference"])
            }
            _ => true,
        };
        if !same {
            let name = &entry.content.type_name;
            broken.push(format!(
                "{shipment}: {name} has numbers that no carrier gave: {data}"
            ));
        }
    }
}

/// The keys of everything that carriers were asked for.
fn asked(history: &History<'_>) -> BTreeSet<String> {
    let commands = history
        .entries()
        .flat_map(|entry| &entry.content.metadata.commands);
    commands
        .filter_map(|command| {
            let data: Value = serde_json::from_str(command.data.get()).ok()?;
            data["idempotencyKey"].as_str().map(str::to_owned)
        })
        .collect()
}

fn data(entry: &Entry) -> Value {
    serde_json::from_str(entry.content.data.get()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
