//! The suite that every adapter must pass: each promise of [`EventStore`] is a test of its own.
//!
//! An adapter's `tests/contract.rs` implements [`Harness`] and calls
//! [`event_store_contract!`](crate::event_store_contract). What keeps checkpoints alone implements
//! [`CheckpointsHarness`] and calls [`checkpoints_contract!`](crate::checkpoints_contract).
#![expect(missing_docs, reason = "the name of a test is its promise")]

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use contracts::{MessageId, Partition, Partitions, ServiceName};
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, EventStore, Metadata, NewEntry,
    Position, StoredCommand, StreamKind, StreamName, Version, Visibility,
};

/// What the suite needs of an adapter's test.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The store under test, empty at the start of a test, with at least two partitions.
    fn store(&self) -> Arc<dyn EventStore>;

    /// A second store over the same data, as another instance of a service would open it. A store
    /// that nobody else can open returns itself.
    async fn open_again(&self) -> Arc<dyn EventStore>;

    /// Starts an append, and returns when it has taken its positions but is not yet visible.
    async fn hold_append(&self, append: Append) -> Box<dyn HeldAppend>;

    /// Leaves a transaction open and idle elsewhere in the same database, until it is dropped. A
    /// store without transactions returns anything.
    async fn idle_transaction(&self) -> Box<dyn Any + Send>;

    /// The size in bytes of the largest event, and the number of small ones, that one append is tried
    /// with. A store with a limit names less than the default.
    fn large_append(&self) -> (usize, u64) {
        (1 << 20, 5_000)
    }
}

/// What the suite needs of a test of [`Checkpoints`].
#[async_trait]
pub trait CheckpointsHarness: Send + Sync {
    /// What is tested, empty at the start of a test.
    fn checkpoints(&self) -> Arc<dyn Checkpoints>;

    /// The same, as another instance would open it.
    async fn open_checkpoints_again(&self) -> Arc<dyn Checkpoints>;
}

/// A store keeps checkpoints as well.
#[async_trait]
impl<H: Harness> CheckpointsHarness for H {
    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.store()
    }

    async fn open_checkpoints_again(&self) -> Arc<dyn Checkpoints> {
        self.open_again().await
    }
}

/// An append that is under way.
#[async_trait]
pub trait HeldAppend: Send {
    /// Lets it end.
    async fn release(self: Box<Self>) -> Appended;
}

/// Declares one test for each promise. `$harness` is an async function without arguments that
/// returns a [`Harness`].
#[macro_export]
macro_rules! event_store_contract {
    ($harness:path) => {
        $crate::event_store_contract! { @tests $harness:
            what_was_appended_is_read_back_unchanged
            an_unknown_stream_is_empty
            versions_begin_at_one_without_gaps
            a_wrong_expected_version_conflicts
            a_call_appends_to_many_streams
            a_conflict_in_one_stream_leaves_the_others_alone
            an_identical_append_is_stored_once
            a_rival_at_the_same_version_conflicts
            an_append_that_agrees_in_part_conflicts
            of_concurrent_appends_at_one_version_one_wins
            instances_of_the_store_guard_each_other
            what_is_stored_is_there_for_another_instance
            the_log_is_read_by_kind_and_from_a_cursor
            the_log_is_read_in_parts_of_any_size
            a_page_says_where_to_read_on
            an_instance_is_always_in_the_same_partition
            a_reader_never_skips_under_eight_writers
            a_lower_position_that_commits_last_is_not_skipped
            an_idle_transaction_elsewhere_delays_nobody
            any_json_survives
            large_appends_are_stored_whole
            an_append_wakes_listeners_of_its_kind
            it_answers
        }
        $crate::checkpoints_contract! { $harness }
    };
    (@tests $harness:path: $($name:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::$name(&$harness().await).await;
            }
        )+
    };
}

/// Declares the tests of [`Checkpoints`] alone. `$harness` is an async function without arguments that
/// returns a [`CheckpointsHarness`].
#[macro_export]
macro_rules! checkpoints_contract {
    ($harness:path) => {
        $crate::event_store_contract! { @tests $harness:
            a_new_reader_stands_at_the_start
            a_checkpoint_is_read_back_with_its_state
            a_checkpoint_never_goes_back
            instances_that_save_at_once_keep_the_furthest
        }
    };
}

