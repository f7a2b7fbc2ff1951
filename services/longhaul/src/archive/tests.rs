//! The work, on a store in memory and with two services of their own.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use contracts::{Partitions, ServiceContract, ServiceName, Topology};
use event_store::contract::append;
use event_store::{
    Append, Checkpoint, Checkpoints, Cursor, Entry, EventStore, StoredCommand, StreamKind,
    StreamName, readers,
};
use event_store_memory::MemoryEventStore;
use host::BusAdapter;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::TempDir;

use super::archivist::{Archivist, Found, TOGETHER};
use super::file::{self, Part, Size};
use super::progress::Progress;
use super::readers::Readers;
use super::shipment;

const FIRST: ServiceName = ServiceName::new("first");
const SECOND: ServiceName = ServiceName::new("second");

/// Two services, of which the first commands the second.
fn topology() -> Topology {
    let service = |name, stream_kind, commands_from| ServiceContract {
        name,
        stream_kind,
        commands_from,
        hears: vec![],
    };
    Topology {
        services: vec![
            service(FIRST, "Process", vec![]),
            service(SECOND, "Shipment", vec![FIRST]),
        ],
    }
}

struct Ground {
    store: Arc<MemoryEventStore>,
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryEventStore::new(Partitions::default())),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn store(&self, appends: &[Append]) {
        self.store.append(appends).await.unwrap();
    }

    /// Every reader has passed what is there, but for those of these names.
    async fn all_read_but(&self, behind: &[&str]) {
        let kinds = ["Process", "Shipment"].map(StreamKind::new);
        let names = [
            (readers::indexes(&FIRST), &kinds[0]),
            (readers::indexes(&SECOND), &kinds[1]),
            (readers::receiver(&SECOND, &kinds[0]), &kinds[0]),
        ];
        for (name, kind) in names {
            if behind.contains(&name.as_str()) {
                continue;
            }
            let start = Cursor::start(self.store.partitions());
            let page = self.store.read_log(kind, &start, 100_000).await.unwrap();
            let place = Checkpoint::at(&page.cursor);
            self.store.save_checkpoint(&name, &place).await.unwrap();
        }
    }

    async fn archivist(&self, before: &str) -> Archivist {
        let topology = topology();
        let partitions = self.store.partitions();
        let bus = BusAdapter::Embedded;
        let readers = Readers::load(&*self.store, partitions, &topology, bus).await;
        Archivist {
            store: self.store.clone(),
            topology,
            readers: readers.unwrap(),
            ended: |stream| stream.len() >= 2,
            before: before.parse().unwrap(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn lines(&self, name: &str) -> Vec<(String, u64)> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let stream = line["stream"].as_str().unwrap().to_owned();
            (stream, line["version"].as_u64().unwrap())
        };
        text.lines().map(line).collect()
    }

    /// The instances of which anything is left.
    async fn left(&self) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        for kind in ["Process", "Shipment"].map(StreamKind::new) {
            let start = Cursor::start(self.store.partitions());
            let page = self.store.read_log(&kind, &start, 100_000).await.unwrap();
            left.extend(page.entries.iter().map(|e| e.stream.instance().to_owned()));
        }
        left
    }
}

/// What is over: two entries, the first of them with a command that the second service has taken in.
fn over(id: &str) -> [Append; 2] {
    let mut first = append(id, 0, 2, "start");
    let command = StoredCommand {
        id: contracts::MessageId::derive(&["command", id]),
        to: SECOND,
        type_name: "Do".to_owned(),
        data: RawValue::from_string("{\n}".to_owned()).unwrap(),
    };
    let mut second = append(id, 0, 1, "done");
    second.stream = StreamName::new(id, &StreamKind::new("Shipment"));
    second.entries[0].metadata.input_id = command.id;
    first.entries[0].metadata.commands.push(command);
    [first, second]
}

/// Long after what the suite of the port stores.
const LATER: &str = "2024-06-01T00:00:00Z";

