//! The first event of the log: what it was set up with, and where it begins.

use event_store::{Error, PartitionsDiffer};
use kurrentdb::{EventData, ReadStreamOptions, StreamState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::EventStoreDb;
use crate::connection::Log;
use crate::error::{corrupt, refused, translate_opening};

/// The data of the event.
#[derive(Serialize, Deserialize)]
struct LogBegun {
    partitions: u16,
}

impl EventStoreDb {
    /// Begins the log where it is new, and checks that it is one of as many partitions. Nothing of it
    /// stands before this event in the server's log, since it is there before anything is appended.
    pub(crate) async fn set_up(&mut self) -> Result<(), Error> {
        let stream = self.names.log();
        let first = ReadStreamOptions::default().max_count(1);
        loop {
            let events = self
                .read_stream(&stream, &first)
                .await
                .map_err(translate_opening)?;
            if let Some(event) = events.first() {
                if event.revision != 0 {
                    return Err(refused(Deleted(stream)));
                }
                // What a server says that does not know where an event of a stream stands.
                if event.position.commit == u64::MAX {
                    return Err(refused(TooOld));
                }
                let begun: LogBegun = serde_json::from_slice(&event.data).map_err(corrupt)?;
                self.origin = event.position.commit;
                self.log_id = event.id.to_string();
                self.horizon.reached(event.position, &stream);
                self.connection.hold_to(Log {
                    stream,
                    id: event.id,
                    horizon: self.horizon.clone(),
                });
                return PartitionsDiffer::check(begun.partitions, self.partitions);
            }
            let begun = LogBegun {
                partitions: self.partitions.count(),
            };
            let event = EventData::json("LogBegun", &begun)
                .map_err(refused)?
                .id(Uuid::now_v7());
            match self
                .write(&stream, StreamState::NoStream, vec![event])
                .await
            {
                // By this program or by another: it is read.
                Ok(_) => {}
                Err(failure) if failure.is_a_conflict() => {}
                Err(failure) => return Err(translate_opening(failure)),
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the stream {0} was deleted, and with it where the log begins: restore it from a backup, or begin \
     a new log with another stream_prefix"
)]
struct Deleted(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "this server does not say where in the log an event stands: it must be EventStoreDB 22.6 or later"
)]
struct TooOld;
