//! Taking whole streams out of a log again, once they are kept elsewhere.

use async_trait::async_trait;

use crate::{Error, EventStore, StreamName, Version};

/// Streams that belong together: all of them are removed, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Each with the version that it must be at. One that must not exist is at [`Version::NONE`].
    pub streams: Vec<(StreamName, Version)>,
}

/// What became of one [`Removal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// None of its streams has an entry any more, by this call or by one before.
    Gone,
    /// One of its streams is at another version: all of them are as they were.
    Changed,
}

/// A log that gives streams up when it is told to. A store that has a way of its own to do that is none.
///
/// # What it promises
///
/// - **All or nothing.** Of one [`Removal`] all streams are removed, at exactly the versions it names, or
///   none. An append to one of them comes before, and is kept, or after, and finds no stream.
/// - **Nothing else.** Other streams stay as they are, and so do checkpoints.
/// - **Readers go on** over what is missing. No position is ever given a second time.
/// - **Idempotence.** The same call again is answered the same.
#[async_trait]
pub trait RemoveStreams: EventStore {
    /// Removes streams, and answers for each removal in the order given. No stream is named twice.
    ///
    /// Whoever follows a log in memory may still be handed what was removed: nobody should remove what
    /// readers have not passed.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: each removal may or may not be done; repeat the identical call.
    async fn remove_streams(&self, removals: &[Removal]) -> Result<Vec<Removed>, Error>;
}
