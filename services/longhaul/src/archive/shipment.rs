//! All of a shipment, and whether it is over.

use std::collections::{BTreeSet, HashSet};

use contracts::{MessageId, Topology};
use event_store::outgoing;
use event_store::{Entry, Error, EventStore, Removal, StreamKind, StreamName, UNREADABLE, Version};
use jiff::Timestamp;
use runtime::Indexes;

use super::readers::Readers;

/// What every service has recorded of it.
pub(crate) struct Shipment {
    /// One for each service of the topology, in that order; where a service knows nothing of it, it is empty.
    pub(crate) streams: Vec<Vec<Entry>>,
}

/// Why a shipment stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// Something has happened to it since.
    Recent,
    /// It is not over.
    Open,
    /// These readers have not passed all of it.
    Unread(BTreeSet<String>),
}

/// The names of the streams of a shipment.
pub(crate) fn names<'a>(
    topology: &'a Topology,
    id: &'a str,
) -> impl Iterator<Item = StreamName> + 'a {
    let services = topology.services.iter();
    services.map(move |service| StreamName::new(id, &StreamKind::new(service.stream_kind)))
}

/// Reads shipments as they are now.
///
/// # Errors
/// Those of the store.
pub(crate) async fn read(
    store: &dyn EventStore,
    topology: &Topology,
    ids: &[&str],
) -> Result<Vec<Shipment>, Error> {
    let wanted: Vec<_> = ids.iter().flat_map(|id| names(topology, id)).collect();
    let mut streams = store.read_streams(&wanted).await?.into_iter();
    let shipment = |_: &&str| Shipment {
        streams: streams.by_ref().take(topology.services.len()).collect(),
    };
    Ok(ids.iter().map(shipment).collect())
}

impl Shipment {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.streams.iter().flatten()
    }

    /// Why it stays, if it does. `ended` says whether a process has ended by its own stream.
    pub(crate) fn stays(
        &self,
        topology: &Topology,
        ended: fn(&[Entry]) -> bool,
        readers: &Readers,
        before: Timestamp,
    ) -> Option<Stays> {
        if self
            .entries()
            .any(|entry| entry.content.recorded_at >= before)
        {
            return Some(Stays::Recent);
        }
        let process = self.streams.first().map_or(&[][..], Vec::as_slice);
        let over = ended(process) && self.waits_for_nothing() && self.is_all_taken_in(topology);
        if !over {
            return Some(Stays::Open);
        }
        let unread = self
            .streams
            .iter()
            .flat_map(|stream| readers.behind(stream));
        let unread: BTreeSet<_> = unread.collect();
        (!unread.is_empty()).then_some(Stays::Unread(unread))
    }

    /// Whether no deadline is pending and nothing parked, and no person has to look at what cannot be read.
    fn waits_for_nothing(&self) -> bool {
        self.streams.iter().all(|stream| {
            let mut indexes = Indexes::default();
            for entry in stream {
                indexes.apply(entry);
            }
            let is_unreadable = |entry: &Entry| entry.content.type_name == UNREADABLE;
            indexes.deadlines.is_empty()
                && indexes.parked.is_empty()
                && !stream.iter().any(is_unreadable)
        })
    }

    /// Whether whatever one service has said to another has come there, wherever it was on its way.
    fn is_all_taken_in(&self, topology: &Topology) -> bool {
        let taken_in = |stream: &Vec<Entry>| -> HashSet<MessageId> {
            let entries = stream.iter();
            entries
                .map(|entry| entry.content.metadata.input_id)
                .collect()
        };
        let taken_in: Vec<_> = self.streams.iter().map(taken_in).collect();
        let mut said = topology
            .services
            .iter()
            .zip(&self.streams)
            .flat_map(|(service, stream)| {
                stream
                    .iter()
                    .flat_map(|entry| outgoing(&service.name, entry))
            });
        said.all(|message| {
            let mut services = topology.services.iter().zip(&taken_in);
            services.all(|(service, ids)| !service.receives(&message) || ids.contains(&message.id))
        })
    }
}

/// The removal of a shipment at these versions; a stream of it that has none must not exist.
pub(crate) fn removal(
    topology: &Topology,
    id: &str,
    versions: &[(StreamName, Version)],
) -> Removal {
    let version = |name: &StreamName| {
        let found = versions.iter().find(|(stream, _)| stream == name);
        found.map_or(Version::NONE, |(_, version)| *version)
    };
    Removal {
        streams: names(topology, id)
            .map(|name| (name.clone(), version(&name)))
            .collect(),
    }
}
