//! The only way out: reads the log of a service, and publishes what its entries say to others.

use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, ServiceName};
use event_store::{Cursor, Entry, EventStore, StreamKind, UNREADABLE, outgoing, readers};
use message_bus::Publisher;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::handler::chain;
use crate::held::Held;
use crate::share::Share;
use crate::{Backoff, Followed, Settings};

/// The relay of one instance of a service. At the start, after a crash and in normal running it does the
/// same: go on behind the checkpoint, which all instances share. What another of them has stored it leaves
/// to that one for a while.
pub(crate) struct Relay {
    pub(crate) service: ServiceName,
    pub(crate) kind: StreamKind,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) settings: Settings,
    /// What it sees to.
    pub(crate) share: Share,
    /// Up to where everything is published that this instance sees to.
    pub(crate) published: Followed,
}

impl Relay {
    /// Publishes until `stop` is cancelled and everything in the log is published but for what others see
    /// to, or until `abort` is cancelled.
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
        let mut held = loop {
            match self.store.load_checkpoint(reader).await {
                Ok(checkpoint) => break Held::behind(&checkpoint, self.store.partitions()),
                Err(error) => self.trouble("load the checkpoint", &error),
            }
            backoff.wait().await;
        };
        self.published.reached(held.read());
        backoff.reset();
        let mut told_at = Instant::now();
        let mut unsent = Vec::new();
        loop {
            let stopping = stop.is_cancelled();
            let left = self.share.left();
            held.leave(&left);
            let following = held.read().without(&left);
            let page = match self
                .store
                .follow_log(&self.kind, &following, self.settings.page())
                .await
            {
                Ok(page) => page,
                Err(error) => {
                    self.trouble("read the log", &error);
                    self.publish(&unsent).await;
                    unsent.clear();
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
            let idle = page.entries.is_empty();
            let met_all = idle || page.to_end;
            unsent.extend(held.take_in(page, &self.share));
            backoff.reset();
            // Where much of the log is others', what stands between it goes together.
            let most = self.settings.page();
            if !met_all && unsent.len() < most && told_at.elapsed() < save_every {
                continue;
            }
            // Before it is published, which may take long: what is stored meanwhile is met later.
            if met_all {
                self.share.met_all();
            }
            self.publish(&unsent).await;
            unsent.clear();
            let is_at_rest = |held: &Held| held.is_settled() && left.is_empty();
            if !is_at_rest(&held) && (idle && stopping || told_at.elapsed() >= save_every) {
                self.tell(reader, &mut held, &left).await;
                told_at = Instant::now();
            }
            self.published.reached(&held.read().without(&left));
            if idle && stopping {
                return;
            }
            if idle {
                // With something to hear or to tell, the next look is when it is time to.
                let next = if is_at_rest(&held) {
                    poll
                } else {
                    save_every.min(poll)
                };
                tokio::select! {
                    () = wake_up.woken() => {}
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(next) => {}
                }
            }
        }
    }

    /// Hears what others have published, publishes what they have not, and tells them.
    async fn tell(&self, reader: &str, held: &mut Held, left: &Cursor) {
        if !held.is_empty() || !left.is_empty() {
            match self.store.load_checkpoint(reader).await {
                Ok(checkpoint) => held.told(&checkpoint, &self.share),
                Err(error) => return self.trouble("load the checkpoint", &error),
            }
            self.publish(&held.take_late()).await;
        }
        if held.is_news() {
            let checkpoint = held.checkpoint();
            match self.store.save_checkpoint(reader, &checkpoint).await {
                Ok(()) => held.said(&checkpoint),
                Err(error) => self.trouble("save the checkpoint", &error),
            }
        }
    }

    /// Publishes until it is confirmed: nothing behind it may leave before.
    async fn publish(&self, entries: &[Arc<Entry>]) {
        let messages: Vec<Envelope> = entries
            .iter()
            .flat_map(|entry| outgoing(&self.service, entry))
            .collect();
        if messages.is_empty() {
            return;
        }
        let mut backoff = Backoff::for_servers();
        loop {
            match self.publisher.publish(&messages).await {
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

    fn trouble(&self, what: &str, error: &dyn std::error::Error) {
        warn!(service = %self.service, error = chain(error), "the relay cannot {what} now: trying again");
    }
}

#[cfg(test)]
mod tests;
