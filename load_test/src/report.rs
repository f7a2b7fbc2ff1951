//! The numbers of a run: as text, as JSON and as a page with charts.

mod chart;
mod html;
mod text;

use std::time::Duration;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::board::Finishes;
use crate::finish::Following;
use crate::load::Starts;
use crate::measure::{Causes, Percentiles};
use crate::samples::Samples;
use crate::series::Second;

pub(crate) use html::html;

/// What a run has measured.
pub(crate) struct Measured {
    pub(crate) starts: Starts,
    /// Absent if the finishes were not waited for.
    pub(crate) finishes: Option<(Finishes, Following)>,
    pub(crate) seconds: Vec<Second>,
    pub(crate) samples: Samples,
}

/// All that a run measured. Its field names are those of the JSON file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Every start was accepted, and every shipment finished as its id says (if that was waited for). In an open
    /// loop, starts may also have been refused, and everything that was accepted finished.
    pub(crate) ok: bool,
    pub(crate) ended: Ended,
    pub(crate) settings: Arguments,
    pub(crate) starts: StartNumbers,
    /// Absent if the finishes were not waited for.
    pub(crate) finishes: Option<FinishNumbers>,
    /// What happened in each second, from the first start that was due.
    pub(crate) seconds: Vec<Second>,
    /// What was seen from outside, each second.
    pub(crate) samples: Samples,
}

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    AllDone,
    TimedOut,
    Interrupted,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StartNumbers {
    pub(crate) planned: u64,
    pub(crate) accepted: u64,
    pub(crate) failed: u64,
    /// Sent away to the end, since there was too much at the moment: in an open loop, which sends what the service
    /// may not be able to take, that is no fault.
    pub(crate) refused: u64,
    /// Never sent, or abandoned under way, because the run was ended early.
    pub(crate) not_sent: u64,
    pub(crate) failed_by_cause: Causes,
    pub(crate) refused_by_cause: Causes,
    pub(crate) retries: u64,
    pub(crate) retries_by_cause: Causes,
    /// From the first request to the last acceptance.
    pub(crate) elapsed_s: f64,
    /// Accepted starts a second.
    pub(crate) per_second: Option<f64>,
    /// What the schedule asks for; absent if there is no delay.
    pub(crate) scheduled_per_second: Option<f64>,
    pub(crate) latency_from_intended_ms: Option<Percentiles>,
    pub(crate) latency_from_send_ms: Option<Percentiles>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FinishNumbers {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) needs_attention: u64,
    pub(crate) still_running: u64,
    /// Finished otherwise than the id says.
    pub(crate) unexpected: u64,
    /// Had finished when they were asked for at the end, although the list had not told of them.
    pub(crate) not_told: u64,
    /// Could not be asked for at the end.
    pub(crate) unknown: u64,
    pub(crate) unknown_by_cause: Causes,
    /// A few ids of those unfinished or unexpected.
    pub(crate) examples: Vec<String>,
    /// From the first request to the last finish that was told.
    pub(crate) elapsed_s: f64,
    /// Finished shipments a second, over that time.
    pub(crate) per_second: Option<f64>,
    /// From the intended start until told by the list of endings.
    pub(crate) time_to_finish_ms: Option<Percentiles>,
    /// Requests for a page of the list.
    pub(crate) list_requests: u64,
    pub(crate) list_errors_by_cause: Causes,
    /// Shipments that were asked for one by one at the end.
    pub(crate) asked: u64,
}

impl Report {
    /// Works out the numbers.
    pub(crate) fn new(arguments: &Arguments, measured: Measured, stopped: bool) -> Self {
        let starts = StartNumbers::new(arguments, &measured.starts);
        let finishes = measured.finishes.as_ref();
        let timed_out = finishes.is_some_and(|(finishes, _)| finishes.timed_out);
        let finishes =
            finishes.map(|(it, following)| FinishNumbers::new(&measured.starts, it, following));
        let mut report = Self {
            ok: false,
            ended: match (stopped, timed_out) {
                (true, _) => Ended::Interrupted,
                (false, true) => Ended::TimedOut,
                (false, false) => Ended::AllDone,
            },
            settings: arguments.clone(),
            starts,
            finishes,
            seconds: measured.seconds,
            samples: measured.samples,
        };
        report.ok = report.faults().is_empty();
        report
    }

