//! Relays of several instances at one log: what leaves, when, and what the checkpoint says of it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use contracts::{MessageId, Partitions};
use event_store::{
    Append, Checkpoint, Cursor, Metadata, NewEntry, StreamName, Version, Visibility,
};
use event_store_memory::MemoryEventStore;
use jiff::Timestamp;
use serde_json::value::RawValue;
use testkit::faults::{Faults, Kind};
use tokio::task::JoinHandle;

use super::*;
use crate::held::MOST_HELD;
use crate::paused::{MOMENT, SECOND, after};
use crate::share::{MOST_STORED, PATIENCE};

const SERVICE: ServiceName = ServiceName::new("tickets");

fn kind() -> StreamKind {
    StreamKind::new("Ticket")
}

/// A log, and the types of the events that were published of it.
#[derive(Clone)]
struct Ground {
    store: Arc<dyn EventStore>,
    published: Arc<Mutex<Vec<String>>>,
    began: Instant,
    stored: Arc<Mutex<u64>>,
    /// How long the broker takes.
    latency: Duration,
}

#[async_trait]
impl Publisher for Ground {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), message_bus::Error> {
        after(self.latency).await;
        let mut published = self.published.lock().unwrap();
        published.extend(messages.iter().map(|message| message.type_name.clone()));
        Ok(())
    }
}

