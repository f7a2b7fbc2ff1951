//! A message bus without a broker: consumers follow the log itself, with stored cursors.
//!
//! It never stores a message: the log holds them all, and survives what the store survives. It serves
//! the services of one process. Start with [`EmbeddedBus`].

mod progress;
mod subscription;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
}

impl EmbeddedBus {
    /// A bus for the services of a topology, over the log in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, topology: Topology) -> Self {
        Self {
            store,
            topology,
            services: Mutex::default(),
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
        )))
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store
            .ping()
            .await
            .map_err(|error| Error::Unavailable(Box::new(error)))
    }
}
