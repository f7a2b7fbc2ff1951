//! What a reader of the indexes leaves to other instances, and when it reads that after all.

use event_store::{Append, Metadata, NewEntry, StreamName, Version};
use event_store_memory::MemoryEventStore;
use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::codec::INPUT_PARKED;
use crate::inbox::Intake;
use crate::paused::{MOMENT, SECOND, after};
use crate::share::PATIENCE;

const SERVICE: ServiceName = ServiceName::new("tickets");

/// A reader of the indexes, and others who store in the same log.
struct Ground {
    store: Arc<MemoryEventStore>,
    share: Share,
    parked: ParkedInstances,
    stored: u64,
    intake: Intake,
    _reading: JoinHandle<()>,
}

/// After how many pauses others are asked for something in between.
const OFTEN: u32 = 20;

impl Ground {
    async fn new() -> Self {
        let store = Arc::new(MemoryEventStore::new(Partitions::default()));
        let share = Share::new(Partitions::default());
        share.met_all();
        let parked = ParkedInstances::default();
        let (inbox, intake) = Inbox::new();
        let reader = IndexReader {
            service: SERVICE,
            kind: kind(),
            store: store.clone(),
            checkpoints: store.clone(),
            clock: Arc::new(crate::SystemClock),
            inbox,
            settings: Settings::default(),
            share: share.clone(),
            parked: parked.clone(),
            followed: Followed::default(),
        };
        let reading = tokio::spawn(reader.run(CancellationToken::new()));
        after(MOMENT).await;
        Self {
            store,
            share,
            parked,
            stored: 0,
            intake,
            _reading: reading,
        }
    }

    /// Another instance stores an entry.
    async fn store(&mut self, type_name: &str, data: serde_json::Value, sets: Option<&str>) {
        let sets = sets.map(|name| (name.to_owned(), Timestamp::MAX));
        let metadata = |metadata| Metadata {
            deadlines_set: sets.into_iter().collect(),
            ..metadata
        };
        self.append(type_name, data, metadata).await;
    }

    async fn append(
        &mut self,
        type_name: &str,
        data: serde_json::Value,
        metadata: impl FnOnce(Metadata) -> Metadata,
    ) {
        self.stored += 1;
        let id = contracts::MessageId::derive(&[&self.stored.to_string()]);
        let entry = NewEntry::unreadable(id, type_name, Timestamp::UNIX_EPOCH, "");
        let entry = NewEntry {
            type_name: type_name.to_owned(),
            data: to_raw_value(&data).unwrap(),
            metadata: metadata(entry.metadata),
            ..entry
        };
        let append = Append {
            stream: StreamName::new("A", &kind()),
            expected: Version(self.stored - 1),
            entries: vec![entry],
        };
        self.store.append(&[append]).await.unwrap();
    }

    /// Others are seen to publish for so long.
    async fn others_get_on(&self, pauses: u32) {
        let partition = Partitions::default().of("A");
        for _ in 0..pauses {
            let start = Cursor::start(Partitions::default());
            let log = self.store.read_log(&kind(), &start, 1_000).await.unwrap();
            self.share
                .others_publish(partition, log.cursor.position(partition));
            after(SECOND / OFTEN).await;
        }
    }

    fn is_whole(&self) -> bool {
        self.parked.indexes().are_whole()
    }

    fn deadlines(&self) -> Vec<String> {
        let partition = Partitions::default().of("A");
        let indexes = self.parked.indexes();
        let pending = indexes.deadlines.of(partition);
        pending.iter().map(|it| it.name.clone()).collect()
    }
}

fn kind() -> StreamKind {
    StreamKind::new("Ticket")
}

