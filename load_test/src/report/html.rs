//! The report as a page for a browser: one file, which needs nothing else.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::measure::Percentiles;
use crate::report::chart::{Chart, Escaped, Line, Number};
use crate::report::text::causes;
use crate::report::{Ended, Report};
use crate::samples::Sample;
use crate::series::Second;

const STYLE: &str = include_str!("page.css");
const MIB: f64 = 1024.0 * 1024.0;

/// The page.
pub(crate) fn html(report: &Report) -> String {
    Page(report).to_string()
}

struct Page<'a>(&'a Report);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let url = Escaped(&report.settings.url);
        writeln!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Load test of {url}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
             <h1>Load test of {url}</h1>\n<p>{}</p>\n",
            Escaped(report.settings.in_words())
        )?;
        result(f, report)?;
        writeln!(f, "</header>\n<div class=\"tiles\">")?;
        tiles(f, report)?;
        writeln!(f, "</div>\n<div class=\"charts\">")?;
        for chart in charts(&report.seconds, &report.samples.seen) {
            if !chart.is_empty() {
                write!(f, "{chart}")?;
            }
        }
        writeln!(f, "</div>")?;
        latencies(f, report)?;
        counts(f, report)?;
        left_out(f, report)?;
        writeln!(f, "</body>\n</html>")
    }
}

fn result(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let ended = match report.ended {
        Ended::AllDone => String::new(),
        Ended::TimedOut => format!(
            " Given up {} s after the last start.",
            report.settings.timeout_s
        ),
        Ended::Interrupted => " Ended early.".to_owned(),
    };
    if report.ok {
        let verified = match report.finishes {
            Some(_) => "every shipment ended as its id says",
            None => "the ends were not waited for",
        };
        let accepted = match report.starts.refused {
            0 => "every start was accepted".to_owned(),
            refused => format!("{refused} starts were refused, the others accepted"),
        };
        return writeln!(
            f,
            "<p class=\"result good\">All right: {accepted}; {verified}.{ended}</p>"
        );
    }
    let faults = Escaped(report.faults().join(", "));
    writeln!(
        f,
        "<p class=\"result bad\">Not all right: {faults}.{ended}</p>"
    )?;
    match &report.finishes {
        Some(finishes) if !finishes.examples.is_empty() => {
            writeln!(f, "<p>For example {}</p>", finishes.examples.join(", "))
        }
        Some(_) | None => Ok(()),
    }
}

fn tiles(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let mut tile = |value: Option<f64>, unit: &str, what: &str| match value {
        Some(value) => {
            let value = Number(value);
            writeln!(
                f,
                "<div class=\"tile\"><b>{value}{unit}</b><span>{what}</span></div>"
            )
        }
        None => Ok(()),
    };
    let starts = &report.starts;
    tile(Some(starts.accepted as f64), "", "shipments started")?;
    tile(starts.per_second, "/s", "starts")?;
    if let Some(finishes) = &report.finishes {
        tile(
            finishes.per_second,
            "/s",
            "ends, from the first start to the last end",
        )?;
        let time = finishes.time_to_finish_ms;
        tile(
            time.map(|it| it.p50),
            " ms",
            "from start to end, half of all within",
        )?;
        tile(
            time.map(|it| it.p99),
            " ms",
            "from start to end, 99% within",
        )?;
    }
    let greatest = |values: &mut dyn Iterator<Item = u64>| values.max().map(|most| most as f64);
    let samples = &report.samples.seen;
    let memory = &mut samples
        .iter()
        .map(|sample| sample.memory.values().sum())
        .filter(|sum| *sum > 0);
    tile(
        greatest(memory).map(|bytes| bytes / MIB),
        " MiB",
        "memory at most, all processes",
    )?;
    let queued = &mut samples.iter().filter_map(|sample| sample.queued);
    tile(greatest(queued), "", "messages waiting at most")
}

