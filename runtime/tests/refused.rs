//! What the store refuses ends parked, with what can be kept of it, and holds up nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use event_store::EventStore;
use runtime::{Failure, Handled, Handler, Input as Arrived, ParkedInstance};
use serde_json::value::to_raw_value;
use support::odd_store::OddStore;
use support::{
    Input, Text, Tickets, envelope, handled, handler, memory, message, names, older, redrive,
    stream, system_clock,
};
use tokio_util::sync::CancellationToken;

fn of(store: &Arc<dyn EventStore>) -> Handler<Tickets<Input>> {
    handler(older(), store, system_clock(), &CancellationToken::new())
}

fn refusing(change: impl FnOnce(&mut OddStore)) -> Arc<dyn EventStore> {
    let mut odd = OddStore::over(&memory());
    change(&mut odd);
    Arc::new(odd)
}

/// A note of so many bytes.
fn long_note(ticket: &str, n: u32, size_bytes: usize) -> Arrived {
    let mut note = envelope("Note", ticket, n);
    let text = "x".repeat(size_bytes);
    note.data = to_raw_value(&Text { text }).unwrap();
    Arrived::Message(note)
}

fn unaddressed(entries: &[event_store::Entry]) -> ParkedInstance {
    ParkedInstance::of(entries).unwrap()
}

#[tokio::test]
async fn what_is_too_large_together_is_stored_one_by_one() {
    let store = refusing(|odd| odd.largest_bytes = 3_000);
    let mut handler = of(&store);
    let mut batch = vec![message("Open", "A", 0), message("Open", "B", 0)];
    batch.extend((1..=10).map(|n| long_note("A", n, 1_000)));
    batch.push(message("Close", "A", 11));
    let results = handled(handler.handle(batch).await);
    assert_eq!(results, vec![Handled::Decided; 13]);
    let found = names(&store, "A").await;
    assert_eq!((found.len(), found[11].as_str()), (12, "Closed"));
    assert_eq!(names(&store, "B").await, ["Opened"]);
}

#[tokio::test]
async fn what_is_too_large_by_itself_is_parked_and_what_comes_behind_it_waits() {
    // What it leads to is too large, and what it is, is larger still; its beginning is not.
    let store = refusing(|odd| odd.largest_bytes = 200_000);
    let mut handler = of(&store);
    let batch = vec![
        message("Open", "A", 0),
        long_note("A", 1, 300_000),
        message("Note", "A", 2),
        message("Open", "B", 0),
    ];
    let results = handled(handler.handle(batch).await);
    let expected = [
        Handled::Decided,
        Handled::Parked,
        Handled::Parked,
        Handled::Decided,
    ];
    assert_eq!(results, expected);
    let entries = stream(&store, "A").await;
    let parked = ParkedInstance::of(&entries).unwrap();
    let first = &parked.inputs[0];
    assert!(first.reason.contains("too large"), "{}", first.reason);
    assert_eq!((first.type_name.as_str(), first.attempts), ("Note", 1));
    assert!(parked.next_try.is_some());
    let kept = first.kept(&entries).unwrap();
    assert!(kept.get().len() < 70_000, "{} bytes", kept.get().len());
    assert!(kept.get().contains(&first.id.to_string()));
    assert!(kept.get().contains("bytes)"), "it says what is missing");
    assert_eq!(parked.inputs.len(), 2);

    // Repeated, it is there already.
    let again = vec![long_note("A", 1, 300_000), message("Note", "A", 2)];
    let again = handled(handler.handle(again).await);
    assert_eq!(again, vec![Handled::Duplicate; 2]);
    // Tried again, it stays, and is counted.
    let again = handled(handler.handle(vec![redrive("A")]).await);
    assert!(
        matches!(&again[..], [Handled::Redriven { handled: 0, remaining: 2, reason: Some(reason) }] if reason.contains("too large")),
        "{again:?}"
    );
    assert_eq!(names(&store, "A").await[3], "ParkedInputRetried");
}

