//! The port to the log: streams of entries, appended at an expected version and read in order.
//!
//! It never says how entries are kept, and knows no database; what an adapter must promise is
//! written on [`EventStore`] and checked by [`contract`]. Start with [`EventStore`].

pub mod contract;
mod entry;
mod outgoing;
pub mod readers;
mod removal;
mod stream;
mod tail;
mod tails;

use async_trait::async_trait;
use contracts::Partitions;

pub use entry::{
    Append, Checkpoint, Cursor, Entry, Metadata, NewEntry, Page, StoredCommand, UNREADABLE,
    Visibility,
};
pub use outgoing::{outgoing, speaks};
pub use removal::{Removal, RemoveStreams, Removed};
pub use stream::{InvalidStreamName, Position, StreamKind, StreamName, Version};
pub use tails::{Place, Tails, WakeUp};

/// What became of one [`Append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored, by this call or by an identical one before.
    Stored,
    /// Nothing of it is stored: the stream is not at the expected version.
    Conflict {
        /// The version the stream is at.
        current: Version,
    },
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be reached, or did not answer in time. Whether something was stored is
    /// unknown: repeat the identical call.
    #[error("the event store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The store refuses this content, and will refuse it again.
    #[error("the event store refuses this")]
    Refused(#[source] BoxError),
    /// What is stored cannot be read: a person has to look.
    #[error("the event store holds something that cannot be read")]
    Corrupt(#[source] BoxError),
}

/// A log was opened with another number of partitions than it was set up with.
#[derive(Debug, thiserror::Error)]
#[error(
    "this log was set up with {stored} partitions and is opened with {configured}: set the number \
     of partitions to {stored}, or begin a new log"
)]
pub struct PartitionsDiffer {
    /// What it was set up with.
    pub stored: u16,
    /// What it was opened with.
    pub configured: u16,
}

impl PartitionsDiffer {
    /// Whether a log that was set up with `stored` partitions may be opened with these.
    ///
    /// # Errors
    /// [`Error::Refused`] with [`PartitionsDiffer`] when not.
    pub fn check(stored: u16, configured: Partitions) -> Result<(), Error> {
        let configured = configured.count();
        if stored == configured {
            Ok(())
        } else {
            Err(Error::Refused(Self { stored, configured }.into()))
        }
    }
}

/// The cause of an [`Error`], as the adapter met it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A log of entries in streams.
///
/// # What every store promises
///
/// - **Atomicity.** All entries of one [`Append`] are stored, or none. One call takes appends to
///   many streams; a conflict in one keeps nothing of that one, and does not touch the others.
/// - **Expected version.** An append is stored only when its stream is at the version it expects.
/// - **Idempotence.** An append whose entries (by id) already stand right behind the expected
///   version is answered with [`Appended::Stored`], and nothing is stored a second time.
/// - **Durability.** What is answered with `Stored` outlives a crash of this program; for a store
///   on disk, of the machine.
/// - **Order.** Versions of a stream have no gaps and begin at 1. Positions increase strictly within
///   one partition of one kind of streams, in the order of versions.
/// - **No skipping.** Once [`read_log`](Self::read_log) has returned an entry, no entry of the same
///   kind and partition ever appears at a lower position. An append that is under way delays
///   readers of its own partition at most; other transactions in the same database delay nobody.
/// - **Size.** An append of half a MiB is stored. What is larger may be refused; then nothing of the
///   call is stored.
/// - **Read your writes.** What was stored is returned by the reads that start afterwards.
///
/// It is also where the readers of the log keep their places: see [`Checkpoints`].
#[async_trait]
pub trait EventStore: Checkpoints {
    /// Stores entries in many streams, and answers for each append in the order given. No stream
    /// is named twice.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: each append may or may not be stored; repeat the identical call.
    /// [`Error::Refused`]: nothing is stored.
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error>;

    /// Reads whole streams, each in the order of versions, in the order asked for. A stream that
    /// does not exist is empty.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Corrupt`].
    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error>;

    /// Reads the log of one kind of streams: for each partition in `after`, the entries behind the
    /// position given there, in the order of positions, at most `limit` in all. A page without
    /// entries means that there is nothing more at this moment.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Corrupt`].
    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error>;

    /// The same for whoever follows a log page by page: what this process has stored itself may come from
    /// memory, and what other processes have stored a tenth of a second later. Nothing is skipped.
    ///
    /// # Errors
    /// Those of [`read_log`](Self::read_log).
    async fn follow_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let read = async |from: Cursor, limit| self.read_log(kind, &from, limit).await;
        self.tails().follow(kind, after, limit, read).await
    }

    /// How many entries [`read_log`](Self::read_log) would find behind these positions, counted up to
    /// `most`: what it costs is bounded by that. It may tell a little less or more while others append.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Corrupt`].
    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error>;

    /// Hints that the log of one kind has grown. They may be lost, and cover this process only: a
    /// reader also looks by itself from time to time.
    fn wake_ups(&self, kind: &StreamKind) -> WakeUp {
        self.tails().listen(kind)
    }

    /// The ends of its logs, as this process knows them.
    fn tails(&self) -> &Tails;

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn ping(&self) -> Result<(), Error>;

    /// How many partitions each log has.
    fn partitions(&self) -> Partitions;
}

/// Where the readers of a log keep how far they have come, and what they derived up to there. It can
/// be deleted at any time: a reader then begins anew, and derives the same.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// Where a reader stood when it last saved; a new reader stands at the beginning.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Corrupt`].
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error>;

    /// Saves where a reader stands. A position never goes back: where another instance has saved a
    /// higher one for a partition, that partition keeps it, with the state saved beside it. At the same
    /// position the state is that which was saved last.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error>;
}
