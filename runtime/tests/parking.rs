//! What cannot be handled is parked, tried again in order, and given up by a person only.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use contracts::{Actor, Envelope, Kind, MessageId, ServiceName};
use event_store::{Append, Entry, NewEntry, StreamName, Version, Visibility};
use jiff::Timestamp;
use kernel::NotDiscarded;
use message_bus::Unreadable;
use runtime::{Handled, Input as Arrived, ParkedInstance};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use support::{
    contract, discard, envelope, garbage, handled, handler, memory, message, names, newer, older,
    redrive, stream, system_clock as clock,
};
use tokio_util::sync::CancellationToken;

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
    let again = || vec![redrive("A")];
    let Handled::Redriven {
        handled: 0,
        remaining: 2,
        reason: Some(reason),
    } = handled(old.handle(again()).await).remove(0)
    else {
        panic!("it cannot be handled yet")
    };
    assert!(reason.contains("Escalate"), "{reason}");

    // A newer program understands it, and handles all that waited, in order, once.
    let mut new = handler(newer(), &store, clock(), &stop);
    let redriven = handled(new.handle(again()).await);
    assert_eq!(
        redriven,
        [Handled::Redriven {
            handled: 2,
            remaining: 0,
            reason: None
        }]
    );
    let again = handled(new.handle(again()).await);
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
            "ParkedInputRetried",
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
async fn what_nobody_sends_to_a_service_is_parked() {
    let good = envelope("Note", "A", 2);
    let to = |to: &'static str| Envelope {
        kind: Kind::Command {
            to: ServiceName::from(to.to_owned()),
        },
        ..good.clone()
    };
    let event = Envelope {
        kind: Kind::Event,
        ..good.clone()
    };
    for (message, expected) in [
        (to("doors"), "it is for doors, and came to tickets"),
        (event, "tickets hears no Note of tickets"),
    ] {
        let Arrived::Unreadable(unreadable) = Arrived::from_bus(&contract(), Ok(message)) else {
            panic!("it is taken, and not parked because {expected}");
        };
        assert_eq!(unreadable.reason, expected);
        assert_eq!(unreadable.subject.as_deref(), Some("A"));
    }
    let taken = Arrived::from_bus(&contract(), Ok(good));
    assert!(matches!(taken, Arrived::Message(_)), "{taken:?}");
}

#[tokio::test]
async fn a_good_message_is_no_repetition_of_a_bad_one_of_its_id() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    handler.handle(vec![message("Open", "A", 1)]).await;
    let good = envelope("Note", "A", 2);
    let with = |type_name: &str, data: &RawValue| {
        let (type_name, data) = (type_name.to_owned(), data.to_owned());
        let arrived = Envelope {
            type_name,
            data,
            ..good.clone()
        };
        Arrived::from_bus(&contract(), Ok(arrived))
    };
    let number = to_raw_value(&json!({ "text": 2 })).unwrap();
    let batch = vec![
        with("Note", &number),
        with("Note", &number),
        with("Nonsense", &good.data),
        with("DeadlinePassed", &good.data),
        with("Note", &good.data),
        with("Note", &good.data),
        with("Note", &number),
    ];
    let results = handled(handler.handle(batch).await);
    let (parked, duplicate) = (Handled::Parked, Handled::Duplicate);
    assert_eq!(
        results,
        [
            parked.clone(),
            duplicate.clone(),
            parked.clone(),
            parked.clone(),
            parked,
            duplicate.clone(),
            duplicate
        ]
    );
    // Each that is bad is given up by the id that is told.
    let mut answers = Vec::new();
    for _ in 0..3 {
        let parked = ParkedInstance::of(&stream(&store, "A").await).unwrap();
        let first = &parked.inputs[0];
        assert!(first.kept(&stream(&store, "A").await).is_some());
        assert_ne!(first.id, good.id);
        answers.extend(handled(handler.handle(vec![discard("A", first.id)]).await));
    }
    assert!(
        matches!(answers[2], Handled::Redriven { handled: 1, .. }),
        "{answers:?}"
    );
    let entries = stream(&store, "A").await;
    let noted: Vec<_> = entries
        .iter()
        .filter(|entry| entry.content.metadata.input_id == good.id)
        .map(|entry| entry.content.type_name.as_str())
        .collect();
    assert_eq!(noted, ["InputParked", "Noted"]);
}

