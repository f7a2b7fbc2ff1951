//! How far a reader within a service has followed its log.

use std::sync::{Arc, Mutex, PoisonError};

use event_store::Cursor;

/// A place at the end of the log of a service, or a little before it: for readers that begin with what
/// comes from now on, and need not read what was before.
#[derive(Clone, Debug, Default)]
pub struct Followed(Arc<Mutex<Option<Cursor>>>);

impl Followed {
    /// The place; `None` while the log is still read for the first time.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn reached(&self, cursor: &Cursor) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.clone());
    }
}
