//! What this store makes of the server beyond the promises of the port: names, metadata, limits.
//! Over the double, and, with `ESDB_TEST_URL`, over a real server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use contracts::Partitions;
use event_store::contract::append;
use event_store::{
    Appended, Cursor, Error, EventStore, PartitionsDiffer, StreamKind, StreamName, UNREADABLE,
    Visibility,
};
use event_store_eventstoredb::{EventStoreDb, Settings};
use eventstoredb_double::{TestServer, server};
use kurrentdb::{
    AppendToStreamOptions, Client, DeleteStreamOptions, EventData, ReadStreamOptions,
    TombstoneStreamOptions,
};
use serde_json::{Value, json};
use support::eventually;

struct Open {
    store: Arc<EventStoreDb>,
    settings: Settings,
    client: Client,
    prefix: String,
    server: TestServer,
}

async fn connect(settings: &Settings) -> Result<EventStoreDb, Error> {
    EventStoreDb::connect(settings, Partitions::default()).await
}

async fn open() -> Open {
    let server = server().await;
    let mut settings = Settings::at(server.connection_string());
    settings.stream_prefix = server.unique("server");
    let prefix = format!("{}.", settings.stream_prefix);
    Open {
        store: Arc::new(connect(&settings).await.unwrap()),
        settings,
        client: Client::new(server.connection_string().parse().unwrap()).unwrap(),
        prefix,
        server,
    }
}

fn kind() -> StreamKind {
    StreamKind::new("Process")
}

async fn store_one(store: &EventStoreDb, instance: &str, expected: u64) {
    let outcome = store
        .append(&[append(instance, expected, 1, "input")])
        .await;
    assert_eq!(outcome.unwrap(), [Appended::Stored]);
}

/// The instances and versions of everything behind the start.
async fn log(store: &EventStoreDb) -> BTreeSet<(String, u64)> {
    let mut cursor = Cursor::start(store.partitions());
    let mut found = BTreeSet::new();
    loop {
        let page = store.read_log(&kind(), &cursor, 100).await.unwrap();
        if page.entries.is_empty() {
            return found;
        }
        for entry in &page.entries {
            found.insert((entry.stream.instance().to_owned(), entry.version.0));
        }
        cursor = page.cursor;
    }
}

