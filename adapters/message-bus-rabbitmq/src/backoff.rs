//! How long to wait before the next attempt.

use std::time::Duration;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(100);

/// Pauses that double up to a cap, forever, each shortened at random by up to a half, so that the
/// services do not all come back to a restarted broker in the same instant.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(cap: Duration) -> Self {
        Self { cap, failures: 0 }
    }

    /// The pause after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(2u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.cap).mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Begins anew after a success.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_start_again() {
        let cap = Duration::from_secs(2);
        let mut backoff = Backoff::new(cap);
        let pauses: Vec<_> = (0..100).map(|_| backoff.failed()).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2);
        assert!(pauses[3] > pauses[0]);
        assert!(
            pauses[10..]
                .iter()
                .all(|pause| *pause >= cap / 2 && *pause <= cap)
        );
        backoff.succeeded();
        assert!(backoff.failed() <= FIRST);
    }
}
