//! How far the log is known to reach.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the server is asked where its log ends, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A position that the log of the server has reached. What is read from now on is read up to there, so
/// a reader that found nothing need not pass over the same again.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    position: AtomicU64,
    looked: Mutex<Option<Instant>>,
}

impl Horizon {
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// Something that is stored stands here.
    pub(crate) fn reached(&self, position: kurrentdb::Position) {
        self.position.fetch_max(position.commit, Ordering::AcqRel);
    }

    /// Whether it is time to ask the server; then it is not for a while.
    pub(crate) fn should_look(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if looked.is_some_and(|before| now - before < LOOK_EVERY) {
            return false;
        }
        *looked = Some(now);
        true
    }
}
