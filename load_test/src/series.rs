//! What happened in each second of the run.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use crate::measure::{Percentiles, latencies, record};

/// One second of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Second {
    /// Which: 0 begins when the first start is due.
    pub(crate) second: usize,
    /// Shipments whose start was accepted in it.
    pub(crate) started: u64,
    /// Shipments that ended in it, and how long that took from their intended starts.
    pub(crate) finished: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
}

/// All seconds so far. Only the last has a histogram, so that a long run takes little memory.
#[derive(Debug)]
pub(crate) struct Series {
    begin: Instant,
    seconds: Vec<Second>,
    /// Of those that ended in second `latest`.
    times: Histogram<u64>,
    latest: usize,
}

impl Series {
    pub(crate) fn begin(begin: Instant) -> Self {
        Self {
            begin,
            seconds: Vec::new(),
            times: latencies(),
            latest: 0,
        }
    }

    pub(crate) fn started(&mut self, at: Instant) {
        self.second(at).started += 1;
    }

    /// Endings come in the order of time; one that is late by a moment counts for the second that goes on.
    pub(crate) fn finished(&mut self, at: Instant, took: Duration) {
        let second = self.second(at);
        second.finished += 1;
        let number = second.second;
        if number > self.latest {
            self.close();
            self.latest = number;
        }
        record(&mut self.times, took);
    }

    /// The seconds, to the last in which anything happened.
    pub(crate) fn take_seconds(&mut self) -> Vec<Second> {
        self.close();
        std::mem::take(&mut self.seconds)
    }

    fn second(&mut self, at: Instant) -> &mut Second {
        let number = at.saturating_duration_since(self.begin).as_secs() as usize;
        while self.seconds.len() <= number {
            self.seconds.push(Second {
                second: self.seconds.len(),
                ..Second::default()
            });
        }
        &mut self.seconds[number]
    }

    fn close(&mut self) {
        if let Some(of) = Percentiles::of(&self.times) {
            let second = &mut self.seconds[self.latest];
            (second.p50_ms, second.p99_ms) = (Some(of.p50), Some(of.p99));
        }
        self.times.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_counts_and_latencies() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut series = Series::begin(begin);
        series.started(at(0));
        series.started(at(999));
        series.started(at(1_000));
        series.finished(at(500), Duration::from_millis(400));
        series.finished(at(2_500), Duration::from_millis(10));
        series.finished(at(2_600), Duration::from_millis(20));
        let seconds = series.take_seconds();
        let counts: Vec<_> = seconds
            .iter()
            .map(|s| (s.second, s.started, s.finished))
            .collect();
        assert_eq!(counts, [(0, 2, 1), (1, 1, 0), (2, 0, 2)]);
        let p50 = |second: usize| seconds[second].p50_ms.map(f64::round);
        assert_eq!([p50(0), p50(1), p50(2)], [Some(400.0), None, Some(10.0)]);
        assert_eq!(seconds[2].p99_ms.map(f64::round), Some(20.0));
    }
}
