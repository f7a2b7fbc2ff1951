//! The promises of the port, kept by the store in PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::{CheckpointsHarness, Harness, HeldAppend, RemovalHarness};
use event_store::{Append, Appended, Checkpoints, Error, EventStore, RemoveStreams};
use event_store_postgres::{PostgresCheckpoints, PostgresEventStore, Settings};
use sqlx::{Connection, Executor, PgConnection};
use test_servers::postgres::{TestDatabase, database};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Postgres {
    store: Arc<PostgresEventStore>,
    database: TestDatabase,
}

async fn open(database: &TestDatabase) -> Arc<PostgresEventStore> {
    let settings = Settings::at(database.url());
    Arc::new(
        PostgresEventStore::connect(&settings, Partitions::default())
            .await
            .unwrap(),
    )
}

async fn postgres() -> Postgres {
    let database = database().await;
    Postgres {
        store: open(&database).await,
        database,
    }
}

#[async_trait]
impl Harness for Postgres {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        open(&self.database).await
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

    async fn idle_transaction(&self) -> Box<dyn Any + Send> {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        for statement in [
            "create table elsewhere (n integer)",
            "begin",
            "insert into elsewhere values (1)",
            "select count(*) from events",
        ] {
            connection.execute(statement).await.unwrap();
        }
        Box::new(connection)
    }
}

impl RemovalHarness for Postgres {
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
    event_store::event_store_contract!(super::postgres);
    event_store::removal_contract!(super::postgres);
}

struct CheckpointsAlone {
    database: TestDatabase,
    checkpoints: Arc<PostgresCheckpoints>,
}

async fn connect(database: &TestDatabase) -> Arc<PostgresCheckpoints> {
    let settings = Settings::at(database.url());
    Arc::new(PostgresCheckpoints::connect(&settings).await.unwrap())
}

async fn checkpoints_alone() -> CheckpointsAlone {
    let database = database().await;
    CheckpointsAlone {
        checkpoints: connect(&database).await,
        database,
    }
}

#[async_trait]
impl CheckpointsHarness for CheckpointsAlone {
    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.checkpoints.clone()
    }

    async fn open_checkpoints_again(&self) -> Arc<dyn Checkpoints> {
        connect(&self.database).await
    }
}

mod checkpoints {
    event_store::checkpoints_contract!(super::checkpoints_alone);
}

#[tokio::test]
async fn the_database_of_checkpoints_may_become_that_of_a_log() {
    let alone = checkpoints_alone().await;
    open(&alone.database).await.ping().await.unwrap();
}
