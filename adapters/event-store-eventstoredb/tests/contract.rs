//! The promises of the port, kept by the store in EventStoreDB: over the double, and, with
//! `ESDB_TEST_URL`, over a real server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::{Harness, HeldAppend};
use event_store::{Append, Appended, EventStore};
use event_store_eventstoredb::{EventStoreDb, Settings};
use eventstoredb_double::{Held, TestServer, server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct EventStoreDbHarness {
    store: Arc<EventStoreDb>,
    settings: Settings,
    server: TestServer,
}

async fn open(settings: &Settings) -> Arc<EventStoreDb> {
    let store = EventStoreDb::connect(settings, Partitions::default()).await;
    Arc::new(store.unwrap())
}

async fn eventstoredb() -> EventStoreDbHarness {
    let server = server().await;
    let mut settings = Settings::at(server.connection_string());
    // A real server is shared by all tests.
    settings.stream_prefix = server.unique("contract");
    EventStoreDbHarness {
        store: open(&settings).await,
        settings,
        server,
    }
}

#[async_trait]
impl Harness for EventStoreDbHarness {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        open(&self.settings).await
    }

    /// The double holds it in its writer. A real server takes no position before it commits, so there
    /// the append waits before it is sent.
    async fn hold_append(&self, append: Append) -> Box<dyn HeldAppend> {
        let store = self.store.clone();
        let send = async move { store.append(&[append]).await.unwrap()[0] };
        if let Some(double) = self.server.double() {
            let held = double.hold_next_append();
            let append = tokio::spawn(send);
            held.reached().await;
            return Box::new(HeldInWriter { held, append });
        }
        let (release, released) = oneshot::channel();
        let append = tokio::spawn(async move {
            let _ = released.await;
            send.await
        });
        Box::new(HeldBack { release, append })
    }

    /// There are no transactions.
    async fn idle_transaction(&self) -> Box<dyn Any + Send> {
        Box::new(())
    }

    /// The server takes 1 MiB in one append.
    fn large_append(&self) -> (usize, u64) {
        (1 << 19, 1_500)
    }
}

struct HeldInWriter {
    held: Held,
    append: JoinHandle<Appended>,
}

#[async_trait]
impl HeldAppend for HeldInWriter {
    async fn release(self: Box<Self>) -> Appended {
        self.held.release();
        self.append.await.unwrap()
    }
}

struct HeldBack {
    release: oneshot::Sender<()>,
    append: JoinHandle<Appended>,
}

#[async_trait]
impl HeldAppend for HeldBack {
    async fn release(self: Box<Self>) -> Appended {
        self.release.send(()).unwrap();
        self.append.await.unwrap()
    }
}

event_store::event_store_contract!(eventstoredb);
