//! The streams of a shipment as text: the diff is the review.

use std::fmt::Write;

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

/// All streams of a shipment, with what leaves with each entry. Times are left out, ids are not: they
/// are derived, and must be the same in every run.
///
/// # Panics
/// When the store does not answer.
pub async fn transcript(store: &dyn EventStore, id: &str) -> String {
    let mut text = String::new();
    for kind in KINDS {
        let entries = stream(store, id, kind).await;
        if entries.is_empty() {
            continue;
        }
        writeln!(text, "{id}-{kind}").expect("text");
        for entry in &entries {
            write_entry(&mut text, entry).expect("text");
        }
        writeln!(text).expect("text");
    }
    text
}

fn write_entry(text: &mut String, entry: &Entry) -> std::fmt::Result {
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
    writeln!(
        text,
        "      id {} because of {}",
        content.id, metadata.input_id
    )?;
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