/// An instance that publishes.
struct Instance {
    share: Share,
    published: Followed,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Instance {
    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn entry(name: &str, visibility: Visibility) -> NewEntry {
    let id = MessageId::derive(&[name]);
    NewEntry {
        id,
        type_name: name.to_owned(),
        data: RawValue::from_string("{}".to_owned()).unwrap(),
        recorded_at: Timestamp::UNIX_EPOCH,
        metadata: Metadata {
            visibility,
            ..NewEntry::unreadable(id, name, Timestamp::UNIX_EPOCH, "").metadata
        },
    }
}

impl Ground {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryEventStore::new(Partitions::default())),
            published: Arc::default(),
            began: Instant::now(),
            stored: Arc::default(),
            latency: Duration::ZERO,
        }
    }

    /// Starts a relay, and lets it come to the end of the log.
    async fn instance(&self) -> Instance {
        let (share, published) = (Share::default(), Followed::default());
        let stop = CancellationToken::new();
        let relay = Relay {
            service: SERVICE,
            kind: kind(),
            store: self.store.clone(),
            publisher: Arc::new(self.clone()),
            settings: Settings::default(),
            share: share.clone(),
            published: published.clone(),
        };
        let running = tokio::spawn(relay.run(stop.clone(), CancellationToken::new()));
        let instance = Instance {
            share,
            published,
            stop,
            running,
        };
        after(Duration::from_millis(1)).await;
        instance
    }

    /// Stores events, one after another in the same stream, as what the instance has stored if there is one.
    async fn store(&self, by: Option<&Instance>, names: &[&str]) {
        for name in names {
            self.append(by, entry(name, Visibility::Public)).await;
        }
    }

    async fn append(&self, by: Option<&Instance>, entry: NewEntry) {
        let version = {
            let mut stored = self.stored.lock().unwrap();
            *stored += 1;
            *stored
        };
        let append = [Append {
            stream: StreamName::new("A", &kind()),
            expected: Version(version - 1),
            entries: vec![entry],
        }];
        if let Some(instance) = by {
            instance.share.stores(&append);
        }
        self.store.append(&append).await.unwrap();
    }

    /// What was published since this was last asked.
    fn published(&self) -> Vec<String> {
        std::mem::take(&mut *self.published.lock().unwrap())
    }

    async fn checkpoint(&self) -> Checkpoint {
        let reader = readers::relay(&SERVICE);
        self.store.load_checkpoint(&reader).await.unwrap()
    }

    /// How many entries stand behind the position of the checkpoint.
    async fn unpublished(&self) -> usize {
        let cursor = self.checkpoint().await.cursor(self.store.partitions());
        self.count_behind(&cursor).await
    }

    async fn count_behind(&self, cursor: &Cursor) -> usize {
        self.store
            .count_log(&kind(), cursor, 100_000)
            .await
            .unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_has_stored_it_publishes_at_once() {
    let ground = Ground::new();
    let instance = ground.instance().await;
    ground.store(Some(&instance), &["a", "b"]).await;
    after(MOMENT).await;
    assert_eq!(ground.published(), ["a", "b"]);
    after(SECOND).await;
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn more_than_it_can_know_of_while_the_broker_is_slow_it_publishes_in_its_order() {
    let mut ground = Ground::new();
    ground.latency = SECOND;
    let instance = ground.instance().await;
    let names: Vec<String> = (0..=MOST_STORED + 1).map(|nth| nth.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    ground.store(Some(&instance), &names[..1]).await;
    after(MOMENT).await;
    ground.store(Some(&instance), &names[1..]).await;
    after(SECOND * 60).await;
    assert!(ground.published() == names, "all, in their order");
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_it_started_is_published_at_once_whoever_stored_it() {
    let ground = Ground::new();
    ground.store(None, &["a", "b"]).await;
    let _instance = ground.instance().await;
    assert_eq!(ground.published(), ["a", "b"]);
    ground.store(None, &["c"]).await;
    after(MOMENT).await;
    assert!(ground.published().is_empty(), "it has come to the end");
}

#[tokio::test(start_paused = true)]
async fn what_others_have_stored_is_published_when_nobody_else_does() {
    let ground = Ground::new();
    let instance = ground.instance().await;
    ground.store(None, &["a"]).await;
    ground.store(Some(&instance), &["b"]).await;
    ground.store(None, &["c"]).await;
    after(PATIENCE - MOMENT).await;
    assert_eq!(ground.published(), ["b"]);
    assert_eq!(
        ground.unpublished().await,
        3,
        "the checkpoint does not pass it"
    );
    let reached = instance.published.cursor().unwrap();
    assert_eq!(ground.count_behind(&reached).await, 0, "others see to it");
    after(SECOND).await;
    assert_eq!(ground.published(), ["a", "c"]);
    assert_eq!(ground.unpublished().await, 0);
    let reached = instance.published.cursor().unwrap();
    assert_eq!(ground.count_behind(&reached).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_for_others_is_told_also_where_later_entries_were_told_before() {
    let ground = Ground::new();
    let instance = ground.instance().await;
    ground.store(None, &["a"]).await;
    ground.store(Some(&instance), &["b"]).await;
    after(SECOND * 3).await;
    assert_eq!(ground.published(), ["b", "a"]);
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_checkpoint_has_passed_is_not_published_again() {
    let ground = Ground::new();
    let _instance = ground.instance().await;
    ground.store(None, &["a"]).await;
    after(PATIENCE / 2).await;
    let start = Cursor::start(ground.store.partitions());
    let page = ground.store.read_log(&kind(), &start, 9).await.unwrap();
    let passed = Checkpoint::at(&page.cursor);
    let reader = readers::relay(&SERVICE);
    ground
        .store
        .save_checkpoint(&reader, &passed)
        .await
        .unwrap();
    ground.store(None, &["b"]).await;
    after(SECOND * 3).await;
    assert_eq!(ground.published(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn instances_that_store_in_turns_publish_everything_once_between_them() {
    for (each, latency_ms) in [(600, 13), (5_000, 1), (5_000, 300)] {
        let mut ground = Ground::new();
        ground.latency = MOMENT * latency_ms;
        let instances = [
            ground.instance().await,
            ground.instance().await,
            ground.instance().await,
        ];
        let mut all = Vec::new();
        for nth in 0..each {
            let name = format!("e{nth}");
            let storer = &instances[nth * nth % 7 % 3];
            ground.store(Some(storer), &[&name]).await;
            all.push(name);
            after(MOMENT).await;
        }
        after(SECOND * 5).await;
        let mut published = ground.published();
        published.sort();
        all.sort();
        assert_eq!(published, all, "{each}, {latency_ms}");
        assert_eq!(ground.unpublished().await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_of_instances_that_crash_at_any_time() {
    for seed in 0..20_usize {
        let mut ground = Ground::new();
        ground.latency = MOMENT * 7;
        let mut instances = [ground.instance().await, ground.instance().await];
        let mut all = BTreeSet::new();
        for nth in 0..400 {
            let chance = (nth + 1) * (seed + 3) * 7_919 % 1_009;
            let storer = &instances[chance % 2];
            let name = format!("e{nth}");
            ground.store(Some(storer), &[&name]).await;
            all.insert(name);
            if chance % 23 == 0 {
                instances[chance / 23 % 2].running.abort();
                instances[chance / 23 % 2] = ground.instance().await;
            }
            after(MOMENT * (chance % 40) as u32).await;
        }
        // What one has stored last that crashes now, the other publishes.
        instances[0].running.abort();
        after(SECOND * 5).await;
        assert_eq!(BTreeSet::from_iter(ground.published()), all, "{seed}");
        assert_eq!(ground.unpublished().await, 0, "{seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_start_publishes_what_was_held_and_not_what_was_published_behind_it() {
    let ground = Ground::new();
    let instance = ground.instance().await;
    ground.store(None, &["a"]).await;
    ground.store(Some(&instance), &["b"]).await;
    ground.store(None, &["c"]).await;
    let before = ground.began.elapsed();
    instance.stop().await;
    assert!(
        ground.began.elapsed() - before < PATIENCE / 10,
        "it waits for nobody"
    );
    assert_eq!(ground.published(), ["b"]);
    assert_eq!(ground.unpublished().await, 3);
    let _instance = ground.instance().await;
    assert_eq!(ground.published(), ["a", "c"]);
    after(SECOND).await;
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_on_the_way_is_given_time() {
    let ground = Ground::new();
    let _instance = ground.instance().await;
    let names: Vec<String> = (0..10).map(|nth| format!("e{nth}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    ground.store(None, &names).await;
    let mut cursor = Cursor::start(ground.store.partitions());
    let reader = readers::relay(&SERVICE);
    for _ in 0..9 {
        after(PATIENCE / 2).await;
        cursor = ground
            .store
            .read_log(&kind(), &cursor, 1)
            .await
            .unwrap()
            .cursor;
        let checkpoint = Checkpoint::at(&cursor);
        ground
            .store
            .save_checkpoint(&reader, &checkpoint)
            .await
            .unwrap();
    }
    assert!(ground.published().is_empty());
    after(SECOND * 2).await;
    assert_eq!(ground.published(), ["e9"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_that() {
    let ground = Ground::new();
    let _instance = ground.instance().await;
    let names: Vec<String> = (0..MOST_HELD + 3).map(|nth| format!("e{nth}")).collect();
    for name in &names {
        ground.store(None, &[name]).await;
    }
    after(MOMENT).await;
    assert_eq!(ground.published(), ["e0", "e1", "e2"]);
    after(SECOND * 2).await;
    assert_eq!(ground.published(), names[3..]);
}

#[tokio::test(start_paused = true)]
async fn relays_at_rest_write_nothing() {
    let mut ground = Ground::new();
    let faults = Faults::none();
    ground.store = faults.store(ground.store);
    let saved = || {
        faults
            .counts()
            .get(&Kind::SaveCheckpoint)
            .copied()
            .unwrap_or(0)
    };
    let instances = [ground.instance().await, ground.instance().await];
    ground
        .append(None, entry("silent", Visibility::Internal))
        .await;
    after(SECOND * 3).await;
    assert_eq!(saved(), 0, "what others have to say of it they say");
    ground.store(Some(&instances[0]), &["a"]).await;
    ground.store(Some(&instances[1]), &["b"]).await;
    ground.store(Some(&instances[0]), &["c"]).await;
    after(SECOND * 3).await;
    let settled = saved();
    assert!((1..10).contains(&settled), "{settled}");
    after(SECOND * 60).await;
    assert_eq!(saved(), settled);
    let mut published = ground.published();
    published.sort();
    assert_eq!(published, ["a", "b", "c"]);
}

impl Ground {
    /// An instance stores so many, a moment after the other, as the only one; their names.
    async fn busy(&self, instance: &Instance, count: usize) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|nth| format!("e{nth}")).collect();
        for name in &names {
            self.store(Some(instance), &[name]).await;
            after(MOMENT * 10).await;
        }
        names
    }
}

impl Instance {
    /// Whether it leaves the only partition in which anything is stored here to others.
    fn leaves(&self, ground: &Ground) -> bool {
        let partition = ground.store.partitions().of("A");
        !self.published.cursor().unwrap().has(partition)
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_get_on_with_is_not_followed_until_they_are_at_rest() {
    let ground = Ground::new();
    let (busy, idle) = (ground.instance().await, ground.instance().await);
    let names = ground.busy(&busy, 500).await;
    assert!(idle.leaves(&ground));
    assert!(!busy.leaves(&ground));
    assert_eq!(ground.published(), names);
    after(SECOND * 3).await;
    assert!(!idle.leaves(&ground));
    let reached = idle.published.cursor().unwrap();
    assert_eq!(ground.count_behind(&reached).await, 0);
    assert!(ground.published().is_empty());
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn where_it_stores_something_itself_it_follows_what_it_has_left() {
    let ground = Ground::new();
    let (busy, other) = (ground.instance().await, ground.instance().await);
    ground.busy(&busy, 300).await;
    assert!(other.leaves(&ground));
    ground.published();
    ground.store(Some(&other), &["its own"]).await;
    after(MOMENT).await;
    assert_eq!(ground.published(), ["its own"]);
    let names = ground.busy(&busy, 200).await;
    assert!(!other.leaves(&ground));
    after(SECOND * 3).await;
    assert_eq!(ground.published(), names, "each once");
    assert_eq!(ground.unpublished().await, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_of_who_crashes_and_was_left_alone_with_it() {
    for latency_ms in [0, 30, 700] {
        let mut ground = Ground::new();
        ground.latency = MOMENT * latency_ms;
        let (busy, idle) = (ground.instance().await, ground.instance().await);
        let mut all = BTreeSet::from_iter(ground.busy(&busy, 777).await);
        assert!(idle.leaves(&ground), "{latency_ms}");
        // Some that nobody will publish but the other.
        ground.store(Some(&busy), &["last"]).await;
        all.insert("last".to_owned());
        busy.running.abort();
        after(SECOND * 6).await;
        assert_eq!(BTreeSet::from_iter(ground.published()), all, "{latency_ms}");
        assert_eq!(ground.unpublished().await, 0, "{latency_ms}");
    }
}
