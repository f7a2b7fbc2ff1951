//! What a run came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use system_tests::examples::is_domestic;
use system_tests::expectation::Expectation;

use crate::field::Inflicted;

/// The numbers of a run, and what was wrong.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    seed: u64,
    held: bool,
    duration_s: f64,
    /// By ending, and whether domestic or international.
    shipments: BTreeMap<String, Count>,
    started: usize,
    ended: usize,
    /// By kind.
    injuries: BTreeMap<String, usize>,
    /// The longest time from when all was made good until a shipment ended again, where nothing was
    /// injured in between.
    longest_recovery_s: Option<f64>,
    /// From the end of the last injury until every shipment that was under way had ended.
    all_ended_after_s: Option<f64>,
    /// Ended shipments a second, over the whole run.
    throughput_per_s: f64,
    /// From the first request for it, whether that was answered or not.
    longest_shipment_s: Option<f64>,
    median_shipment_s: Option<f64>,
    /// Requests for a start that were not answered, or with 503.
    requests_repeated: usize,
    public_events: usize,
    internal_events: usize,
    faults: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    started: usize,
    ended: usize,
}

impl Report {
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a number of the run, used once"
    )]
    pub(crate) fn new(
        seed: u64,
        duration: Duration,
        asked: &BTreeMap<String, Timestamp>,
        ends: &BTreeMap<String, f64>,
        inflicted: &[Inflicted],
        requests_repeated: usize,
        (public_events, internal_events): (usize, usize),
        faults: Vec<String>,
    ) -> Self {
        let mut shipments: BTreeMap<String, Count> = BTreeMap::new();
        let mut times = Vec::new();
        for (id, asked) in asked {
            let country = if is_domestic(id) {
                "domestic"
            } else {
                "international"
            };
            let count = shipments
                .entry(format!("{}, {country}", Expectation::of(id).name))
                .or_default();
            count.started += 1;
            if let Some(end) = ends.get(id) {
                count.ended += 1;
                times.push(end - seconds(*asked));
            }
        }
        times.sort_by(f64::total_cmp);
        let mut injuries = BTreeMap::new();
        for injury in inflicted {
            *injuries.entry(injury.kind.to_string()).or_default() += 1;
        }
        let recovery = |injury: &Inflicted| {
            let over = seconds(injury.ended);
            let after = ends.values().filter(|end| **end >= over).copied();
            let again = after.min_by(f64::total_cmp)?;
            let between =
                |other: &Inflicted| seconds(other.began) < again && seconds(other.ended) > over;
            (!inflicted.iter().any(between)).then_some(again - over)
        };
        let last_injury = inflicted.iter().map(|injury| seconds(injury.ended));
        let last_end = ends.values().copied().max_by(f64::total_cmp);
        let all_ended_after_s = last_injury
            .max_by(f64::total_cmp)
            .zip(last_end)
            .map(|(injury, end)| (end - injury).max(0.0));
        let ended = times.len();
        Self {
            seed,
            held: faults.is_empty(),
            duration_s: duration.as_secs_f64(),
            shipments,
            started: asked.len(),
            ended,
            injuries,
            longest_recovery_s: inflicted.iter().filter_map(recovery).max_by(f64::total_cmp),
            all_ended_after_s,
            #[expect(clippy::cast_precision_loss, reason = "a number for a person")]
            throughput_per_s: ended as f64 / duration.as_secs_f64(),
            longest_shipment_s: times.last().copied(),
            median_shipment_s: times.get(ended / 2).copied(),
            requests_repeated,
            public_events,
            internal_events,
            faults,
        }
    }

    /// What was wrong.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:40}{:>9}{:>9}", "shipments", "started", "ended")?;
        for (what, count) in &self.shipments {
            writeln!(f, "  {what:38}{:>9}{:>9}", count.started, count.ended)?;
        }
        writeln!(f, "  {:38}{:>9}{:>9}", "all", self.started, self.ended)?;
        writeln!(f, "injuries")?;
        for (kind, count) in &self.injuries {
            writeln!(f, "  {kind:38}{count:>9}")?;
        }
        let mut line = |what: &str, value: String| writeln!(f, "{what:40}{value:>9}");
        let time = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.1} s"));
        line(
            "longest time until some ended again",
            time(self.longest_recovery_s),
        )?;
        line(
            "all ended after the last injury in",
            time(self.all_ended_after_s),
        )?;
        line("ended a second", format!("{:.1}", self.throughput_per_s))?;
        line("longest shipment", time(self.longest_shipment_s))?;
        line("median shipment", time(self.median_shipment_s))?;
        line("requests repeated", self.requests_repeated.to_string())?;
        line("public events", self.public_events.to_string())?;
        line("internal events", self.internal_events.to_string())?;
        line("took", time(Some(self.duration_s)))?;
        line("seed", self.seed.to_string())?;
        let result = if self.held { "held" } else { "FAILED" };
        line("everything", result.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Kind;

    #[test]
    fn times_are_reckoned_from_what_was_asked_and_what_was_over() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let asked = [("1A0", at(100)), ("1B0", at(101)), ("VC1", at(102))];
        let asked = asked.map(|(id, time)| (id.to_owned(), time)).into();
        let ends = [("1A0".to_owned(), 103.0), ("1B0".to_owned(), 111.0)].into();
        let injury = |kind, from, to| Inflicted {
            kind,
            began: at(from),
            ended: at(to),
        };
        let inflicted = [
            injury(Kind::Killed, 98, 99),
            // Here another has not been made good yet, and one begins before anything ends.
            injury(Kind::Killed, 104, 106),
            injury(Kind::BrokerKilled, 105, 107),
            injury(Kind::Paused, 108, 109),
        ];
        let lasted = Duration::from_secs(20);
        let faults = vec!["VC1 has not ended".to_owned()];
        let report = Report::new(1, lasted, &asked, &ends, &inflicted, 0, (1, 0), faults);
        assert_eq!((report.started, report.ended, report.held), (3, 2, false));
        assert_eq!(report.longest_recovery_s, Some(4.0));
        assert_eq!(report.all_ended_after_s, Some(2.0));
        assert_eq!(report.longest_shipment_s, Some(10.0));
        assert_eq!(report.injuries["service killed"], 2);
        assert_eq!(report.shipments["success, domestic"].ended, 2);
        assert!(report.to_string().contains("FAILED"));
    }
}
