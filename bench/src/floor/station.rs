//! One of the four loops: takes what is there, stores it, sends on what follows, acknowledges.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result, ensure};
use contracts::Partitions;
use futures::{Stream as _, poll};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    ExchangeKind,
};

use crate::floor::How;
use crate::floor::course::{COURSE, LAST, Next, Service};
use crate::floor::log::Log;
use crate::floor::parcels::{self, EVENTS, INPUTS, Parcel, pack, unpack};
use crate::floor::run::Run;

/// The most inputs of one round, and the most deliveries of a queue that wait here: as the suite has them.
const MOST: usize = 256;
const PREFETCH: u16 = 64;

/// A message is kept over a restart of the broker.
const PERSISTENT: u8 = 2;

/// A loop, with what it holds.
#[derive(Debug)]
pub(crate) struct Station {
    service: Service,
    how: How,
    log: Log,
    _connections: [Connection; 2],
    publishing: Channel,
    queues: Vec<Queue>,
    /// The queue that is asked first; each in turn.
    turn: usize,
    /// Deadlines that were set, and are over.
    over: VecDeque<(u32, usize)>,
}

#[derive(Debug)]
struct Queue {
    channel: Channel,
    consumer: Consumer,
    /// The last delivery that was taken, and is not acknowledged.
    taken: Option<u64>,
}

/// Declares exchanges and queues: the same kinds, and as many, as the suite has.
pub(crate) async fn declare(broker: &str) -> Result<()> {
    let connection = connect(broker).await?;
    let channel = connection.create_channel().await?;
    for (name, kind) in [
        (INPUTS, ExchangeKind::Direct),
        (EVENTS, ExchangeKind::Topic),
    ] {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let none = FieldTable::default();
        channel
            .exchange_declare(name.into(), kind, durable, none)
            .await?;
    }
    for service in Service::ALL {
        for partition in Partitions::default().all() {
            let queue = parcels::queue(service, partition.0);
            let durable = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            let mut arguments = FieldTable::default();
            arguments.insert(
                "x-queue-type".into(),
                AMQPValue::LongString("quorum".into()),
            );
            channel
                .queue_declare(queue.as_str().into(), durable, arguments)
                .await?;
            let (name, key) = (queue.as_str().into(), queue.as_str().into());
            let binding = QueueBindOptions::default();
            channel
                .queue_bind(name, INPUTS.into(), key, binding, FieldTable::default())
                .await?;
        }
    }
    Ok(connection.close(200, "OK".into()).await?)
}

async fn connect(broker: &str) -> Result<Connection> {
    let connected = Connection::connect(broker, ConnectionProperties::default()).await;
    connected.context("the floor cannot connect to the broker")
}

impl Station {
    /// Connects, and begins to consume.
    pub(crate) async fn open(
        service: Service,
        how: How,
        database: &str,
        broker: &str,
    ) -> Result<Self> {
        let (sending, receiving) = (connect(broker).await?, connect(broker).await?);
        let publishing = sending.create_channel().await?;
        publishing
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let mut queues = Vec::new();
        for partition in Partitions::default().all() {
            // A channel each, so that one word acknowledges all that was taken of a queue.
            let channel = receiving.create_channel().await?;
            channel
                .basic_qos(PREFETCH, BasicQosOptions::default())
                .await?;
            let name = parcels::queue(service, partition.0);
            let (queue, tag) = (name.as_str().into(), name.as_str().into());
            let options = BasicConsumeOptions::default();
            let consumer = channel.basic_consume(queue, tag, options, FieldTable::default());
            queues.push(Queue {
                consumer: consumer.await?,
                channel,
                taken: None,
            });
        }
        Ok(Self {
            service,
            how,
            log: Log::open(database, service).await?,
            _connections: [sending, receiving],
            publishing,
            queues,
            turn: 0,
            over: VecDeque::new(),
        })
    }

    /// Works until the run is over.
    pub(crate) async fn work(&mut self, run: &Run) -> Result<()> {
        loop {
            let steps = tokio::select! {
                biased;
                () = run.over() => return Ok(()),
                steps = poll_fn(|cx| self.poll_take(cx, run)) => steps?,
            };
            self.handle(&steps, run).await?;
        }
    }

    /// All that is there, up to a full round; takes nothing out but in the poll that answers it.
    fn poll_take(&mut self, cx: &mut Context<'_>, run: &Run) -> Poll<Result<Vec<(u32, usize)>>> {
        let mut steps: Vec<_> = self.over.drain(..).collect();
        let count = self.queues.len();
        for nth in 0..count {
            let queue = &mut self.queues[(self.turn + nth) % count];
            while steps.len() < MOST {
                match Pin::new(&mut queue.consumer).poll_next(cx) {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        return Poll::Ready(Err(anyhow::anyhow!("a consumer was cancelled")));
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                    Poll::Ready(Some(Ok(delivery))) => {
                        queue.taken = Some(delivery.delivery_tag);
                        match unpack(&delivery.data) {
                            Ok(found) => steps.extend(found),
                            Err(error) => return Poll::Ready(Err(error)),
                        }
                    }
                }
            }
        }
        if self.service == Service::Process {
            steps.extend(
                run.start(MOST.saturating_sub(steps.len()))
                    .map(|new| (new, 0)),
            );
        }
        if steps.is_empty() {
            return Poll::Pending;
        }
        self.turn = (self.turn + 1) % count;
        Poll::Ready(Ok(steps))
    }

    /// One round: stored, then sent and confirmed, then acknowledged.
    async fn handle(&mut self, steps: &[(u32, usize)], run: &Run) -> Result<()> {
        self.log.store(steps).await?;
        self.publish(pack(self.service, steps, self.how)).await?;
        for queue in &mut self.queues {
            if let Some(tag) = queue.taken.take() {
                let through = BasicAckOptions { multiple: true };
                queue.channel.basic_ack(tag, through).await?;
            }
        }
        let mut ended = 0;
        for &(shipment, step) in steps {
            ended += u32::from(step == LAST);
            for next in COURSE[step].then {
                if let Next::Deadline { step } = *next {
                    self.over.push_back((shipment, step));
                }
            }
        }
        if ended > 0 {
            run.end(ended);
        }
        Ok(())
    }

    async fn publish(&self, parcels: Vec<Parcel>) -> Result<()> {
        let mut sending = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let mut one = Box::pin(futures::future::maybe_done(self.publish_one(parcel)));
            // The first poll hands the frames to the client's writer: the whole batch goes out in few writes.
            let _ = poll!(&mut one);
            sending.push(one);
        }
        for mut one in sending {
            one.as_mut().await;
            let confirmed = one.as_mut().take_output().transpose()?;
            let kept = matches!(confirmed, Some(Confirmation::Ack(None)));
            ensure!(kept, "a message was not kept: {confirmed:?}");
        }
        Ok(())
    }

    async fn publish_one(&self, parcel: Parcel) -> Result<Confirmation, lapin::Error> {
        let options = BasicPublishOptions {
            mandatory: parcel.exchange == INPUTS,
            immediate: false,
        };
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let (exchange, key) = (parcel.exchange.into(), parcel.routing_key.into());
        self.publishing
            .basic_publish(exchange, key, options, &parcel.body, properties)
            .await?
            .await
    }
}