fn kind() -> StreamKind {
    StreamKind::new("Process")
}

fn stream(instance: &str) -> StreamName {
    StreamName::new(instance, &kind())
}

/// An entry with the fewest parts; the id depends on `cause`.
fn entry(stream: &StreamName, version: u64, cause: &str, data: &str) -> NewEntry {
    NewEntry {
        id: MessageId::derive(&[stream.as_str(), &version.to_string(), cause]),
        type_name: "SomethingHappened".to_owned(),
        data: RawValue::from_string(data.to_owned()).expect("the suite writes valid JSON"),
        recorded_at: Timestamp::from_microsecond(1_716_800_000_123_456 + version as i64)
            .expect("a time in range"),
        metadata: Metadata {
            input_id: MessageId::derive(&[cause]),
            correlation_id: MessageId::derive(&["correlation"]),
            traceparent: None,
            category: None,
            visibility: Visibility::Public,
            commands: Vec::new(),
            deadlines_set: BTreeMap::new(),
            deadlines_cleared: Vec::new(),
            data_subject: None,
        },
    }
}

/// An append of `count` entries behind `expected`, caused by `cause`.
#[must_use]
pub fn append(instance: &str, expected: u64, count: u64, cause: &str) -> Append {
    append_to(stream(instance), expected, count, cause)
}

fn append_to(stream: StreamName, expected: u64, count: u64, cause: &str) -> Append {
    Append {
        entries: (1..=count)
            .map(|n| entry(&stream, expected + n, cause, &format!("{{\"n\":{n}}}")))
            .collect(),
        stream,
        expected: Version(expected),
    }
}

async fn store_all(store: &dyn EventStore, appends: &[Append]) {
    let outcomes = store.append(appends).await.expect("the store answers");
    assert_eq!(outcomes, vec![Appended::Stored; appends.len()]);
}

async fn read(store: &dyn EventStore, instance: &str) -> Vec<Entry> {
    let mut streams = store
        .read_streams(&[stream(instance)])
        .await
        .expect("the store answers");
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

async fn versions(store: &dyn EventStore, instance: &str) -> Vec<u64> {
    read(store, instance)
        .await
        .iter()
        .map(|e| e.version.0)
        .collect()
}

/// Reads on from `cursor` until nothing more comes, and moves it.
async fn follow(store: &dyn EventStore, cursor: &mut Cursor, limit: usize) -> Vec<Entry> {
    let mut found = Vec::new();
    follow_into(&mut found, store, cursor, limit).await;
    found
}

/// The same; when it is cancelled, `found` and `cursor` agree.
async fn follow_into(
    found: &mut Vec<Entry>,
    store: &dyn EventStore,
    cursor: &mut Cursor,
    limit: usize,
) {
    loop {
        let page = store
            .read_log(&kind(), cursor, limit)
            .await
            .expect("the store answers");
        let (part, read_on) = (page.entries, page.cursor);
        assert!(
            part.len() <= limit,
            "{} entries for a limit of {limit}",
            part.len()
        );
        for entry in &part {
            assert!(
                entry.position > cursor.position(entry.partition),
                "positions increase within a partition"
            );
            cursor.advance(entry.partition, entry.position);
        }
        let done = part.is_empty();
        found.extend(part);
        *cursor = read_on;
        if done {
            return;
        }
    }
}

fn names(entries: &[Entry]) -> BTreeSet<(String, u64)> {
    entries
        .iter()
        .map(|e| (e.stream.to_string(), e.version.0))
        .collect()
}

/// Two instances in the same partition, and one in another.
fn neighbours_and_stranger(store: &dyn EventStore) -> (String, String, String) {
    let of = |n: u32| store.partitions().of(&format!("instance{n}"));
    let home = of(0);
    let neighbour = (1..).find(|n| of(*n) == home).expect("there is one");
    let stranger = (1..)
        .find(|n| of(*n) != home)
        .expect("the harness has two partitions");
    let name = |n: u32| format!("instance{n}");
    (name(0), name(neighbour), name(stranger))
}

pub async fn what_was_appended_is_read_back_unchanged(harness: &impl Harness) {
    let store = harness.store();
    let mut append = append("A", 0, 2, "input");
    let full = &mut append.entries[1];
    full.metadata = Metadata {
        input_id: MessageId::derive(&["in"]),
        correlation_id: MessageId::derive(&["correlation"]),
        traceparent: contracts::TraceParent::parse(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        category: Some("domestic-1.0".to_owned()),
        visibility: Visibility::Internal,
        commands: vec![StoredCommand {
            id: MessageId::derive(&["command"]),
            to: ServiceName::new("manifestation"),
            type_name: "CreateShipment".to_owned(),
            data: RawValue::from_string(r#"{"legs":[1,2]}"#.to_owned()).expect("valid JSON"),
        }],
        deadlines_set: BTreeMap::from([("labels".to_owned(), full.recorded_at)]),
        deadlines_cleared: vec!["manifestation".to_owned()],
        data_subject: Some("someone".to_owned()),
    };
    store_all(&*store, std::slice::from_ref(&append)).await;

    let found = read(&*store, "A").await;
    assert_eq!(found.len(), 2);
    for (found, given) in found.iter().zip(&append.entries) {
        assert_eq!(found.stream, append.stream);
        assert_eq!(found.partition, store.partitions().of("A"));
        assert_eq!(found.content.id, given.id);
        assert_eq!(found.content.type_name, given.type_name);
        assert_eq!(found.content.data.get(), given.data.get());
        assert_eq!(found.content.recorded_at, given.recorded_at);
        assert_eq!(found.content.metadata, given.metadata);
    }
}

pub async fn an_unknown_stream_is_empty(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("B", 0, 1, "input")]).await;
    let found = store
        .read_streams(&[stream("A"), stream("B"), stream("C")])
        .await
        .expect("the store answers");
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0]);
    assert!(
        store
            .read_streams(&[])
            .await
            .expect("the store answers")
            .is_empty()
    );
}

