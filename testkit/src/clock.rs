//! Clocks that tests set.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runtime::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            now: watch::Sender::new(now),
        }
    }

    /// Moves it on, and wakes those whose time has come.
    pub fn advance(&self, by: SignedDuration) {
        self.now.send_modify(|now| *now += by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    async fn sleep_until(&self, time: Timestamp) {
        let mut now = self.now.subscribe();
        // The clock outlives whoever sleeps by it; were it to go, its time would never come.
        if now.wait_for(|now| *now >= time).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A clock that goes as timers do, but began at a time of its own: where a test has paused them, they
/// and this clock jump together.
#[derive(Clone, Copy, Debug)]
pub struct ShiftedClock {
    beginning: Timestamp,
    since: Instant,
}

impl ShiftedClock {
    /// A clock that shows this time now.
    #[must_use]
    pub fn beginning_at(time: Timestamp) -> Self {
        Self {
            beginning: time,
            since: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.beginning + SignedDuration::from_micros(passed)
    }

    async fn sleep_until(&self, time: Timestamp) {
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left).await;
    }
}
