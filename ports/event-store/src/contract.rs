//! The suite that every adapter must pass: each promise of [`EventStore`] is a test of its own.
//!
//! An adapter's `tests/contract.rs` implements [`Harness`] and calls
//! [`event_store_contract!`](crate::event_store_contract). What keeps checkpoints alone implements
//! [`CheckpointsHarness`] and calls [`checkpoints_contract!`](crate::checkpoints_contract); what can also
//! remove streams, [`RemovalHarness`] and [`removal_contract!`](crate::removal_contract).
#![expect(missing_docs, reason = "the name of a test is its promise")]

mod appending;
mod checkpoints;
mod log;
mod removing;

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

pub use appending::*;
pub use checkpoints::*;
pub use log::*;
pub use removing::*;

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
            a_partition_that_is_longer_than_the_others_is_read_to_its_end
            what_lies_behind_a_cursor_is_counted
            whoever_follows_meets_what_everybody_stores
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

/// Declares the tests of [`crate::RemoveStreams`]. `$harness` is an async function without arguments that
/// returns a [`RemovalHarness`].
#[macro_export]
macro_rules! removal_contract {
    ($harness:path) => {
        $crate::event_store_contract! { @tests $harness:
            a_removal_takes_its_streams_whole_and_nothing_else
            a_stream_at_another_version_keeps_all_of_its_removal
            a_removal_that_is_repeated_is_answered_the_same
            readers_go_on_over_what_was_removed
            no_position_is_given_a_second_time
            an_append_that_is_under_way_is_kept
            removals_and_appends_at_once_leave_no_stream_without_its_beginning
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
            actor: None,
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
async fn follow(store: &dyn EventStore, cursor: &mut Cursor, limit: usize) -> Vec<Arc<Entry>> {
    let mut found = Vec::new();
    follow_into(&mut found, store, cursor, limit).await;
    found
}

/// The same; when it is cancelled, `found` and `cursor` agree.
async fn follow_into(
    found: &mut Vec<Arc<Entry>>,
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

fn names(entries: &[Arc<Entry>]) -> BTreeSet<(String, u64)> {
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