pub async fn versions_begin_at_one_without_gaps(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 2, "first")]).await;
    store_all(&*store, &[append("A", 2, 3, "second")]).await;
    assert_eq!(versions(&*store, "A").await, [1, 2, 3, 4, 5]);
}

pub async fn a_wrong_expected_version_conflicts(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 2, "first")]).await;
    for expected in [0, 1, 3] {
        let outcome = store.append(&[append("A", expected, 1, "late")]).await;
        assert_eq!(
            outcome.expect("the store answers"),
            [Appended::Conflict {
                current: Version(2)
            }],
            "expected version {expected}"
        );
    }
    let outcome = store.append(&[append("new", 1, 1, "early")]).await;
    assert_eq!(
        outcome.expect("the store answers"),
        [Appended::Conflict {
            current: Version::NONE
        }]
    );
    assert_eq!(versions(&*store, "A").await, [1, 2]);
    assert_eq!(versions(&*store, "new").await, [0; 0]);
}

pub async fn a_call_appends_to_many_streams(harness: &impl Harness) {
    let store = harness.store();
    let appends: Vec<_> = (0..50)
        .map(|n| append(&format!("S{n}"), 0, 1 + n % 3, "input"))
        .collect();
    store_all(&*store, &appends).await;
    for append in &appends {
        let found = versions(&*store, append.stream.instance()).await;
        assert_eq!(found.len(), append.entries.len(), "{}", append.stream);
    }
    assert!(
        store
            .append(&[])
            .await
            .expect("the store answers")
            .is_empty()
    );
}

pub async fn a_conflict_in_one_stream_leaves_the_others_alone(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("B", 0, 1, "first")]).await;
    let outcomes = store
        .append(&[
            append("A", 0, 2, "x"),
            append("B", 0, 2, "x"),
            append("C", 0, 1, "x"),
        ])
        .await
        .expect("the store answers");
    assert_eq!(
        outcomes,
        [
            Appended::Stored,
            Appended::Conflict {
                current: Version(1)
            },
            Appended::Stored
        ]
    );
    assert_eq!(versions(&*store, "A").await, [1, 2]);
    assert_eq!(
        versions(&*store, "B").await,
        [1],
        "nothing of the conflicting append is kept"
    );
    assert_eq!(versions(&*store, "C").await, [1]);
}

