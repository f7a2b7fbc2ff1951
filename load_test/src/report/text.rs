//! The report as text.

use std::fmt::{self, Display, Formatter};

use crate::measure::{Causes, Percentiles};
use crate::report::{Ended, Report};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            settings,
            starts,
            finishes,
            ..
        } = self;
        writeln!(f, "Load test of {}", settings.url)?;
        writeln!(f, "  {}", settings.in_words())?;

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
        if starts.refused > 0 {
            line(
                f,
                "refused",
                starts.refused,
                &causes(&starts.refused_by_cause),
            )?;
        }
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
                line(f, "needs attention", finishes.needs_attention, "")?;
                line(f, "still running", finishes.still_running, "")?;
                let unknown = causes(&finishes.unknown_by_cause);
                line(f, "unknown", finishes.unknown, &unknown)?;
                line(f, "not as the id says", finishes.unexpected, "")?;
                line(f, "not told", finishes.not_told, "")?;
                writeln!(
                    f,
                    "  {:<20}{rate}, from the first start to the last finish told",
                    "rate"
                )?;
                heading(f, "time to finish, ms")?;
                percentiles(f, "from intended start", finishes.time_to_finish_ms)?;
                let errors = causes(&finishes.list_errors_by_cause);
                line(f, "looks at the list", finishes.list_requests, &errors)?;
                line(f, "asked for at the end", finishes.asked, "")?;
            }
        }
        for left_out in &self.samples.left_out {
            writeln!(f, "\nLeft out: {left_out}")?;
        }

        writeln!(f)?;
        match self.ended {
            Ended::AllDone => {}
            Ended::TimedOut => {
                writeln!(f, "Gave up {} s after the last start.", settings.timeout_s)?;
            }
            Ended::Interrupted => writeln!(f, "Ended early.")?,
        }
        if self.ok && starts.refused > 0 {
            return writeln!(f, "Result: all right with what was accepted");
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
        "  {name:<20}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "p50", "p90", "p99", "p99.9", "max"
    )
}

fn percentiles(f: &mut Formatter<'_>, name: &str, of: Option<Percentiles>) -> fmt::Result {
    match of {
        Some(Percentiles {
            p50,
            p90,
            p99,
            p99_9,
            max,
        }) => {
            writeln!(
                f,
                "    {name:<20}{p50:>8.1}{p90:>10.1}{p99:>10.1}{p99_9:>10.1}{max:>10.1}"
            )
        }
        None => writeln!(f, "    {name:<20}{:>8}", "none"),
    }
}

pub(super) fn causes(causes: &Causes) -> String {
    causes
        .iter()
        .map(|(cause, count)| format!("{cause}: {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A rate, and the time over which it was measured.
pub(super) struct RateOver(pub(super) Option<f64>, pub(super) f64);

impl Display for RateOver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(rate, elapsed_s) = self;
        match rate {
            Some(rate) => write!(f, "{rate:.1}/s over {elapsed_s:.1} s"),
            None => write!(f, "no rate"),
        }
    }
}
