//! Golden transcripts of the eight example shipments, over all streams: the same on every store.
//!
//! After a change that is meant, `LONGHAUL_TEST_UPDATE_GOLDEN=1` writes them anew; read the diff.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use contracts::Partitions;
use event_store::EventStore;
use system_tests::examples::{IDS, expected_stream, final_status};
use system_tests::suite::Suite;
use system_tests::transcript::{public_events, transcript};

fn golden(id: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(format!("{id}.txt"))
}

/// Runs the examples over a store, and holds what was recorded against the golden files and the lists of
/// the specification.
async fn run(store: Arc<dyn EventStore>) {
    let suite = Suite::embedded(store.clone());
    for id in IDS {
        suite.post(id).await;
    }
    for id in IDS {
        suite.wait_for(id, final_status(id)).await;
    }
    suite.stop().await;
    for id in IDS {
        for kind in ["Process", "Shipment", "Collection"] {
            let found = public_events(&*store, id, kind).await;
            assert_eq!(found, expected_stream(id, kind), "{id}-{kind}");
        }
        let found = transcript(&*store, id).await;
        if std::env::var_os("LONGHAUL_TEST_UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden(id).parent().unwrap()).unwrap();
            std::fs::write(golden(id), &found).unwrap();
        }
        let expected = std::fs::read_to_string(golden(id)).unwrap();
        assert!(
            found == expected,
            "the transcript of {id} has changed; it is now:\n{found}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    run(Arc::new(event_store_memory::MemoryEventStore::new(
        Partitions::default(),
    )))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let settings = event_store_sqlite::Settings {
        path: folder.path().join("log.db"),
    };
    let store = event_store_sqlite::SqliteEventStore::open(&settings, Partitions::default());
    run(Arc::new(store.await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgres() {
    let database = test_servers::postgres::database().await;
    let settings = serde_json::from_value(serde_json::json!({ "url": database.url() })).unwrap();
    let store = event_store_postgres::PostgresEventStore::connect(&settings, Partitions::default());
    run(Arc::new(store.await.unwrap())).await;
}

/// Over the double, and, with `ESDB_TEST_URL`, over a real server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_eventstoredb() {
    let server = eventstoredb_double::server().await;
    let mut settings = event_store_eventstoredb::Settings::at(server.connection_string());
    settings.stream_prefix = server.unique("golden");
    let store = event_store_eventstoredb::EventStoreDb::connect(&settings, Partitions::default());
    run(Arc::new(store.await.unwrap())).await;
}
