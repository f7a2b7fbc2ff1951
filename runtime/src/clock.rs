//! The only place where time comes from.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time, to the microsecond, which is what is stored.
    fn now(&self) -> Timestamp;

    /// Returns when the time has come; it may return early.
    async fn sleep_until(&self, time: Timestamp);
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    async fn sleep_until(&self, time: Timestamp) {
        // Timers count in milliseconds, rounded up; and a clock that is set meanwhile is looked at
        // again after a while.
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left.min(Duration::from_secs(60))).await;
    }
}
