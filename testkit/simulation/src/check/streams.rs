//! Each stream by itself: in order, every input once, nothing parked, a legal history.

use std::collections::HashSet;

use event_store::Entry;
use serde_json::Value;
use specification::histories;

use super::History;

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

pub(super) fn are_sound(history: &History<'_>, broken: &mut Vec<String>) {
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

/// What an input led to stands together, and is what one handling leads to.
fn inputs(name: &str, stream: &[&Entry], broken: &mut Vec<String>) {
    let mut seen = HashSet::new();
    let together =
        |a: &&Entry, b: &&Entry| a.content.metadata.input_id == b.content.metadata.input_id;
    for run in stream.chunk_by(together) {
        let id = run[0].content.metadata.input_id;
        let mut types = HashSet::new();
        let twice = run
            .iter()
            .any(|entry| !types.insert(&entry.content.type_name));
        let ignored = run
            .iter()
            .any(|entry| entry.content.type_name == "TriggerIgnored");
        if !seen.insert(id) || twice || (ignored && run.len() > 1) {
            let what: Vec<_> = run.iter().map(|e| e.content.type_name.as_str()).collect();
            broken.push(format!("{name}: the input {id} is handled twice: {what:?}"));
        }
    }
}

fn refusals(name: &str, stream: &[&Entry], broken: &mut Vec<String>) {
    for entry in stream {
        let content = &entry.content;
        let data = || serde_json::from_str(content.data.get()).unwrap_or(Value::Null);
        match content.type_name.as_str() {
            "TriggerIgnored" => {
                let data = data();
                let says = |field: &str| data[field].as_str().is_some_and(|text| !text.is_empty());
                if !(says("trigger") && says("code") && says("reason")) {
                    broken.push(format!("{name}: refused without a reason: {data}"));
                }
            }
            "InputParked" => broken.push(format!("{name}: parked: {}", data()["reason"])),
            _ => {}
        }
    }
}
