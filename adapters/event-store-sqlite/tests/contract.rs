//! The promises of the port, kept by the store in a file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::{CheckpointsHarness, Harness, HeldAppend, RemovalHarness};
use event_store::{Append, Appended, Checkpoints, Error, EventStore, RemoveStreams};
use event_store_sqlite::{Settings, SqliteCheckpoints, SqliteEventStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Sqlite {
    store: Arc<SqliteEventStore>,
    settings: Settings,
    _folder: TempDir,
}

async fn sqlite() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        path: folder.path().join("log.db"),
    };
    let store = SqliteEventStore::open(&settings, Partitions::default())
        .await
        .unwrap();
    Sqlite {
        store: Arc::new(store),
        settings,
        _folder: folder,
    }
}

#[async_trait]
impl Harness for Sqlite {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        Arc::new(
            SqliteEventStore::open(&self.settings, Partitions::default())
                .await
                .unwrap(),
        )
    }

    async fn hold_append(&self, append: Append) -> Box<dyn HeldAppend> {
        let (reached, has_reached) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let store = self.store.clone();
        let append =
            tokio::spawn(async move { store.append_held(&[append], reached, released).await });
        has_reached.await.unwrap();
        Box::new(Held { release, append })
    }

    /// One that reads: while one writes, nobody else does.
    async fn idle_transaction(&self) -> Box<dyn Any + Send> {
        let options = SqliteConnectOptions::new().filename(&self.settings.path);
        let mut connection = options.connect().await.unwrap();
        connection.execute("begin").await.unwrap();
        connection
            .execute("select count(*) from events")
            .await
            .unwrap();
        Box::new(connection)
    }
}

impl RemovalHarness for Sqlite {
    fn removing(&self) -> Arc<dyn RemoveStreams> {
        self.store.clone()
    }
}

struct Held {
    release: oneshot::Sender<()>,
    append: JoinHandle<Result<Vec<Appended>, Error>>,
}

#[async_trait]
impl HeldAppend for Held {
    async fn release(self: Box<Self>) -> Appended {
        self.release.send(()).unwrap();
        self.append.await.unwrap().unwrap()[0]
    }
}

mod log {
    event_store::event_store_contract!(super::sqlite);
    event_store::removal_contract!(super::sqlite);
}

struct CheckpointsAlone {
    settings: Settings,
    checkpoints: Arc<SqliteCheckpoints>,
    _folder: TempDir,
}

async fn checkpoints_alone() -> CheckpointsAlone {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        path: folder.path().join("projections.db"),
    };
    CheckpointsAlone {
        checkpoints: Arc::new(SqliteCheckpoints::open(&settings).await.unwrap()),
        settings,
        _folder: folder,
    }
}

#[async_trait]
impl CheckpointsHarness for CheckpointsAlone {
    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.checkpoints.clone()
    }

    async fn open_checkpoints_again(&self) -> Arc<dyn Checkpoints> {
        Arc::new(SqliteCheckpoints::open(&self.settings).await.unwrap())
    }
}

mod checkpoints {
    event_store::checkpoints_contract!(super::checkpoints_alone);
}

#[tokio::test]
async fn the_file_of_checkpoints_may_become_that_of_a_log() {
    let alone = checkpoints_alone().await;
    let log = SqliteEventStore::open(&alone.settings, Partitions::default()).await;
    log.unwrap().ping().await.unwrap();
}