pub async fn an_identical_append_is_stored_once(harness: &impl Harness) {
    let store = harness.store();
    let first = [append("A", 0, 2, "input"), append("B", 0, 1, "input")];
    store_all(&*store, &first).await;
    store_all(&*store, &first).await;
    assert_eq!(versions(&*store, "A").await, [1, 2]);
    // Also when the stream has gone on since.
    store_all(&*store, &[append("A", 2, 1, "next")]).await;
    store_all(&*store, &first).await;
    assert_eq!(versions(&*store, "A").await, [1, 2, 3]);
    assert_eq!(versions(&*store, "B").await, [1]);
    let mut cursor = Cursor::start(store.partitions());
    assert_eq!(follow(&*store, &mut cursor, 100).await.len(), 4);
}

pub async fn a_rival_at_the_same_version_conflicts(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 1, "mine")]).await;
    let outcome = store
        .append(&[append("A", 0, 1, "theirs")])
        .await
        .expect("the store answers");
    assert_eq!(
        outcome,
        [Appended::Conflict {
            current: Version(1)
        }]
    );
}

pub async fn an_append_that_agrees_in_part_conflicts(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 1, "input")]).await;
    let outcome = store
        .append(&[append("A", 0, 2, "input")])
        .await
        .expect("the store answers");
    assert_eq!(
        outcome,
        [Appended::Conflict {
            current: Version(1)
        }]
    );
    assert_eq!(versions(&*store, "A").await, [1]);
}

pub async fn of_concurrent_appends_at_one_version_one_wins(harness: &impl Harness) {
    let store = harness.store();
    for round in 0..10 {
        let rivals = (0..8).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .append(&[append("A", round, 1, &format!("writer{n}"))])
                    .await
            })
        });
        let outcomes: Vec<_> = join_all(rivals)
            .await
            .into_iter()
            .map(|outcome| outcome.expect("no panic").expect("the store answers")[0])
            .collect();
        let won = outcomes.iter().filter(|o| **o == Appended::Stored).count();
        assert_eq!(won, 1, "{outcomes:?}");
        let lost = Appended::Conflict {
            current: Version(round + 1),
        };
        assert!(
            outcomes
                .iter()
                .all(|o| *o == Appended::Stored || *o == lost),
            "{outcomes:?}"
        );
    }
    assert_eq!(versions(&*store, "A").await.len(), 10);
}

pub async fn instances_of_the_store_guard_each_other(harness: &impl Harness) {
    let (one, other) = (harness.store(), harness.open_again().await);
    store_all(&*one, &[append("A", 0, 1, "one")]).await;
    let outcome = other
        .append(&[append("A", 0, 1, "other")])
        .await
        .expect("the store answers");
    assert_eq!(
        outcome,
        [Appended::Conflict {
            current: Version(1)
        }]
    );
    store_all(&*other, &[append("A", 1, 1, "other")]).await;
    assert_eq!(versions(&*one, "A").await, [1, 2]);
}

pub async fn what_is_stored_is_there_for_another_instance(harness: &impl Harness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 3, "input")]).await;
    let again = harness.open_again().await;
    assert_eq!(versions(&*again, "A").await, [1, 2, 3]);
    let mut cursor = Cursor::start(again.partitions());
    assert_eq!(follow(&*again, &mut cursor, 100).await.len(), 3);
}

pub async fn the_log_is_read_by_kind_and_from_a_cursor(harness: &impl Harness) {
    let store = harness.store();
    let other = StreamKind::new("Shipment");
    store_all(
        &*store,
        &[
            append("A", 0, 2, "input"),
            append_to(StreamName::new("A", &other), 0, 3, "input"),
            append("B", 0, 1, "input"),
        ],
    )
    .await;
    let mut cursor = Cursor::start(store.partitions());
    let found = follow(&*store, &mut cursor, 100).await;
    assert_eq!(names(&found).len(), 3);
    assert!(found.iter().all(|e| e.stream.kind() == "Process"));
    assert!(
        follow(&*store, &mut cursor, 100).await.is_empty(),
        "nothing is read twice"
    );

    store_all(&*store, &[append("A", 2, 1, "later")]).await;
    let found = follow(&*store, &mut cursor, 100).await;
    assert_eq!(names(&found), BTreeSet::from([("A-Process".to_owned(), 3)]));
    // A cursor without a partition does not read that partition.
    let (partition, home) = (store.partitions().of("A"), Position::START);
    let mut own: Cursor = [(partition, home)].into_iter().collect();
    assert!(
        follow(&*store, &mut own, 100)
            .await
            .iter()
            .all(|e| e.partition == partition)
    );
}

