//! What all services have in common, a type for each section.

use contracts::Partitions;
use serde::Deserialize;

use super::choices::choices;

/// How the log is divided.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How many partitions; at least 1, and fixed once something is stored.
    pub partitions: Partitions,
}

/// Where the log is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventStore {
    /// Which adapter.
    pub adapter: StoreAdapter,
    /// For `sqlite`.
    pub sqlite: event_store_sqlite::Settings,
    /// For `postgres`.
    pub postgres: event_store_postgres::Settings,
    /// For `eventstoredb`.
    pub eventstoredb: event_store_eventstoredb::Settings,
}

/// The event stores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreAdapter {
    /// A file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// EventStoreDB or KurrentDB.
    EventStoreDb,
    /// Nothing is kept.
    Memory,
}

choices! { StoreAdapter: "sqlite" => Sqlite, "postgres" => Postgres, "eventstoredb" => EventStoreDb, "memory" => Memory }

/// Where indexes over the log are kept. They can be deleted while no service runs, and are rebuilt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projections {
    /// Which adapter.
    pub adapter: ProjectionsAdapter,
    /// For `sqlite`.
    pub sqlite: event_store_sqlite::Settings,
    /// For `postgres`.
    pub postgres: event_store_postgres::Settings,
}

/// The places for indexes that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ProjectionsAdapter {
    /// A file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

choices! { ProjectionsAdapter: "sqlite" => Sqlite, "postgres" => Postgres }

/// How messages travel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Which adapter.
    pub adapter: BusAdapter,
    /// Whether public events also go to the exchange `longhaul.events`, for other programs.
    pub publish_events: bool,
    /// For `rabbitmq`.
    pub rabbitmq: message_bus_rabbitmq::Settings,
}

/// The message buses there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum BusAdapter {
    /// Within one process.
    Embedded,
    /// A broker.
    Rabbitmq,
}

choices! { BusAdapter: "embedded" => Embedded, "rabbitmq" => Rabbitmq }

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged: a level, or a filter as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
    /// How.
    pub format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// A line for a person.
    Text,
    /// A JSON object a line.
    Json,
}

choices! { LogFormat: "text" => Text, "json" => Json }
