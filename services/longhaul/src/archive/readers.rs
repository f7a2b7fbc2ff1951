//! The readers of the logs: what one of them has not passed is not removed.

use contracts::Partitions;
use contracts::Topology;
use event_store::{Checkpoints, Cursor, Entry, Error, StreamKind, readers};
use host::BusAdapter;

/// How far each reader has come.
pub(crate) struct Readers(Vec<Reader>);

struct Reader {
    name: String,
    kind: StreamKind,
    passed: Cursor,
}

impl Readers {
    /// Those that there must be with this bus, and whatever else has saved how far it is: where the bus
    /// was another one before, or is not the one that these settings name, that is no less a reader.
    pub(crate) async fn load(
        store: &dyn Checkpoints,
        partitions: Partitions,
        topology: &Topology,
        bus: BusAdapter,
    ) -> Result<Self, Error> {
        let mut names = Vec::new();
        for service in &topology.services {
            let kind = || StreamKind::new(service.stream_kind);
            names.push((readers::indexes(&service.name), kind(), true));
            let relays = bus == BusAdapter::Rabbitmq;
            names.push((readers::relay(&service.name), kind(), relays));
            for source in service.sources().filter_map(|name| topology.service(name)) {
                let kind = StreamKind::new(source.stream_kind);
                let receives = bus == BusAdapter::Embedded;
                names.push((readers::receiver(&service.name, &kind), kind, receives));
            }
        }
        let mut found = Vec::new();
        for (name, kind, needed) in names {
            let saved = store.load_checkpoint(&name).await?;
            if needed || !saved.partitions.is_empty() {
                found.push(Reader {
                    name,
                    kind,
                    passed: saved.cursor(partitions),
                });
            }
        }
        Ok(Self(found))
    }

    /// The readers that have not passed all of a stream.
    pub(crate) fn behind<'a>(&'a self, stream: &'a [Entry]) -> impl Iterator<Item = String> + 'a {
        let readers = stream.last().into_iter().flat_map(|last| {
            self.0.iter().filter(|reader| {
                reader.kind.as_str() == last.stream.kind()
                    && reader.passed.position(last.partition) < last.position
            })
        });
        readers.map(|reader| reader.name.clone())
    }
}
