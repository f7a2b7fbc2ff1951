//! What is measured, each under a name.

use clap::ValueEnum;
use serde::Serialize;

/// One thing that is measured. They run in this order: what is held against a floor runs next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// The floor, with every event told to other programs as well
    Floor,
    /// The four services on PostgreSQL and RabbitMQ, international shipments, carriers that answer at once
    Throughput,
    /// The same with carriers that take half a second
    Delayed,
    /// The services on a database that is new, and without anything before it; next to a warm one
    Fresh,
    /// The services with two instances of each; next to one of each
    TwoInstances,
    /// The floor, with no events told to other programs
    FloorQuiet,
    /// The four services with no events told to other programs
    Quiet,
    /// The floor with one AMQP message for each message: for information
    FloorSingle,
    /// One domestic shipment at a time, on services that have nothing else to do
    Latency,
    /// All services in one process, on SQLite
    Sqlite,
    /// The four services when many shipments are stored already, against none
    Growth,
}

impl Scenario {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it is, in a line.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        let help = value.and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}