#[tokio::test]
async fn what_comes_again_when_it_can_be_read_is_handled_once_and_in_its_place() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut old = handler(older(), &store, clock(), &stop);
    let batch = vec![
        message("Open", "A", 1),
        message("Escalate", "A", 2),
        message("Note", "A", 3),
    ];
    old.handle(batch).await;
    let mut new = handler(newer(), &store, clock(), &stop);
    let again = || vec![message("Escalate", "A", 2)];
    assert_eq!(handled(new.handle(again()).await), [Handled::Parked]);
    let redriven = Handled::Redriven {
        handled: 3,
        remaining: 0,
        reason: None,
    };
    let answer = handled(new.handle(vec![redrive("A")]).await);
    assert_eq!(answer, [redriven]);
    assert_eq!(
        names(&store, "A").await[4..],
        [
            "Escalated",
            "ParkedInputHandled",
            "Noted",
            "ParkedInputHandled",
            "ParkedInputHandled"
        ]
    );
    for handler in [old.handle(again()).await, new.handle(again()).await] {
        assert_eq!(handled(handler), [Handled::Duplicate]);
    }
}

#[tokio::test]
async fn what_names_no_instance_is_kept_all_the_same() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let batch = vec![
        garbage(None, "1"),
        garbage(Some("bad\0id"), "2"),
        garbage(Some("A"), "3"),
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

#[tokio::test]
async fn only_the_first_is_given_up_and_the_rest_goes_on() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let (first, second) = (
        MessageId::derive(&["garbage", "1"]),
        MessageId::derive(&["garbage", "2"]),
    );
    let nothing = handled(handler.handle(vec![discard("A", first)]).await);
    assert_eq!(
        nothing,
        [Handled::NotDiscarded(NotDiscarded::NothingParked)]
    );
    let batch = vec![
        message("Open", "A", 1),
        garbage(Some("A"), "1"),
        garbage(Some("A"), "2"),
        message("Note", "A", 2),
    ];
    handler.handle(batch).await;
    let refused = handled(handler.handle(vec![discard("A", second)]).await);
    let first_is = NotDiscarded::NotFirst {
        first: first.uuid(),
    };
    assert_eq!(refused, [Handled::NotDiscarded(first_is)]);
    assert_eq!(names(&store, "A").await.len(), 4, "nothing is recorded");

    let discarded = handled(handler.handle(vec![discard("A", first)]).await);
    let reason = Some("no JSON".to_owned());
    let redriven = |handled, remaining, reason| Handled::Redriven {
        handled,
        remaining,
        reason,
    };
    assert_eq!(discarded, [redriven(0, 2, reason)]);
    let discarded = handled(handler.handle(vec![discard("A", second)]).await);
    assert_eq!(discarded, [redriven(1, 0, None)]);
    assert_eq!(
        names(&store, "A").await[4..],
        [
            "ParkedInputDiscarded",
            "ParkedInputRetried",
            "ParkedInputDiscarded",
            "Noted",
            "ParkedInputHandled"
        ]
    );
    let ada = Actor::parse("ada").ok();
    let entries = stream(&store, "A").await;
    assert!(
        entries[4..]
            .iter()
            .all(|entry| entry.content.metadata.actor == ada),
        "who gave up is recorded"
    );
    assert_eq!(entries[4].content.metadata.input_id, first);
}

#[tokio::test]
async fn a_person_may_ask_any_instance_of_a_service_whichever_has_parked_it() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut one = handler(older(), &store, clock(), &stop);
    let mut other = handler(newer(), &store, clock(), &stop);
    for ticket in ["A", "B"] {
        // It is in the other's cache, as it was before it was parked.
        other.handle(vec![message("Open", ticket, 1)]).await;
        let parked = one.handle(vec![message("Escalate", ticket, 2)]).await;
        assert_eq!(handled(parked), [Handled::Parked]);
    }
    let redriven = |handled| Handled::Redriven {
        handled,
        remaining: 0,
        reason: None,
    };
    let answer = other.handle(vec![redrive("A")]).await;
    assert_eq!(handled(answer), [redriven(1)]);
    let parked = ParkedInstance::of(&stream(&store, "B").await).unwrap();
    let answer = other.handle(vec![discard("B", parked.inputs[0].id)]).await;
    assert_eq!(handled(answer), [redriven(0)]);
}

