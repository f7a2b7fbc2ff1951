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

use crate::progress::Progress;
use crate::subscription::{EmbeddedSubscription, away, sources};

/// The bus of a process whose services share one event store.
pub struct EmbeddedBus {
    store: Arc<dyn EventStore>,
    topology: Topology,
    /// How far each service has come.
    services: Mutex<HashMap<ServiceName, Arc<Progress>>>,
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

    fn progress(&self, service: &ServiceName) -> Arc<Progress> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.entry(service.clone()).or_default().clone()
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
        let store = self.store.clone();
        Ok(Box::new(EmbeddedSubscription::new(
            store,
            &self.topology,
            contract,
            self.progress(service),
            self.intervals,
        )))
    }

    /// The entries that services have to get past, in each log that they follow, whether these concern
    /// them or not; with those that are being handled.
    async fn backlog(&self, most: usize) -> Result<usize, Error> {
        let mut count = 0;
        for service in &self.topology.services {
            let progress = self.progress(&service.name);
            for log in sources(&self.topology, service) {
                if count >= most {
                    return Ok(count);
                }
                let done = progress.load(&*self.store, &log.reader).await;
                let done = done.map_err(away)?;
                let counted = self.store.count_log(&log.kind, &done, most - count).await;
                count += counted.map_err(away)?;
            }
        }
        Ok(count)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store.ping().await.map_err(away)
    }
}
