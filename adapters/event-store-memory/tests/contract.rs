//! The promises of the port, kept by the store in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::{Harness, HeldAppend, RemovalHarness};
use event_store::{Append, Appended, Error, EventStore, RemoveStreams};
use event_store_memory::MemoryEventStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Memory {
    store: Arc<MemoryEventStore>,
}

async fn memory() -> Memory {
    Memory {
        store: Arc::new(MemoryEventStore::new(Partitions::default())),
    }
}

#[async_trait]
impl Harness for Memory {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        self.store.clone()
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
        Box::new(())
    }
}

impl RemovalHarness for Memory {
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

event_store::event_store_contract!(memory);
event_store::removal_contract!(memory);
