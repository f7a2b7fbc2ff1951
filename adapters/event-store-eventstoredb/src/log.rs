//! Reading the log of one kind of streams, out of the one log that the server has of everything.
//!
//! It is read in pages and not subscribed to: a page has an end that is told, also by a server that
//! stops, and a reader that is slow holds nothing up. See ADR 11.

use std::time::Duration;

use event_store::{Cursor, Entry, Error, Page, StreamKind};
use kurrentdb::{Position, ReadAllOptions, RecordedEvent, StreamPosition, SubscriptionFilter};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::error;

use crate::error::{Failure, translate};
use crate::{EventStoreDb, event};

/// How many events the server looks at before it answers with those that fit.
const WINDOW: u32 = 1_000;
/// The longest that the server may pass over events of others, before it comes to one of ours or to
/// the end.
const LONGEST: Duration = Duration::from_secs(600);

/// Events of one kind, and whether the log had no more.
struct Part {
    events: Vec<RecordedEvent>,
    ended: bool,
}

impl EventStoreDb {
    pub(crate) async fn read_page(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let Some(start) = after.iter().map(|(_, position)| position.0).min() else {
            return Ok(Page::behind(after, Vec::new()));
        };
        // Known before reading: everything up to there is met, or is not there.
        let horizon = self.horizon.position();
        // Nothing of ours lies before the beginning of the log.
        let mut passed = start.max(self.origin);
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < limit {
            let part = match self.read_part(kind, passed, limit - entries.len()).await {
                Ok(part) => part,
                // What was found is good; the next page meets the trouble again.
                Err(_) if !entries.is_empty() => break,
                Err(error) => return Err(error),
            };
            for event in &part.events {
                passed = event::position(event).0;
                self.take(event, after, &mut entries);
            }
            if part.ended {
                passed = passed.max(horizon);
            }
            if part.ended || part.events.is_empty() {
                break;
            }
        }
        if entries.is_empty() {
            self.look_for_the_end().await?;
        }
        let mut cursor = after.clone();
        for (partition, _) in after.iter() {
            cursor.advance(partition, event_store::Position(passed));
        }
        Ok(Page { entries, cursor })
    }

    /// Adds the entry of an event, if it is one that is asked for.
    fn take(&self, event: &RecordedEvent, after: &Cursor, entries: &mut Vec<Entry>) {
        let Some(stream) = self.names.parse(event.stream_id()) else {
            return;
        };
        let partition = self.partitions.of(stream.instance());
        let asked = after.iter().find(|(asked, _)| *asked == partition);
        if asked.is_none_or(|(_, position)| event::position(event) <= position) {
            return;
        }
        match event::entry(event, stream, self.partitions) {
            Ok(entry) => entries.push(entry),
            // What is stored does not change at this server: somebody else has written it. It stops
            // its own stream, when that is read, and not everybody who follows the log.
            Err(error) => error!(
                stream = event.stream_id(),
                revision = event.revision,
                %error,
                "passing over an event that this program has not stored: a person should look"
            ),
        }
    }

    /// At most `limit` events of a kind behind a position.
    async fn read_part(&self, kind: &StreamKind, after: u64, limit: usize) -> Result<Part, Error> {
        let filter = SubscriptionFilter::on_stream_name()
            .regex(self.names.of_kind(kind))
            .max(WINDOW);
        let position = Position {
            commit: after,
            prepare: after,
        };
        // The one at the position itself may be read as well.
        let most = limit.saturating_add(1);
        let options = ReadAllOptions::default()
            .position(StreamPosition::Position(position))
            .filter(filter)
            .max_count(most)
            .requires_leader(true);
        let began = Instant::now();
        let patience = self.patience(kind);
        let (found, mut read) = mpsc::unbounded_channel();
        let outcome = self
            .connection
            .scan(patience, |client| async move {
                let mut reading = client.read_all(&options).await?;
                let mut received = 0;
                let mut sent = 0;
                while sent < limit {
                    let Some(event) = reading.next().await? else {
                        // It ends at the end of the log, or with as many as were asked for.
                        return Ok(received < most);
                    };
                    received += 1;
                    let behind = |event: &RecordedEvent| event::position(event).0 > after;
                    if let Some(event) = event.event.filter(behind) {
                        sent += usize::from(found.send(event).is_ok());
                    }
                }
                Ok(false)
            })
            .await;
        let mut events = Vec::new();
        while let Ok(event) = read.try_recv() {
            events.push(event);
        }
        match outcome {
            Ok(ended) => {
                self.set_patience(kind, None);
                Ok(Part { events, ended })
            }
            // What has come is good.
            Err(_) if !events.is_empty() => Ok(Part {
                events,
                ended: false,
            }),
            Err(failure) => {
                if matches!(failure, Failure::TimedOut { .. }) && began.elapsed() >= patience {
                    // It may be passing over very many events of others, and would be asked to begin
                    // again each time.
                    self.set_patience(kind, Some((patience * 2).min(LONGEST)));
                }
                Err(translate(failure))
            }
        }
    }

    /// Finds out how far the log reaches, for the next reader.
    async fn look_for_the_end(&self) -> Result<(), Error> {
        if !self.horizon.should_look() {
            return Ok(());
        }
        let options = ReadAllOptions::default()
            .position(StreamPosition::End)
            .max_count(1)
            .requires_leader(true);
        let last = self
            .connection
            .run(self.timeout, |client| async move {
                client.read_all(&options).await?.next().await
            })
            .await
            .map_err(translate)?;
        if let Some(event) = last.and_then(|last| last.event) {
            self.horizon.reached(event.position);
        }
        Ok(())
    }
}