    /// What keeps the run from being all right, one phrase each.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |count: u64, what: &str| {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        };
        fault(self.starts.failed, "not accepted");
        if self.settings.rate.is_none() {
            fault(self.starts.refused, "refused");
        }
        fault(self.starts.not_sent, "not started");
        if let Some(finishes) = &self.finishes {
            fault(finishes.still_running, "unfinished");
            fault(finishes.unknown, "unknown");
            fault(finishes.unexpected, "ended otherwise than the id says");
            fault(finishes.not_told, "ended without being told");
        }
        faults
    }
}

impl StartNumbers {
    fn new(arguments: &Arguments, starts: &Starts) -> Self {
        let planned = arguments.planned();
        let failed = starts.failed.values().sum();
        let refused = starts.refused.values().sum();
        let elapsed = match (starts.first_sent, starts.last_accepted) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            (None, _) | (_, None) => Duration::ZERO,
        };
        Self {
            planned,
            accepted: starts.accepted,
            failed,
            refused,
            not_sent: planned.saturating_sub(starts.accepted + failed + refused),
            failed_by_cause: starts.failed.clone(),
            refused_by_cause: starts.refused.clone(),
            retries: starts.retried.values().sum(),
            retries_by_cause: starts.retried.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            per_second: rate(starts.accepted, elapsed),
            scheduled_per_second: arguments.scheduled_per_second(),
            latency_from_intended_ms: Percentiles::of(&starts.from_intended),
            latency_from_send_ms: Percentiles::of(&starts.from_send),
        }
    }
}

impl FinishNumbers {
    fn new(starts: &Starts, finishes: &Finishes, following: &Following) -> Self {
        let elapsed = match (starts.first_sent, finishes.last_told) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            (None, _) | (_, None) => Duration::ZERO,
        };
        Self {
            completed: finishes.completed,
            failed: finishes.failed,
            cancelled: finishes.cancelled,
            needs_attention: finishes.needs_attention,
            still_running: finishes.still_running,
            unexpected: finishes.unexpected,
            not_told: finishes.not_told,
            unknown: finishes.unknown.values().sum(),
            unknown_by_cause: finishes.unknown.clone(),
            examples: finishes.examples.iter().map(ToString::to_string).collect(),
            elapsed_s: elapsed.as_secs_f64(),
            // As many as have a time: of those that were only asked for at the end nobody knows when.
            per_second: rate(finishes.time_to_finish.len(), elapsed),
            time_to_finish_ms: Percentiles::of(&finishes.time_to_finish),
            list_requests: following.requests,
            list_errors_by_cause: following.errors.clone(),
            asked: following.asked,
        }
    }
}

