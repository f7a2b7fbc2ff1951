//! A service's input over all its queues, and the supervisor that rebuilds it.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use message_bus::{Delivery, Error, Receipt, Subscription};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::connection::Connector;
use crate::session::{Input, Session, SessionEnd};

/// A subscription that outlives its connections: each is a session of its own.
#[derive(Debug)]
pub(crate) struct RabbitMqSubscription {
    connector: Arc<Connector>,
    input: Input,
    reconnect_max: Duration,
    backoff: Backoff,
    sessions: u64,
    link: Link,
}

#[derive(Debug)]
enum Link {
    /// In a task of its own, so that a caller who stops waiting does not begin it anew.
    Connecting(AbortOnDropHandle<(Session, Backoff)>),
    Open(Box<Session>),
}

impl RabbitMqSubscription {
    /// Begins to connect, and returns at once: a service may start while the broker is away.
    pub(crate) fn start(connector: Arc<Connector>, input: Input, reconnect_max: Duration) -> Self {
        let backoff = Backoff::new(reconnect_max);
        let link = connect(&connector, &input, 1, backoff.clone(), Duration::ZERO);
        Self {
            connector,
            input,
            reconnect_max,
            backoff,
            sessions: 1,
            link,
        }
    }

    async fn session(&mut self) -> Result<&mut Session, Error> {
        if let Link::Connecting(task) = &mut self.link {
            let connected = task.await;
            match connected {
                Ok((session, backoff)) => {
                    self.backoff = backoff;
                    self.link = Link::Open(Box::new(session));
                }
                // The task panicked, or the runtime is shutting down.
                Err(error) => {
                    self.reconnect(Duration::ZERO);
                    return Err(Error::Unavailable(error.into()));
                }
            }
        }
        match &mut self.link {
            Link::Open(session) => Ok(session),
            Link::Connecting(_) => Err(Error::Unavailable("not connected".into())),
        }
    }

    fn lost(&mut self, end: &SessionEnd) {
        if let SessionEnd::Broken(error) = end {
            self.connector.broke_off(error);
        }
        // A broker that lets us in and throws us out at once is failing all the same.
        let pause = match &self.link {
            Link::Open(session) if session.began().elapsed() > self.reconnect_max => {
                self.backoff.succeeded();
                Duration::ZERO
            }
            Link::Open(_) | Link::Connecting(_) => self.backoff.failed(),
        };
        warn!(
            service = %self.input.service,
            reason = reason(end),
            "the subscription lost its session, and connects again"
        );
        self.reconnect(pause);
    }

    fn reconnect(&mut self, pause: Duration) {
        self.sessions += 1;
        self.link = connect(
            &self.connector,
            &self.input,
            self.sessions,
            self.backoff.clone(),
            pause,
        );
    }
}

#[async_trait]
impl Subscription for RabbitMqSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            let session = self.session().await?;
            match poll_fn(|cx| session.poll_receive(cx, max.max(1))).await {
                Ok(batch) => return Ok(batch),
                Err(end) => self.lost(&end),
            }
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        match &mut self.link {
            Link::Open(session) => session.acknowledge(receipts).await.map_err(unavailable),
            // The session of every receipt is over: their messages come again.
            Link::Connecting(_) => Ok(()),
        }
    }

    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        match &mut self.link {
            Link::Open(session) => session.reject(receipts).await.map_err(unavailable),
            Link::Connecting(_) => Ok(()),
        }
    }
}

/// Tries until it succeeds.
fn connect(
    connector: &Arc<Connector>,
    input: &Input,
    number: u64,
    mut backoff: Backoff,
    pause: Duration,
) -> Link {
    let (connector, input) = (Arc::clone(connector), input.clone());
    Link::Connecting(AbortOnDropHandle::new(tokio::spawn(async move {
        sleep(pause).await;
        loop {
            match Session::begin(&connector, &input, number).await {
                Ok(session) => {
                    info!(service = %input.service, session = number, "subscribed");
                    return (session, backoff);
                }
                Err(error) => {
                    let pause = backoff.failed();
                    warn!(
                        service = %input.service,
                        reason = reason(&error),
                        pause_ms = pause.as_millis(),
                        "no subscription for now"
                    );
                    sleep(pause).await;
                }
            }
        }
    })))
}

fn unavailable(end: SessionEnd) -> Error {
    Error::Unavailable(end.into())
}

/// An error with its causes, in one line.
fn reason(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
