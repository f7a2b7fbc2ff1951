//! How long to wait before something that failed is tried again, and how often.

use jiff::SignedDuration;

/// Retries with delays that double up to the longest, and then no more.
///
/// It is a value and has no memory: which retry is due is known to whoever records the attempts, so that
/// the count survives what the program does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How often it is tried again. With 0 it is never tried again by itself.
    pub retries: u32,
    /// The delay before the first retry.
    pub first: SignedDuration,
    /// No delay is longer.
    pub longest: SignedDuration,
}

impl Backoff {
    /// Nothing is tried again by itself.
    pub const NONE: Self = Self {
        retries: 0,
        first: SignedDuration::ZERO,
        longest: SignedDuration::ZERO,
    };

    /// The delay before the retry of this number, which counts from 1; `None` when there is no such retry.
    #[must_use]
    pub fn delay_before_retry(&self, retry: u32) -> Option<SignedDuration> {
        if retry == 0 || retry > self.retries {
            return None;
        }
        let doubled = 2_i32
            .checked_pow(retry - 1)
            .and_then(|factor| self.first.checked_mul(factor));
        Some(doubled.map_or(self.longest, |delay| delay.min(self.longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(retries: u32, longest_seconds: i64) -> Backoff {
        Backoff {
            retries,
            first: SignedDuration::from_secs(1),
            longest: SignedDuration::from_secs(longest_seconds),
        }
    }

    #[test]
    fn delays_double_up_to_the_longest_and_end_with_the_last_retry() {
        let delays: Vec<_> = (0..=6)
            .map(|retry| backoff(5, 6).delay_before_retry(retry))
            .collect();
        let seconds = |seconds| Some(SignedDuration::from_secs(seconds));
        assert_eq!(
            delays,
            [
                None,
                seconds(1),
                seconds(2),
                seconds(4),
                seconds(6),
                seconds(6),
                None
            ]
        );
    }

    #[test]
    fn no_delay_is_longer_than_the_longest_however_many_retries_there_are() {
        let many = backoff(u32::MAX, 60);
        for retry in [31, 32, 33, 64, u32::MAX] {
            assert_eq!(
                many.delay_before_retry(retry),
                Some(SignedDuration::from_secs(60))
            );
        }
        let short = backoff(1, 0);
        assert_eq!(short.delay_before_retry(1), Some(SignedDuration::ZERO));
    }

    #[test]
    fn without_retries_nothing_is_tried_again() {
        assert_eq!(backoff(0, 60).delay_before_retry(1), None);
        assert_eq!(Backoff::NONE.delay_before_retry(1), None);
    }
}
