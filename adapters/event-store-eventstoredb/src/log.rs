//! Reading the log of one kind of streams, out of the one log that the server has of everything.
//!
//! It is read in pages and not subscribed to (ADR 11). How far a reader has come is taken from events
//! that it was sent, and from nothing else: not from an end that was told, which may be that of a
//! connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_store::{Cursor, Entry, Error, Page, StreamKind};
use kurrentdb::{Position, ReadAllOptions, RecordedEvent, StreamPosition, SubscriptionFilter};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::{Failure, translate};
use crate::horizon::Mark;
use crate::requests::read_to_the_end;
use crate::{EventStoreDb, event};

/// How many events the server looks at before it answers with those that fit.
const WINDOW: u32 = 1_000;
/// The most events of anybody that are read at once where the server is too slow to look for ours.
const MOST_OF_ANYBODY: usize = 10_000;

/// How long an answer is left to end by itself.
const LINGER: Duration = Duration::from_secs(1);

/// What one request has brought.
struct Part {
    events: Vec<RecordedEvent>,
    /// The position of the last event that was sent, ours or not.
    passed: u64,
    /// Whether the server may have more at this moment.
    more: bool,
}

impl EventStoreDb {
    pub(crate) async fn read_page(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let Some(start) = after.iter().map(|(_, position)| position.0).min() else {
            return Ok(Page::behind(after, Vec::new(), limit));
        };
        // Nothing of ours lies before the beginning of the log.
        let mut passed = start.max(self.origin);
        let mark = self.horizon.mark();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let most = limit - entries.len();
            let part = match self.read_part(kind, &mark, passed, most).await {
                Ok(part) => part,
                // What was passed is passed; the next page meets the trouble again.
                Err(_) if passed > start.max(self.origin) => {
                    return Ok(page(after, entries, passed));
                }
                Err(failure) => return Err(translate(failure)),
            };
            for event in &part.events {
                self.take(event, kind, after, &mut entries);
                // Where everything is read, there may be more of ours than were asked for.
                if entries.len() == limit {
                    return Ok(page(after, entries, event::position(event).0));
                }
            }
            let moved = part.passed > passed;
            passed = passed.max(part.passed);
            if !(part.more && moved) {
                break;
            }
        }
        if entries.is_empty() {
            self.look_for_the_end().await?;
        }
        Ok(page(after, entries, passed))
    }

    /// Adds the entry of an event, if it is one that is asked for.
    fn take(
        &self,
        event: &RecordedEvent,
        kind: &StreamKind,
        after: &Cursor,
        entries: &mut Vec<Entry>,
    ) {
        let stream = self.names.parse(event.stream_id());
        let Some(stream) = stream.filter(|stream| stream.kind() == kind.as_str()) else {
            return;
        };
        let partition = self.partitions.of(stream.instance());
        let asked = after.iter().find(|(asked, _)| *asked == partition);
        if asked.is_none_or(|(_, position)| event::position(event) <= position) {
            return;
        }
        entries.push(event::entry(event, stream, self.partitions));
    }

    /// At most `limit` events of a kind behind a position; and those of the stream that the mark is of,
    /// which show how far the server has come where there are none.
    async fn read_part(
        &self,
        kind: &StreamKind,
        mark: &Mark,
        after: u64,
        limit: usize,
    ) -> Result<Part, Failure> {
        let also = (mark.position > after).then_some(&*mark.stream);
        let filter = SubscriptionFilter::on_stream_name()
            .regex(self.names.of_kind(kind, also))
            .max(WINDOW);
        let options = behind(after, limit).filter(filter);
        match self.read_all(options, after, limit).await {
            // It may be passing over very many events of others, which it does not tell about: for as
            // long again, everything is read, which moves on whatever there is.
            Err(failure) if failure.is_time_out() => {
                let options = behind(after, MOST_OF_ANYBODY);
                self.read_all(options, after, MOST_OF_ANYBODY).await
            }
            part => part,
        }
    }

    /// Reads behind a position. What has come is good, also where an error follows.
    async fn read_all(
        &self,
        options: ReadAllOptions,
        after: u64,
        limit: usize,
    ) -> Result<Part, Failure> {
        let names = self.names.clone();
        let (found, mut ours) = mpsc::unbounded_channel();
        let passed = Arc::new(AtomicU64::new(after));
        let reached = passed.clone();
        let outcome = self
            .connection
            // Two of them are tried within the time of a call.
            .run(self.timeout / 2, |client| async move {
                let mut reading = client.read_all(&options).await?;
                let mut count = 0;
                while count < limit {
                    let Some(event) = reading.next().await? else {
                        return Ok(false);
                    };
                    let Some(event) = event.event else { continue };
                    let position = event::position(&event).0;
                    // The one at the position itself may be sent as well.
                    if position <= after {
                        continue;
                    }
                    count += 1;
                    if names.parse(event.stream_id()).is_some() {
                        // Nobody listens any more when the time is over.
                        let _ = found.send(event);
                    }
                    reached.store(position, Ordering::Release);
                }
                // The server may look for one more before it ends its answer, which is not waited for.
                tokio::spawn(timeout(LINGER, read_to_the_end(reading)));
                Ok(true)
            })
            .await;
        let passed = passed.load(Ordering::Acquire);
        let mut events = Vec::new();
        while let Ok(event) = ours.try_recv() {
            if event::position(&event).0 <= passed {
                events.push(event);
            }
        }
        match outcome {
            Err(failure) if passed == after => Err(failure),
            outcome => Ok(Part {
                events,
                passed,
                more: outcome.unwrap_or(true),
            }),
        }
    }

    /// Finds out how far the log reaches, for the next reader.
    async fn look_for_the_end(&self) -> Result<(), Error> {
        if self.horizon.should_look() {
            let last = self.connection.last_event(self.timeout).await;
            if let Some(last) = last.map_err(translate)? {
                self.horizon.reached(last.position, last.stream_id());
            }
        }
        Ok(())
    }
}

/// These entries, and everything up to there passed over.
fn page(after: &Cursor, entries: Vec<Entry>, passed: u64) -> Page {
    let mut cursor = after.clone();
    for (partition, _) in after.iter() {
        cursor.advance(partition, event_store::Position(passed));
    }
    Page {
        entries: entries.into_iter().map(Arc::new).collect(),
        cursor,
        // An end that was told may be that of a connection.
        to_end: false,
    }
}

fn behind(after: u64, limit: usize) -> ReadAllOptions {
    let position = Position {
        commit: after,
        prepare: after,
    };
    ReadAllOptions::default()
        .position(StreamPosition::Position(position))
        .max_count(limit.saturating_add(1))
        .requires_leader(true)
}
