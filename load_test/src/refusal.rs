//! Answers that were not hoped for, in few and stable words, so that they can be counted; and how long to
//! wait before the same is asked again.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};

/// Why a request was not answered as it was hoped.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: String,
    /// The same request may succeed a little later. All requests of this program may be repeated: a start
    /// is idempotent, and where its answer got lost, the repetition gets it.
    pub(crate) transient: bool,
    /// There is too much at the moment: it is the service's right to say so.
    pub(crate) is_too_much: bool,
    /// When it is to be asked again, where the answer says that.
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn of(answer: &Response) -> Self {
        let status = answer.status();
        let is_too_much = status == StatusCode::TOO_MANY_REQUESTS;
        let seconds = answer.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        Self {
            cause: format!("status {}", status.as_u16()),
            transient: is_too_much || status == StatusCode::SERVICE_UNAVAILABLE,
            is_too_much,
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    pub(crate) fn for_good(cause: &str) -> Self {
        Self {
            cause: cause.to_owned(),
            transient: false,
            is_too_much: false,
            retry_after: None,
        }
    }
}

impl From<reqwest::Error> for Refusal {
    fn from(error: reqwest::Error) -> Self {
        let cause = if error.is_timeout() {
            "timed out"
        } else if error.is_connect() {
            "cannot connect"
        } else {
            "connection lost"
        };
        Self {
            cause: cause.to_owned(),
            transient: true,
            is_too_much: false,
            retry_after: None,
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// No answer is believed that wants a longer pause.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// By how much of itself a pause that was asked for is made longer at most: those who were sent away
/// together must not come back together.
const JITTER: f64 = 0.25;

/// Pauses that double, unless another is asked for.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    pub(crate) fn after(&mut self, refusal: &Refusal) -> Duration {
        let pause = self.0;
        self.0 = LONGEST_PAUSE.min(pause * 2);
        match refusal.retry_after {
            Some(asked) => {
                let longer = 1.0 + JITTER * rand::random::<f64>();
                pause.max(asked.min(LONGEST_ASKED)).mul_f64(longer)
            }
            None => pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_is_asked_for_and_a_little_longer() {
        let mut refusal = Refusal::for_good("");
        let mut pause = Pause::default();
        assert_eq!(pause.after(&refusal), FIRST_PAUSE);
        assert_eq!(pause.after(&refusal), FIRST_PAUSE * 2);
        for (asked, from, to) in [(3, 3.0, 3.75), (0, 0.4, 2.5), (100_000, 60.0, 75.0)] {
            refusal.retry_after = Some(Duration::from_secs(asked));
            let seconds = pause.after(&refusal).as_secs_f64();
            assert!((from..=to).contains(&seconds), "{asked}: {seconds}");
        }
    }
}
