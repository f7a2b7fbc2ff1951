//! The log: order, and that no reader skips.

use std::time::{Duration, Instant};

use super::*;

/// How long a follower may take to meet what others have stored.
const PATIENCE: Duration = Duration::from_secs(60);

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

pub async fn a_partition_that_is_longer_than_the_others_is_read_to_its_end(harness: &impl Harness) {
    let store = harness.store();
    store_all(
        &*store,
        &[append("A", 0, 700, "input"), append("B", 0, 1, "input")],
    )
    .await;
    let mut cursor = Cursor::start(store.partitions());
    let mut found = 0;
    loop {
        let page = store.read_log(&kind(), &cursor, 1_000).await;
        let page = page.expect("the store answers");
        found += page.entries.len();
        assert!(!page.to_end || found == 701, "there is more than {found}");
        if page.entries.is_empty() {
            break;
        }
        cursor = page.cursor;
    }
    assert_eq!(found, 701);
}

pub async fn what_lies_behind_a_cursor_is_counted(harness: &impl Harness) {
    let store = harness.store();
    let count = async |kind: &StreamKind, cursor: &Cursor, most| {
        let counted = store.count_log(kind, cursor, most).await;
        counted.expect("the store answers")
    };
    let mut cursor = Cursor::start(store.partitions());
    assert_eq!(count(&kind(), &cursor, 100).await, 0);
    let other = StreamKind::new("Shipment");
    let mut appends: Vec<_> = (0..20)
        .map(|n| append(&format!("S{n}"), 0, 2, "input"))
        .collect();
    appends.push(append_to(StreamName::new("A", &other), 0, 3, "input"));
    store_all(&*store, &appends).await;
    assert_eq!(count(&kind(), &cursor, 100).await, 40);
    assert_eq!(count(&kind(), &cursor, 7).await, 7);
    assert_eq!(count(&other, &cursor, 100).await, 3);

    let page = store.read_log(&kind(), &cursor, 15).await;
    cursor = page.expect("the store answers").cursor;
    assert_eq!(count(&kind(), &cursor, 100).await, 25);
    follow(&*store, &mut cursor, 100).await;
    assert_eq!(count(&kind(), &cursor, 100).await, 0);
}

pub async fn whoever_follows_meets_what_everybody_stores(harness: &impl Harness) {
    let (own, other) = (harness.store(), harness.open_again().await);
    let mut cursor = Cursor::start(own.partitions());
    let mut met: Vec<Arc<Entry>> = Vec::new();
    for round in 0..30 {
        // Now the one, now the other, now both to the same stream; and the follower is ahead or lags.
        let (writer, stream) = match round % 3 {
            0 => (&own, format!("own{round}")),
            1 => (&other, format!("other{round}")),
            _ => (&own, format!("other{}", round - 1)),
        };
        let version = if round % 3 == 2 { 2 } else { 0 };
        store_all(&**writer, &[append(&stream, version, 2, "input")]).await;
        if round % 4 == 0 {
            let page = own.follow_log(&kind(), &cursor, 3).await;
            let page = page.expect("the store answers");
            met.extend(page.entries);
            cursor = page.cursor;
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while met.len() < 60 {
        assert!(Instant::now() < deadline, "{} of 60 entries met", met.len());
        let page = own.follow_log(&kind(), &cursor, 7).await;
        let page = page.expect("the store answers");
        met.extend(page.entries);
        cursor = page.cursor;
        tokio::task::yield_now().await;
    }
    let mut start = Cursor::start(own.partitions());
    let read = follow(&*own, &mut start, 1_000).await;
    let of_partition = |entries: &[Arc<Entry>], partition| -> Vec<_> {
        let entries = entries.iter().filter(|e| e.partition == partition);
        let place = |e: &Arc<Entry>| (e.position, e.stream.to_string(), e.version, e.content.id);
        entries.map(place).collect()
    };
    for partition in own.partitions().all() {
        let followed = of_partition(&met, partition);
        assert_eq!(followed, of_partition(&read, partition), "{partition}");
    }
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

pub async fn it_answers(harness: &impl Harness) {
    harness.store().ping().await.expect("the store answers");
}
