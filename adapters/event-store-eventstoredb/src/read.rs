//! Reading streams.

use event_store::{Entry, Error, StreamName};
use futures::stream::{self, StreamExt, TryStreamExt};
use kurrentdb::{Error as ClientError, ReadStreamOptions, RecordedEvent};

use crate::error::{Failure, corrupt, translate};
use crate::requests::read_events;
use crate::{AT_ONCE, EventStoreDb, event};

impl EventStoreDb {
    /// Reads each stream by itself, several at once.
    pub(crate) async fn read_all_streams(
        &self,
        streams: &[StreamName],
    ) -> Result<Vec<Vec<Entry>>, Error> {
        stream::iter(streams.to_vec())
            .map(|stream| self.read_entries(stream))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn read_entries(&self, stream: StreamName) -> Result<Vec<Entry>, Error> {
        let name = self.names.stream(&stream)?;
        let events = match self.read_stream(&name, &ReadStreamOptions::default()).await {
            Err(Failure::Client(ClientError::ResourceDeleted)) => {
                return Err(corrupt(Deleted(stream.to_string())));
            }
            events => events.map_err(translate)?,
        };
        let mut entries = Vec::with_capacity(events.len());
        for (event, revision) in events.iter().zip(0..) {
            // A decision on a part of the history would be wrong.
            if event.revision != revision {
                return Err(corrupt(Incomplete {
                    stream: stream.to_string(),
                    missing: revision,
                }));
            }
            entries.push(event::entry(event, stream.clone(), self.partitions));
        }
        Ok(entries)
    }

    /// The events of a stream; none where there is no such stream.
    pub(crate) async fn read_stream(
        &self,
        name: &str,
        options: &ReadStreamOptions,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let (name, options) = (name.to_owned(), options.clone());
        self.connection
            .run(self.timeout, |client| read_events(client, name, options))
            .await
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the stream {0} was deleted for good")]
struct Deleted(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "event {missing} of {stream} is missing: the stream was truncated, or deleted and begun anew"
)]
struct Incomplete {
    stream: String,
    missing: u64,
}
