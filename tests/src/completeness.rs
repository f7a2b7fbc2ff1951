//! Whether a log holds exactly what some shipments must have led to, and whether what is answered over
//! HTTP says the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::expectation::{Effect, Effects, Expectation, KINDS};
use crate::history::{Stored, snake_case};

/// Checks that the log holds exactly what these shipments must have led to: each stream's public
/// events, nothing twice, nothing parked, and one effect of each request of a carrier.
///
/// # Panics
/// When it does not.
pub fn assert_complete<'a>(entries: &[Stored], ids: impl IntoIterator<Item = &'a str>) {
    let faults = faults(entries, ids);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The same, as all that is wrong: empty where nothing is.
pub fn faults<'a>(entries: &[Stored], ids: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found = Faults::default();
    let mut streams: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    let mut unique = BTreeSet::new();
    for entry in entries {
        streams.entry(&entry.stream).or_default().push(entry);
        found.unless(unique.insert(&entry.id), || {
            format!("{}: the id {} is there twice", entry.stream, entry.id)
        });
    }
    for (stream, entries) in &streams {
        check_soundness(&mut found, stream, entries);
    }
    let ledger = Ledger::read(&mut found, entries);
    for id in ids {
        let expectation = Expectation::of(id);
        for kind in KINDS {
            let entries = streams.remove(format!("{id}-{kind}").as_str());
            let entries = entries.unwrap_or_default();
            let right = expectation.histories(kind);
            found.unless(right.allow(kind, &history(kind, &entries)), || {
                let all: Vec<_> = entries.iter().map(|e| (&e.type_name, &e.data)).collect();
                format!("{id}-{kind} must be {right:?}, and is {all:#?}")
            });
        }
        ledger.check_effects(&mut found, id, &expectation);
    }
    for stream in streams.keys() {
        found.0.push(format!("nobody asked for {stream}"));
    }
    check_commands(&mut found, entries);
    ledger.check_what_others_know(&mut found, entries);
    found.0
}

/// What is wrong with the answer to a user who asks for a shipment; `entries` are those of its carriers,
/// and may be others too.
pub fn outcome_faults<'a>(
    entries: impl IntoIterator<Item = &'a Stored>,
    id: &str,
    outcome: &Value,
) -> Vec<String> {
    let expectation = Expectation::of(id);
    let ledger = Ledger::read(&mut Faults::default(), entries);
    let in_force = |effect: Effect| -> Option<String> {
        let Effects::Exactly(effects) = &expectation.effects else {
            return None;
        };
        let keys = effects.iter().filter(|(_, is)| **is == effect);
        let numbers = keys.map(|(key, _)| ledger.numbers.get(key)?.as_str());
        let numbers: Vec<_> = numbers.collect::<Option<_>>()?;
        (!numbers.is_empty()).then(|| numbers.join(", "))
    };
    let numbers = in_force(Effect::LegManifested);
    let reference = in_force(Effect::CollectionBooked);
    let mut found = Faults::default();
    for (field, must) in [
        ("status", Some(expectation.status.to_owned())),
        ("trackingNumbers", numbers),
        ("collectionBookingReference", reference),
        ("parkedInputs", None),
    ] {
        let is = &outcome[field];
        found.unless(
            is.as_str() == must.as_deref() && must.is_some() != is.is_null(),
            || format!("{id}: {field} must be {must:?}, and is {is}"),
        );
    }
    found.0
}

/// What was found to be wrong.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }
}

/// The public events of a stream. An answer that a carrier gives again, to a request that came again, has no
/// effect and is left out.
fn history<'a>(kind: &str, entries: &[&'a Stored]) -> Vec<&'a str> {
    const ASKED: &str = "CarrierRequestReceived";
    let mut given = BTreeSet::new();
    let mut names = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_public()) {
        let name = entry.type_name.as_str();
        let key = entry.data["idempotencyKey"].as_str();
        let answers = kind == "Carrier" && name != ASKED;
        if !answers || given.insert((name, key)) {
            names.push(name);
        }
    }
    names
}

fn check_soundness(found: &mut Faults, stream: &str, entries: &[&Stored]) {
    let versions = entries.iter().map(|entry| entry.version);
    found.unless(versions.eq((1..).take(entries.len())), || {
        let versions: Vec<_> = entries.iter().map(|entry| entry.version).collect();
        format!("{stream} has the versions {versions:?}")
    });
    for entry in entries {
        let (is, name) = (&entry.snake_type, &entry.type_name);
        found.unless(*is == snake_case(name), || {
            format!("{stream}: {name} is {is}")
        });
        found.unless(name != "InputParked", || {
            format!("{stream}: an input is parked: {}", entry.data)
        });
    }
}

