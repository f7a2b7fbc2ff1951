//! The numbers of a run, as text and as JSON.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::finish::Finishes;
use crate::load::{Causes, Starts};

/// All that a run measured. Its field names are those of the JSON file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Every start was accepted, and every shipment finished as its id says (if that was waited for).
    pub(crate) ok: bool,
    pub(crate) ended: Ended,
    pub(crate) settings: Arguments,
    pub(crate) starts: StartNumbers,
    /// Absent if the finishes were not waited for.
    pub(crate) finishes: Option<FinishNumbers>,
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
    /// Never sent, or abandoned under way, because the run was ended early.
    pub(crate) not_sent: u64,
    pub(crate) failed_by_cause: Causes,
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
    pub(crate) still_running: u64,
    /// Finished otherwise than the id says.
    pub(crate) unexpected: u64,
    /// A few ids of those unfinished or unexpected.
    pub(crate) examples: Vec<String>,
    /// From the first request to the last finish seen.
    pub(crate) elapsed_s: f64,
    /// Finished shipments a second, over that time.
    pub(crate) per_second: Option<f64>,
    /// From the intended start until seen finished by polling.
    pub(crate) time_to_finish_ms: Option<Percentiles>,
    pub(crate) polls: u64,
    pub(crate) poll_errors_by_cause: Causes,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of a histogram of microseconds, unless it is empty.
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let ms = |microseconds: u64| microseconds as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            p50: ms(histogram.value_at_quantile(0.5)),
            p90: ms(histogram.value_at_quantile(0.9)),
            p99: ms(histogram.value_at_quantile(0.99)),
            max: ms(histogram.max()),
        })
    }
}

impl Report {
    /// Works out the numbers; `finishes` is absent if they were not waited for.
    pub(crate) fn new(
        arguments: &Arguments,
        starts: &Starts,
        finishes: Option<&Finishes>,
        stopped: bool,
    ) -> Self {
        let starts_numbers = StartNumbers::new(arguments, starts);
        let finish_numbers = finishes.map(|finishes| FinishNumbers::new(starts, finishes));
        let all_started = starts_numbers.accepted == starts_numbers.planned;
        let all_finished = finish_numbers
            .as_ref()
            .is_none_or(|finishes| finishes.still_running == 0 && finishes.unexpected == 0);
        let ended = if stopped {
            Ended::Interrupted
        } else if finishes.is_some_and(|finishes| finishes.timed_out) {
            Ended::TimedOut
        } else {
            Ended::AllDone
        };
        Self {
            ok: all_started && all_finished,
            ended,
            settings: arguments.clone(),
            starts: starts_numbers,
            finishes: finish_numbers,
        }
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
        fault(self.starts.not_sent, "not started");
        if let Some(finishes) = &self.finishes {
            fault(finishes.still_running, "unfinished");
            fault(finishes.unexpected, "ended otherwise than the id says");
        }
        faults
    }
}

impl StartNumbers {
    fn new(arguments: &Arguments, starts: &Starts) -> Self {
        let planned = arguments.planned();
        let failed = starts.failed.values().sum();
        let elapsed = match (starts.first_sent, starts.last_accepted) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            (None, _) | (_, None) => Duration::ZERO,
        };
        Self {
            planned,
            accepted: starts.accepted,
            failed,
            not_sent: planned.saturating_sub(starts.accepted + failed),
            failed_by_cause: starts.failed.clone(),
            retries: starts.retried.values().sum(),
            retries_by_cause: starts.retried.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            per_second: rate(starts.accepted, elapsed),
            scheduled_per_second: rate(
                u64::from(arguments.workers),
                Duration::from_millis(arguments.delay_ms),
            ),
            latency_from_intended_ms: Percentiles::of(&starts.from_intended),
            latency_from_send_ms: Percentiles::of(&starts.from_send),
        }
    }
}