pub async fn the_log_is_read_in_parts_of_any_size(harness: &impl Harness) {
    let store = harness.store();
    let appends: Vec<_> = (0..20)
        .map(|n| append(&format!("S{n}"), 0, 3, "input"))
        .collect();
    store_all(&*store, &appends).await;
    for limit in [1, 7, 60, 1_000] {
        let mut cursor = Cursor::start(store.partitions());
        let found = follow(&*store, &mut cursor, limit).await;
        assert_eq!(found.len(), 60, "in parts of {limit}");
        assert_eq!(names(&found).len(), 60, "in parts of {limit}");
        for append in &appends {
            let versions: Vec<_> = found
                .iter()
                .filter(|e| e.stream == append.stream)
                .map(|e| e.version.0)
                .collect();
            assert_eq!(versions, [1, 2, 3], "{} in parts of {limit}", append.stream);
        }
    }
}

pub async fn a_page_says_where_to_read_on(harness: &impl Harness) {
    let store = harness.store();
    let appends: Vec<_> = (0..20)
        .map(|n| append(&format!("S{n}"), 0, 1, "input"))
        .collect();
    store_all(&*store, &appends).await;
    // Whoever goes on behind the entries alone meets the same as whoever takes the page's word.
    let mut by_entries = Cursor::start(store.partitions());
    let mut by_page = by_entries.clone();
    for _ in 0..5 {
        let behind = |cursor: Cursor| {
            let store = store.clone();
            async move { store.read_log(&kind(), &cursor, 4).await }
        };
        let one = behind(by_entries.clone()).await.expect("the store answers");
        let other = behind(by_page.clone()).await.expect("the store answers");
        assert_eq!(names(&one.entries), names(&other.entries));
        assert_eq!(one.entries.len(), 4);
        for entry in &one.entries {
            by_entries.advance(entry.partition, entry.position);
        }
        by_page = other.cursor;
        for (partition, position) in by_entries.iter() {
            assert!(by_page.position(partition) >= position, "it lies behind");
        }
    }
    let page = store.read_log(&kind(), &by_page, 4).await;
    assert!(page.expect("the store answers").entries.is_empty());

    // It speaks of the partitions that were asked for, also where there is nothing.
    let partition = Partition(1);
    let one: Cursor = [(partition, by_page.position(partition))]
        .into_iter()
        .collect();
    let page = store.read_log(&kind(), &one, 4).await;
    let cursor = page.expect("the store answers").cursor;
    assert_eq!(
        cursor.iter().map(|(p, _)| p).collect::<Vec<_>>(),
        [partition]
    );
    assert!(cursor.position(partition) >= one.position(partition));

    // And what is stored afterwards lies behind it.
    store_all(&*store, &[append("later", 0, 1, "input")]).await;
    let page = store.read_log(&kind(), &by_page, 4).await;
    assert_eq!(page.expect("the store answers").entries.len(), 1);
}

pub async fn an_instance_is_always_in_the_same_partition(harness: &impl Harness) {
    let store = harness.store();
    let other = StreamKind::new("Shipment");
    let instances: Vec<String> = (0..30).map(|n| format!("I{n}")).collect();
    for instance in &instances {
        let sibling = append_to(StreamName::new(instance, &other), 0, 1, "x");
        store_all(&*store, &[append(instance, 0, 1, "x"), sibling]).await;
    }
    for kind in [kind(), other] {
        let log = store
            .read_log(&kind, &Cursor::start(store.partitions()), 1_000)
            .await;
        for entry in log.expect("the store answers").entries {
            assert_eq!(
                entry.partition,
                store.partitions().of(entry.stream.instance())
            );
        }
    }
}