fn rate(count: u64, elapsed: Duration) -> Option<f64> {
    (!elapsed.is_zero() && count > 0).then(|| count as f64 / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tokio::time::Instant;

    use super::*;
    use crate::ids::Id;
    use crate::measure::record;

    fn arguments(line: &str) -> Arguments {
        Arguments::parse_from(line.split_whitespace())
    }

    /// Ten accepted starts that took 1 to 10 ms, all sent in time but the last, over two seconds.
    fn starts(begin: Instant) -> Starts {
        let mut starts = Starts {
            accepted: 10,
            first_sent: Some(begin),
            last_accepted: Some(begin + Duration::from_secs(2)),
            ..Starts::default()
        };
        for ms in 1..=10 {
            record(&mut starts.from_send, Duration::from_millis(ms));
            let late = if ms == 10 { 90 } else { 0 };
            record(&mut starts.from_intended, Duration::from_millis(ms + late));
        }
        starts
    }

    fn finishes(begin: Instant) -> (Finishes, Following) {
        let mut finishes = Finishes {
            completed: 10,
            last_told: Some(begin + Duration::from_secs(4)),
            ..Finishes::default()
        };
        for ms in 1..=10 {
            record(
                &mut finishes.time_to_finish,
                Duration::from_millis(100 * ms),
            );
        }
        let following = Following {
            requests: 31,
            ..Following::default()
        };
        (finishes, following)
    }

    fn measured(starts: Starts, finishes: Option<(Finishes, Following)>) -> Measured {
        Measured {
            starts,
            finishes,
            seconds: Vec::new(),
            samples: Samples::default(),
        }
    }

    #[test]
    fn the_text_of_a_good_run() {
        let begin = Instant::now();
        let arguments = arguments("load_test --workers 2 --shipments 5 --seed 42");
        let report = Report::new(
            &arguments,
            measured(starts(begin), Some(finishes(begin))),
            false,
        );
        assert!(report.ok);
        assert_eq!(report.ended, Ended::AllDone);
        let expected = "\
Load test of http://127.0.0.1:43210
  2 workers x 5 shipments, 50 ms apart; category international, outcomes success, seed 42

Starts
  accepted                    10  (5.0/s over 2.0 s; 40.0/s scheduled)
  not accepted                 0
  repeated requests            0
  latency, ms                p50       p90       p99     p99.9       max
    from intended time       5.0       9.0     100.0     100.0     100.0
    from first request       5.0       9.0      10.0      10.0      10.0

Finishes
  completed                   10
  failed                       0
  cancelled                    0
  needs attention              0
  still running                0
  unknown                      0
  not as the id says           0
  not told                     0
  rate                2.5/s over 4.0 s, from the first start to the last finish told
  time to finish, ms         p50       p90       p99     p99.9       max
    from intended start    500.2     900.1    1000.4    1000.4    1000.4
  looks at the list           31
  asked for at the end         0

Result: all right
";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn the_text_of_a_bad_run_says_what_is_wrong() {
        let begin = Instant::now();
        let arguments = arguments("load_test --workers 4 --shipments 5 --seed 42 --timeout-s 7");
        let mut starts = starts(begin);
        starts.failed.insert("status 500".to_owned(), 3);
        starts.failed.insert("cannot connect".to_owned(), 4);
        starts.retried.insert("status 503".to_owned(), 12);
        let (mut finishes, mut following) = finishes(begin);
        finishes.completed = 6;
        finishes.failed = 2;
        finishes.unexpected = 1;
        finishes.still_running = 2;
        finishes.not_told = 1;
        finishes.unknown.insert("timed out".to_owned(), 1);
        finishes.examples = ["AAAAAAAAAAAA", "BBBBBBBBBBBB"]
            .map(|id| Id::parse(id).unwrap())
            .to_vec();
        following.errors.insert("status 503".to_owned(), 5);
        following.asked = 4;
        finishes.timed_out = true;
        let report = Report::new(
            &arguments,
            measured(starts, Some((finishes, following))),
            false,
        );
        assert!(!report.ok);
        assert_eq!(report.ended, Ended::TimedOut);
        let text = report.to_string();
        for part in [
            "  not accepted                 7  (cannot connect: 4, status 500: 3)\n",
            "  not started                  3  (the run was ended early)\n",
            "  repeated requests           12  (status 503: 12)\n",
            "  still running                2\n",
            "  unknown                      1  (timed out: 1)\n",
            "  looks at the list           31  (status 503: 5)\n",
            "  asked for at the end         4\n",
            "\nGave up 7 s after the last start.\n\
             Result: NOT all right: 7 not accepted, 3 not started, 2 unfinished, 1 unknown, \
             1 ended otherwise than the id says, 1 ended without being told\n  for example AAAAAAAAAAAA, BBBBBBBBBBBB\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_run_that_started_nothing_has_no_rates() {
        let arguments = arguments("load_test --workers 1 --shipments 1 --delay-ms 0 --no-wait");
        let report = Report::new(&arguments, measured(Starts::default(), None), true);
        assert!(!report.ok);
        let text = report.to_string();
        assert!(text.contains("(no rate; no schedule)"), "{text}");
        assert!(
            text.contains("  not waited for\n\nEnded early.\n"),
            "{text}"
        );
        assert!(report.starts.latency_from_send_ms.is_none());
    }
}
