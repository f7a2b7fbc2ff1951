//! What the handler promises: one append for a batch, each input once, and nobody held up by another.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contracts::{MessageId, Partitions};
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, Visibility, WakeUp,
};
use jiff::{SignedDuration, Timestamp};
use kernel::Refusal;
use message_bus::Unreadable;
use runtime::{Failure, Handled, Input as Arrived, SystemClock};
use serde_json::json;
use serde_json::value::to_raw_value;
use support::{envelope, handler, memory, message, names, newer, older, stream};
use testkit::ManualClock;
use tokio_util::sync::CancellationToken;

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}

fn handled(results: Vec<Result<Handled, Failure>>) -> Vec<Handled> {
    results.into_iter().map(|result| result.unwrap()).collect()
}

/// Whether there is one left, which is then taken.
fn one_more(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}

/// A store that does as it is told to beside what the store within does.
struct Odd {
    inner: Arc<dyn EventStore>,
    appends: AtomicUsize,
    refuses: &'static str,
    cannot_read: &'static str,
    away_for: AtomicUsize,
    /// So many times it reads streams as they were before anything was stored.
    reads_before: AtomicUsize,
}

impl Odd {
    fn over(inner: &Arc<dyn EventStore>) -> Self {
        Self {
            inner: inner.clone(),
            appends: AtomicUsize::new(0),
            refuses: "nobody",
            cannot_read: "nobody",
            away_for: AtomicUsize::new(0),
            reads_before: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl EventStore for Odd {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        if appends
            .iter()
            .any(|append| append.stream.instance() == self.refuses)
        {
            return Err(Error::Refused("not this".into()));
        }
        if one_more(&self.away_for) {
            return Err(Error::Unavailable("gone for a moment".into()));
        }
        self.inner.append(appends).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        if streams.iter().any(|s| s.instance() == self.cannot_read) {
            return Err(Error::Corrupt("a part of it is gone".into()));
        }
        if one_more(&self.reads_before) {
            return Ok(vec![Vec::new(); streams.len()]);
        }
        self.inner.read_streams(streams).await
    }

    async fn read_log(&self, k: &StreamKind, c: &Cursor, l: usize) -> Result<Page, Error> {
        self.inner.read_log(k, c, l).await
    }

    fn wake_ups(&self, kind: &StreamKind) -> WakeUp {
        self.inner.wake_ups(kind)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.inner.ping().await
    }

    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }
}

#[async_trait]
impl Checkpoints for Odd {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}

#[tokio::test]
async fn many_inputs_of_many_instances_make_one_append() {
    let inner = memory();
    let odd = Arc::new(Odd::over(&inner));
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
async fn what_cannot_be_read_parks_its_instance_and_nobody_else() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut old = handler(older(), &store, clock(), &stop);
    let batch = vec![
        message("Open", "A", 1),
        message("Escalate", "A", 2),
        message("Note", "A", 3),
        message("Open", "B", 1),
        message("Note", "B", 2),
    ];
    let results = handled(old.handle(batch).await);
    assert_eq!(
        results,
        [
            Handled::Decided,
            Handled::Parked,
            Handled::Parked,
            Handled::Decided,
            Handled::Decided
        ]
    );
    assert_eq!(
        names(&store, "A").await,
        ["Opened", "InputParked", "InputParked"]
    );
    assert_eq!(names(&store, "B").await, ["Opened", "Noted"]);

    // Tried again by the same program, it stays where it is, with its reason.
    let redrive = || {
        vec![Arrived::Redrive {
            instance: "A".to_owned(),
            discard_first: false,
            actor: None,
        }]
    };
    let Handled::Redriven {
        handled: 0,
        remaining: 2,
        reason: Some(reason),
    } = handled(old.handle(redrive()).await).remove(0)
    else {
        panic!("it cannot be handled yet")
    };
    assert!(reason.contains("Escalate"), "{reason}");

    // A newer program understands it, and handles all that waited, in order, once.
    let mut new = handler(newer(), &store, clock(), &stop);
    let redriven = handled(new.handle(redrive()).await);
    assert_eq!(
        redriven,
        [Handled::Redriven {
            handled: 2,
            remaining: 0,
            reason: None
        }]
    );
    let again = handled(new.handle(redrive()).await);
    assert_eq!(
        again,
        [Handled::Redriven {
            handled: 0,
            remaining: 0,
            reason: None
        }]
    );
    assert_eq!(
        names(&store, "A").await,
        [
            "Opened",
            "InputParked",
            "InputParked",
            "Escalated",
            "ParkedInputHandled",
            "Noted",
            "ParkedInputHandled"
        ]
    );
    let after = handled(
        new.handle(vec![message("Escalate", "A", 2), message("Note", "A", 9)])
            .await,
    );
    assert_eq!(after, [Handled::Duplicate, Handled::Decided]);
}

#[tokio::test]
async fn what_names_no_instance_is_kept_all_the_same() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let unreadable = |subject: Option<&str>, n: &str| {
        Arrived::Unreadable(Unreadable {
            id: MessageId::derive(&["unreadable", n]),
            subject: subject.map(str::to_owned),
            reason: "no JSON".to_owned(),
            raw: format!("raw {n}"),
        })
    };
    let batch = vec![
        unreadable(None, "1"),
        unreadable(Some("bad\0id"), "2"),
        unreadable(Some("A"), "3"),
    ];
    assert_eq!(
        handled(handler.handle(batch).await),
        vec![Handled::Parked; 3]
    );
    let kept = stream(&store, "~unaddressed").await;
    assert_eq!(kept.len(), 2);
    assert!(
        kept[0].content.data.get().contains("raw 1"),
        "{}",
        kept[0].content.data
    );
    assert_eq!(names(&store, "A").await, ["InputParked"]);
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
    let clock = |minute| Arc::new(ManualClock::at(minutes(minute)));
    let mut winner = handler(older(), &inner, clock(0), &stop);
    let late: Arc<dyn EventStore> = Arc::new(Odd {
        reads_before: AtomicUsize::new(1),
        ..Odd::over(&inner)
    });
    let mut loser = handler(older(), &late, clock(5), &stop);
    let open = || vec![message("Open", "A", 1)];
    assert_eq!(handled(winner.handle(open()).await), [Handled::Decided]);
    assert_eq!(handled(loser.handle(open()).await), [Handled::Duplicate]);

