//! What waits behind a service: so much more would wait if it took in more.

use std::sync::Arc;

use event_store::{EventStore, StreamKind};
use message_bus::MessageBus;

use crate::Followed;

/// Looks for what waits behind a service.
#[derive(Clone)]
pub struct Pressure {
    pub(crate) bus: Arc<dyn MessageBus>,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) kind: StreamKind,
    /// How far the relay has come; nowhere for ever where nothing is published.
    pub(crate) published: Followed,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Entries of the service's log that are not published yet: it is ahead of its relay.
    pub unpublished: usize,
    /// About how many messages wait at the bus, for all services: they are ahead of their receivers.
    pub unhandled: usize,
}

/// Why it is not known what waits.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// The log does not tell.
    #[error("it is not known what is to be published")]
    Log(#[from] event_store::Error),
    /// The bus does not tell.
    #[error("it is not known what is to be handled")]
    Bus(#[from] message_bus::Error),
}

impl Pressure {
    /// About what waits at this moment, each counted up to `most`.
    ///
    /// # Errors
    /// [`Unknown`] while log or bus is away.
    pub async fn look(&self, most: usize) -> Result<Waiting, Unknown> {
        let unhandled = self.bus.backlog(most).await?;
        let unpublished = match self.published.cursor() {
            Some(published) => self.store.count_log(&self.kind, &published, most).await?,
            None => 0,
        };
        Ok(Waiting {
            unpublished,
            unhandled,
        })
    }
}
