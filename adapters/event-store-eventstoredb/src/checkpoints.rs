//! Where readers stand: the last event of a stream for each.
//!
//! It is written at the revision that was read before, so that of two instances which save at once one
//! is told, reads again, and goes back behind nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use contracts::Partition;
use event_store::{Checkpoint, Error, Position};
use kurrentdb::{
    AppendToStreamOptions, EventData, ReadStreamOptions, StreamMetadataBuilder, StreamPosition,
    StreamState,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::EventStoreDb;
use crate::error::{Failure, corrupt, refused, translate};

/// How often a save is tried again when other instances save at the same time.
const ATTEMPTS: usize = 20;

/// What was last read or written of each reader's stream, so that saving is one call.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<String, Saved>>);

#[derive(Clone, Debug, Default)]
struct Saved {
    /// The revision of the last event; none before there is one.
    revision: Option<u64>,
    checkpoint: Checkpoint,
}

/// The data of the event.
#[derive(Serialize, Deserialize)]
struct Stored {
    partitions: BTreeMap<Partition, Place>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    position: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<RawValue>>,
}

impl Known {
    fn get(&self, reader: &str) -> Option<Saved> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(reader).cloned()
    }

    fn set(&self, reader: &str, saved: Option<Saved>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match saved {
            Some(saved) => known.insert(reader.to_owned(), saved),
            None => known.remove(reader),
        };
    }
}

impl EventStoreDb {
    pub(crate) async fn load(&self, reader: &str) -> Result<Checkpoint, Error> {
        Ok(self.read_saved(reader).await?.checkpoint)
    }

    pub(crate) async fn save(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let saved = match self.known.get(reader) {
                Some(saved) => saved,
                None => self.read_saved(reader).await?,
            };
            let mut furthest = saved.checkpoint.clone();
            furthest.advance(checkpoint);
            if self.write_saved(reader, saved.revision, furthest).await? {
                return Ok(());
            }
        }
        Err(Error::Unavailable(Contended(reader.to_owned()).into()))
    }

    async fn read_saved(&self, reader: &str) -> Result<Saved, Error> {
        let options = ReadStreamOptions::default()
            .position(StreamPosition::End)
            .max_count(1);
        let stream = self.names.checkpoint(reader);
        let events = self
            .read_stream(&stream, &options)
            .await
            .map_err(translate)?;
        let saved = match events.first() {
            None => Saved::default(),
            Some(event) => {
                let stored: Stored = serde_json::from_slice(&event.data).map_err(corrupt)?;
                let places = stored.partitions.into_iter();
                Saved {
                    revision: Some(event.revision),
                    checkpoint: Checkpoint {
                        partitions: places
                            .map(|(partition, place)| (partition, (place.position, place.state)))
                            .collect(),
                    },
                }
            }
        };
        self.known.set(reader, Some(saved.clone()));
        Ok(saved)
    }

    /// Writes behind this revision; `false` when another instance has.
    async fn write_saved(
        &self,
        reader: &str,
        revision: Option<u64>,
        checkpoint: Checkpoint,
    ) -> Result<bool, Error> {
        let stream = self.names.checkpoint(reader);
        let state = match revision {
            Some(revision) => StreamState::StreamRevision(revision),
            None => {
                self.keep_the_last_only(&stream).await.map_err(translate)?;
                StreamState::NoStream
            }
        };
        let places = checkpoint.partitions.iter();
        let stored = Stored {
            partitions: places
                .map(|(partition, (position, state))| {
                    let place = Place {
                        position: *position,
                        state: state.clone(),
                    };
                    (*partition, place)
                })
                .collect(),
        };
        let event = EventData::json("Checkpoint", &stored)
            .map_err(refused)?
            .id(Uuid::now_v7());
        match self.write(&stream, state, vec![event]).await {
            Ok((version, _)) => {
                let saved = Saved {
                    revision: version.0.checked_sub(1),
                    checkpoint,
                };
                self.known.set(reader, Some(saved));
                Ok(true)
            }
            Err(failure) => {
                // Whatever has happened, the stream knows.
                self.known.set(reader, None);
                if failure.is_a_conflict() {
                    return Ok(false);
                }
                Err(translate(failure))
            }
        }
    }

    /// The server throws away what is older, when it is told to scavenge.
    async fn keep_the_last_only(&self, stream: &str) -> Result<(), Failure> {
        let stream = stream.to_owned();
        let metadata = StreamMetadataBuilder::new().max_count(1).build();
        let options = AppendToStreamOptions::default()
            .requires_leader(true)
            .deadline(self.timeout);
        self.connection
            .run(self.timeout, |client| async move {
                client
                    .set_stream_metadata(stream, &options, &metadata)
                    .await
            })
            .await
            .map(drop)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("too many instances save the checkpoint of {0} at once")]
struct Contended(String);
