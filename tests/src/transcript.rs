//! The streams of a shipment as text: the diff is the review.

use std::collections::BTreeMap;
use std::fmt::Write;

use contracts::MessageId;
use event_store::{Entry, EventStore, StreamKind, StreamName, Visibility};

use crate::expectation::KINDS;

/// The entries of a shipment's stream of one kind.
///
/// # Panics
/// When the store does not answer.
pub async fn stream(store: &dyn EventStore, id: &str, kind: &str) -> Vec<Entry> {
    let name = StreamName::new(id, &StreamKind::new(kind));
    store
        .read_streams(&[name])
        .await
        .expect("the store answers")
        .remove(0)
}

/// The names of the public events of a stream, in the order of versions.
pub async fn public_events(store: &dyn EventStore, id: &str, kind: &str) -> Vec<String> {
    let entries = stream(store, id, kind).await;
    let public = entries
        .iter()
        .filter(|e| e.content.metadata.visibility == Visibility::Public);
    public
        .map(|entry| entry.content.type_name.clone())
        .collect()
}

/// All streams of a shipment, with what leaves with each entry. Times are left out, and ids, which are
/// derived from them: what an entry is because of is told by its name and place.
///
/// # Panics
/// When the store does not answer.
pub async fn transcript(store: &dyn EventStore, id: &str) -> String {
    let mut streams = Vec::new();
    for kind in KINDS {
        streams.push((kind, stream(store, id, kind).await));
    }
    let names = names(streams.iter().flat_map(|(_, entries)| entries));
    let mut text = String::new();
    for (kind, entries) in &streams {
        if entries.is_empty() {
            continue;
        }
        writeln!(text, "{id}-{kind}").expect("text");
        for entry in entries {
            write_entry(&mut text, entry, &names).expect("text");
        }
        writeln!(text).expect("text");
    }
    text
}

/// What inputs are called, by their ids: events, commands, and deadlines that are over.
fn names<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<MessageId, String> {
    let mut names = BTreeMap::new();
    for entry in entries {
        let (content, metadata) = (&entry.content, &entry.content.metadata);
        let place = format!("{} {}", entry.stream.kind(), entry.version.0);
        names.insert(content.id, format!("{} ({place})", content.type_name));
        for command in &metadata.commands {
            names.insert(command.id, format!("{} (of {place})", command.type_name));
        }
        for name in metadata.deadlines_set.keys() {
            let passed = MessageId::derive(&[&content.id.to_string(), "deadline", name]);
            names.insert(passed, format!("the end of {name} (of {place})"));
        }
    }
    names
}

fn write_entry(
    text: &mut String,
    entry: &Entry,
    names: &BTreeMap<MessageId, String>,
) -> std::fmt::Result {
    let content = &entry.content;
    let metadata = &content.metadata;
    let internal = match metadata.visibility {
        Visibility::Public => "",
        Visibility::Internal => " (internal)",
    };
    let category = metadata.category.as_deref().unwrap_or("-");
    writeln!(
        text,
        "{:>3} {}{internal} [{category}] {}",
        entry.version.0, content.type_name, content.data
    )?;
    let input = names.get(&metadata.input_id).cloned();
    let input = input.unwrap_or_else(|| metadata.input_id.to_string());
    writeln!(text, "      because of {input}")?;
    for name in &metadata.deadlines_cleared {
        writeln!(text, "      no longer waits for {name}")?;
    }
    for name in metadata.deadlines_set.keys() {
        writeln!(text, "      waits for {name}")?;
    }
    for command in &metadata.commands {
        writeln!(
            text,
            "      asks {} to {} {}",
            command.to, command.type_name, command.data
        )?;
    }
    Ok(())
}