    // The winner's deadline is five minutes before the one that the loser would have set.
    let mut passed = envelope("DeadlinePassed", "A", 1);
    passed.data = to_raw_value(&json!({ "name": "reminder", "due": minutes(10) })).unwrap();
    let passed = vec![Arrived::Message(passed)];
    assert_eq!(handled(loser.handle(passed).await), [Handled::Decided]);
    assert_eq!(names(&inner, "A").await, ["Opened", "Reminded"]);
}

#[tokio::test]
async fn what_the_store_refuses_holds_up_nobody_else() {
    let inner = memory();
    let store: Arc<dyn EventStore> = Arc::new(Odd {
        refuses: "B",
        ..Odd::over(&inner)
    });
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let batch = ["A", "B", "C"].map(|ticket| message("Open", ticket, 1));
    let results = handler.handle(batch.into()).await;
    assert!(matches!(results[0], Ok(Handled::Decided)), "{results:?}");
    assert!(
        matches!(results[1], Err(Failure::Refused(_))),
        "{results:?}"
    );
    assert!(matches!(results[2], Ok(Handled::Decided)), "{results:?}");
    assert_eq!(names(&store, "B").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_holds_up_nobody_else() {
    let inner = memory();
    let store: Arc<dyn EventStore> = Arc::new(Odd {
        cannot_read: "B",
        ..Odd::over(&inner)
    });
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let batch = ["A", "B", "C"].map(|ticket| message("Open", ticket, 1));
    let results = handler.handle(batch.into()).await;
    assert!(matches!(results[0], Ok(Handled::Decided)), "{results:?}");
    assert!(
        matches!(results[1], Err(Failure::Refused(_))),
        "{results:?}"
    );
    assert!(matches!(results[2], Ok(Handled::Decided)), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for() {
    let inner = memory();
    let odd = Odd {
        away_for: AtomicUsize::new(5),
        ..Odd::over(&inner)
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
    let odd = Odd {
        away_for: AtomicUsize::new(usize::MAX),
        ..Odd::over(&inner)
    };
    let store: Arc<dyn EventStore> = Arc::new(odd);
    let stop = CancellationToken::new();
    let mut handler = handler(older(), &store, clock(), &stop);
    stop.cancel();
    let results = handler.handle(vec![message("Open", "A", 1)]).await;
    assert!(matches!(results[0], Err(Failure::Stopped)), "{results:?}");
}

#[tokio::test]
async fn what_can_never_be_read_is_given_up_by_a_person_and_the_rest_goes_on() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let garbage = Arrived::Unreadable(Unreadable {
        id: MessageId::derive(&["garbage"]),
        subject: Some("A".to_owned()),
        reason: "no JSON".to_owned(),
        raw: "garbage".to_owned(),
    });
    let batch = vec![message("Open", "A", 1), garbage, message("Note", "A", 2)];
    handler.handle(batch).await;
    for discard_first in [false, true] {
        let redrive = Arrived::Redrive {
            instance: "A".to_owned(),
            discard_first,
            actor: None,
        };
        let redriven = handled(handler.handle(vec![redrive]).await).remove(0);
        let expected = if discard_first {
            Handled::Redriven {
                handled: 1,
                remaining: 0,
                reason: None,
            }
        } else {
            Handled::Redriven {
                handled: 0,
                remaining: 2,
                reason: Some("no JSON".to_owned()),
            }
        };
        assert_eq!(redriven, expected);
    }
    assert_eq!(
        names(&store, "A").await[3..],
        ["ParkedInputDiscarded", "Noted", "ParkedInputHandled"]
    );
}

#[tokio::test]
async fn of_what_is_no_message_only_the_beginning_is_kept() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let garbage = Arrived::Unreadable(Unreadable {
        id: MessageId::derive(&["large"]),
        subject: Some("A".to_owned()),
        reason: "no JSON".to_owned(),
        raw: "ä".repeat(1 << 20),
    });
    assert_eq!(
        handled(handler.handle(vec![garbage]).await),
        [Handled::Parked]
    );
    let kept = stream(&store, "A").await.remove(0).content.data;
    assert!(kept.get().len() < 70 * 1024, "{} bytes", kept.get().len());
    assert!(kept.get().contains("of 2097152 bytes"));
}
