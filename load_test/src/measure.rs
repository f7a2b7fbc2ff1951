//! What is counted and timed.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// How often each cause was met.
pub(crate) type Causes = BTreeMap<String, u64>;

/// Adds one to the count of a cause.
pub(crate) fn count(causes: &mut Causes, cause: impl Into<String>) {
    *causes.entry(cause.into()).or_default() += 1;
}

/// A histogram of microseconds up to a day, exact to a thousandth.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 24 * 60 * 60 * 1_000_000, 3)
        .expect("these bounds and digits are within what the histogram allows")
}

/// Records a time; one beyond a day counts as a day.
pub(crate) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of a histogram of microseconds, unless it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let ms = |microseconds: u64| microseconds as f64 / 1000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: ms(histogram.max()),
        })
    }
}