#[tokio::test]
async fn who_had_it_tried_again_is_recorded_and_what_was_tried_is_internal() {
    let store = memory();
    let mut old = handler(older(), &store, clock(), &CancellationToken::new());
    old.handle(vec![message("Open", "A", 1), message("Escalate", "A", 2)])
        .await;
    old.handle(vec![redrive("A")]).await;
    let retried = stream(&store, "A").await.remove(2).content;
    assert_eq!(retried.type_name, "ParkedInputRetried");
    assert_eq!(retried.metadata.actor, Actor::parse("ada").ok());
    assert_eq!(retried.metadata.visibility, Visibility::Internal);
    assert!(
        retried.data.get().contains(r#""attempt":2"#),
        "{}",
        retried.data
    );
    let correlation = envelope("Escalate", "A", 2).correlation_id;
    assert_eq!(retried.metadata.correlation_id, correlation);
}

#[tokio::test]
async fn the_stream_tells_all_about_what_is_parked_in_it() {
    let store = memory();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    assert_eq!(ParkedInstance::of(&stream(&store, "A").await), None);
    let batch = vec![
        message("Open", "A", 1),
        message("Escalate", "A", 2),
        garbage(Some("A"), "3"),
    ];
    handler.handle(batch).await;
    handler.handle(vec![redrive("A")]).await;
    let entries: Vec<Entry> = stream(&store, "A").await;
    let parked = ParkedInstance::of(&entries).unwrap();
    assert_eq!(parked.since, entries[1].content.recorded_at);
    let next = entries[3].content.metadata.deadlines_set["ParkedInputRetry"];
    assert_eq!(parked.next_try, Some(next));
    let found: Vec<_> = parked
        .inputs
        .iter()
        .map(|input| (input.type_name.as_str(), input.attempts))
        .collect();
    assert_eq!(found, [("Escalate", 2), ("unreadable", 0)]);
    assert!(parked.inputs[0].reason.contains("Escalate"));
    let escalate = envelope("Escalate", "A", 2);
    assert_eq!(parked.inputs[0].id, Arrived::unreadable_id(&escalate));
    let kept = |at: usize| parked.inputs[at].kept(&entries).unwrap();
    assert!(kept(0).get().contains(r#"{"text":"2"}"#), "{}", kept(0));
    assert!(kept(1).get().contains("raw 3"), "{}", kept(1));
}

#[tokio::test]
async fn more_than_one_append_takes_is_tried_again_in_parts() {
    let store = memory();
    let stop = CancellationToken::new();
    let mut old = handler(older(), &store, clock(), &stop);
    let mut batch = vec![message("Open", "A", 1), message("Escalate", "A", 2)];
    batch.extend((0..500).map(|n| message("Note", "A", n)));
    old.handle(batch).await;
    let mut new = handler(newer(), &store, clock(), &stop);
    let mut remaining = 501;
    let mut rounds = 0;
    while remaining > 0 {
        rounds += 1;
        let results = handled(new.handle(vec![redrive("A")]).await);
        let [
            Handled::Redriven {
                remaining: left,
                reason: None,
                ..
            },
        ] = results[..]
        else {
            panic!("{results:?}")
        };
        assert!(left < remaining);
        remaining = left;
        // The rest does not wait for anybody.
        let last = stream(&store, "A").await.pop().unwrap().content;
        let due = last.metadata.deadlines_set.get("ParkedInputRetry").copied();
        assert_eq!(due.is_some(), remaining > 0);
        assert!(due.is_none_or(|due| due <= last.recorded_at), "{due:?}");
    }
    assert!(rounds > 1);
}

#[tokio::test]
async fn an_instance_with_an_entry_that_cannot_be_read_parks_what_comes() {
    let store = memory();
    let id = MessageId::derive(&["foreign"]);
    let foreign = NewEntry::unreadable(id, "Opened", Timestamp::UNIX_EPOCH, "no metadata");
    let append = Append {
        stream: StreamName::new("A", &support::kind()),
        expected: Version::NONE,
        entries: vec![foreign],
    };
    store.append(&[append]).await.unwrap();
    let mut handler = handler(older(), &store, clock(), &CancellationToken::new());
    let batch = vec![message("Open", "A", 1), message("Open", "B", 1)];
    let results = handled(handler.handle(batch).await);
    assert_eq!(results, [Handled::Parked, Handled::Decided]);
    let parked = ParkedInstance::of(&stream(&store, "A").await).unwrap();
    let reason = &parked.inputs[0].reason;
    assert!(
        reason.contains("Opened") && reason.contains("no metadata"),
        "{reason}"
    );
}
