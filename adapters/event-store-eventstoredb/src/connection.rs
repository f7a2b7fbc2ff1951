//! A client that can be replaced.
//!
//! The client that this is built on gives up for good when its first connection fails, stays with a
//! server that is gone, and waits without end: each operation here has its time, and a client that has
//! failed is replaced by the next operation. Pauses between attempts are the caller's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kurrentdb::{Client, ClientSettings};
use tokio::time::timeout;

use crate::error::Failure;

pub(crate) struct Connection {
    settings: ClientSettings,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// Counts the clients, so that an operation that fails late takes no newer one away.
    generation: u64,
    client: Option<Client>,
}

impl Connection {
    /// Connects when it is needed.
    pub(crate) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            slot: Mutex::default(),
        }
    }

    /// Runs an operation, which must be done within this time.
    pub(crate) async fn run<T, F>(
        &self,
        within: Duration,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = kurrentdb::Result<T>>,
    {
        let (generation, client) = self.client()?;
        let outcome = match timeout(within, operation(client)).await {
            Ok(outcome) => outcome.map_err(Failure::Client),
            Err(_) => Err(Failure::TimedOut {
                timeout_ms: within.as_millis(),
            }),
        };
        if outcome.as_ref().is_err_and(Failure::is_the_connections) {
            self.replace(generation);
        }
        outcome
    }

    fn client(&self) -> Result<(u64, Client), Failure> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &slot.client {
            return Ok((slot.generation, client.clone()));
        }
        let client = Client::new(self.settings.clone())
            .map_err(|error| Failure::SetUp(format!("{error:#}")))?;
        slot.generation += 1;
        slot.client = Some(client.clone());
        Ok((slot.generation, client))
    }

    /// Has the next operation begin with a new client, unless it already does.
    fn replace(&self, generation: u64) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.generation == generation {
            slot.client = None;
        }
    }
}
