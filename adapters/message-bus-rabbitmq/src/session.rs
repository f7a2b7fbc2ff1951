//! The consumers of one connection: what they deliver, and what is answered.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use contracts::{Envelope, Partitions, ServiceName};
use futures::{Stream, poll};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use message_bus::{Delivery, Receipt, Unreadable};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::batch;
use crate::cloud_event;
use crate::connection::{ConnectError, Connector};
use crate::declaration::queue_name;
use crate::ledger::Ledger;
use crate::parts::Parts;
use crate::unreadable::unreadable;

/// How long a parting word may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// What a service consumes.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) service: ServiceName,
    pub(crate) partitions: Partitions,
    /// For each partition.
    pub(crate) prefetch: u16,
}

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionEnd {
    #[error("the connection to the broker broke off")]
    Broken(#[from] lapin::Error),
    #[error("the broker cancelled the consumer of {0}")]
    Cancelled(String),
}

/// A connection with a consumer on each queue of a service. Its end is the end of all its receipts.
#[derive(Debug)]
pub(crate) struct Session {
    number: u64,
    connection: Arc<Connection>,
    channel: Channel,
    consumers: Vec<Consumer>,
    /// The consumer that is asked first; each in turn, so that none is left waiting.
    turn: usize,
    ledger: Ledger,
    parts: Parts,
    /// What came with others in one delivery, and has not been taken yet.
    waiting: VecDeque<Delivery>,
    began: Instant,
}

impl Session {
    pub(crate) async fn begin(
        connector: &Connector,
        input: &Input,
        number: u64,
    ) -> Result<Self, ConnectError> {
        let name = format!("longhaul {} subscription", input.service);
        let connection = connector.connect(&name).await?;
        let channel = connection.create_channel().await?;
        let mut session = Self {
            number,
            connection: Arc::new(connection),
            channel,
            consumers: Vec::new(),
            turn: 0,
            ledger: Ledger::default(),
            parts: Parts::default(),
            waiting: VecDeque::new(),
            began: Instant::now(),
        };
        // Not global: it counts for each consumer that is started after it.
        session
            .channel
            .basic_qos(input.prefetch, BasicQosOptions { global: false })
            .await?;
        for partition in input.partitions.all() {
            let queue = queue_name(&input.service, partition);
            let consumer = session
                .channel
                .basic_consume(
                    queue.as_str().into(),
                    queue.as_str().into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await?;
            session.consumers.push(consumer);
        }
        Ok(session)
    }

    /// Since when it has been consuming.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// All that is there, at most `max`; waits until there is something. Takes a message out only
    /// in the poll that returns it, so that a caller who stops polling loses nothing.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Vec<Delivery>, SessionEnd>> {
        let count = self.consumers.len();
        for nth in 0..count {
            let index = (self.turn + nth) % count;
            while self.waiting.len() < max {
                match self.poll_consumer(cx, index) {
                    Poll::Ready(came) => came?,
                    Poll::Pending => break,
                }
            }
        }
        if self.waiting.is_empty() {
            return Poll::Pending;
        }
        self.turn = (self.turn + 1) % count;
        let batch = self.waiting.drain(..max.min(self.waiting.len()));
        Poll::Ready(Ok(batch.collect()))
    }

    /// Takes in a delivery, with all the messages that are in it.
    fn poll_consumer(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
    ) -> Poll<Result<(), SessionEnd>> {
        let consumer = &mut self.consumers[index];
        let Some(delivery) = ready!(Pin::new(&mut *consumer).poll_next(cx)) else {
            return Poll::Ready(Err(SessionEnd::Cancelled(consumer.queue().to_string())));
        };
        let delivery = delivery?;
        let messages = messages(&delivery);
        let numbers = self.parts.begin(delivery.delivery_tag, messages.len());
        let session = self.number;
        let deliveries = numbers.zip(messages).map(|(number, message)| Delivery {
            receipt: Receipt { session, number },
            message,
        });
        self.waiting.extend(deliveries);
        Poll::Ready(Ok(()))
    }

    /// Acknowledges what was delivered in this session.
    pub(crate) async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), SessionEnd> {
        let told = self
            .ledger
            .finish(self.parts.finish(numbers(self.number, receipts)));
        let through = told.through.map(|tag| (tag, true));
        let single = told.single.into_iter().map(|tag| (tag, false));
        let acks = through
            .into_iter()
            .chain(single)
            .map(|(tag, multiple)| self.channel.basic_ack(tag, BasicAckOptions { multiple }));
        write_all(acks).await
    }

    /// Gives back what was delivered in this session.
    pub(crate) async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), SessionEnd> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let tags = self
            .ledger
            .give_back(self.parts.give_back(numbers(self.number, receipts)));
        write_all(
            tags.into_iter()
                .map(|tag| self.channel.basic_nack(tag, options)),
        )
        .await
    }
}

impl Drop for Session {
    /// Closes the connection, so that what is unfinished goes to another consumer at once. Only
    /// then the consumers: cancelling them first would let the next one begin with what comes after
    /// the unfinished.
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let connection = Arc::clone(&self.connection);
        let rest = (self.channel.clone(), mem::take(&mut self.consumers));
        runtime.spawn(async move {
            // A connection that is gone already needs no goodbye.
            let _ = timeout(GOODBYE, connection.close(200, "OK".into())).await;
            drop(rest);
        });
    }
}

/// What is in a delivery: a message, or a batch of them.
fn messages(delivery: &lapin::message::Delivery) -> Vec<Result<Envelope, Unreadable>> {
    let (properties, body) = (&delivery.properties, &*delivery.data);
    let read = if batch::is_batch(properties) {
        batch::decode(body)
    } else {
        cloud_event::decode(properties, body).map(|message| vec![Ok(message)])
    };
    read.unwrap_or_else(|error| vec![Err(unreadable(properties, body, &error))])
}

fn numbers(session: u64, receipts: &[Receipt]) -> impl Iterator<Item = u64> {
    receipts
        .iter()
        .filter(move |receipt| receipt.session == session)
        .map(|receipt| receipt.number)
}

/// Hands all frames to the client's writer before waiting for any of them. Nothing here waits
/// before that, so that a caller who stops polling has either begun nothing or sent everything.
async fn write_all<F>(frames: impl Iterator<Item = F>) -> Result<(), SessionEnd>
where
    F: Future<Output = Result<(), lapin::Error>>,
{
    let mut writing = Vec::new();
    for frame in frames {
        let mut one = Box::pin(futures::future::maybe_done(frame));
        let _ = poll!(&mut one);
        writing.push(one);
    }
    for mut one in writing {
        one.as_mut().await;
        one.as_mut().take_output().transpose()?;
    }
    Ok(())
}