#[tokio::test]
async fn a_parked_input_whose_decisions_are_refused_stays_parked_and_is_counted() {
    let inner = memory();
    let large: Arc<dyn EventStore> = Arc::new(OddStore::over(&inner));
    let batch = vec![
        message("Open", "A", 0),
        message("Escalate", "A", 1),
        long_note("A", 2, 10_000),
        message("Note", "A", 3),
    ];
    of(&large).handle(batch).await;
    let mut small = OddStore::over(&inner);
    small.largest_bytes = 5_000;
    let store: Arc<dyn EventStore> = Arc::new(small);
    let stop = CancellationToken::new();
    let mut new = handler(support::newer(), &store, system_clock(), &stop);
    // Together with the first it is too much, so the first goes alone; then it fails by itself.
    let redriven = |handled, remaining| Handled::Redriven {
        handled,
        remaining,
        reason: None,
    };
    let results = handled(new.handle(vec![redrive("A")]).await);
    assert_eq!(results, [redriven(1, 2)]);
    let results = handled(new.handle(vec![redrive("A")]).await);
    assert!(
        matches!(&results[..], [Handled::Redriven { handled: 0, remaining: 2, reason: Some(reason) }] if reason.contains("too large")),
        "{results:?}"
    );
    assert_eq!(
        names(&store, "A").await[4..],
        ["Escalated", "ParkedInputHandled", "ParkedInputRetried"]
    );
    // Where the store takes more, it is handled.
    let mut new = handler(support::newer(), &large, system_clock(), &stop);
    let results = handled(new.handle(vec![redrive("A")]).await);
    assert_eq!(results, [redriven(2, 0)]);
}

#[tokio::test]
async fn what_has_a_stream_that_the_store_does_not_keep_or_cannot_read_is_kept_elsewhere() {
    for cannot_read in [false, true] {
        let store = refusing(|odd| {
            if cannot_read {
                odd.cannot_read = "B";
            } else {
                odd.refuses = "B";
            }
        });
        let mut handler = of(&store);
        let batch = ["A", "B", "C"].map(|ticket| message("Open", ticket, 1));
        let results = handled(handler.handle(batch.into()).await);
        let expected = [Handled::Decided, Handled::Parked, Handled::Decided];
        assert_eq!(results, expected, "{cannot_read}");
        let entries = stream(&store, "~unaddressed").await;
        let parked = unaddressed(&entries);
        assert_eq!(parked.inputs.len(), 1);
        let found = &parked.inputs[0];
        let reason = ["not this", "a part of it is gone"][usize::from(cannot_read)];
        assert!(found.reason.contains(reason), "{}", found.reason);
        let kept = found.kept(&entries).unwrap();
        assert!(kept.get().contains(r#"\"subject\":\"B\""#), "{kept}");
        let again = handled(handler.handle(vec![message("Open", "B", 1)]).await);
        assert_eq!(again, [Handled::Duplicate]);
        // A person asks about what is parked there, and nowhere else.
        let results = handler.handle(vec![redrive("B")]).await;
        let expected = if cannot_read {
            matches!(results[..], [Err(Failure::Refused(_))])
        } else {
            // There is nothing to store.
            matches!(results[..], [Ok(Handled::Redriven { handled: 0, .. })])
        };
        assert!(expected, "{results:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_at_all_comes_again_and_nothing_overtakes_it() {
    let store = refusing(|odd| odd.largest_bytes = 0);
    let batch = vec![message("Open", "A", 1), message("Note", "A", 2)];
    let results = of(&store).handle(batch).await;
    assert!(
        matches!(
            results[..],
            [Err(Failure::Refused(_)), Err(Failure::Refused(_))]
        ),
        "{results:?}"
    );
    assert_eq!(names(&store, "A").await, Vec::<String>::new());
}
