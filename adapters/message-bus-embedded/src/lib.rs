//! A message bus without a broker: consumers follow the log itself, with stored cursors.
//!
//! It never stores a message: the log holds them all, and survives what the store survives. It serves
//! the services of one process. Start with [`EmbeddedBus`].

mod progress;
mod subscription;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use contracts::{ServiceName, Topology};
use event_store::EventStore;
use message_bus::{Error, MessageBus, Publisher, Subscription};

use crate::progress::Shared;
use crate::subscription::EmbeddedSubscription;

/// The bus of a process whose services share one event store.
pub struct EmbeddedBus {
    store: Arc<dyn EventStore>,
    topology: Topology,
    /// How far each service has come. Whoever holds the lock is the one that receives.
    services: Mutex<HashMap<ServiceName, Shared>>,
    intervals: Intervals,
}

/// How often the readers of the log do what nothing else makes them do.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// How often one looks by itself; hints wake it sooner.
    pub poll: Duration,
    /// How often one saves where it stands. What was acknowledged since comes again after a crash.
    pub checkpoint: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(500),
            checkpoint: Duration::from_millis(250),
        }
    }
}

impl EmbeddedBus {
    /// A bus for the services of a topology, over the log in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, topology: Topology, intervals: Intervals) -> Self {
        Self {
            store,
            topology,
            services: Mutex::default(),
            intervals,
        }
    }
}

#[async_trait]
impl MessageBus for EmbeddedBus {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        None
    }

    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        let contract = self
            .topology
            .service(service)
            .ok_or_else(|| Error::Refused(format!("there is no service {service}").into()))?;
        let shared = self
            .services
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(service.clone())
            .or_default()
            .clone();
        let store = self.store.clone();
        Ok(Box::new(EmbeddedSubscription::new(
            store,
            &self.topology,
            contract,
            shared,
            self.intervals,
        )))
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store
            .ping()
            .await
            .map_err(|error| Error::Unavailable(Box::new(error)))
    }
}
