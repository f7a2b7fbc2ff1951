//! Answers that were not hoped for, in few and stable words, so that they can be counted; and how long to
//! wait before the same is asked again.

use std::time::Duration;

use reqwest::StatusCode;

/// Why a request was not answered as it was hoped.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: String,
    /// The same request may succeed a little later. All requests of this program may be repeated: a start
    /// is idempotent, and where its answer got lost, the repetition gets it.
    pub(crate) transient: bool,
}

impl Refusal {
    pub(crate) fn of(status: StatusCode) -> Self {
        Self {
            cause: format!("status {}", status.as_u16()),
            transient: matches!(
                status,
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
            ),
        }
    }

    pub(crate) fn for_good(cause: &str) -> Self {
        Self {
            cause: cause.to_owned(),
            transient: false,
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
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Pauses that double.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = LONGEST_PAUSE.min(pause * 2);
        pause
    }
}
