//! Streams: atomicity, expected versions, idempotence.

use super::*;

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
        actor: contracts::Actor::parse("Ada L.").ok(),
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
