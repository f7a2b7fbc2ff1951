//! The promises of the port, kept by the store in a file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::{Harness, HeldAppend};
use event_store::{Append, Appended, Error, EventStore};
use event_store_sqlite::{Settings, SqliteEventStore};
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

event_store::event_store_contract!(sqlite);
