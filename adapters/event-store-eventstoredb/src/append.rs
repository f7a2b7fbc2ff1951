//! Appending.

use event_store::{Append, Appended, Error, Version};
use futures::stream::{self, StreamExt, TryStreamExt};
use kurrentdb::{
    AppendToStreamOptions, CurrentRevision, Error as ClientError, EventData, Position, StreamState,
};
use tracing::error;

use crate::error::{Failure, refused, translate};
use crate::{AT_ONCE, EventStoreDb, event};

/// An append as the server takes it.
struct Prepared {
    stream: String,
    expected: Version,
    events: Vec<EventData>,
}

impl EventStoreDb {
    /// Stores each append by itself, several at once. When one fails, the others may or may not be
    /// stored; the identical call finds out, since the server knows events by their ids.
    pub(crate) async fn append_all(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        // All are looked at before the first is sent: what is refused is refused as a whole.
        let prepared = appends
            .iter()
            .map(|append| self.prepare(append))
            .collect::<Result<Vec<_>, _>>()?;
        let outcomes: Vec<Appended> = stream::iter(prepared)
            .map(|append| self.append_one(append))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // The server does not say what stands before them.
        self.tails.stored(self.partitions, appends, &outcomes, &[]);
        Ok(outcomes)
    }

    fn prepare(&self, append: &Append) -> Result<Prepared, Error> {
        let mut total = 0;
        let mut events = Vec::with_capacity(append.entries.len());
        for entry in &append.entries {
            let (event, size) = event::event(entry)?;
            total += size;
            events.push(event);
        }
        if total > self.max_append_bytes {
            return Err(refused(TooLarge {
                stream: append.stream.to_string(),
                size: total,
                most: self.max_append_bytes,
            }));
        }
        Ok(Prepared {
            stream: self.names.stream(&append.stream)?,
            expected: append.expected,
            events,
        })
    }

    async fn append_one(&self, append: Prepared) -> Result<Appended, Error> {
        let Prepared {
            stream,
            expected,
            events,
        } = append;
        let end = expected.plus(events.len() as u64);
        // Never any other state: a server that is asked again must not store it again.
        let state = match expected.0.checked_sub(1) {
            None => StreamState::NoStream,
            Some(revision) => StreamState::StreamRevision(revision),
        };
        match self.write(&stream, state, events).await {
            Ok((stored, position)) => {
                self.horizon.reached(position, &stream);
                if stored != end {
                    error!(
                        stream,
                        revision = stored.0 - 1,
                        expected = end.0 - 1,
                        "this stream was deleted before, and begins in its middle: a person should look"
                    );
                }
                Ok(Appended::Stored)
            }
            Err(Failure::Client(ClientError::WrongExpectedVersion { current, .. })) => {
                let current = match current {
                    CurrentRevision::Current(revision) => event::version(revision),
                    CurrentRevision::NoStream => Version::NONE,
                };
                Ok(Appended::Conflict { current })
            }
            Err(failure) => Err(translate(failure)),
        }
    }

    /// Writes to a stream at this state; the version it is at afterwards, and where in the log it
    /// stands.
    pub(crate) async fn write(
        &self,
        stream: &str,
        state: StreamState,
        events: Vec<EventData>,
    ) -> Result<(Version, Position), Failure> {
        let options = AppendToStreamOptions::default()
            .stream_state(state)
            .requires_leader(true)
            .deadline(self.timeout);
        let stream = stream.to_owned();
        let written = self
            .connection
            .run(self.timeout, |client| async move {
                client.append_to_stream(stream, &options, events).await
            })
            .await?;
        Ok((
            event::version(written.next_expected_version),
            written.position,
        ))
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{size} bytes for {stream} are more than one append may have, {most}: \
     event_store.eventstoredb.max_append_bytes, and MaxAppendSize of the server"
)]
struct TooLarge {
    stream: String,
    size: usize,
    most: usize,
}
