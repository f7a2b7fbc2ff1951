//! What stands in the log, read as it grows: what was said and is not heard yet, what is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use contracts::{MessageId, ServiceName, Topology, shipment_suite};
use event_store::{Cursor, Entry, EventStore, StreamKind, Visibility, outgoing};
use jiff::Timestamp;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// A log that is followed.
pub(crate) struct History {
    topology: Topology,
    cursors: BTreeMap<&'static str, Cursor>,
    /// What was said to a service, and stands in no stream of it.
    unheard: BTreeSet<(ServiceName, MessageId)>,
    heard: BTreeSet<(ServiceName, MessageId)>,
    deadlines: BTreeMap<(String, String), Timestamp>,
    entries: BTreeMap<String, Vec<Entry>>,
    /// Whether it was found to have grown when it was last looked at.
    grows: bool,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            topology: shipment_suite(),
            cursors: BTreeMap::new(),
            unheard: BTreeSet::new(),
            heard: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            entries: BTreeMap::new(),
            grows: false,
        }
    }

    /// Reads on. Cancelling it loses nothing.
    pub(crate) async fn read_on(&mut self, store: &dyn EventStore) {
        let mut found = false;
        for service in self.topology.clone().services {
            let kind = StreamKind::new(service.stream_kind);
            let start = Cursor::start(store.partitions());
            let cursor = self.cursors.get(service.stream_kind).unwrap_or(&start);
            let page = store.read_log(&kind, cursor, PAGE).await.unwrap();
            self.cursors.insert(service.stream_kind, page.cursor);
            found |= !page.entries.is_empty();
            for entry in page.entries {
                self.add(&service.name, &entry);
            }
        }
        self.grows = found;
    }

    fn add(&mut self, service: &ServiceName, entry: &Entry) {
        let metadata = &entry.content.metadata;
        let stream = entry.stream.as_str().to_owned();
        for name in &metadata.deadlines_cleared {
            self.deadlines.remove(&(stream.clone(), name.clone()));
        }
        for (name, due) in &metadata.deadlines_set {
            self.deadlines.insert((stream.clone(), name.clone()), *due);
        }
        let heard = (service.clone(), metadata.input_id);
        self.unheard.remove(&heard);
        self.heard.insert(heard);
        for message in outgoing(service, entry) {
            for receiver in self.topology.receivers(&message) {
                let said = (receiver.name.clone(), message.id);
                if !self.heard.contains(&said) {
                    self.unheard.insert(said);
                }
            }
        }
        self.entries.entry(stream).or_default().push(entry.clone());
    }

    /// Whether it does not grow any more, and everything that was said is heard, but for these messages.
    pub(crate) fn is_heard(&self, but_for: &[MessageId]) -> bool {
        let mut unheard = self.unheard.iter();
        !self.grows && unheard.all(|(_, id)| but_for.contains(id))
    }

    /// The first deadline that is not over, or not known to be.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.values().min().copied()
    }

    /// What is waited for: streams, and the names of their deadlines.
    pub(crate) fn waits_for(&self) -> BTreeSet<(String, String)> {
        self.deadlines.keys().cloned().collect()
    }

    /// The streams, by name, each in the order of versions.
    pub(crate) fn streams(&self) -> &BTreeMap<String, Vec<Entry>> {
        &self.entries
    }

    /// The public entries of a stream.
    pub(crate) fn public(&self, id: &str, kind: &str) -> impl Iterator<Item = &Entry> {
        let stream = self.entries.get(&format!("{id}-{kind}"));
        let entries = stream.into_iter().flatten();
        entries.filter(|entry| entry.content.metadata.visibility == Visibility::Public)
    }

    /// The names of the public events of a stream.
    pub(crate) fn public_events(&self, id: &str, kind: &str) -> Vec<&str> {
        let public = self.public(id, kind);
        public.map(|entry| &*entry.content.type_name).collect()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "unheard: {:?}", self.unheard)?;
        writeln!(f, "waited for: {:?}", self.deadlines)?;
        for (stream, entries) in &self.entries {
            let names = entries.iter().map(|entry| entry.content.type_name.as_str());
            writeln!(f, "{stream}: {}", names.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
