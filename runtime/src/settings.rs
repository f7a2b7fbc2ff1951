//! How a service runs.

use jiff::SignedDuration;
use kernel::Backoff;
use serde::{Deserialize, Serialize};

/// Sizes and times of the loops of a service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The most inputs that are handled with one append.
    pub max_batch: usize,
    /// How many instances are kept in memory, so that their streams need not be read again.
    pub cached_instances: usize,
    /// How often a reader of the log looks by itself, in milliseconds; hints wake it sooner.
    pub poll_interval_ms: u64,
    /// How often a reader saves where it stands, in milliseconds. After a crash it goes on from there,
    /// and repeats what came behind, which does no harm.
    pub checkpoint_interval_ms: u64,
    /// How often an index over the log is saved, in milliseconds. It is larger than a place; what was
    /// not saved is read again from the log.
    pub index_interval_ms: u64,
    /// How long a service that stops may take to finish what it has accepted, in milliseconds.
    pub grace_period_ms: u64,
    /// How often an input that cannot be read or decided is tried again, before it waits for a person.
    pub parking_retries: u32,
    /// How long after its first failure that is, in milliseconds; after each further one it is twice as
    /// long.
    pub parking_first_delay_ms: u64,
    /// How long it is at most, in milliseconds.
    pub parking_longest_delay_ms: u64,
}

impl Settings {
    /// How many entries a reader of the log takes at once: an input leads to several.
    #[must_use]
    pub fn page(&self) -> usize {
        self.max_batch * 4
    }

    /// When parked inputs are tried again.
    #[must_use]
    pub fn parking(&self) -> Backoff {
        let delay = |ms| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        Backoff {
            retries: self.parking_retries,
            first: delay(self.parking_first_delay_ms),
            longest: delay(self.parking_longest_delay_ms),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_batch: 256,
            cached_instances: 4_096,
            poll_interval_ms: 500,
            checkpoint_interval_ms: 250,
            index_interval_ms: 5_000,
            grace_period_ms: 10_000,
            parking_retries: 5,
            parking_first_delay_ms: 1_000,
            parking_longest_delay_ms: 60_000,
        }
    }
}
