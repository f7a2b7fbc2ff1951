//! Patience for tests.

use jiff::SignedDuration;
use kernel::{Backoff, Patience};

/// Waits this long for an answer, and asks so often again, the first time after a second.
#[must_use]
pub const fn patience(timeout: SignedDuration, retries: u32) -> Patience {
    Patience {
        timeout,
        retries: Backoff {
            retries,
            first: SignedDuration::from_secs(1),
            longest: SignedDuration::from_mins(1),
        },
    }
}
