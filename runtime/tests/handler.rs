//! What the handler promises: one append for a batch, each input once, and nobody held up by another.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contracts::Partitions;
use event_store::{EventStore, Removal, RemoveStreams, Removed, StreamName, Version, Visibility};
use event_store_memory::MemoryEventStore;
use jiff::{SignedDuration, Timestamp};
use kernel::Refusal;
use runtime::{Failure, Handled, Input as Arrived, REMEMBERED_FOR, Settings};
use serde_json::json;
use serde_json::value::to_raw_value;
use support::odd_store::OddStore;
use support::warnings::Warnings;
use support::{
    envelope, handled, handler, kind, memory, message, names, older, stream, system_clock as clock,
};
use testkit::ManualClock;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn many_inputs_of_many_instances_make_one_append() {
    let inner = memory();
    let odd = Arc::new(OddStore::over(&inner));
    let store: Arc<dyn EventStore> = odd.clone();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let mut batch = Vec::new();
    for ticket in ["A", "B", "C"] {
        batch.push(message("Open", ticket, 1));
    }
    for n in 0..10 {
        batch.push(message("Note", ["A", "B", "C"][n as usize % 3], n));
    }
    let results = handled(handler.handle(batch).await);
    assert_eq!(results, vec![Handled::Decided; 13]);
    assert_eq!(odd.appends.load(Ordering::SeqCst), 1);
    let entries = stream(&store, "A").await;
    let texts: Vec<_> = entries
        .iter()
        .map(|entry| entry.content.data.get())
        .collect();
    assert_eq!(
        texts,
        [
            r#"{"text":"1"}"#,
            r#"{"text":"0"}"#,
            r#"{"text":"3"}"#,
            r#"{"text":"6"}"#,
            r#"{"text":"9"}"#
        ]
    );
    assert!(entries.is_sorted_by(|a, b| a.content.recorded_at < b.content.recorded_at));
}

#[tokio::test]
async fn a_repetition_does_nothing_in_the_same_batch_later_and_after_a_restart() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut first = handler(older(), &store, clock(), &stop);
    let batch = vec![message("Open", "A", 1), message("Open", "A", 1)];
    let results = handled(first.handle(batch).await);
    assert_eq!(results, [Handled::Decided, Handled::Duplicate]);
    assert_eq!(
        handled(first.handle(vec![message("Open", "A", 1)]).await),
        [Handled::Duplicate]
    );
    let mut restarted = handler(older(), &store, clock(), &stop);
    let again = restarted.handle(vec![message("Open", "A", 1)]).await;
    assert_eq!(handled(again), [Handled::Duplicate]);
    assert_eq!(names(&store, "A").await, ["Opened"]);
}

#[tokio::test]
async fn a_quiet_instance_that_was_removed_meanwhile_begins_anew() {
    let memory = Arc::new(MemoryEventStore::new(Partitions::default()));
    let store: Arc<dyn EventStore> = memory.clone();
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let mut handler = handler(older(), &store, clock.clone(), &CancellationToken::new());
    let open = || vec![message("Open", "A", 1)];
    assert_eq!(handled(handler.handle(open()).await), [Handled::Decided]);
    clock.advance(REMEMBERED_FOR);
    assert_eq!(handled(handler.handle(open()).await), [Handled::Duplicate]);
    let removal = Removal {
        streams: vec![(StreamName::new("A", &kind()), Version(1))],
    };
    let removed = memory.remove_streams(&[removal]).await.unwrap();
    assert_eq!(removed, [Removed::Gone]);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(handled(handler.handle(open()).await), [Handled::Decided]);
    assert_eq!(names(&store, "A").await, ["Opened"]);
}

#[tokio::test]
async fn a_refusal_is_recorded_internally_so_that_its_repetition_meets_no_newer_state() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let early = handled(handler.handle(vec![message("Note", "A", 1)]).await);
    assert_eq!(early, [Handled::Refused(Refusal::NotStarted)]);
    handler.handle(vec![message("Open", "A", 1)]).await;
    let late = handled(handler.handle(vec![message("Note", "A", 1)]).await);
    assert_eq!(late, [Handled::Duplicate]);
    let entries = stream(&store, "A").await;
    assert_eq!(entries[0].content.type_name, "TriggerIgnored");
    assert_eq!(entries[0].content.metadata.visibility, Visibility::Internal);
    assert!(
        entries[0].content.data.get().contains("notStarted"),
        "{}",
        entries[0].content.data
    );
    assert_eq!(entries[1].content.type_name, "Opened");
}

