//! What concerns PostgreSQL only: setting up, failing, and looking into it with SQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use contracts::Partitions;
use event_store::contract::append;
use event_store::{
    Appended, Cursor, Error, EventStore, Removal, RemoveStreams, Removed, StreamKind, StreamName,
    UNREADABLE, Version, Visibility,
};
use event_store_postgres::{PostgresEventStore, Settings};
use futures::future::join_all;
use sqlx::{Connection, Executor, PgConnection, Row};
use test_servers::postgres::{TestDatabase, database};

async fn open(database: &TestDatabase) -> PostgresEventStore {
    let settings = Settings::at(database.url());
    PostgresEventStore::connect(&settings, Partitions::default())
        .await
        .unwrap()
}

async fn raw(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.url()).await.unwrap()
}

async fn rows(connection: &mut PgConnection, sql: &str) -> Vec<(String, i64, String)> {
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter()
        .map(|row| (row.get("stream_id"), row.get("version"), row.get("type")))
        .collect()
}

#[tokio::test]
async fn the_number_of_partitions_cannot_change() {
    let database = database().await;
    let settings = Settings::at(database.url());
    PostgresEventStore::connect(&settings, Partitions::new(4).unwrap())
        .await
        .unwrap();
    let again = PostgresEventStore::connect(&settings, Partitions::new(8).unwrap()).await;
    let Error::Refused(cause) = again.unwrap_err() else {
        panic!("it is refused")
    };
    assert_eq!(
        cause.to_string(),
        "this log was set up with 4 partitions and is opened with 8: set the number of partitions \
         to 4, or begin a new log"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_services_start_at_once_on_a_new_database() {
    let database = Arc::new(database().await);
    let started = join_all((0..6).map(|_| {
        let database = database.clone();
        tokio::spawn(async move { open(&database).await.ping().await })
    }));
    for outcome in started.await {
        outcome.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable() {
    let settings = Settings::at("postgres://postgres@127.0.0.1:1/postgres");
    let outcome = PostgresEventStore::connect(&settings, Partitions::default()).await;
    assert!(matches!(outcome, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_database_that_hangs_is_unavailable_and_recovers() {
    let database = database().await;
    let mut settings = Settings::at(database.url());
    settings.timeout_ms = 300;
    let store = PostgresEventStore::connect(&settings, Partitions::default())
        .await
        .unwrap();
    let appends = [append("A", 0, 1, "input")];

    let mut other = raw(&database).await;
    other
        .execute("begin; lock table events in access exclusive mode")
        .await
        .unwrap();
    for _ in 0..6 {
        assert!(matches!(
            store.append(&appends).await,
            Err(Error::Unavailable(_))
        ));
    }
    other.execute("rollback").await.unwrap();
    assert_eq!(store.append(&appends).await.unwrap(), [Appended::Stored]);
}

#[tokio::test]
async fn lost_connections_are_replaced() {
    let database = database().await;
    let store = open(&database).await;
    let appends = [append("A", 0, 1, "input")];
    store.ping().await.unwrap();
    raw(&database)
        .await
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    while let Err(error) = store.append(&appends).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
    assert_eq!(store.append(&appends).await.unwrap(), [Appended::Stored]);
}

#[tokio::test]
async fn what_the_server_cannot_hold_is_refused() {
    let database = database().await;
    let store = open(&database).await;
    let mut bad = append("A", 0, 1, "input");
    bad.entries[0].type_name = "Nothing\0Happened".to_owned();
    let outcome = store.append(&[append("B", 0, 1, "input"), bad]).await;
    assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
    let stored = store
        .read_streams(&[StreamName::parse("B-Process".to_owned()).unwrap()])
        .await;
    assert!(
        stored.unwrap()[0].is_empty(),
        "nothing of a refused call is stored"
    );
}

fn removal(stream: StreamName, version: u64) -> Removal {
    Removal {
        streams: vec![(stream, Version(version))],
    }
}

/// Plans made while the table was empty must still be good when it is not.
#[tokio::test]
async fn no_call_reads_the_whole_table() {
    let database = database().await;
    // One connection, so that each statement is planned early.
    let mut settings = Settings::at(database.url());
    settings.max_connections = 1;
    let store = PostgresEventStore::connect(&settings, Partitions::default())
        .await
        .unwrap();
    let kind = StreamKind::new("Process");
    let start = Cursor::start(store.partitions());
    let mut connection = raw(&database).await;
    connection.execute("vacuum analyze events").await.unwrap();
    for _ in 0..10 {
        let outcomes = store
            .append(&[append("none", 1, 1, "input")])
            .await
            .unwrap();
        assert_eq!(
            outcomes,
            [Appended::Conflict {
                current: Version::NONE
            }]
        );
        store
            .read_streams(&[StreamName::new("none", &kind)])
            .await
            .unwrap();
        store.read_log(&kind, &start, 100).await.unwrap();
        store.count_log(&kind, &start, 100).await.unwrap();
        let nobody = removal(StreamName::new("none", &kind), 1);
        assert_eq!(
            store.remove_streams(&[nobody]).await.unwrap(),
            [Removed::Gone]
        );
    }
    for round in 0..10 {
        let names: Vec<_> = (0..100)
            .map(|n| StreamName::new(&format!("S{round}n{n}"), &kind))
            .collect();
        let appends: Vec<_> = names
            .iter()
            .map(|name| append(name.instance(), 0, 3, "input"))
            .collect();
        for _ in 0..2 {
            let outcomes = store.append(&appends).await.unwrap();
            assert_eq!(outcomes, vec![Appended::Stored; 100]);
        }
        store.read_streams(&names).await.unwrap();
        store
            .read_log(&kind, &Cursor::start(store.partitions()), 100)
            .await
            .unwrap();
        store.count_log(&kind, &start, 100).await.unwrap();
        let removals = [removal(names[0].clone(), 3), removal(names[1].clone(), 2)];
        let removed = store.remove_streams(&removals).await.unwrap();
        assert_eq!(removed, [Removed::Gone, Removed::Changed]);
    }
    drop(store);

    // Counts are reported when a connection ends, at the latest.
    let (mut stored, mut scanned) = (0_i64, 0_i64);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while stored < 3_000 {
        looks.tick().await;
        (stored, scanned) = sqlx::query_as(
            "select n_tup_ins, seq_tup_read from pg_stat_user_tables where relname = 'events'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
    }
    assert_eq!(scanned, 0, "rows met in scans of the whole table");
}

#[tokio::test]
async fn streams_are_inspected_with_sql() {
    let database = database().await;
    let store = open(&database).await;
    let mut first = append("12EEQ9CS9K10", 0, 2, "input");
    first.entries[0].type_name = "ShipmentProcessStarted".to_owned();
    first.entries[0].metadata.category = Some("domestic-1.0".to_owned());
    let outcome = store
        .append(&[first, append("another", 0, 1, "input")])
        .await
        .unwrap();
    assert_eq!(outcome, [Appended::Stored; 2]);

    let connection = &mut raw(&database).await;
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
        "select seq_id, id::text, data::text, to_char(timestamp, 'SS.US'), category, event_type
         from mt_events order by seq_id limit 1",
    )
    .fetch_one(connection)
    .await
    .unwrap();
    assert_eq!((row.0, row.1.len(), row.2.as_str()), (1, 36, r#"{"n":1}"#));
    assert_eq!(row.3, "20.123457");
    assert_eq!(
        (row.4.as_str(), row.5.as_str()),
        ("domestic-1.0", "ShipmentProcessStarted")
    );
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_told_as_such_and_holds_up_nobody() {
    let database = database().await;
    let store = open(&database).await;
    for (instance, version) in [("A", 0), ("A", 1), ("B", 0)] {
        let entry = append(instance, version, 1, &format!("input {version}"));
        store.append(&[entry]).await.unwrap();
    }
    // By hand, as nobody should.
    let sql = "update events set metadata = '{}' where stream_id = 'A-Process' and version = 2";
    raw(&database).await.execute(sql).await.unwrap();
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