fn charts(seconds: &[Second], samples: &[Sample]) -> Vec<Chart> {
    // The last second is not over when the run ends, and would look like a fall.
    let whole = &seconds[..seconds.len().saturating_sub(1).max(seconds.len().min(1))];
    let line = |name: &str, value: &dyn Fn(&Second) -> Option<f64>| Line {
        name: name.to_owned(),
        points: whole
            .iter()
            .filter_map(|second| Some((second.second as f64, value(second)?)))
            .collect(),
    };
    let mut memory: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples {
        for (process, bytes) in &sample.memory {
            let points = memory.entry(process).or_default();
            points.push((sample.at_s, *bytes as f64 / MIB));
        }
    }
    let memory = memory.into_iter().map(|(process, points)| Line {
        name: process.to_owned(),
        points,
    });
    let queued = samples
        .iter()
        .filter_map(|sample| Some((sample.at_s, sample.queued? as f64)));
    vec![
        Chart {
            title: "Throughput",
            values: "shipments / s",
            note: "Starts accepted and shipments ended in each second.",
            lines: vec![
                line("started", &|second| Some(second.started as f64)),
                line("ended", &|second| Some(second.finished as f64)),
            ],
        },
        Chart {
            title: "Latency, from start to end",
            values: "ms",
            note: "From the time a start was due until its end was told, by the second in which that was.",
            lines: vec![
                line("p50", &|second| second.p50_ms),
                line("p99", &|second| second.p99_ms),
            ],
        },
        Chart {
            title: "Queue depth",
            values: "messages",
            note: "In all queues of RabbitMQ, unacknowledged ones included; the broker counts every few seconds.",
            lines: vec![Line {
                name: "waiting".to_owned(),
                points: queued.collect(),
            }],
        },
        Chart {
            title: "Memory",
            values: "MiB resident",
            note: "Of the processes that were named.",
            lines: memory.collect(),
        },
    ]
}

fn latencies(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    writeln!(
        f,
        "<section>\n<h2>Latency, ms</h2>\n<table>\n<tr><th></th><th>p50</th><th>p90</th><th>p99</th>\
         <th>p99.9</th><th>max</th></tr>"
    )?;
    let mut row = |name: &str, of: Option<Percentiles>| match of {
        None => Ok(()),
        Some(of) => {
            write!(f, "<tr><td>{name}</td>")?;
            for value in [of.p50, of.p90, of.p99, of.p99_9, of.max] {
                write!(f, "<td>{}</td>", Number((value * 10.0).round() / 10.0))?;
            }
            writeln!(f, "</tr>")
        }
    };
    let starts = &report.starts;
    row(
        "Start, from its intended time to its acceptance",
        starts.latency_from_intended_ms,
    )?;
    row("Start, from its first request", starts.latency_from_send_ms)?;
    let finishes = report.finishes.as_ref();
    let time = finishes.and_then(|finishes| finishes.time_to_finish_ms);
    row("Shipment, from its intended start to its end", time)?;
    writeln!(f, "</table>\n</section>")
}

fn counts(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    writeln!(f, "<section>\n<h2>Counts</h2>\n<table>")?;
    let mut row = |name: &str, count: u64, why: &str| {
        let (count, why) = (Number(count as f64), Escaped(why));
        writeln!(
            f,
            "<tr><td>{name}</td><td>{count}</td><td class=\"words\">{why}</td></tr>"
        )
    };
    let starts = &report.starts;
    row("Starts accepted", starts.accepted, "")?;
    row(
        "Starts not accepted",
        starts.failed,
        &causes(&starts.failed_by_cause),
    )?;
    if starts.refused > 0 {
        row(
            "Starts refused",
            starts.refused,
            &causes(&starts.refused_by_cause),
        )?;
    }
    if starts.not_sent > 0 {
        row("Not started", starts.not_sent, "the run was ended early")?;
    }
    row(
        "Requests repeated",
        starts.retries,
        &causes(&starts.retries_by_cause),
    )?;
    if let Some(finishes) = &report.finishes {
        row("Completed", finishes.completed, "")?;
        row("Failed", finishes.failed, "")?;
        row("Cancelled", finishes.cancelled, "")?;
        row("Need attention", finishes.needs_attention, "")?;
        row("Still running", finishes.still_running, "")?;
        row(
            "Unknown",
            finishes.unknown,
            &causes(&finishes.unknown_by_cause),
        )?;
        row("Ended otherwise than the id says", finishes.unexpected, "")?;
        row("Ended without being told", finishes.not_told, "")?;
        let errors = causes(&finishes.list_errors_by_cause);
        row(
            "Looks at the list of endings",
            finishes.list_requests,
            &errors,
        )?;
        row("Asked for one by one at the end", finishes.asked, "")?;
    }
    writeln!(f, "</table>\n</section>")
}

fn left_out(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let settings = &report.settings;
    let not_asked = [
        (
            settings.rabbitmq_management_url.is_none(),
            "queue depth: no --rabbitmq-management-url was given",
        ),
        (
            settings.processes.is_empty(),
            "memory: no --process was given",
        ),
    ];
    let not_asked = not_asked.into_iter().filter(|(is, _)| *is);
    let not_asked = not_asked.map(|(_, why)| why.to_owned());
    let all: Vec<_> = report
        .samples
        .left_out
        .iter()
        .cloned()
        .chain(not_asked)
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "<p class=\"note\">Left out: {}.</p>",
        Escaped(all.join("; "))
    )
}
