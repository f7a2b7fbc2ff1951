//! What must hold at the end of a run, whatever happened.

mod carriers;
mod delivery;
mod outcome;
mod streams;

use std::collections::BTreeMap;
use std::fmt::Write;

use contracts::MessageId;
use event_store::{Entry, Visibility};
use specification::Status;

use crate::world::World;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What does not hold.
    pub(crate) broken: Vec<String>,
    /// How many steps have failed because a deadline had passed.
    pub(crate) timeouts: u64,
    /// How many shipments somebody has settled by hand.
    pub(crate) settled: u64,
}

/// The streams of one kind, by instance.
pub(crate) type Streams<'a> = BTreeMap<&'a str, Vec<&'a Entry>>;

/// The logs of a run, stream by stream.
pub(crate) struct History<'a> {
    pub(crate) kinds: BTreeMap<&'static str, Streams<'a>>,
}

impl<'a> History<'a> {
    fn new(logs: &'a BTreeMap<&'static str, Vec<Entry>>) -> Self {
        let mut kinds: BTreeMap<&'static str, Streams<'a>> = BTreeMap::new();
        for (kind, entries) in logs {
            let streams = kinds.entry(kind).or_default();
            for entry in entries {
                let stream = streams.entry(entry.stream.instance()).or_default();
                stream.push(entry);
            }
        }
        Self { kinds }
    }

    /// All entries, stream by stream.
    fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        self.kinds
            .values()
            .flat_map(|s| s.values())
            .flatten()
            .copied()
    }

    /// A stream, which is empty where there is none.
    fn stream(&self, kind: &str, instance: &str) -> &[&'a Entry] {
        let streams = self.kinds.get(kind);
        streams
            .and_then(|s| s.get(instance))
            .map_or(&[], Vec::as_slice)
    }

    /// The names of the public events of a stream.
    fn public(&self, kind: &str, instance: &str) -> Vec<&'a str> {
        let entries = self.stream(kind, instance).iter();
        entries
            .filter(|entry| entry.content.metadata.visibility == Visibility::Public)
            .map(|entry| entry.content.type_name.as_str())
            .collect()
    }
}

/// Checks everything.
pub(crate) fn all(logs: &BTreeMap<&'static str, Vec<Entry>>, world: &World) -> Found {
    let history = History::new(logs);
    let mut found = Found::default();
    for (kind, log) in logs {
        streams::log_is_in_order(kind, log, &mut found.broken);
    }
    streams::are_sound(&history, &world.users, &mut found.broken);
    delivery::is_complete(&history, world, &mut found.broken);
    carriers::did_what_was_asked(&history, &mut found.broken);
    outcome::is_as_asked(&history, &world.users, &world.weather, &mut found);
    found
}

/// The shipments that need the attention of somebody.
pub(crate) fn need_attention(logs: &BTreeMap<&'static str, Vec<Entry>>) -> Vec<String> {
    let history = History::new(logs);
    let processes = history
        .kinds
        .get("Process")
        .into_iter()
        .flat_map(|s| s.keys());
    processes
        .filter(|id| Status::of(&history.public("Process", id)) == Status::NeedsAttention)
        .map(|id| (*id).to_owned())
        .collect()
}

/// The id of the input that says that a deadline is over.
fn deadline_input(set_by: MessageId, name: &str) -> MessageId {
    MessageId::derive(&[&set_by.to_string(), "deadline", name])
}

/// All streams as text.
pub(crate) fn transcript(logs: &BTreeMap<&'static str, Vec<Entry>>) -> String {
    let mut text = String::new();
    for entry in History::new(logs).entries() {
        let content = &entry.content;
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{:<20}{:>4}  {:<27.6}  {} {} because of {}",
            entry.stream.as_str(),
            entry.version.0,
            content.recorded_at,
            content.type_name,
            content.data,
            content.metadata.input_id,
        );
    }
    text
}