impl FinishNumbers {
    fn new(starts: &Starts, finishes: &Finishes) -> Self {
        let elapsed = match (starts.first_sent, finishes.last_seen) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            (None, _) | (_, None) => Duration::ZERO,
        };
        Self {
            completed: finishes.completed,
            failed: finishes.failed,
            cancelled: finishes.cancelled,
            still_running: finishes.still_running,
            unexpected: finishes.unexpected,
            examples: finishes.examples.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            // As many as have a time: one that failed for the time being is not at its end.
            per_second: rate(finishes.time_to_finish.len(), elapsed),
            time_to_finish_ms: Percentiles::of(&finishes.time_to_finish),
            polls: finishes.polls,
            poll_errors_by_cause: finishes.poll_errors.clone(),
        }
    }
}

fn rate(count: u64, elapsed: Duration) -> Option<f64> {
    (!elapsed.is_zero() && count > 0).then(|| count as f64 / elapsed.as_secs_f64())
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            settings,
            starts,
            finishes,
            ..
        } = self;
        writeln!(f, "Load test of {}", settings.url)?;
        writeln!(
            f,
            "  {} workers x {} shipments, {} ms apart; category {}, outcomes {}{}",
            settings.workers,
            settings.shipments,
            settings.delay_ms,
            name(settings.category),
            name(settings.outcomes),
            settings
                .seed
                .map_or_else(String::new, |seed| format!(", seed {seed}")),
        )?;

        writeln!(f, "\nStarts")?;
        let scheduled = match starts.scheduled_per_second {
            Some(rate) => format!("{rate:.1}/s scheduled"),
            None => "no schedule".to_owned(),
        };
        let rate = RateOver(starts.per_second, starts.elapsed_s);
        line(
            f,
            "accepted",
            starts.accepted,
            &format!("{rate}; {scheduled}"),
        )?;
        line(
            f,
            "not accepted",
            starts.failed,
            &causes(&starts.failed_by_cause),
        )?;
        if starts.not_sent > 0 {
            line(f, "not started", starts.not_sent, "the run was ended early")?;
        }
        line(
            f,
            "repeated requests",
            starts.retries,
            &causes(&starts.retries_by_cause),
        )?;
        heading(f, "latency, ms")?;
        percentiles(f, "from intended time", starts.latency_from_intended_ms)?;
        percentiles(f, "from first request", starts.latency_from_send_ms)?;

        writeln!(f, "\nFinishes")?;
        match finishes {
            None => writeln!(f, "  not waited for")?,
            Some(finishes) => {
                let rate = RateOver(finishes.per_second, finishes.elapsed_s);
                line(f, "completed", finishes.completed, "")?;
                line(f, "failed", finishes.failed, "")?;
                line(f, "cancelled", finishes.cancelled, "")?;
                line(f, "still running", finishes.still_running, "")?;
                line(f, "not as the id says", finishes.unexpected, "")?;
                writeln!(
                    f,
                    "  {:<20}{rate}, from the first start to the last finish seen",
                    "rate"
                )?;
                heading(f, "time to finish, ms")?;
                percentiles(f, "from intended start", finishes.time_to_finish_ms)?;
                writeln!(
                    f,
                    "  as seen by polling every {} ms: the true times are shorter",
                    settings.poll_interval_ms
                )?;
                line(
                    f,
                    "status requests",
                    finishes.polls,
                    &causes(&finishes.poll_errors_by_cause),
                )?;
            }
        }

        writeln!(f)?;
        match self.ended {
            Ended::AllDone => {}
            Ended::TimedOut => {
                writeln!(f, "Gave up {} s after the last start.", settings.timeout_s)?;
            }
            Ended::Interrupted => writeln!(f, "Ended early.")?,
        }
        if self.ok {
            return writeln!(f, "Result: all right");
        }
        writeln!(f, "Result: NOT all right: {}", self.faults().join(", "))?;
        match finishes {
            Some(finishes) if !finishes.examples.is_empty() => {
                writeln!(f, "  for example {}", finishes.examples.join(", "))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn line(f: &mut Formatter<'_>, name: &str, count: u64, remark: &str) -> fmt::Result {
    if remark.is_empty() {
        writeln!(f, "  {name:<20}{count:>10}")
    } else {
        writeln!(f, "  {name:<20}{count:>10}  ({remark})")
    }
}

fn heading(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    writeln!(
        f,
        "  {name:<20}{:>10}{:>10}{:>10}{:>10}",
        "p50", "p90", "p99", "max"
    )
}

fn percentiles(f: &mut Formatter<'_>, name: &str, of: Option<Percentiles>) -> fmt::Result {
    match of {
        Some(Percentiles { p50, p90, p99, max }) => {
            writeln!(
                f,
                "    {name:<20}{p50:>8.1}{p90:>10.1}{p99:>10.1}{max:>10.1}"
            )
        }
        None => writeln!(f, "    {name:<20}{:>8}", "none"),
    }
}

fn causes(causes: &Causes) -> String {
    causes
        .iter()
        .map(|(cause, count)| format!("{cause}: {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn name(value: impl clap::ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A rate, and the time over which it was measured.
struct RateOver(Option<f64>, f64);

impl Display for RateOver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(rate, elapsed_s) = self;
        match rate {
            Some(rate) => write!(f, "{rate:.1}/s over {elapsed_s:.1} s"),
            None => write!(f, "no rate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tokio::time::Instant;

    use super::*;
    use crate::load::{latencies, record};

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

    fn finishes(begin: Instant) -> Finishes {
        let mut time_to_finish = latencies();
        for ms in 1..=10 {
            record(&mut time_to_finish, Duration::from_millis(100 * ms));
        }
        Finishes {
            completed: 10,
            failed: 0,
            cancelled: 0,
            still_running: 0,
            unexpected: 0,
            examples: Vec::new(),
            time_to_finish,
            last_seen: Some(begin + Duration::from_secs(4)),
            polls: 31,
            poll_errors: Causes::new(),
            timed_out: false,
        }
    }

    #[test]
    fn the_text_of_a_good_run() {
        let begin = Instant::now();
        let arguments = arguments("load_test --workers 2 --shipments 5 --seed 42");
        let report = Report::new(&arguments, &starts(begin), Some(&finishes(begin)), false);
        assert!(report.ok);
        assert_eq!(report.ended, Ended::AllDone);
        let expected = "\
Load test of http://127.0.0.1:43210
  2 workers x 5 shipments, 50 ms apart; category international, outcomes success, seed 42

Starts
  accepted                    10  (5.0/s over 2.0 s; 40.0/s scheduled)
  not accepted                 0
  repeated requests            0
  latency, ms                p50       p90       p99       max
    from intended time       5.0       9.0     100.0     100.0
    from first request       5.0       9.0      10.0      10.0

Finishes
  completed                   10
  failed                       0
  cancelled                    0
  still running                0
  not as the id says           0
  rate                2.5/s over 4.0 s, from the first start to the last finish seen
  time to finish, ms         p50       p90       p99       max
    from intended start    500.2     900.1    1000.4    1000.4
  as seen by polling every 250 ms: the true times are shorter
  status requests             31

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
        let mut finishes = finishes(begin);
        finishes.completed = 6;
        finishes.failed = 2;
        finishes.unexpected = 1;
        finishes.still_running = 2;
        finishes.examples = vec!["AAAAAAAAAAAA".to_owned(), "BBBBBBBBBBBB".to_owned()];
        finishes.poll_errors.insert("status 404".to_owned(), 5);
        finishes.timed_out = true;
        let report = Report::new(&arguments, &starts, Some(&finishes), false);
        assert!(!report.ok);
        assert_eq!(report.ended, Ended::TimedOut);
        let text = report.to_string();
        for part in [
            "  not accepted                 7  (cannot connect: 4, status 500: 3)\n",
            "  not started                  3  (the run was ended early)\n",
            "  repeated requests           12  (status 503: 12)\n",
            "  still running                2\n",
            "  status requests             31  (status 404: 5)\n",
            "\nGave up 7 s after the last start.\n\
             Result: NOT all right: 7 not accepted, 3 not started, 2 unfinished, \
             1 ended otherwise than the id says\n  for example AAAAAAAAAAAA, BBBBBBBBBBBB\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_run_that_started_nothing_has_no_rates() {
        let arguments = arguments("load_test --workers 1 --shipments 1 --delay-ms 0 --no-wait");
        let report = Report::new(&arguments, &Starts::default(), None, true);
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
