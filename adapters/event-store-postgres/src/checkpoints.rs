//! Checkpoints alone, of a log that is elsewhere.

use async_trait::async_trait;
use event_store::{Checkpoint, Checkpoints, Error};

use crate::database::Database;
use crate::{Settings, append, read, set_up};

/// Where the readers of a log that is elsewhere keep how far they have come, and what they derived.
/// The database has the tables of a log as well, which stay empty. It can be dropped while no program
/// uses it.
#[derive(Debug)]
pub struct PostgresCheckpoints {
    database: Database,
}

impl PostgresCheckpoints {
    /// Connects, and sets up the database where it is new.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server does not answer; [`Error::Refused`] when the URL is
    /// none.
    pub async fn connect(settings: &Settings) -> Result<Self, Error> {
        let options = settings.options()?;
        set_up::set_up(&options, settings.timeout(), None).await?;
        Ok(Self {
            database: Database::new(options, settings)?,
        })
    }
}

impl Database {
    pub(crate) async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        let rows = self.fetch(read::checkpoint_query(reader)).await?;
        read::checkpoint(&rows)
    }

    pub(crate) async fn save_checkpoint(
        &self,
        reader: &str,
        checkpoint: &Checkpoint,
    ) -> Result<(), Error> {
        let query = append::checkpoint_query(reader, checkpoint);
        self.fetch(query).await.map(drop)
    }
}

#[async_trait]
impl Checkpoints for PostgresCheckpoints {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.database.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.database.save_checkpoint(reader, checkpoint).await
    }
}
