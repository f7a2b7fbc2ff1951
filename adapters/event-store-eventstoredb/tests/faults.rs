//! A server that goes, hangs, or does not say what it has done: over the double.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contracts::{Partition, Partitions};
use event_store::contract::append;
use event_store::{
    Appended, Checkpoint, Checkpoints, Cursor, Error, EventStore, Position, StreamKind, StreamName,
    Version,
};
use event_store_eventstoredb::{EventStoreDb, Settings};
use eventstoredb_double::Double;
use kurrentdb::{AppendToStreamOptions, Client, EventData};
use support::{PATIENCE, eventually};
use tokio::time::timeout;

fn settings(double: &Double) -> Settings {
    let mut settings = Settings::at(double.connection_string());
    settings.timeout_ms = 300;
    settings
}

async fn connect(settings: &Settings) -> Result<EventStoreDb, Error> {
    EventStoreDb::connect(settings, Partitions::default()).await
}

async fn open() -> (Double, Arc<EventStoreDb>) {
    let double = Double::start().await;
    let store = connect(&settings(&double)).await.unwrap();
    (double, Arc::new(store))
}

fn kind() -> StreamKind {
    StreamKind::new("Process")
}

fn is_unavailable<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    match outcome {
        Err(Error::Unavailable(_)) => true,
        other => panic!("{other:?}"),
    }
}

async fn versions(store: &EventStoreDb, instance: &str) -> Vec<u64> {
    let stream = [StreamName::new(instance, &kind())];
    let entries = store.read_streams(&stream).await.unwrap().remove(0);
    entries.iter().map(|entry| entry.version.0).collect()
}

/// Repeats the call until it is answered, as whoever uses a store does.
async fn persist<T>(call: impl AsyncFn() -> Result<T, Error>) -> T {
    let answered = eventually("it is answered", async || match call().await {
        Ok(done) => Some(done),
        Err(Error::Unavailable(_)) => None,
        Err(error) => panic!("{error:?}"),
    });
    answered.await
}

