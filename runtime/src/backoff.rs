//! Waiting longer after each failure.

use std::time::Duration;

use rand::Rng;

/// Delays that double up to a cap, each shortened by up to a half at random, so that those who failed
/// together do not try again together.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// Delays from `first` to `cap`.
    #[must_use]
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            next: first,
            first,
            cap,
        }
    }

    /// For a server that is away: from 50 milliseconds to 2 seconds, so that work goes on soon after it
    /// is back.
    #[must_use]
    pub const fn for_servers() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(2))
    }

    /// The delay after this failure.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.cap);
        delay.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Waits for the delay after this failure.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }

    /// After a success, the next failure is the first again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_begin_anew() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for longest in [100, 200, 350, 350] {
            let delay = backoff.next_delay();
            assert!(
                delay >= ms(longest / 2) && delay <= ms(longest),
                "{delay:?} of {longest}"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() <= ms(100));
    }
}
