//! The way out: batches of messages, published in as few writes as may be, and confirmed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use contracts::{Envelope, Partitions, Topology};
use futures::poll;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use message_bus::{Error, Publisher};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Settings;
use crate::backoff::Backoff;
use crate::connection::{ConnectError, Connector};
use crate::filling::Filling;
use crate::parcels::{Packing, Parcel};

/// Why a batch is not known to be kept.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("no connection to the broker")]
    Connect(#[source] ConnectError),
    #[error("the connection to the broker broke off")]
    Broken(#[from] lapin::Error),
    #[error("the broker did not confirm within {0:?}")]
    TimedOut(Duration),
    #[error("of {published} messages, the broker refused {nacked} and had no queue for {returned}")]
    NotKept {
        published: usize,
        nacked: usize,
        returned: usize,
    },
    #[error("the broker did not answer within {0:?}")]
    Silent(Duration),
    #[error("no connection to the broker, and the next attempt is under way or not due yet")]
    NotYet,
}

/// Publishes to the broker over one channel. Batches go out one after another.
#[derive(Debug)]
pub(crate) struct RabbitMqPublisher {
    connector: Arc<Connector>,
    packing: Packing,
    confirm_timeout: Duration,
    state: tokio::sync::Mutex<State>,
    /// The connection in use, to ask over without waiting for a batch to end.
    live: Mutex<Weak<Connection>>,
    /// Who asks the broker something, one after another.
    asking: tokio::sync::Mutex<()>,
    filling: Mutex<Filling>,
}

/// How long a broker may take to answer when it is asked whether it does. A connection is found dead by
/// its heartbeat, which is too late for whoever asks.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct State {
    line: Option<Line>,
    backoff: Backoff,
    /// No attempt to connect before this.
    not_before: Option<Instant>,
}

/// A connection and its channel, in confirm mode.
#[derive(Debug)]
struct Line {
    connection: Arc<Connection>,
    channel: Channel,
}

impl RabbitMqPublisher {
    pub(crate) fn new(
        connector: Arc<Connector>,
        settings: &Settings,
        topology: Topology,
        partitions: Partitions,
    ) -> Self {
        Self {
            connector,
            packing: Packing {
                topology,
                partitions,
                publish_events: settings.publish_events,
                most_messages: settings.batch_messages.into(),
                most_events: settings.batch_events.into(),
            },
            confirm_timeout: settings.confirm_timeout(),
            state: tokio::sync::Mutex::new(State {
                line: None,
                backoff: Backoff::new(settings.reconnect_max()),
                not_before: None,
            }),
            live: Mutex::new(Weak::new()),
            asking: tokio::sync::Mutex::default(),
            filling: Mutex::default(),
        }
    }

    /// Whether the broker answers: opens a channel and closes it again, both of which it answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let connection = self.connection().await?;
        let opened = async {
            let channel = connection.create_channel().await?;
            channel.close(200, "OK".into()).await
        };
        self.ask(opened).await
    }

    /// About how many messages wait for the services.
    pub(crate) async fn backlog(&self) -> Result<usize, Error> {
        let connection = self.connection().await?;
        let parcels = self.ask(self.connector.count(&connection)).await?;
        Ok(self.filling().messages_in(parcels))
    }

    fn filling(&self) -> MutexGuard<'_, Filling> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the broker, which must not take long to answer.
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            let _one_at_a_time = self.asking.lock().await;
            Ok(question.await?)
        };
        timeout(ANSWERS_WITHIN, answer)
            .await
            .unwrap_or(Err(PublishError::Silent(ANSWERS_WITHIN)))
            .map_err(unavailable)
    }

    /// The connection in use, or one that is made.
    async fn connection(&self) -> Result<Arc<Connection>, Error> {
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        // Whoever asks wants an answer now: not after a batch that waits for a broker.
        let Ok(mut state) = self.state.try_lock() else {
            return Err(unavailable(PublishError::NotYet));
        };
        if let Some(line) = state.line.as_ref().filter(|line| line.is_up()) {
            return Ok(line.connection.clone());
        }
        if state.not_before.is_some_and(|due| Instant::now() < due) {
            return Err(unavailable(PublishError::NotYet));
        }
        let line = self.open(&mut state).await?;
        let connection = line.connection.clone();
        state.line = Some(line);
        Ok(connection)
    }

    fn live(&self) -> Option<Arc<Connection>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let live = live.upgrade();
        live.filter(|connection| connection.status().connected())
    }

    /// The channel to publish over, taken out of the state: a batch that is cancelled half-way
    /// drops it, and whatever the broker still says about it.
    async fn line(&self, state: &mut State) -> Result<Line, Error> {
        match state.line.take() {
            Some(line) if line.is_up() => Ok(line),
            Some(_) | None => {
                if let Some(due) = state.not_before {
                    sleep_until(due).await;
                }
                self.open(state).await
            }
        }
    }

    async fn open(&self, state: &mut State) -> Result<Line, Error> {
        match Line::open(&self.connector).await {
            Ok(line) => {
                let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
                *live = Arc::downgrade(&line.connection);
                Ok(line)
            }
            Err(error) => {
                state.failed();
                Err(unavailable(PublishError::Connect(error)))
            }
        }
    }
}

