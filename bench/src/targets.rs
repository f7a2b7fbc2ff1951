//! What is measured against what it must come to, and what it should.

use serde::Serialize;

use crate::report::{BESIDE_PER_SECOND, EMPTY_PER_SECOND, MEMORY_MB, P50_MS, P99_MS, PER_SECOND};
use crate::scenario::Scenario;

/// A line of the table, before anything is measured.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: Value,
    /// Of which scenario it is to be a part, where there is a floor.
    pub(crate) floor: Option<Scenario>,
    pub(crate) better: Better,
    pub(crate) must: f64,
    pub(crate) goal: f64,
}

/// Where a value is found.
pub(crate) enum Value {
    /// A figure of a scenario.
    Of(Scenario, &'static str),
    /// The highest of a figure over several.
    Highest(&'static [Scenario], &'static str),
    /// A figure as a part of another, in percent.
    Share((Scenario, &'static str), (Scenario, &'static str)),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// Two runs of the same differ by so much: no loss is what stays within, in percent.
const NO_LOSS: f64 = 95.0;

const ONE_INSTANCE: &[Scenario] = &[
    Scenario::Throughput,
    Scenario::Delayed,
    Scenario::Fresh,
    Scenario::Quiet,
    Scenario::Latency,
    Scenario::Growth,
];

const fn rate(what: &'static str, of: Scenario, floor: Option<Scenario>, goal: f64) -> Target {
    Target {
        what,
        unit: "/s",
        value: Value::Of(of, PER_SECOND),
        floor,
        better: Better::More,
        must: 500.0,
        goal,
    }
}

const fn share(
    what: &'static str,
    of: (Scenario, &'static str),
    whole: (Scenario, &'static str),
    (must, goal): (f64, f64),
) -> Target {
    Target {
        what,
        unit: "%",
        value: Value::Share(of, whole),
        floor: None,
        better: Better::More,
        must,
        goal,
    }
}

const fn most(
    what: &'static str,
    unit: &'static str,
    value: Value,
    must: f64,
    goal: f64,
) -> Target {
    Target {
        what,
        unit,
        value,
        floor: None,
        better: Better::Less,
        must,
        goal,
    }
}

pub(crate) const TARGETS: &[Target] = &[
    rate(
        "shipments, PostgreSQL and RabbitMQ",
        Scenario::Throughput,
        Some(Scenario::Floor),
        1_300.0,
    ),
    rate(
        "  carriers that take 500 ms",
        Scenario::Delayed,
        Some(Scenario::Floor),
        1_300.0,
    ),
    rate(
        "  no events for other programs",
        Scenario::Quiet,
        Some(Scenario::FloorQuiet),
        1_300.0,
    ),
    share(
        "share of the floor",
        (Scenario::Throughput, PER_SECOND),
        (Scenario::Floor, PER_SECOND),
        (40.0, 75.0),
    ),
    share(
        "  no events for other programs",
        (Scenario::Quiet, PER_SECOND),
        (Scenario::FloorQuiet, PER_SECOND),
        (40.0, 75.0),
    ),
    most(
        "memory of the four services at its peak",
        " MB",
        Value::Highest(ONE_INSTANCE, MEMORY_MB),
        300.0,
        120.0,
    ),
    most(
        "an unloaded domestic shipment, p50",
        " ms",
        Value::Of(Scenario::Latency, P50_MS),
        60.0,
        25.0,
    ),
    most(
        "an unloaded domestic shipment, p99",
        " ms",
        Value::Of(Scenario::Latency, P99_MS),
        150.0,
        60.0,
    ),
    rate(
        "shipments, one process on SQLite",
        Scenario::Sqlite,
        None,
        1_500.0,
    ),
    share(
        GROWN,
        (Scenario::Growth, PER_SECOND),
        (Scenario::Growth, EMPTY_PER_SECOND),
        (80.0, 95.0),
    ),
    share(
        "two instances of each against one",
        (Scenario::TwoInstances, PER_SECOND),
        (Scenario::TwoInstances, BESIDE_PER_SECOND),
        (NO_LOSS, 100.0),
    ),
    share(
        "a fresh database against a warm one",
        (Scenario::Fresh, PER_SECOND),
        (Scenario::Fresh, BESIDE_PER_SECOND),
        (NO_LOSS, 100.0),
    ),
];

/// Its line says how many are stored.
pub(crate) const GROWN: &str = "with shipments stored against none";

/// How far a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Met {
    Goal,
    Must,
    Missed,
}

impl Target {
    /// How far a value goes.
    pub(crate) fn met(&self, measured: f64) -> Met {
        let reaches = |bound: f64| match self.better {
            Better::More => measured >= bound,
            Better::Less => measured <= bound,
        };
        match (reaches(self.must), reaches(self.goal)) {
            (_, true) => Met::Goal,
            (true, false) => Met::Must,
            (false, false) => Met::Missed,
        }
    }
}