/// An empty server at the address of one that has ended.
async fn another_at(address: SocketAddr) -> Double {
    let another = eventually("the port is free", async || {
        Double::start_at(address).await.ok()
    });
    another.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_of_unknown_outcome_is_repeated_and_stored_once() {
    let (double, store) = open().await;
    let faults: [fn(&Double); 3] = [
        |double| double.drop_after_commit(1),
        |double| double.drop_before_commit(1),
        |double| double.time_out_after_commit(1),
    ];
    for (n, fault) in (0..).zip(faults) {
        fault(&double);
        let next = [
            append("A", n * 2, 2, "input"),
            append(&format!("B{n}"), 0, 1, "input"),
        ];
        assert!(is_unavailable(store.append(&next).await));
        let outcomes = persist(async || store.append(&next).await).await;
        assert_eq!(outcomes, [Appended::Stored, Appended::Stored]);
        assert_eq!(versions(&store, &format!("B{n}")).await, [1]);
    }
    assert_eq!(versions(&store, "A").await, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_append_that_is_not_answered_is_repeated_again() {
    let (double, store) = open().await;
    double.drop_after_commit(1);
    double.ignore_repeats(2);
    let next = [append("A", 0, 2, "input")];
    for _ in 0..3 {
        assert!(is_unavailable(store.append(&next).await));
    }
    assert_eq!(store.append(&next).await.unwrap(), [Appended::Stored]);
    assert_eq!(versions(&store, "A").await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rival_is_still_told_from_oneself_after_an_unknown_outcome() {
    let (double, store) = open().await;
    double.drop_after_commit(1);
    assert!(is_unavailable(
        store.append(&[append("A", 0, 1, "mine")]).await
    ));
    let rival = persist(async || store.append(&[append("A", 0, 1, "theirs")]).await).await;
    assert_eq!(
        rival,
        [Appended::Conflict {
            current: Version(1)
        }]
    );
    let mine = persist(async || store.append(&[append("A", 0, 1, "mine")]).await).await;
    assert_eq!(mine, [Appended::Stored]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_yet_is_found_when_it_comes() {
    let double = Double::start().await;
    double.stop().await;
    let settings = settings(&double);
    assert!(is_unavailable(connect(&settings).await.map(drop)));
    double.start_again().await;
    connect(&settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_restarted_is_met_again() {
    let (double, store) = open().await;
    for n in 0..3 {
        double.stop().await;
        let next = [append("A", n, 1, "input")];
        // More than once: a client that has failed to connect never recovers.
        for _ in 0..3 {
            assert!(is_unavailable(store.append(&next).await));
            assert!(is_unavailable(store.ping().await));
        }
        double.start_again().await;
        let met = timeout(
            Duration::from_secs(10),
            persist(async || store.append(&next).await),
        )
        .await;
        assert_eq!(met.unwrap(), [Appended::Stored]);
        store.ping().await.unwrap();
    }
    assert_eq!(versions(&store, "A").await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_not_waited_for_longer_than_is_set() {
    let (double, store) = open().await;
    double.stall();
    let asked = timeout(PATIENCE, async {
        assert!(is_unavailable(
            store.append(&[append("A", 0, 1, "input")]).await
        ));
        assert!(is_unavailable(store.ping().await));
        let start = Cursor::start(store.partitions());
        assert!(is_unavailable(store.read_log(&kind(), &start, 10).await));
        assert!(is_unavailable(store.load_checkpoint("relay/x").await));
    });
    asked.await.unwrap();
    double.resume();
    let outcome = persist(async || store.append(&[append("A", 0, 1, "input")]).await).await;
    assert_eq!(outcome, [Appended::Stored]);
    assert_eq!(versions(&store, "A").await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_the_leader_names_it_and_is_believed() {
    let (follower, store) = open().await;
    let leader = Double::start().await;
    // Both are set up, as nodes of one cluster would be. Their logs are not the same, as those would
    // be: so it is looked at before, and what is written later reaches less far.
    connect(&settings(&leader)).await.unwrap();
    let client = Client::new(follower.connection_string().parse().unwrap()).unwrap();
    let events: Vec<_> = (0..50)
        .map(|n| EventData::json("Foreign", &n).unwrap())
        .collect();
    let options = AppendToStreamOptions::default();
    let written = client.append_to_stream("foreign", &options, events).await;
    written.unwrap();
    store.load_checkpoint("relay/x").await.unwrap();
    let address = leader.address();
    follower.not_leader(address);
    let outcome = persist(async || store.append(&[append("A", 0, 1, "input")]).await).await;
    assert_eq!(outcome, [Appended::Stored]);
    assert_eq!(versions(&store, "A").await, [1]);
    assert_eq!(leader.appends(), 2, "the log's first event, and this");

    // It goes, and the node that the connection string names leads again.
    leader.stop().await;
    follower.leader_again();
    let outcome = persist(async || store.append(&[append("B", 0, 1, "input")]).await).await;
    assert_eq!(outcome, [Appended::Stored]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_rights_is_refused_at_the_start_and_waited_for_later() {
    let double = Double::start().await;
    let settings = settings(&double);
    let store = connect(&settings).await.unwrap();
    double.deny_access();
    let Err(Error::Refused(cause)) = connect(&settings).await else {
        panic!("it is opened")
    };
    assert!(cause.to_string().contains("$all"), "{cause}");
    assert!(is_unavailable(
        store.append(&[append("A", 0, 1, "input")]).await
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_cut_off_in_its_middle_is_stored_once() {
    let (double, store) = open().await;
    let batch: Vec<_> = (0..200)
        .map(|n| append(&format!("S{n}"), 0, 2, "input"))
        .collect();
    for _ in 0..4 {
        double.drop_after_commit(5);
        assert!(is_unavailable(store.append(&batch).await));
    }
    // Of those that were dropped there may be some left.
    let outcomes = persist(async || store.append(&batch).await).await;
    assert_eq!(outcomes, vec![Appended::Stored; 200]);
    let mut cursor = Cursor::start(store.partitions());
    let mut found = 0;
    loop {
        let page = persist(async || store.read_log(&kind(), &cursor, 64).await).await;
        if page.entries.is_empty() {
            break;
        }
        found += page.entries.len();
        cursor = page.cursor;
    }
    assert_eq!(found, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_of_unknown_outcome_goes_back_behind_nobody() {
    let (double, store) = open().await;
    let other = connect(&settings(&double)).await.unwrap();
    let at = |position| {
        let mut cursor = Cursor::start(store.partitions());
        cursor.advance(Partition(0), Position(position));
        Checkpoint::at(&cursor)
    };
    store.save_checkpoint("relay/x", &at(3)).await.unwrap();
    double.drop_after_commit(1);
    assert!(is_unavailable(
        store.save_checkpoint("relay/x", &at(5)).await
    ));
    persist(async || other.save_checkpoint("relay/x", &at(4)).await).await;
    persist(async || store.save_checkpoint("relay/x", &at(4)).await).await;
    let saved = persist(async || other.load_checkpoint("relay/x").await).await;
    assert_eq!(
        saved.cursor(store.partitions()),
        at(5).cursor(store.partitions())
    );
}

/// What others write in the same server is passed over once, and not each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_finds_nothing_moves_on_all_the_same() {
    let (double, store) = open().await;
    let client = Client::new(double.connection_string().parse().unwrap()).unwrap();
    let events: Vec<_> = (0..50)
        .map(|n| EventData::json("Foreign", &n).unwrap())
        .collect();
    let written = client
        .append_to_stream("foreign", &AppendToStreamOptions::default(), events)
        .await
        .unwrap();
    let mut cursor = Cursor::start(store.partitions());
    eventually("it has moved on", async || {
        let page = store.read_log(&kind(), &cursor, 10).await.unwrap();
        assert!(page.entries.is_empty());
        cursor = page.cursor;
        let behind = |position: Position| position.0 >= written.position.commit;
        cursor.iter().all(|(_, at)| behind(at)).then_some(())
    })
    .await;
    // And misses nothing that comes then.
    assert_eq!(
        store.append(&[append("A", 0, 3, "input")]).await.unwrap(),
        [Appended::Stored]
    );
    let page = store.read_log(&kind(), &cursor, 10).await.unwrap();
    assert_eq!(page.entries.len(), 3);
}

/// All entries of the log, read in pages until nothing more comes.
async fn everything(store: &EventStoreDb, cursor: &mut Cursor) -> usize {
    let mut found = 0;
    loop {
        let page = persist(async || store.read_log(&kind(), cursor, 4).await).await;
        assert!(page.entries.len() <= 4);
        found += page.entries.len();
        *cursor = page.cursor;
        if page.entries.is_empty() {
            return found;
        }
    }
}

/// Not by the server, but by whatever stands between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_ends_early_skips_nothing() {
    let (double, store) = open().await;
    let mut cursor = Cursor::start(store.partitions());
    for n in 0..20 {
        let next = [append(&format!("S{n}"), 0, 3, "input")];
        assert_eq!(store.append(&next).await.unwrap(), [Appended::Stored]);
        double.end_reads_early(1, n % 4);
        let before = everything(&store, &mut cursor).await;
        // What the cut-off read has not brought, the next does.
        let after = everything(&store, &mut cursor).await;
        assert_eq!(before + after, 3, "round {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_slow_to_look_for_ours_is_read_through() {
    let (double, store) = open().await;
    let client = Client::new(double.connection_string().parse().unwrap()).unwrap();
    for n in 0..5 {
        let events: Vec<_> = (0..200)
            .map(|n| EventData::json("Foreign", &n).unwrap())
            .collect();
        let options = AppendToStreamOptions::default();
        client
            .append_to_stream("foreign", &options, events)
            .await
            .unwrap();
        let next = [append(&format!("S{n}"), 0, 2, "input")];
        assert_eq!(store.append(&next).await.unwrap(), [Appended::Stored]);
    }
    double.look_in_vain();
    let mut cursor = Cursor::start(store.partitions());
    assert_eq!(everything(&store, &mut cursor).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_with_another_log_is_not_used() {
    let (double, store) = open().await;
    let settings = settings(&double);
    assert_eq!(
        store.append(&[append("A", 0, 1, "input")]).await.unwrap(),
        [Appended::Stored]
    );
    let address = double.address();
    double.stop().await;
    assert!(is_unavailable(store.ping().await));
    drop(double);
    // Empty at first; then as another installation has set it up.
    let empty = another_at(address).await;
    for _ in 0..2 {
        eventually("it says that this is another log", async || {
            let next = [append("A", 1, 1, "next")];
            let error = store.append(&next).await.unwrap_err();
            let Error::Unavailable(cause) = error else {
                panic!("{error}")
            };
            cause.to_string().contains("another log").then_some(())
        })
        .await;
        assert!(is_unavailable(store.ping().await));
        let start = Cursor::start(store.partitions());
        assert!(is_unavailable(store.read_log(&kind(), &start, 10).await));
        connect(&settings).await.unwrap();
    }
    drop(empty);
}

/// Between two calls, so that no call has failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_exchanged_unnoticed_is_noticed_by_whoever_finds_nothing() {
    let (double, store) = open().await;
    store.ping().await.unwrap();
    let address = double.address();
    double.stop().await;
    drop(double);
    let _other = another_at(address).await;
    let start = Cursor::start(store.partitions());
    eventually("it is noticed", async || {
        match store.read_log(&kind(), &start, 10).await {
            Err(Error::Unavailable(cause)) => {
                cause.to_string().contains("another log").then_some(())
            }
            read => {
                assert!(read.unwrap().entries.is_empty());
                None
            }
        }
    })
    .await;
    assert!(is_unavailable(store.ping().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_beginning_was_deleted_is_refused() {
    let (double, store) = open().await;
    let client = Client::new(double.connection_string().parse().unwrap()).unwrap();
    let options = kurrentdb::DeleteStreamOptions::default();
    client
        .delete_stream("longhaul/log", &options)
        .await
        .unwrap();
    for _ in 0..2 {
        let Err(Error::Refused(cause)) = connect(&settings(&double)).await else {
            panic!("it is opened")
        };
        assert!(cause.to_string().contains("longhaul/log"), "{cause}");
    }
    drop(store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_server_is_told_which() {
    let double = Double::start().await;
    double.stop().await;
    let Err(Error::Unavailable(cause)) = connect(&settings(&double)).await else {
        panic!("it is opened")
    };
    let said = cause.to_string();
    assert!(said.contains(&double.address().to_string()), "{said}");
    assert!(said.contains("without TLS"), "{said}");
}