#[tokio::test]
async fn what_is_over_is_written_whole_and_removed_and_the_rest_stays() {
    let ground = Ground::new();
    let mut appends = Vec::new();
    for n in 0..250 {
        appends.extend(over(&format!("over{n}")));
    }
    appends.push(append("running", 0, 1, "start"));
    let mut waiting = over("waiting");
    let due = LATER.parse().unwrap();
    waiting[1].entries[0]
        .metadata
        .deadlines_set
        .insert("x".into(), due);
    let [unheard, _] = over("unheard");
    let mut parked = over("parked");
    parked[1].entries[0].type_name = "InputParked".to_owned();
    parked[1].entries[0].data =
        RawValue::from_string(r#"{"trigger":"T","reason":"R","input":"I"}"#.into()).unwrap();
    let mut recent = over("recent");
    recent[1].entries[0].recorded_at = due + SignedDuration::from_secs(1);
    appends.extend(waiting);
    appends.extend([unheard]);
    appends.extend(parked);
    appends.extend(recent);
    ground.store(&appends).await;
    ground.all_read_but(&[]).await;

    let archivist = ground.archivist(LATER).await;
    let mut progress = Progress::new();
    let path = ground.path("archive.jsonl");
    let dry = archivist
        .find(std::io::sink(), &mut progress)
        .await
        .unwrap();
    let found = archivist.write(&path, &mut progress).await.unwrap();
    assert_eq!(found, dry);
    let bytes = fs::metadata(&path).unwrap().len();
    let archived = Size {
        shipments: 250,
        entries: 750,
        bytes,
    };
    let expected = Found {
        archived,
        recent: 1,
        open: 4,
        ..Found::default()
    };
    assert_eq!(found, expected);
    let lines = ground.lines("archive.jsonl");
    assert_eq!(lines.len(), 750);
    let first = &lines[..3];
    let id = first[0].0.trim_end_matches("-Process");
    assert_eq!(first[1], (format!("{id}-Process"), 2));
    assert_eq!(first[2], (format!("{id}-Shipment"), 1));
    assert_eq!(ground.left().await.len(), 255, "nothing is removed so far");

    assert_eq!(archivist.remove(&path, &mut progress).await.unwrap(), 250);
    let stays = ["parked", "recent", "running", "unheard", "waiting"];
    assert_eq!(ground.left().await, stays.map(str::to_owned).into());
    let again = archivist
        .find(std::io::sink(), &mut progress)
        .await
        .unwrap();
    assert_eq!(again.archived, Size::default());
}

#[tokio::test]
async fn a_line_has_all_of_an_entry() {
    let ground = Ground::new();
    ground.store(&over("A")).await;
    ground.all_read_but(&[]).await;
    let archivist = ground.archivist(LATER).await;
    let mut out = Vec::new();
    archivist
        .find(&mut out, &mut Progress::new())
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let name = StreamName::new("A", &StreamKind::new("Process"));
    let entry = &read(&ground, &name).await[0];
    let names: Vec<_> = line.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "data",
            "id",
            "metadata",
            "partition",
            "position",
            "recordedAt",
            "stream",
            "type",
            "version"
        ]
    );
    assert_eq!(line["data"].to_string(), entry.content.data.get());
    assert_eq!(
        line["metadata"],
        serde_json::to_value(&entry.content.metadata).unwrap()
    );
    assert_eq!(line["id"], entry.content.id.to_string());
    assert_eq!(line["type"], entry.content.type_name);
    assert_eq!(line["recordedAt"], entry.content.recorded_at.to_string());
    assert_eq!(line["position"], entry.position.0);
}

async fn read(ground: &Ground, stream: &StreamName) -> Vec<Entry> {
    let streams = ground
        .store
        .read_streams(std::slice::from_ref(stream))
        .await;
    streams.unwrap().remove(0)
}

#[tokio::test]
async fn what_a_reader_has_not_passed_stays_and_the_reader_is_named() {
    for behind in ["indexes/first", "indexes/second", "bus/second/Process"] {
        let ground = Ground::new();
        ground.store(&over("A")).await;
        ground.all_read_but(&[behind]).await;
        let archivist = ground.archivist(LATER).await;
        let path = ground.path("archive.jsonl");
        let found = archivist.write(&path, &mut Progress::new()).await.unwrap();
        assert_eq!((found.archived.shipments, found.unread), (0, 1));
        assert_eq!(found.readers, BTreeSet::from([behind.to_owned()]));
        assert!(fs::read_dir(ground.folder.path()).unwrap().next().is_none());
    }
}

#[tokio::test]
async fn a_reader_that_these_settings_do_not_name_is_waited_for_too() {
    let ground = Ground::new();
    ground.all_read_but(&[]).await;
    let relay = Checkpoint::at(&Cursor::start(ground.store.partitions()));
    let name = readers::relay(&FIRST);
    ground.store.save_checkpoint(&name, &relay).await.unwrap();
    ground.store(&over("A")).await;
    ground.all_read_but(&[]).await;
    let archivist = ground.archivist(LATER).await;
    let found = archivist
        .find(std::io::sink(), &mut Progress::new())
        .await
        .unwrap();
    assert_eq!(found.readers, BTreeSet::from([name]));
}

