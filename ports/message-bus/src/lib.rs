//! The port to the message bus: how messages get from one service to another.
//!
//! It never decides who hears what (the [`Topology`](contracts::Topology) does), and knows no
//! broker; what an adapter must promise is written on [`MessageBus`] and checked by [`contract`].
//! Start with [`MessageBus`].

pub mod contract;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Envelope, MessageId, ServiceName};

/// A way for messages from the log to the services that the topology names.
///
/// # What every bus promises
///
/// - **At least once.** A message whose publication was confirmed reaches each of its receivers
///   until it acknowledges it: also when the receiver has never run before, and also across a
///   restart of the receiver, of the publisher, or of a broker.
/// - **Order** within an instance (the message's subject) as published, as long as nothing is
///   rejected or redelivered. A receiver must converge whatever the order.
/// - **One receiver at a time.** Of several subscriptions of one service, a partition's messages go
///   to one; when it ends, they go to another, beginning with what was not acknowledged.
/// - **Isolation.** A message that cannot be read is delivered as such, and holds up nothing.
#[async_trait]
pub trait MessageBus: Send + Sync {
    /// What the relay publishes through; `None` when receivers follow the log itself, and nothing
    /// needs to be published.
    fn publisher(&self) -> Option<Arc<dyn Publisher>>;

    /// Subscribes a service to everything that the topology routes to it.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Refused`] for a service that the topology does not name.
    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error>;

    /// About how many messages wait for the services of the topology, and are not being handled yet;
    /// there is no use in counting further than `most`. An estimate: what was packed together, or is
    /// being handled, may be counted otherwise than one by one. When everything is handled, it is 0.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn backlog(&self, most: usize) -> Result<usize, Error>;

    /// Whether the bus answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn ping(&self) -> Result<(), Error>;
}

/// The way out, for the relay alone.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes messages in order, and returns once every receiver's copy of each is kept
    /// durably.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: some may have been published, some not; publish all of them again,
    /// they have the same ids. [`Error::Refused`]: one of them will never be accepted.
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error>;
}

/// A service's input.
#[async_trait]
pub trait Subscription: Send {
    /// Waits until there is something, and returns all that is there, at most `max` (at least 1).
    /// Cancelling it loses nothing. A lost connection is rebuilt inside, and is no error.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot go on for now; call again.
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error>;

    /// Says that these are handled, and need not come again. A receipt from before a lost
    /// connection is ignored: its message comes again.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: their messages may come again.
    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error>;

    /// Says that these could not be handled now: their messages come again.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: their messages come again all the same.
    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error>;
}

/// A message that was delivered, and the receipt to answer it with.
#[derive(Debug)]
pub struct Delivery {
    /// What to acknowledge or reject.
    pub receipt: Receipt,
    /// The message, or what was found in its place.
    pub message: Result<Envelope, Unreadable>,
}

/// Names a delivery within its subscription. Adapters give the two parts their meaning; a
/// connection or session, and a number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The session in which it was delivered.
    pub session: u64,
    /// Its number in the session.
    pub number: u64,
}

/// A delivery that is no message of ours; kept whole, so that nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The same for each delivery of the same thing.
    pub id: MessageId,
    /// The instance it concerns, when that much can be read.
    pub subject: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// All of it, as JSON text: properties, headers and body.
    pub raw: String,
}

/// Why a bus did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus cannot be reached, or did not confirm in time.
    #[error("the message bus is unavailable")]
    Unavailable(#[source] BoxError),
    /// The bus refuses this, and will refuse it again.
    #[error("the message bus refuses this")]
    Refused(#[source] BoxError),
}

/// The cause of an [`Error`], as the adapter met it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
