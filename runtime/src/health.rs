//! Whether a service gets on with its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says whether the handler of a service waits for a store that does not take or give what it needs: a
/// server that answers may still refuse to write, as when its disk is full.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Whether it waits.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.0.store(blocked, Ordering::Relaxed);
    }
}