#[tokio::test]
async fn what_grows_between_the_file_and_the_removal_stays_whole() {
    let ground = Ground::new();
    for id in ["grows", "begins", "over"] {
        ground.store(&over(id)).await;
    }
    // The second service knows nothing of it, until it does.
    ground.store(&[append("lonely", 0, 2, "start")]).await;
    ground.all_read_but(&[]).await;
    let archivist = ground.archivist(LATER).await;
    let (path, mut progress) = (ground.path("archive.jsonl"), Progress::new());
    let found = archivist.write(&path, &mut progress).await.unwrap();
    assert_eq!(found.archived.shipments, 4);
    let [_, mut begins] = over("lonely");
    begins.entries[0].metadata.input_id = contracts::MessageId::derive(&["late"]);
    ground
        .store(&[append("grows", 2, 1, "cancel"), begins])
        .await;
    assert_eq!(archivist.remove(&path, &mut progress).await.unwrap(), 2);
    let left = ["grows", "lonely"].map(str::to_owned);
    assert_eq!(ground.left().await, left.into());
    let grown = read(
        &ground,
        &StreamName::new("grows", &StreamKind::new("Shipment")),
    )
    .await;
    assert_eq!(grown.len(), 1, "all of it stays");
}

#[tokio::test]
async fn whenever_it_is_ended_nothing_is_lost_and_the_next_run_does_the_rest() {
    let ground = Ground::new();
    let ids: Vec<_> = (0..TOGETHER + 1).map(|n| format!("S{n}")).collect();
    for id in &ids {
        ground.store(&over(id)).await;
    }
    ground.all_read_but(&[]).await;
    let archivist = ground.archivist(LATER).await;
    let mut progress = Progress::new();
    // While it was writing.
    fs::write(ground.path("one.jsonl.part"), "{\"stream\":\"half").unwrap();
    // Before it removed anything.
    let path = ground.path("one.jsonl");
    archivist.write(&path, &mut progress).await.unwrap();
    assert_eq!(ground.lines("one.jsonl").len(), ids.len() * 3);
    let refused = archivist.write(&path, &mut progress).await.unwrap_err();
    assert!(refused.to_string().contains("exists already"), "{refused}");
    assert_eq!(ground.lines("one.jsonl").len(), ids.len() * 3);
    // While it was removing.
    let some = file::read(&path).unwrap().next().unwrap().unwrap();
    let removal = shipment::removal(&archivist.topology, &some.id, &some.versions);
    archivist.store.remove_streams(&[removal]).await.unwrap();
    let rest = ground.path("two.jsonl");
    let found = archivist.write(&rest, &mut progress).await.unwrap();
    assert_eq!(found.archived.shipments, ids.len() as u64 - 1);
    let gone = archivist.remove(&rest, &mut progress).await.unwrap();
    assert_eq!(gone, ids.len() as u64 - 1);
    assert!(ground.left().await.is_empty());
    // What a file holds that is gone already does no harm.
    let gone = archivist.remove(&path, &mut progress).await.unwrap();
    assert_eq!(gone, ids.len() as u64);
}

#[tokio::test]
async fn a_file_that_is_cut_short_removes_nothing_that_it_does_not_hold() {
    let ground = Ground::new();
    for id in ["A", "B"] {
        ground.store(&over(id)).await;
    }
    ground.all_read_but(&[]).await;
    let archivist = ground.archivist(LATER).await;
    let (path, mut progress) = (ground.path("archive.jsonl"), Progress::new());
    archivist.write(&path, &mut progress).await.unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let error = archivist.remove(&path, &mut progress).await.unwrap_err();
    assert!(format!("{error:#}").contains("line 6"), "{error:#}");
    assert_eq!(ground.left().await.len(), 2);
}

#[tokio::test]
async fn two_runs_do_not_write_the_same_file() {
    let ground = Ground::new();
    let path = ground.path("archive.jsonl");
    let first = Part::begin(&path).unwrap();
    let second = Part::begin(&path).err().unwrap();
    assert!(second.to_string().contains("another run"), "{second}");
    first.abandon().unwrap();
    Part::begin(&path).unwrap();
}
