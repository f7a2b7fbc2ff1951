//! Checkpoints alone, of a log that is elsewhere.

use async_trait::async_trait;
use event_store::{Checkpoint, Checkpoints, Error};
use sqlx::SqlitePool;

use crate::writer::{Work, Writer};
use crate::{Settings, open, read, write};

/// Where the readers of a log that is elsewhere keep how far they have come, and what they derived.
/// The file has the tables of a log as well, which stay empty. It can be deleted while no program uses
/// it.
#[derive(Debug)]
pub struct SqliteCheckpoints {
    readers: SqlitePool,
    writer: Writer,
}

impl SqliteCheckpoints {
    /// Opens the file, and sets it up where it is new.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file cannot be opened or is locked; [`Error::Corrupt`] when it
    /// is no database.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let options = open::options(&settings.path);
        open::set_up(&options, None).await?;
        Ok(Self {
            readers: open::readers(&options),
            writer: Writer::start(options),
        })
    }
}

#[async_trait]
impl Checkpoints for SqliteCheckpoints {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        read::checkpoint(&self.readers, reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let work = Work::SaveCheckpoint(write::prepare_checkpoint(reader, checkpoint));
        self.writer.run(work, None).await.map(drop)
    }
}