#[async_trait]
impl Publisher for RabbitMqPublisher {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error> {
        let packed = self.packing.pack(messages);
        let parcels = packed.map_err(|error| Error::Refused(error.into()))?;
        if parcels.is_empty() {
            return Ok(());
        }
        self.filling().published(&parcels);
        let mut state = self.state.lock().await;
        let line = self.line(&mut state).await?;
        let sent = timeout(self.confirm_timeout, line.send(parcels))
            .await
            .unwrap_or(Err(PublishError::TimedOut(self.confirm_timeout)));
        match sent {
            Ok(()) => {
                state.succeeded();
                state.line = Some(line);
                Ok(())
            }
            // Whatever it was, the next attempt begins with a new connection and declares
            // everything again, which also puts back a queue that somebody deleted.
            Err(error) => {
                state.failed();
                Err(unavailable(error))
            }
        }
    }
}

impl State {
    fn failed(&mut self) {
        self.not_before = Some(Instant::now() + self.backoff.failed());
    }

    fn succeeded(&mut self) {
        self.backoff.succeeded();
        self.not_before = None;
    }
}

impl Line {
    async fn open(connector: &Connector) -> Result<Self, ConnectError> {
        let connection = connector.connect("longhaul publisher").await?;
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(Self {
            connection: Arc::new(connection),
            channel,
        })
    }

    fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    async fn send(&self, parcels: Vec<Parcel>) -> Result<(), PublishError> {
        let published = parcels.len();
        let mut sending = Vec::with_capacity(published);
        for parcel in parcels {
            let mut one = Box::pin(futures::future::maybe_done(self.publish(parcel)));
            // The first poll hands the frames to the client's writer, in order and without waiting
            // for it, so that the whole batch goes out in few writes.
            let _ = poll!(&mut one);
            sending.push(one);
        }
        let (mut nacked, mut returned) = (0, 0);
        for mut one in sending {
            one.as_mut().await;
            match one.as_mut().take_output().transpose()? {
                // A message that no queue took comes back, and is acknowledged all the same.
                Some(Confirmation::Ack(None)) => {}
                Some(Confirmation::Ack(Some(_))) => returned += 1,
                Some(Confirmation::Nack(_) | Confirmation::NotRequested) | None => nacked += 1,
            }
        }
        if nacked + returned == 0 {
            Ok(())
        } else {
            Err(PublishError::NotKept {
                published,
                nacked,
                returned,
            })
        }
    }

    async fn publish(&self, parcel: Parcel) -> Result<Confirmation, lapin::Error> {
        let options = BasicPublishOptions {
            mandatory: parcel.mandatory,
            immediate: false,
        };
        self.channel
            .basic_publish(
                parcel.exchange.into(),
                parcel.routing_key,
                options,
                &parcel.body,
                parcel.properties,
            )
            .await?
            .await
    }
}

fn unavailable(error: PublishError) -> Error {
    Error::Unavailable(error.into())
}