pub async fn a_reader_never_skips_under_eight_writers(harness: &impl Harness) {
    const WRITERS: u64 = 8;
    const APPENDS: u64 = 25;
    let store = harness.store();
    let other = harness.open_again().await;
    let writers = (0..WRITERS).map(|writer| {
        // Half of them write through another instance.
        let store = if writer % 2 == 0 {
            store.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            for n in 0..APPENDS {
                let shared = append(&format!("w{writer}s{}", n % 5), n / 5 * 2, 2, "input");
                let single = append(&format!("w{writer}n{n}"), 0, 1, "input");
                store_all(&*store, &[shared, single]).await;
            }
        })
    });
    let writing = join_all(writers.collect::<Vec<_>>());
    tokio::pin!(writing);

    let mut cursor = Cursor::start(store.partitions());
    let mut found = Vec::new();
    let mut finished = false;
    while !finished {
        tokio::select! {
            biased;
            results = &mut writing => {
                results.into_iter().for_each(|r| r.expect("the writer is done"));
                finished = true;
            }
            () = follow_into(&mut found, &*store, &mut cursor, 10) => tokio::task::yield_now().await,
        }
    }
    follow_into(&mut found, &*store, &mut cursor, 10).await;
    assert_eq!(
        found.len() as u64,
        WRITERS * APPENDS * 3,
        "what the reader met"
    );
    assert_eq!(
        names(&found).len() as u64,
        WRITERS * APPENDS * 3,
        "each once"
    );
}

pub async fn a_lower_position_that_commits_last_is_not_skipped(harness: &impl Harness) {
    let store = harness.store();
    let (home, neighbour, stranger) = neighbours_and_stranger(&*store);
    let held = harness.hold_append(append(&home, 0, 1, "held")).await;
    let mut later = [neighbour.clone(), stranger.clone()].map(|instance| {
        let store = store.clone();
        tokio::spawn(async move { store_all(&*store, &[append(&instance, 0, 1, "later")]).await })
    });

    let mut cursor = Cursor::start(store.partitions());
    let mut found = Vec::new();
    for _ in 0..50 {
        found.extend(follow(&*store, &mut cursor, 100).await);
        tokio::task::yield_now().await;
    }
    assert!(
        !names(&found).contains(&(stream(&home).to_string(), 1)),
        "it is not committed yet"
    );
    assert_eq!(held.release().await, Appended::Stored);
    for later in &mut later {
        later.await.expect("the later append is done");
    }
    found.extend(follow(&*store, &mut cursor, 100).await);
    let expected = [home, neighbour, stranger].map(|i| (stream(&i).to_string(), 1));
    assert_eq!(names(&found), BTreeSet::from(expected));
}

pub async fn an_idle_transaction_elsewhere_delays_nobody(harness: &impl Harness) {
    let store = harness.store();
    let idle = harness.idle_transaction().await;
    store_all(
        &*store,
        &[append("A", 0, 1, "input"), append("B", 0, 1, "input")],
    )
    .await;
    let mut cursor = Cursor::start(store.partitions());
    assert_eq!(follow(&*store, &mut cursor, 100).await.len(), 2);
    drop(idle);
}

pub async fn any_json_survives(harness: &impl Harness) {
    let store = harness.store();
    let texts = [
        r#"{"b":1,"a":[true,null,1.0,1e300,12345678901234567890]}"#,
        r#"{"text":"ä € 𝄞 \u0000 \ud83d \"quoted\" back\\slash"}"#,
        r#""just text""#,
        "null",
    ];
    let name = stream("A");
    let entries = texts
        .iter()
        .zip(1..)
        .map(|(text, n)| entry(&name, n, "input", text))
        .collect();
    let append = Append {
        stream: name,
        expected: Version::NONE,
        entries,
    };
    store_all(&*store, &[append]).await;
    let found = read(&*store, "A").await;
    let found: Vec<_> = found.iter().map(|e| e.content.data.get()).collect();
    assert_eq!(found, texts);
}

pub async fn large_appends_are_stored_whole(harness: &impl Harness) {
    let store = harness.store();
    let mut big = append("big", 0, 1, "input");
    let (bytes, count) = harness.large_append();
    let text = format!("\"{}\"", "x".repeat(bytes));
    big.entries[0].data = RawValue::from_string(text).expect("valid JSON");
    let many = append("many", 0, count, "input");
    store_all(&*store, &[big.clone(), many]).await;
    assert_eq!(
        read(&*store, "big").await[0].content.data.get(),
        big.entries[0].data.get()
    );
    assert_eq!(
        versions(&*store, "many").await,
        (1..=count).collect::<Vec<_>>()
    );
}