fn cause(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_finds_streams_and_events_under_their_names() {
    let open = open().await;
    store_one(&open.store, "A", 0).await;
    let stream = format!("{}A-Process", open.prefix);
    let mut events = open
        .client
        .read_stream(stream, &ReadStreamOptions::default())
        .await
        .unwrap();
    let event = events.next().await.unwrap().unwrap().event.unwrap();
    assert!(events.next().await.unwrap().is_none());
    let given = &append("A", 0, 1, "input").entries[0];
    assert_eq!((event.revision, event.is_json), (0, true));
    assert_eq!(
        (&*event.event_type, event.id),
        ("SomethingHappened", given.id.uuid())
    );
    assert_eq!(&*event.data, given.data.get().as_bytes());
    let metadata: Value = serde_json::from_slice(&event.custom_metadata).unwrap();
    let expected = json!({
        "recordedAt": given.recorded_at,
        "$correlationId": given.metadata.correlation_id,
        "$causationId": given.metadata.input_id,
        "inputId": given.metadata.input_id,
        "correlationId": given.metadata.correlation_id,
    });
    assert_eq!(metadata, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_category_of_an_instance_shows_all_its_streams() {
    let open = open().await;
    let all: Vec<_> = ["Process", "Shipment", "Collection", "Carrier"]
        .map(|kind| {
            let mut append = append("A", 0, 2, kind);
            append.stream = StreamName::new("A", &StreamKind::new(kind));
            append
        })
        .into();
    open.store.append(&all).await.unwrap();
    let expected: BTreeSet<_> = all
        .iter()
        .flat_map(|append| append.entries.iter().map(|entry| entry.id.uuid()))
        .collect();
    // The server's projection writes it a little later.
    let what = "all are linked (does the server run $by_category?)";
    let found = eventually(what, async || {
        let category = format!("$ce-{}A", open.prefix);
        let options = ReadStreamOptions::default().resolve_link_tos();
        let mut found = BTreeSet::new();
        if let Ok(mut events) = open.client.read_stream(category, &options).await {
            while let Ok(Some(event)) = events.next().await {
                found.extend(event.event.map(|event| event.id));
            }
        }
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_partitions_cannot_change() {
    let open = open().await;
    let error = EventStoreDb::connect(&open.settings, Partitions::new(8).unwrap()).await;
    let Err(Error::Refused(cause)) = error else {
        panic!("it is opened with another number")
    };
    let PartitionsDiffer { stored, configured } = cause.downcast_ref().unwrap();
    assert_eq!((*stored, *configured), (4, 8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_itself_however_often_it_is_opened() {
    let open = open().await;
    let again = connect(&open.settings).await.unwrap();
    assert_eq!(open.store.log_id(), again.log_id());
    let mut settings = open.settings.clone();
    settings.stream_prefix = open.server.unique("other");
    let other = connect(&settings).await.unwrap();
    assert_ne!(open.store.log_id(), other.log_id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_programs_begin_one_log() {
    let server = server().await;
    let mut settings = Settings::at(server.connection_string());
    settings.stream_prefix = server.unique("begin");
    let opening = (0..6).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { connect(&settings).await.unwrap() })
    });
    let mut ids = BTreeSet::new();
    for opened in opening.collect::<Vec<_>>() {
        ids.insert(opened.await.unwrap().log_id().to_owned());
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_with_other_prefixes_do_not_see_each_other() {
    let open = open().await;
    let mut settings = open.settings.clone();
    settings.stream_prefix = format!("{}_more", open.settings.stream_prefix);
    let neighbour = connect(&settings).await.unwrap();
    store_one(&open.store, "A", 0).await;
    store_one(&neighbour, "A", 0).await;
    store_one(&neighbour, "B", 0).await;
    assert_eq!(
        log(&open.store).await,
        BTreeSet::from([("A".to_owned(), 1)])
    );
    assert_eq!(log(&neighbour).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_and_nothing_of_the_call_is_stored() {
    let open = open().await;
    let mut large = append("large", 0, 1, "input");
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    large.entries[0].data = serde_json::value::RawValue::from_string(text).unwrap();
    let error = open
        .store
        .append(&[append("small", 0, 1, "input"), large.clone()])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    let said = cause(&error);
    for word in [
        "large-Process",
        "1048576",
        "max_append_bytes",
        "MaxAppendSize",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert!(log(&open.store).await.is_empty());

    // Also when only the server knows its limit.
    let mut settings = open.settings.clone();
    settings.max_append_bytes = usize::MAX;
    let careless = connect(&settings).await.unwrap();
    let error = careless.append(&[large]).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{}", cause(&error));
    assert!(log(&open.store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_the_server_keeps_for_itself_are_refused() {
    let open = open().await;
    let error = open.store.append(&[append("a/b", 0, 1, "input")]).await;
    assert!(matches!(error, Err(Error::Refused(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_somebody_else_in_a_stream_of_ours_stands_there_as_one_that_cannot_be_read() {
    let open = open().await;
    for instance in ["A", "B"] {
        store_one(&open.store, instance, 0).await;
    }
    let foreign = EventData::json("ByHand", &json!({ "n": 1 })).unwrap();
    open.client
        .append_to_stream(
            format!("{}A-Process", open.prefix),
            &AppendToStreamOptions::default(),
            foreign,
        )
        .await
        .unwrap();
    store_one(&open.store, "B", 1).await;
    let found = log(&open.store).await;
    let expected =
        [("A", 1), ("A", 2), ("B", 1), ("B", 2)].map(|(i, version)| (i.to_owned(), version));
    assert_eq!(found, BTreeSet::from(expected));
    let stream = |instance: &str| [StreamName::new(instance, &kind())];
    let found = open.store.read_streams(&stream("A")).await.unwrap();
    let foreign = &found[0][1].content;
    assert_eq!(foreign.type_name, UNREADABLE);
    assert_eq!(foreign.metadata.visibility, Visibility::Internal);
    assert!(foreign.data.get().contains("ByHand"), "{}", foreign.data);
    assert_eq!(found[0][0].content.type_name, "SomethingHappened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_is_not_taken_for_a_new_one() {
    let open = open().await;
    store_one(&open.store, "A", 0).await;
    let name = format!("{}A-Process", open.prefix);
    open.client
        .delete_stream(&*name, &DeleteStreamOptions::default())
        .await
        .unwrap();
    let stream = [StreamName::new("A", &kind())];
    assert!(open.store.read_streams(&stream).await.unwrap()[0].is_empty());
    // The server takes it up at its old revision.
    let outcome = open.store.append(&[append("A", 0, 1, "another")]).await;
    assert_eq!(outcome.unwrap(), [Appended::Stored]);
    let error = open.store.read_streams(&stream).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
    assert!(cause(&error).contains("deleted"), "{}", cause(&error));

    open.client
        .tombstone_stream(&*name, &TombstoneStreamOptions::default())
        .await
        .unwrap();
    let error = open.store.read_streams(&stream).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
    let error = open.store.append(&[append("A", 2, 1, "input")]).await;
    assert!(matches!(error, Err(Error::Refused(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_keeps_one_event() {
    use event_store::{Checkpoint, Checkpoints, Position};
    let open = open().await;
    for position in 1..=5 {
        let mut cursor = Cursor::start(open.store.partitions());
        cursor.advance(contracts::Partition(0), Position(position));
        open.store
            .save_checkpoint("relay/x", &Checkpoint::at(&cursor))
            .await
            .unwrap();
    }
    let name = format!("{}longhaul/checkpoint/relay/x", open.prefix);
    let mut events = open
        .client
        .read_stream(name, &ReadStreamOptions::default())
        .await
        .unwrap();
    let event = events.next().await.unwrap().unwrap().event.unwrap();
    assert_eq!((event.revision, &*event.event_type), (4, "Checkpoint"));
    assert!(events.next().await.unwrap().is_none());
}