/// No command left twice under different ids. One that is sent again on purpose is sent by an internal
/// event.
fn check_commands(found: &mut Faults, entries: &[Stored]) {
    let mut ids = BTreeSet::new();
    let mut effects = BTreeSet::new();
    for entry in entries {
        for command in entry.metadata["commands"].as_array().into_iter().flatten() {
            found.unless(ids.insert(command["id"].to_string()), || {
                format!("{}: an id was sent twice: {command}", entry.stream)
            });
            let data = &command["data"];
            let effect = data["idempotencyKey"].as_str().map_or_else(
                || format!("{} {} {data}", command["to"], command["type"]),
                str::to_owned,
            );
            let again = entry.is_public() && !effects.insert(effect);
            found.unless(!again, || {
                format!("{}: the same was sent twice: {command}", entry.stream)
            });
        }
    }
}

/// What carriers have written down, by the keys of what they were asked.
#[derive(Default)]
struct Ledger {
    /// What was answered, each once, in order; at last [`Effect::Undone`] where it was cancelled.
    effects: BTreeMap<String, Vec<Effect>>,
    numbers: BTreeMap<String, Value>,
    /// The keys of the requests to cancel others.
    cancellations: BTreeSet<String>,
}

impl Ledger {
    fn read<'a>(found: &mut Faults, entries: impl IntoIterator<Item = &'a Stored>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            let (effect, number) = match entry.type_name.as_str() {
                "CarrierRequestReceived" => {
                    ledger.asked(found, entry);
                    continue;
                }
                "LegManifestedByCarrier" => (Effect::LegManifested, "trackingNumber"),
                "CollectionBookedByCarrier" => (Effect::CollectionBooked, "bookingReference"),
                "LegManifestationRejectedByCarrier" => (Effect::LegRejected, ""),
                "CollectionBookingRejectedByCarrier" => (Effect::CollectionRejected, ""),
                _ => continue,
            };
            ledger.answered(found, entry, effect, entry.data.get(number));
        }
        let given: BTreeSet<_> = ledger.numbers.values().map(Value::to_string).collect();
        found.unless(given.len() == ledger.numbers.len(), || {
            "a number was given twice".to_owned()
        });
        ledger
    }

    fn asked(&mut self, found: &mut Faults, entry: &Stored) {
        let key = key(entry);
        // What a request that cancels it has come to, is told by what it cancels.
        let Some(cancels) = entry.data["cancels"].as_str() else {
            let first = self.effects.insert(key.clone(), Vec::new()).is_none();
            found.unless(first, || format!("{key} was taken in twice"));
            return;
        };
        found.unless(self.cancellations.insert(key.clone()), || {
            format!("{key} was taken in twice")
        });
        let answer = entry.data["answer"]["outcome"].as_str();
        if matches!(answer, Some("legCancelled" | "collectionCancelled")) {
            let effects = self.effects.entry(cancels.to_owned()).or_default();
            effects.push(Effect::Undone);
        }
    }

    /// The same answer may be given again to a request that came again.
    fn answered(
        &mut self,
        found: &mut Faults,
        entry: &Stored,
        effect: Effect,
        number: Option<&Value>,
    ) {
        let key = key(entry);
        let Some(effects) = self.effects.get_mut(&key) else {
            found.0.push(format!("{key} was not asked for"));
            return;
        };
        found.unless(!effects.contains(&Effect::Undone), || {
            format!("{key} was cancelled, and comes to {effect:?} after that")
        });
        if !effects.contains(&effect) {
            effects.push(effect);
        }
        if let Some(number) = number {
            let before = self.numbers.insert(key.clone(), number.clone());
            found.unless(before.is_none_or(|before| before == *number), || {
                format!("{key} has two numbers")
            });
        }
    }

    fn check_effects(&self, found: &mut Faults, id: &str, expectation: &Expectation) {
        let prefix = format!("{id}/");
        let of_this = self.effects.range(prefix.clone()..);
        let of_this = of_this.take_while(|(key, _)| key.starts_with(&prefix));
        let expected = match &expectation.effects {
            Effects::Exactly(expected) => expected,
            Effects::NoneLeft => {
                for (key, effects) in of_this {
                    let done = [Effect::LegManifested, Effect::CollectionBooked];
                    let left = effects.last().is_some_and(|last| done.contains(last));
                    found.unless(!left, || format!("{key} is still {effects:?}"));
                }
                return;
            }
        };
        for (key, _) in of_this.filter(|(key, _)| !expected.contains_key(*key)) {
            found
                .0
                .push(format!("a carrier should not have been asked for {key}"));
        }
        for (key, expected) in expected {
            let effects = self.effects.get(key).map_or(&[][..], Vec::as_slice);
            let right = match expected {
                // It may have refused at first.
                Effect::CollectionBooked => effects.last() == Some(expected),
                Effect::Undone => effects == [Effect::LegManifested, Effect::Undone],
                Effect::LegManifested | Effect::LegRejected | Effect::CollectionRejected => {
                    effects == [*expected]
                }
            };
            found.unless(right, || {
                format!("{key} must have come to {expected:?}, and the carrier did {effects:?}")
            });
        }
    }

    /// What the carriers answered is what the other services know.
    fn check_what_others_know(&self, found: &mut Faults, entries: &[Stored]) {
        for entry in entries {
            let (shipment, _) = entry.shipment_and_kind();
            let mut check = |what: String, is: &Value| {
                let number = self.numbers.get(&format!("{shipment}/{what}"));
                found.unless(Some(is) == number, || {
                    format!("{}: {} says {is} of {what}", entry.stream, entry.type_name)
                });
            };
            let leg = |leg: &Value| format!("leg/{}", leg["position"]);
            match entry.type_name.as_str() {
                "ShipmentLegManifested" => check(leg(&entry.data), &entry.data["trackingNumber"]),
                "ShipmentManifested" | "ShipmentManifestationCompleted" => {
                    let legs = entry.data["manifestedLegs"].as_array();
                    for one in legs.into_iter().flatten() {
                        check(leg(one), &one["trackingNumber"]);
                    }
                }
                "CollectionBooked" | "CollectionBookingCompleted" => {
                    check("collection".to_owned(), &entry.data["bookingReference"]);
                }
                _ => {}
            }
        }
    }
}

