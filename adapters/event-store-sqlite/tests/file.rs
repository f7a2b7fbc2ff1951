//! What concerns a file only: setting it up, and looking into it with SQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contracts::Partitions;
use event_store::contract::append;
use event_store::{
    Appended, Cursor, Error, EventStore, StreamKind, StreamName, UNREADABLE, Visibility,
};
use event_store_sqlite::{Settings, SqliteEventStore};
use futures::future::join_all;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tempfile::TempDir;

fn file() -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/new/folder/log.db");
    (folder, Settings { path })
}

async fn raw(settings: &Settings) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(&settings.path)
        .connect()
        .await
        .unwrap()
}

async fn rows(connection: &mut SqliteConnection, sql: &str) -> Vec<(String, i64, String)> {
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter()
        .map(|row| (row.get("stream_id"), row.get("version"), row.get("type")))
        .collect()
}

#[tokio::test]
async fn the_number_of_partitions_cannot_change() {
    let (_folder, settings) = file();
    SqliteEventStore::open(&settings, Partitions::new(4).unwrap())
        .await
        .unwrap();
    let error = SqliteEventStore::open(&settings, Partitions::new(8).unwrap())
        .await
        .unwrap_err();
    let Error::Refused(cause) = error else {
        panic!("{error}")
    };
    assert_eq!(
        cause.to_string(),
        "this log was set up with 4 partitions and is opened with 8: set the number of partitions \
         to 4, or begin a new log"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_programs_open_a_new_file_at_once() {
    let (_folder, settings) = file();
    let opened = join_all((0..6).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { SqliteEventStore::open(&settings, Partitions::default()).await })
    }));
    for store in opened.await {
        store.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_database_is_corrupt() {
    let (folder, _) = file();
    let settings = Settings {
        path: folder.path().join("text"),
    };
    std::fs::write(&settings.path, "This is not a database. ".repeat(100)).unwrap();
    let error = SqliteEventStore::open(&settings, Partitions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
}

#[tokio::test]
async fn streams_are_inspected_with_sql() {
    let (_folder, settings) = file();
    let store = SqliteEventStore::open(&settings, Partitions::default())
        .await
        .unwrap();
    let mut first = append("12EEQ9CS9K10", 0, 2, "input");
    first.entries[0].type_name = "ShipmentProcessStarted".to_owned();
    first.entries[0].metadata.category = Some("domestic-1.0".to_owned());
    let outcome = store
        .append(&[first, append("another", 0, 1, "input")])
        .await
        .unwrap();
    assert_eq!(outcome, [Appended::Stored; 2]);

    let connection = &mut raw(&settings).await;
    let expected = [
        (
            "12EEQ9CS9K10-Process".to_owned(),
            1,
            "shipment_process_started".to_owned(),
        ),
        (
            "12EEQ9CS9K10-Process".to_owned(),
            2,
            "something_happened".to_owned(),
        ),
    ];
    let found = rows(
        connection,
        "select * from mt_events where stream_id = '12EEQ9CS9K10-Process' order by version;",
    );
    assert_eq!(found.await, expected);
    let found = rows(
        connection,
        "select * from mt_events where stream_id like '12EEQ9CS9K10-%' order by timestamp;",
    );
    assert_eq!(found.await, expected);

    let row: (i64, String, String, String, String, String) = sqlx::query_as(
        "select seq_id, id, data, timestamp, category, event_type from mt_events limit 1",
    )
    .fetch_one(connection)
    .await
    .unwrap();
    assert_eq!((row.0, row.1.len(), row.2.as_str()), (1, 36, r#"{"n":1}"#));
    assert_eq!(row.3, "2024-05-27T08:53:20.123457Z");
    assert_eq!(
        (row.4.as_str(), row.5.as_str()),
        ("domestic-1.0", "ShipmentProcessStarted")
    );
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_told_as_such_and_holds_up_nobody() {
    let (_folder, settings) = file();
    let store = SqliteEventStore::open(&settings, Partitions::default())
        .await
        .unwrap();
    for (instance, version) in [("A", 0), ("A", 1), ("B", 0)] {
        let entry = append(instance, version, 1, &format!("input {version}"));
        store.append(&[entry]).await.unwrap();
    }
    // By hand, as nobody should.
    let sql = "update events set metadata = '{}' where stream_id = 'A-Process' and version = 2";
    sqlx::query(sql)
        .execute(&mut raw(&settings).await)
        .await
        .unwrap();
    let kind = StreamKind::new("Process");
    let page = store
        .read_log(&kind, &Cursor::start(store.partitions()), 10)
        .await
        .unwrap();
    assert_eq!(page.entries.len(), 3);
    let streams = ["A", "B"].map(|instance| StreamName::new(instance, &kind));
    let found = store.read_streams(&streams).await.unwrap();
    let types: Vec<_> = found
        .concat()
        .into_iter()
        .map(|entry| entry.content.type_name)
        .collect();
    assert_eq!(
        types,
        ["SomethingHappened", UNREADABLE, "SomethingHappened"]
    );
    let unreadable = &found[0][1].content;
    assert!(
        unreadable.data.get().contains("inputId"),
        "{}",
        unreadable.data
    );
    assert_eq!(unreadable.metadata.visibility, Visibility::Internal);
}
