//! Each stream by itself: in order, every input once, nothing parked, a legal history.

use std::collections::HashSet;

use contracts::MessageId;
use event_store::Entry;
use serde_json::Value;
use specification::histories;

use super::History;
use crate::users::Users;

/// Positions increase within each partition.
pub(super) fn log_is_in_order(kind: &str, log: &[Entry], broken: &mut Vec<String>) {
    for pair in log.windows(2) {
        if pair[0].position >= pair[1].position {
            broken.push(format!(
                "the log of {kind} is not in order at {}",
                pair[1].position.0
            ));
        }
    }
}

pub(super) fn are_sound(history: &History<'_>, users: &Users, broken: &mut Vec<String>) {
    let poisons = users.poison_ids().collect();
    let mut ids = HashSet::new();
    for entry in history.entries() {
        if !ids.insert(entry.content.id) {
            broken.push(format!("the entry {} is there twice", entry.content.id));
        }
        for command in &entry.content.metadata.commands {
            if !ids.insert(command.id) {
                broken.push(format!("the command {} is sent twice", command.id));
            }
        }
    }
    for (kind, streams) in &history.kinds {
        for (instance, stream) in streams {
            let name = format!("{instance}-{kind}");
            versions(&name, stream, broken);
            inputs(&name, stream, broken);
            parking(&name, stream, &poisons, broken);
            refusals(&name, stream, broken);
            let public = history.public(kind, instance);
            if let Some((before, event)) = histories::first_illegal(kind, &public) {
                broken.push(format!(
                    "{name}: {event} may not follow upon {before:?}: {public:?}"
                ));
            }
        }
    }
}

fn versions(name: &str, stream: &[&Entry], broken: &mut Vec<String>) {
    for (entry, version) in stream.iter().zip(1..) {
        if entry.version.0 != version {
            broken.push(format!(
                "{name}: {} stands where {version} should",
                entry.version
            ));
        }
    }
    for pair in stream.windows(2) {
        if pair[0].content.recorded_at >= pair[1].content.recorded_at {
            broken.push(format!(
                "{name}: {} is not later than the one before",
                pair[1].version
            ));
        }
    }
}

/// The stored names of what the kernel records about parked inputs.
const PARKING: [&str; 4] = [
    "InputParked",
    "ParkedInputRetried",
    "ParkedInputHandled",
    "ParkedInputDiscarded",
];

/// What an input led to stands together, and is what one handling leads to.
fn inputs(name: &str, stream: &[&Entry], broken: &mut Vec<String>) {
    let decided = stream.iter().filter(|entry| !is_one_of(entry, &PARKING));
    let decided: Vec<&Entry> = decided.copied().collect();
    let mut seen = HashSet::new();
    for run in decided.chunk_by(|a, b| input(a) == input(b)) {
        let id = input(run[0]);
        let mut types = HashSet::new();
        let twice = run
            .iter()
            .any(|entry| !types.insert(&entry.content.type_name));
        let ignored = run
            .iter()
            .any(|entry| is_one_of(entry, &["TriggerIgnored"]));
        if !seen.insert(id) || twice || (ignored && run.len() > 1) {
            let what: Vec<_> = run.iter().map(|e| e.content.type_name.as_str()).collect();
            broken.push(format!("{name}: the input {id} is handled twice: {what:?}"));
        }
    }
}

/// Only behind what nobody can read anything is parked; then everything is, once, until that is given up, and is
/// handled in the order in which it came.
fn parking(name: &str, stream: &[&Entry], poisons: &HashSet<MessageId>, broken: &mut Vec<String>) {
    let of = |types: &'static [&'static str]| {
        let found = stream.iter().filter(move |entry| is_one_of(entry, types));
        found.map(|entry| input(entry))
    };
    let parked: Vec<MessageId> = of(&["InputParked"]).collect();
    let over = of(&["ParkedInputHandled", "ParkedInputDiscarded"]).count();
    let different: HashSet<_> = parked.iter().collect();
    if parked.len() != over || different.len() != over {
        broken.push(format!(
            "{name}: {} are parked, {over} no longer",
            parked.len()
        ));
    }
    if parked.first().is_some_and(|first| !poisons.contains(first)) {
        broken.push(format!("{name}: parked, and everything can be read"));
    }
    let decided = stream.iter().filter(|entry| !is_one_of(entry, &PARKING));
    let mut in_turn: Vec<_> = decided.map(|entry| input(entry)).collect();
    in_turn.dedup();
    in_turn.retain(|id| different.contains(id));
    let came = parked.iter().filter(|id| !poisons.contains(id));
    if !in_turn.iter().eq(came) {
        broken.push(format!(
            "{name}: what was parked is not handled in its order"
        ));
    }
}

fn input(entry: &Entry) -> MessageId {
    entry.content.metadata.input_id
}

fn is_one_of(entry: &Entry, types: &[&str]) -> bool {
    types.contains(&entry.content.type_name.as_str())
}

fn refusals(name: &str, stream: &[&Entry], broken: &mut Vec<String>) {
    let ignored = stream
        .iter()
        .filter(|entry| is_one_of(entry, &["TriggerIgnored"]));
    for entry in ignored {
        let data: Value = serde_json::from_str(entry.content.data.get()).unwrap_or_default();
        let says = |field: &str| data[field].as_str().is_some_and(|text| !text.is_empty());
        if !(says("trigger") && says("code") && says("reason")) {
            broken.push(format!("{name}: refused without a reason: {data}"));
        }
    }
}