fn key(entry: &Stored) -> String {
    let key = entry.data["idempotencyKey"].as_str();
    key.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "12EEQ9CS9K10";

    /// The public events of an undisturbed shipment.
    fn undisturbed() -> Vec<Stored> {
        let expectation = Expectation::of(ID);
        let streams = KINDS.map(|kind| (kind, expectation.undisturbed(kind).to_vec()));
        let mut keys = ["leg/1", "leg/1", "collection", "collection"].iter();
        let mut entries = Vec::new();
        for (kind, types) in streams {
            for (version, name) in (1..).zip(types) {
                let key = match kind {
                    "Carrier" => keys.next().unwrap(),
                    _ => "",
                };
                let leg = json!({ "position": 1, "trackingNumber": "number of leg/1" });
                entries.push(Stored {
                    stream: format!("{ID}-{kind}"),
                    version,
                    id: format!("{kind}/{version}"),
                    snake_type: snake_case(name),
                    type_name: name.to_owned(),
                    data: json!({
                        "idempotencyKey": format!("{ID}/{key}"),
                        "position": 1,
                        "trackingNumber": "number of leg/1",
                        "bookingReference": "reference",
                        "manifestedLegs": [leg],
                    }),
                    metadata: json!({}),
                    timestamp: String::new(),
                });
            }
        }
        entries
    }

    fn is_complete(change: impl FnOnce(&mut Vec<Stored>)) -> bool {
        let mut entries = undisturbed();
        change(&mut entries);
        faults(&entries, [ID]).is_empty()
    }

    fn internal(entries: &mut Vec<Stored>, type_name: &str) {
        let mut entry = entries[0].clone();
        entry.version = 16;
        entry.id = "internal".to_owned();
        entry.type_name = type_name.to_owned();
        entry.snake_type = snake_case(type_name);
        entry.metadata = json!({ "visibility": "internal" });
        entries.insert(15, entry);
    }

    #[test]
    fn what_must_be_there_is_complete_whatever_internal_stands_between() {
        assert!(is_complete(|_| {}));
        assert!(is_complete(|entries| internal(entries, "TriggerIgnored")));
    }

    #[test]
    fn what_is_missing_twice_parked_or_unasked_for_is_found() {
        assert!(!is_complete(|entries| drop(entries.pop())));
        assert!(!is_complete(|entries| drop(entries.remove(3))));
        assert!(!is_complete(|entries| entries.push(entries[0].clone())));
        assert!(!is_complete(|entries| {
            let mut twice = entries[14].clone();
            (twice.version, twice.id) = (16, "another".to_owned());
            entries.insert(15, twice);
        }));
        assert!(!is_complete(|entries| internal(entries, "InputParked")));
        assert!(!is_complete(
            |entries| entries[0].stream = "other-Process".to_owned()
        ));
        let number = json!("another number");
        assert!(!is_complete(|entries| {
            let given = entries
                .iter_mut()
                .find(|e| e.type_name == "LegManifestedByCarrier");
            given.unwrap().data["trackingNumber"] = number;
        }));
    }

    #[test]
    fn an_effect_that_is_missing_another_or_sent_for_twice_is_found() {
        let asked = |entries: &[Stored]| {
            let asked = |e: &Stored| e.type_name == "CarrierRequestReceived";
            entries.iter().position(asked).unwrap()
        };
        assert!(!is_complete(|entries| {
            let at = asked(entries);
            entries[at].data["idempotencyKey"] = json!("12EEQ9CS9K10/leg/2");
        }));
        let send = |entries: &mut Vec<Stored>, at: usize, id: &str, visibility: &str| {
            let data = json!({ "idempotencyKey": "12EEQ9CS9K10/leg/1" });
            let command = json!({ "id": id, "to": "carrier-stub", "type": "Do", "data": data });
            entries[at].metadata = json!({ "commands": [command], "visibility": visibility });
        };
        assert!(is_complete(|entries| send(entries, 0, "one", "public")));
        assert!(!is_complete(|entries| {
            send(entries, 0, "one", "public");
            send(entries, 1, "another", "public");
        }));
        // On purpose, as a retry.
        assert!(is_complete(|entries| {
            send(entries, 0, "one", "public");
            internal(entries, "StepRetried");
            send(entries, 15, "another", "internal");
        }));
    }

    #[test]
    fn what_was_cancelled_has_no_effect_any_more() {
        let id = "11_CANCELLED";
        let carrier = |version: i64, name: &str, data: Value| Stored {
            stream: format!("{id}-Carrier"),
            version,
            id: format!("{version}"),
            snake_type: snake_case(name),
            type_name: name.to_owned(),
            data,
            metadata: json!({}),
            timestamp: String::new(),
        };
        let process = [
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
        let process = (1..).zip(process).map(|(version, name)| Stored {
            stream: format!("{id}-Process"),
            id: name.to_owned(),
            ..carrier(version, name, json!({}))
        });
        let process: Vec<_> = process.collect();
        let key = format!("{id}/leg/1");
        let answered = json!({ "idempotencyKey": key, "position": 1, "trackingNumber": "1" });
        let cancel = json!({
            "idempotencyKey": format!("{key}/cancel"),
            "cancels": key,
            "answer": { "outcome": "legCancelled", "position": 1 },
        });
        let asked = carrier(
            1,
            "CarrierRequestReceived",
            json!({ "idempotencyKey": key }),
        );
        let of = |second: &Stored, third: &Stored| {
            let mut carrier = [asked.clone(), second.clone(), third.clone()];
            (carrier[1].version, carrier[2].version) = (2, 3);
            let entries = [&process[..], &carrier[..]].concat();
            faults(&entries, [id])
        };
        let taken = carrier(2, "LegManifestedByCarrier", answered);
        let cancelled = carrier(3, "CarrierRequestReceived", cancel);
        assert_eq!(of(&taken, &cancelled), [] as [&str; 0]);
        assert_ne!(
            of(&cancelled, &taken),
            [] as [&str; 0],
            "it came to life again"
        );
        let unrelated = carrier(3, "TriggerIgnored", json!({}));
        assert_ne!(
            of(&taken, &unrelated),
            [] as [&str; 0],
            "it was not cancelled"
        );
    }

    #[test]
    fn an_answer_that_says_something_else_is_found() {
        let entries = undisturbed();
        let right = json!({
            "status": "completed",
            "trackingNumbers": "number of leg/1",
            "collectionBookingReference": "reference",
        });
        assert_eq!(outcome_faults(&entries, ID, &right), [] as [&str; 0]);
        for (field, value) in [
            ("status", json!("running")),
            ("trackingNumbers", json!(null)),
            ("collectionBookingReference", json!("another")),
            ("parkedInputs", json!(1)),
        ] {
            let mut wrong = right.clone();
            wrong[field] = value;
            assert_eq!(outcome_faults(&entries, ID, &wrong).len(), 1, "{field}");
        }
    }
}
