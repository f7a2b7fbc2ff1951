//! How far the log is known to reach.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kurrentdb::Position;
use tokio::time::Instant;

/// How often the server is asked where its log ends, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The furthest event that is known, of anybody. A reader that finds nothing of its own reads on to
/// there, so that it need not pass over the same again; that it has come there it knows from the event
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    mark: Mutex<Mark>,
    looked: Mutex<Option<Instant>>,
}

/// Where an event stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) position: u64,
    /// The name of its stream at the server.
    pub(crate) stream: String,
}

impl Horizon {
    pub(crate) fn mark(&self) -> Mark {
        self.lock().clone()
    }

    /// An event of this stream stands here.
    pub(crate) fn reached(&self, position: Position, stream: &str) {
        let mut mark = self.lock();
        if position.commit > mark.position {
            *mark = Mark {
                position: position.commit,
                stream: stream.to_owned(),
            };
        }
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
