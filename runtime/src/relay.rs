//! The only way out: reads the log of a service, and publishes what its entries say to others.

use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, ServiceName};
use event_store::{Checkpoint, Cursor, EventStore, StreamKind, UNREADABLE, outgoing, readers};
use message_bus::Publisher;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::handler::chain;
use crate::{Backoff, Followed, Settings};

/// The relay of one service. At the start, after a crash and in normal running it does the same: go on
/// behind its checkpoint.
pub(crate) struct Relay {
    pub(crate) service: ServiceName,
    pub(crate) kind: StreamKind,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) settings: Settings,
    /// Up to where everything is published.
    pub(crate) published: Followed,
}

impl Relay {
    /// Publishes until `stop` is cancelled and everything in the log is published, or until `abort` is
    /// cancelled.
    pub(crate) async fn run(self, stop: CancellationToken, abort: CancellationToken) {
        let reader = readers::relay(&self.service);
        tokio::select! {
            () = abort.cancelled() => warn!(service = %self.service, "stopped before everything was published: the rest is published at the next start"),
            () = self.publish_all(&reader, stop) => {}
        }
    }

    async fn publish_all(&self, reader: &str, stop: CancellationToken) {
        let mut wake_up = self.store.wake_ups(&self.kind);
        let poll = Duration::from_millis(self.settings.poll_interval_ms);
        let save_every = Duration::from_millis(self.settings.checkpoint_interval_ms);
        let mut backoff = Backoff::for_servers();
        let mut cursor = loop {
            match self.store.load_checkpoint(reader).await {
                Ok(checkpoint) => break checkpoint.cursor(self.store.partitions()),
                Err(error) => self.trouble("load the checkpoint", &error),
            }
            backoff.wait().await;
        };
        self.published.reached(&cursor);
        backoff.reset();
        let mut unsaved = false;
        let mut saved_at = Instant::now();
        loop {
            let stopping = stop.is_cancelled();
            let page = match self
                .store
                .follow_log(&self.kind, &cursor, self.settings.page())
                .await
            {
                Ok(page) => page,
                Err(error) => {
                    self.trouble("read the log", &error);
                    backoff.wait().await;
                    continue;
                }
            };
            for entry in page
                .entries
                .iter()
                .filter(|entry| entry.content.type_name == UNREADABLE)
            {
                error!(service = %self.service, stream = %entry.stream, version = %entry.version, "an entry cannot be read, so what it says to others is not published: once it is mended, delete the checkpoint of the relay");
            }
            let messages: Vec<Envelope> = page
                .entries
                .iter()
                .flat_map(|entry| outgoing(&self.service, entry))
                .collect();
            if !messages.is_empty() {
                self.publish(&messages).await;
            }
            backoff.reset();
            cursor = page.cursor;
            self.published.reached(&cursor);
            let idle = page.entries.is_empty();
            // What was passed over without an entry is not worth a checkpoint of its own: where that is
            // stored in the same log, each would be passed over again, and be followed by another.
            unsaved |= !idle;
            if unsaved && (idle && stopping || saved_at.elapsed() >= save_every) {
                self.save(reader, &cursor).await;
                unsaved = false;
                saved_at = Instant::now();
            }
            if idle && stopping {
                return;
            }
            if idle {
                // With something unsaved, the next look is when it is time to save.
                let next = if unsaved { save_every.min(poll) } else { poll };
                tokio::select! {
                    () = wake_up.woken() => {}
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(next) => {}
                }
            }
        }
    }

    /// Publishes until it is confirmed: nothing behind it may leave before.
    async fn publish(&self, messages: &[Envelope]) {
        let mut backoff = Backoff::for_servers();
        loop {
            match self.publisher.publish(messages).await {
                Ok(()) => {
                    debug!(service = %self.service, messages = messages.len(), "published");
                    return;
                }
                Err(error @ message_bus::Error::Unavailable(_)) => self.trouble("publish", &error),
                Err(error) => {
                    error!(service = %self.service, error = chain(&error), "the bus refuses what is to be published: a person should look");
                }
            }
            backoff.wait().await;
        }
    }

    async fn save(&self, reader: &str, cursor: &Cursor) {
        if let Err(error) = self
            .store
            .save_checkpoint(reader, &Checkpoint::at(cursor))
            .await
        {
            self.trouble("save the checkpoint", &error);
        }
    }

    fn trouble(&self, what: &str, error: &dyn std::error::Error) {
        warn!(service = %self.service, error = chain(error), "the relay cannot {what} now: trying again");
    }
}
