//! The bus as the port wants it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::{Partitions, ServiceName, Topology};
use message_bus::{Error, MessageBus, Publisher, Subscription};

use crate::Settings;
use crate::connection::Connector;
use crate::publisher::RabbitMqPublisher;
use crate::session::Input;
use crate::subscription::RabbitMqSubscription;

/// A [`MessageBus`] over RabbitMQ.
///
/// It connects when it is first used, and again whenever the broker went away: a service may start
/// while there is no broker, and reports that with [`ping`](MessageBus::ping). Publishing has one
/// connection, and each subscription one of its own, since a broker short of memory blocks
/// connections that publish.
#[derive(Debug)]
pub struct RabbitMqBus {
    connector: Arc<Connector>,
    publisher: Arc<RabbitMqPublisher>,
    topology: Topology,
    partitions: Partitions,
    prefetch: u16,
    reconnect_max: Duration,
}

impl RabbitMqBus {
    /// A bus between the services of `topology`; `partitions` must be the same for all of them.
    ///
    /// # Errors
    /// [`Error::Refused`] for a URL that is none, and for a prefetch or a size of
    /// batches of 0.
    pub fn new(
        settings: &Settings,
        topology: Topology,
        partitions: Partitions,
    ) -> Result<Self, Error> {
        let connector = Arc::new(Connector::new(settings, &topology, partitions)?);
        let publisher = RabbitMqPublisher::new(
            Arc::clone(&connector),
            settings,
            topology.clone(),
            partitions,
        );
        Ok(Self {
            connector,
            publisher: Arc::new(publisher),
            topology,
            partitions,
            prefetch: settings.prefetch,
            reconnect_max: settings.reconnect_max(),
        })
    }
}

#[async_trait]
impl MessageBus for RabbitMqBus {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        Some(Arc::clone(&self.publisher) as Arc<dyn Publisher>)
    }

    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        if self.topology.service(service).is_none() {
            let unknown = format!("the topology names no service {service:?}");
            return Err(Error::Refused(unknown.into()));
        }
        let input = Input {
            service: service.clone(),
            partitions: self.partitions,
            prefetch: self.prefetch,
        };
        let connector = Arc::clone(&self.connector);
        Ok(Box::new(RabbitMqSubscription::start(
            connector,
            input,
            self.reconnect_max,
        )))
    }

    /// As the broker counts what is in the queues and not delivered, by the mean of what goes out as one.
    async fn backlog(&self, _most: usize) -> Result<usize, Error> {
        self.publisher.backlog().await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.publisher.ping().await
    }
}