pub async fn an_append_wakes_listeners_of_its_kind(harness: &impl Harness) {
    let store = harness.store();
    let mut own = store.wake_ups(&kind());
    let mut other = store.wake_ups(&StreamKind::new("Shipment"));
    store_all(&*store, &[append("A", 0, 1, "input")]).await;
    own.woken().await;
    let mut cursor = Cursor::start(store.partitions());
    assert_eq!(
        follow(&*store, &mut cursor, 10).await.len(),
        1,
        "what it was woken for is there"
    );
    tokio::select! {
        biased;
        () = other.woken() => panic!("nothing was stored there"),
        () = tokio::task::yield_now() => {}
    }
}

pub async fn a_new_reader_stands_at_the_start(harness: &impl CheckpointsHarness) {
    let checkpoint = harness
        .checkpoints()
        .load_checkpoint("relay/manifestation")
        .await
        .expect("it answers");
    assert!(checkpoint.partitions.is_empty());
    let partitions = Partitions::default();
    assert_eq!(checkpoint.cursor(partitions), Cursor::start(partitions));
}

fn checkpoint(positions: &[(u16, u64, &str)]) -> Checkpoint {
    let state = |text: &str| {
        (!text.is_empty())
            .then(|| RawValue::from_string(text.to_owned()).expect("the suite writes valid JSON"))
    };
    Checkpoint {
        partitions: positions
            .iter()
            .map(|(partition, position, text)| {
                (Partition(*partition), (Position(*position), state(text)))
            })
            .collect(),
    }
}

async fn saved(store: &dyn Checkpoints, reader: &str) -> Vec<(u16, u64, String)> {
    let checkpoint = store
        .load_checkpoint(reader)
        .await
        .expect("the store answers");
    let text = |state: Option<Box<RawValue>>| state.map_or(String::new(), |s| s.get().to_owned());
    checkpoint
        .partitions
        .into_iter()
        .map(|(partition, (position, state))| (partition.0, position.0, text(state)))
        .collect()
}

pub async fn a_checkpoint_is_read_back_with_its_state(harness: &impl CheckpointsHarness) {
    let store = harness.checkpoints();
    let first = checkpoint(&[(0, 5, r#"{"open":["a"]}"#), (1, 7, "")]);
    store
        .save_checkpoint("deadlines", &first)
        .await
        .expect("the store answers");
    store
        .save_checkpoint("relay", &checkpoint(&[(0, 1, "")]))
        .await
        .expect("it answers");
    let again = harness.open_checkpoints_again().await;
    assert_eq!(
        saved(&*again, "deadlines").await,
        [
            (0, 5, r#"{"open":["a"]}"#.to_owned()),
            (1, 7, String::new())
        ]
    );
    assert_eq!(saved(&*again, "relay").await, [(0, 1, String::new())]);
}

pub async fn a_checkpoint_never_goes_back(harness: &impl CheckpointsHarness) {
    let store = harness.checkpoints();
    let save = async |positions| {
        store
            .save_checkpoint("relay", &checkpoint(positions))
            .await
            .expect("the store answers");
    };
    save(&[(0, 5, r#""five""#), (1, 5, r#""five""#)]).await;
    save(&[(0, 3, r#""three""#), (1, 9, r#""nine""#)]).await;
    assert_eq!(
        saved(&*store, "relay").await,
        [
            (0, 5, r#""five""#.to_owned()),
            (1, 9, r#""nine""#.to_owned())
        ]
    );
}

pub async fn instances_that_save_at_once_keep_the_furthest(harness: &impl CheckpointsHarness) {
    let instances = [
        harness.checkpoints(),
        harness.open_checkpoints_again().await,
    ];
    // Both know what is saved, before either saves again.
    for instance in &instances {
        saved(&**instance, "relay").await;
    }
    for round in 0..10 {
        let saves = (1..=4).map(|n| {
            let store = instances[n as usize % 2].clone();
            let position = round * 10 + n;
            let state = position.to_string();
            tokio::spawn(async move {
                let place = checkpoint(&[(n as u16 % 2, position, &state)]);
                store.save_checkpoint("relay", &place).await
            })
        });
        for save in join_all(saves.collect::<Vec<_>>()).await {
            save.expect("no panic").expect("the store answers");
        }
        let furthest = [(0, round * 10 + 4), (1, round * 10 + 3)];
        for instance in &instances {
            assert_eq!(
                saved(&**instance, "relay").await,
                furthest.map(|(partition, position)| (partition, position, position.to_string()))
            );
        }
    }
}

pub async fn it_answers(harness: &impl Harness) {
    harness.store().ping().await.expect("the store answers");
}
