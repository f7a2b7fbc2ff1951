//! Time in tests, in which it is paused: it passes when all else is at rest, and nobody waits for it.

use std::time::Duration;

pub(crate) const MOMENT: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Lets time pass.
pub(crate) async fn after(time: Duration) {
    tokio::time::sleep(time).await;
}