#[tokio::test]
async fn two_instances_of_a_service_at_the_same_ticket_decide_one_after_the_other() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut one = handler(older(), &store, clock(), &stop);
    let mut other = handler(older(), &store, clock(), &stop);
    one.handle(vec![message("Open", "A", 1)]).await;
    for n in 0..10 {
        // Each has an instance in its cache that the other has moved on.
        let (a, b) = tokio::join!(
            one.handle(vec![message("Note", "A", 2 * n)]),
            other.handle(vec![message("Note", "A", 2 * n + 1)]),
        );
        assert_eq!(
            (handled(a), handled(b)),
            (vec![Handled::Decided], vec![Handled::Decided])
        );
    }
    let second_close = tokio::join!(
        one.handle(vec![message("Close", "A", 1)]),
        other.handle(vec![message("Close", "A", 2)]),
    );
    let results = [
        handled(second_close.0).remove(0),
        handled(second_close.1).remove(0),
    ];
    assert!(results.contains(&Handled::Decided), "{results:?}");
    assert!(
        results.contains(&Handled::Refused(Refusal::Finished)),
        "{results:?}"
    );
    let found = names(&store, "A").await;
    assert_eq!(found.iter().filter(|name| *name == "Noted").count(), 20);
    assert_eq!(found.iter().filter(|name| *name == "Closed").count(), 1);
}

#[tokio::test]
async fn who_loses_a_race_for_the_same_input_goes_on_from_what_the_winner_stored() {
    let inner = memory();
    let stop = CancellationToken::new();
    let minutes = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    let clock_at = |minute| Arc::new(ManualClock::at(minutes(minute)));
    let mut winner = handler(older(), &inner, clock_at(0), &stop);
    let late: Arc<dyn EventStore> = Arc::new(OddStore {
        reads_before: AtomicUsize::new(1),
        ..OddStore::over(&inner)
    });
    let mut loser = handler(older(), &late, clock_at(5), &stop);
    let open = || vec![message("Open", "A", 1)];
    assert_eq!(handled(winner.handle(open()).await), [Handled::Decided]);
    let warnings = Warnings::default();
    let lost = warnings.while_it_runs(loser.handle(open())).await;
    assert_eq!(handled(lost), [Handled::Duplicate]);
    assert_eq!(warnings.told(), "", "it happens all the time");

    // The winner's deadline is five minutes before the one that the loser would have set.
    let mut passed = envelope("DeadlinePassed", "A", 1);
    passed.data = to_raw_value(&json!({ "name": "reminder", "due": minutes(10) })).unwrap();
    let passed = vec![Arrived::Message(passed)];
    assert_eq!(handled(loser.handle(passed).await), [Handled::Decided]);
    assert_eq!(names(&inner, "A").await, ["Opened", "Reminded"]);
}

#[tokio::test]
async fn as_many_instances_as_are_kept_in_memory_are_not_read_again_and_again() {
    let inner = memory();
    let odd = Arc::new(OddStore::over(&inner));
    let store: Arc<dyn EventStore> = odd.clone();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let kept = Settings::default().cached_instances;
    let names: Vec<_> = (0..kept).map(|number| format!("A{number}")).collect();
    for (number, step) in [(1, "Open"), (2, "Note"), (3, "Note"), (4, "Close")] {
        for some in names.chunks(100) {
            let inputs = some.iter().map(|name| message(step, name, number));
            let results = handled(handler.handle(inputs.collect()).await);
            assert!(results.iter().all(|result| *result == Handled::Decided));
        }
    }
    assert_eq!(odd.read.load(Ordering::SeqCst), kept, "each when it is new");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for() {
    let inner = memory();
    let odd = OddStore {
        away_for: AtomicUsize::new(5),
        ..OddStore::over(&inner)
    };
    let store: Arc<dyn EventStore> = Arc::new(odd);
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let results = handler.handle(vec![message("Open", "A", 1)]).await;
    assert_eq!(handled(results), [Handled::Decided]);
    assert_eq!(names(&store, "A").await, ["Opened"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_no_longer_waits_for_the_store() {
    let inner = memory();
    let odd = OddStore {
        away_for: AtomicUsize::new(usize::MAX),
        ..OddStore::over(&inner)
    };
    let store: Arc<dyn EventStore> = Arc::new(odd);
    let stop = CancellationToken::new();
    let mut handler = handler(older(), &store, clock(), &stop);
    stop.cancel();
    let results = handler.handle(vec![message("Open", "A", 1)]).await;
    assert!(matches!(results[0], Err(Failure::Stopped)), "{results:?}");
}
