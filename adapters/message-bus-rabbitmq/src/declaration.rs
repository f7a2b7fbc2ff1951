//! What stands at the broker: exchanges, queues and bindings of all services.
//!
//! Every service declares all of it, so that nothing is lost for one that has never run.

use std::sync::atomic::{AtomicBool, Ordering};

use contracts::{Partition, Partitions, ServiceName, Topology};
use futures::future::try_join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Error, ErrorKind, ExchangeKind};
use tracing::warn;

/// The exchange that brings each message to the queue its routing key names.
pub(crate) const INPUTS: &str = "longhaul.inputs";
/// The exchange to which any other program may bind a queue, by `{service}.{EventType}`.
pub(crate) const EVENTS: &str = "longhaul.events";

const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// As good as no limit to deliveries, after which a broker drops a message: RabbitMQ 4 has one of 20
/// unless told otherwise. Not `-1`: that is no limit for RabbitMQ 4, but RabbitMQ 3 accepts it as a
/// limit that every message has passed, and drops what is given back once. This is the largest
/// number that the broker's own pages, in JavaScript, show right.
const DELIVERY_LIMIT: i64 = (1 << 53) - 1;

/// The input queue of a service for one partition.
pub(crate) fn queue_name(service: &ServiceName, partition: Partition) -> String {
    format!("{service}.{partition}")
}

/// The exchanges, queues and bindings of a topology.
#[derive(Debug)]
pub(crate) struct Declaration {
    queues: Vec<String>,
    /// A queue that is not as we want it is worth one warning, not one a connection.
    warned: AtomicBool,
}

impl Declaration {
    pub(crate) fn new(topology: &Topology, partitions: Partitions) -> Self {
        let queues = topology
            .services
            .iter()
            .flat_map(|service| partitions.all().map(|p| queue_name(&service.name, p)))
            .collect();
        Self {
            queues,
            warned: AtomicBool::new(false),
        }
    }

    /// How many AMQP messages wait in the queues, all of which are asked at once.
    pub(crate) async fn count(&self, connection: &Connection) -> Result<u64, Error> {
        let channel = connection.create_channel().await?;
        let counting = self.queues.iter().map(async |queue| {
            let name = queue.as_str().into();
            let queue = channel.queue_declare(name, passive(), FieldTable::default());
            Ok::<_, Error>(u64::from(queue.await?.message_count()))
        });
        let counts = try_join_all(counting).await?;
        channel.close(200, "OK".into()).await?;
        Ok(counts.into_iter().sum())
    }

    pub(crate) async fn declare(&self, connection: &Connection) -> Result<(), Error> {
        let mut channel = connection.create_channel().await?;
        for (name, kind) in [
            (INPUTS, ExchangeKind::Direct),
            (EVENTS, ExchangeKind::Topic),
        ] {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..Default::default()
            };
            channel
                .exchange_declare(name.into(), kind, options, FieldTable::default())
                .await?;
        }
        let mut unlike = Vec::new();
        for queue in &self.queues {
            match declare_queue(&channel, queue, arguments(), durable()).await {
                Ok(()) => {}
                Err(error) if precondition_failed(&error) => {
                    // The refusal closed the channel. What is there is used as it is: its arguments
                    // cannot be changed, and what it holds must not be lost.
                    channel = connection.create_channel().await?;
                    declare_queue(&channel, queue, FieldTable::default(), passive()).await?;
                    unlike.push(queue.as_str());
                }
                Err(error) => return Err(error),
            }
            channel
                .queue_bind(
                    queue.as_str().into(),
                    INPUTS.into(),
                    queue.as_str().into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
        }
        if !unlike.is_empty() && !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                queues = unlike.join(", "),
                "these queues were declared with other arguments, and are used as they are; delete \
                 them once they are empty, and they are declared anew. Without a delivery limit of \
                 their own, RabbitMQ 4 drops a message after 20 deliveries"
            );
        }
        channel.close(200, "OK".into()).await
    }
}

async fn declare_queue(
    channel: &Channel,
    queue: &str,
    arguments: FieldTable,
    options: QueueDeclareOptions,
) -> Result<(), Error> {
    channel
        .queue_declare(queue.into(), options, arguments)
        .await
        .map(|_| ())
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..Default::default()
    }
}

/// Asks for a queue that is there.
fn passive() -> QueueDeclareOptions {
    QueueDeclareOptions {
        passive: true,
        ..durable()
    }
}

fn arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert(
        "x-delivery-limit".into(),
        AMQPValue::LongLongInt(DELIVERY_LIMIT),
    );
    // There is no limit to the length, unless an operator sets one by policy: then what does not fit is
    // refused, and published again, where the broker would otherwise drop what is oldest.
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    arguments
}

fn precondition_failed(error: &Error) -> bool {
    is(error, PRECONDITION_FAILED)
}

/// Whether the broker has said that there is no such queue.
pub(crate) fn not_found(error: &Error) -> bool {
    is(error, NOT_FOUND)
}

fn is(error: &Error, reply: u16) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_queue_for_each_partition() {
        let two = Partitions::new(2).unwrap();
        let declaration = Declaration::new(&message_bus::contract::topology(), two);
        assert_eq!(
            declaration.queues,
            [
                "sender.0",
                "sender.1",
                "worker.0",
                "worker.1",
                "listener.0",
                "listener.1"
            ]
        );
    }
}