#[tokio::test(start_paused = true)]
async fn what_others_get_on_with_is_left_until_they_are_at_rest() {
    let mut ground = Ground::new().await;
    ground.store("Any", json!({}), Some("one")).await;
    after(SECOND).await;
    assert_eq!(ground.deadlines(), ["one"]);
    ground.others_get_on(OFTEN * 3).await;
    assert!(!ground.is_whole());
    assert!(ground.deadlines().is_empty());
    ground.store("Any", json!({}), Some("two")).await;
    ground.others_get_on(OFTEN).await;
    assert!(ground.deadlines().is_empty());
    after(PATIENCE + SECOND).await;
    assert!(ground.is_whole());
    assert_eq!(ground.deadlines(), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_what_is_parked_is_told_of_what_is_left_too() {
    let mut ground = Ground::new().await;
    ground.store("Any", json!({}), None).await;
    ground.others_get_on(OFTEN * 3).await;
    assert!(!ground.is_whole());
    let record = json!({ "trigger": "Open", "reason": "no JSON", "input": "" });
    ground.store(INPUT_PARKED, record, None).await;
    ground.others_get_on(OFTEN).await;
    let asking = ground.parked.page(None, 10);
    let (page, ()) = tokio::join!(asking, ground.others_get_on(OFTEN));
    let page = page.unwrap();
    let instances: Vec<_> = page.iter().map(|it| it.instance.as_str()).collect();
    assert_eq!(instances, ["A"]);
    ground.others_get_on(OFTEN * 11).await;
    assert!(!ground.is_whole(), "it is left again");
}

#[tokio::test(start_paused = true)]
async fn what_others_have_saved_meanwhile_is_taken_over() {
    let mut ground = Ground::new().await;
    ground.store("Any", json!({}), Some("one")).await;
    ground.others_get_on(OFTEN * 2).await;
    for name in ["two", "three"] {
        ground.store("Any", json!({}), Some(name)).await;
    }
    // Behind the second of them nothing was pending any more.
    let partition = Partitions::default().of("A");
    let saved = Checkpoint::at(&[(partition, Position(2))].into_iter().collect());
    let mut saved = saved.partitions;
    let nothing = to_raw_value(&json!({ "deadlines": [], "parked": [] })).unwrap();
    saved.get_mut(&partition).unwrap().1 = Some(nothing);
    let reader = readers::indexes(&SERVICE);
    let saved = Checkpoint { partitions: saved };
    ground.store.save_checkpoint(&reader, &saved).await.unwrap();
    after(SECOND * 2).await;
    assert_eq!(ground.deadlines(), ["three"]);
}

#[tokio::test(start_paused = true)]
async fn others_that_save_nothing_are_not_relied_on() {
    let mut ground = Ground::new().await;
    ground.store("Any", json!({}), Some("one")).await;
    ground.others_get_on(OFTEN * 2).await;
    assert!(!ground.is_whole());
    ground.others_get_on(OFTEN * 10).await;
    assert!(ground.is_whole(), "although they still publish");
    assert_eq!(ground.deadlines(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_over_when_others_saved_it_and_is_answered_by_now_is_not_reported() {
    let mut ground = Ground::new().await;
    ground.others_get_on(OFTEN * 2).await;
    assert!(!ground.is_whole());
    let sets = |metadata| Metadata {
        deadlines_set: [("one".to_owned(), Timestamp::UNIX_EPOCH)].into(),
        ..metadata
    };
    ground.append("Any", json!({}), sets).await;
    let start = Cursor::start(Partitions::default());
    let log = ground.store.read_log(&kind(), &start, 9).await.unwrap();
    let mut saved = Indexes::default();
    saved.apply(&log.entries[0]);
    let reader = readers::indexes(&SERVICE);
    let saved = saved.checkpoint(&log.cursor);
    ground.store.save_checkpoint(&reader, &saved).await.unwrap();
    // More than two pages stand between.
    for _ in 0..=Settings::default().page() * 2 {
        ground.store("Any", json!({}), None).await;
    }
    let clears = |metadata| Metadata {
        deadlines_cleared: vec!["one".to_owned()],
        ..metadata
    };
    ground.append("Any", json!({}), clears).await;
    after(SECOND * 3).await;
    assert!(ground.is_whole());
    assert!(ground.deadlines().is_empty());
    assert!(!ground.intake.has_any());
}
