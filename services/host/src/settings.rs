//! The settings of all services, in layers: what is compiled in, a file, the environment.

use std::path::Path;

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat};
use contracts::Partitions;
use serde::Deserialize;

/// Reads a choice by its name, and names all of them where there is none of that name.
macro_rules! choices {
    ($type:ident: $($name:literal => $choice:ident),+) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                match name.as_str() {
                    $($name => Ok(Self::$choice),)+
                    _ => Err(format!("there is no {name:?}, but {}", [$($name),+].join(", "))),
                }
            }
        }
    };
}

/// All settings. One file serves every binary: each reads the sections that it needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How the log is divided.
    pub log: Log,
    /// Where the log is kept.
    pub event_store: EventStore,
    /// Where indexes over the log are kept, when the log is in `eventstoredb`.
    pub projections: Projections,
    /// How messages travel.
    pub bus: Bus,
    /// HTTP.
    pub http: Http,
    /// The loops of a service.
    pub runtime: runtime::Settings,
    /// Logs.
    pub telemetry: Telemetry,
    /// The service of this name.
    pub shipment_process: ShipmentProcess,
    /// The service of this name.
    pub manifestation: Manifestation,
    /// The service of this name.
    pub collection_booking: CollectionBooking,
    /// The service of this name.
    pub carrier_stub: CarrierStub,
}

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

/// HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on.
    pub host: std::net::IpAddr,
    /// The largest body that is read.
    pub body_limit_bytes: usize,
    /// How long a request may wait until what it asks is durable.
    pub request_timeout_ms: u64,
}

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

/// Settings of shipment-process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShipmentProcess {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// How long another service may take for a step.
    pub step_timeout_ms: i64,
}

/// Settings of manifestation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifestation {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// The address under which documents are found.
    pub documents_base_url: String,
    /// How long a carrier may take to answer.
    pub carrier_timeout_ms: i64,
}

/// Settings of collection-booking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionBooking {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// Whether to book at once, and not at the time that was scheduled.
    pub book_immediately: bool,
    /// How long a carrier may take to answer.
    pub carrier_timeout_ms: i64,
}

/// Settings of carrier-stub.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierStub {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// How long a carrier takes to answer.
    pub delay_ms: i64,
    /// How long after refusing it a carrier books a collection all the same.
    pub books_late_after_ms: i64,
}

/// What a binary starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// All services in one process, on an embedded store and bus.
    AllInOne,
    /// One service, on servers that it shares with the others.
    OneService,
}

const DEFAULT: &str = include_str!("../../../config/default.toml");
const SERVICES: &str = include_str!("../../../config/services.toml");

impl Settings {
    /// Reads the layers.
    ///
    /// # Errors
    /// A file that cannot be read; a key that is unknown, by its name; a value that does not fit, by its
    /// key; settings that do not go together.
    pub fn load(base: Base, file: Option<&Path>) -> anyhow::Result<Self> {
        // What is no text is nobody's setting.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::layered(base, file, environment.collect())
    }

    /// The same, with an environment of its own.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn layered(
        base: Base,
        file: Option<&Path>,
        environment: std::collections::HashMap<String, String>,
    ) -> anyhow::Result<Self> {
        refuse_look_alikes(&environment)?;
        let mut layers = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
        if base == Base::OneService {
            layers = layers.add_source(File::from_str(SERVICES, FileFormat::Toml));
        }
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml));
        }
        let layers = layers
            .add_source(
                // The separator after the prefix must be named: keys are silently ignored otherwise.
                Environment::with_prefix("LONGHAUL")
                    .prefix_separator("__")
                    .separator("__")
                    .try_parsing(true)
                    .source(Some(environment)),
            )
            .build()
            .context("the configuration cannot be read")?;
        let settings: Self = serde_path_to_error::deserialize(layers).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." {
                String::new()
            } else {
                format!(" at {path}")
            };
            anyhow::anyhow!(
                "the configuration does not fit{place}: {}",
                error.into_inner()
            )
        })?;
        settings.check(base)?;
        Ok(settings)
    }

    fn check(&self, base: Base) -> anyhow::Result<()> {
        if base == Base::OneService && self.bus.adapter == BusAdapter::Embedded {
            bail!(
                "bus.adapter = \"embedded\" joins services within one process only: start `longhaul`, or \
                 set bus.adapter = \"rabbitmq\""
            );
        }
        if base == Base::OneService && self.event_store.adapter == StoreAdapter::Memory {
            bail!(
                "event_store.adapter = \"memory\" keeps nothing for the other services: start `longhaul`, or set \
                 event_store.adapter = \"postgres\""
            );
        }
        let times = [
            (
                "shipment_process.step_timeout_ms",
                self.shipment_process.step_timeout_ms,
                1,
            ),
            (
                "manifestation.carrier_timeout_ms",
                self.manifestation.carrier_timeout_ms,
                1,
            ),
            (
                "collection_booking.carrier_timeout_ms",
                self.collection_booking.carrier_timeout_ms,
                1,
            ),
            ("carrier_stub.delay_ms", self.carrier_stub.delay_ms, 0),
            (
                "carrier_stub.books_late_after_ms",
                self.carrier_stub.books_late_after_ms,
                0,
            ),
        ];
        for (key, value, least) in times {
            if value < least {
                bail!("{key} is {value}, but must be at least {least}");
            }
        }
        let positive = [
            ("runtime.max_batch", self.runtime.max_batch as u64),
            ("runtime.poll_interval_ms", self.runtime.poll_interval_ms),
            ("http.request_timeout_ms", self.http.request_timeout_ms),
            (
                "event_store.postgres.max_connections",
                u64::from(self.event_store.postgres.max_connections),
            ),
            (
                "event_store.postgres.timeout_ms",
                self.event_store.postgres.timeout_ms,
            ),
            (
                "event_store.eventstoredb.timeout_ms",
                self.event_store.eventstoredb.timeout_ms,
            ),
            (
                "event_store.eventstoredb.max_append_bytes",
                self.event_store.eventstoredb.max_append_bytes as u64,
            ),
            (
                "projections.postgres.max_connections",
                u64::from(self.projections.postgres.max_connections),
            ),
            (
                "projections.postgres.timeout_ms",
                self.projections.postgres.timeout_ms,
            ),
            (
                "bus.rabbitmq.confirm_timeout_ms",
                self.bus.rabbitmq.confirm_timeout_ms,
            ),
            (
                "bus.rabbitmq.connect_timeout_ms",
                self.bus.rabbitmq.connect_timeout_ms,
            ),
        ];
        for (key, value) in positive {
            if value == 0 {
                bail!("{key} is 0, but must be at least 1");
            }
        }
        let files = [
            ("event_store.sqlite.path", &self.event_store.sqlite.path),
            ("projections.sqlite.path", &self.projections.sqlite.path),
        ];
        for (key, path) in files {
            if path.as_os_str().is_empty() {
                bail!("{key} is empty, but must name a file");
            }
        }
        Ok(())
    }
}

/// `LONGHAUL_STORE_KIND` would be ignored without a word; it is refused instead. What tests need begins
/// with `LONGHAUL_TEST_`.
fn refuse_look_alikes(
    environment: &std::collections::HashMap<String, String>,
) -> anyhow::Result<()> {
    let alike = |name: &&String| {
        name.starts_with("LONGHAUL_")
            && !name.starts_with("LONGHAUL__")
            && !name.starts_with("LONGHAUL_TEST_")
    };
    match environment.keys().find(alike) {
        Some(name) => bail!(
            "the environment variable {name} is no setting: sections and keys are separated by two \
             underscores, as in LONGHAUL__EVENT_STORE__ADAPTER"
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write;

    use super::*;

    fn load(base: Base, variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let environment: HashMap<_, _> = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Settings::layered(base, None, environment)
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        format!("{:#}", load(Base::AllInOne, variables).unwrap_err())
    }

    #[test]
    fn what_is_compiled_in_is_complete() {
        let one = load(Base::AllInOne, &[]).unwrap();
        assert_eq!(
            (one.event_store.adapter, one.bus.adapter),
            (StoreAdapter::Sqlite, BusAdapter::Embedded)
        );
        assert!(one.collection_booking.book_immediately && one.bus.publish_events);
        assert_eq!(one.carrier_stub.delay_ms, 500);
        let own = load(Base::OneService, &[]).unwrap();
        assert_eq!(
            (own.event_store.adapter, own.bus.adapter),
            (StoreAdapter::Postgres, BusAdapter::Rabbitmq)
        );
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_what_is_compiled_in() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(
            file,
            "[carrier_stub]\ndelay_ms = 7\nbooks_late_after_ms = 8"
        )
        .unwrap();
        let environment = HashMap::from([(
            "LONGHAUL__CARRIER_STUB__DELAY_MS".to_owned(),
            "9".to_owned(),
        )]);
        let settings = Settings::layered(Base::AllInOne, Some(file.path()), environment).unwrap();
        assert_eq!(settings.carrier_stub.delay_ms, 9);
        assert_eq!(settings.carrier_stub.books_late_after_ms, 8);
        assert_eq!(settings.carrier_stub.port, 43213);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        for (variable, name) in [
            ("LONGHAUL__EVENT_STORE__ADAPTR", "adaptr"),
            ("LONGHAUL__STORAGE", "storage"),
            ("LONGHAUL__EVENT_STORE__POSTGRES__URI", "uri"),
            ("LONGHAUL__BUS__RABBITMQ__PREFETSCH", "prefetsch"),
            ("LONGHAUL__RUNTIME__BATCH", "batch"),
            (
                "LONGHAUL_EVENT_STORE__ADAPTER",
                "LONGHAUL_EVENT_STORE__ADAPTER",
            ),
        ] {
            let refused = refusal(&[(variable, "x")]);
            assert!(refused.contains(name), "{variable}: {refused}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused_by_key() {
        for (variable, value, key) in [
            (
                "LONGHAUL__EVENT_STORE__ADAPTER",
                "mysql",
                "event_store.adapter",
            ),
            (
                "LONGHAUL__CARRIER_STUB__DELAY_MS",
                "soon",
                "carrier_stub.delay_ms",
            ),
            (
                "LONGHAUL__CARRIER_STUB__DELAY_MS",
                "-1",
                "carrier_stub.delay_ms",
            ),
            ("LONGHAUL__LOG__PARTITIONS", "0", "log.partitions"),
            (
                "LONGHAUL__EVENT_STORE__POSTGRES__MAX_CONNECTIONS",
                "0",
                "event_store.postgres.max_connections",
            ),
            (
                "LONGHAUL__HTTP__REQUEST_TIMEOUT_MS",
                "0",
                "http.request_timeout_ms",
            ),
            (
                "LONGHAUL__EVENT_STORE__SQLITE__PATH",
                "",
                "event_store.sqlite.path",
            ),
            (
                "LONGHAUL__SHIPMENT_PROCESS__PORT",
                "70000",
                "shipment_process.port",
            ),
        ] {
            let refused = refusal(&[(variable, value)]);
            assert!(refused.contains(key), "{variable}={value}: {refused}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Path::new("/nowhere/longhaul.toml");
        let refused = Settings::layered(Base::AllInOne, Some(missing), HashMap::new());
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains("/nowhere/longhaul.toml"), "{refused}");
    }

    #[test]
    fn a_service_of_its_own_needs_shared_servers() {
        for (variable, value) in [
            ("LONGHAUL__BUS__ADAPTER", "embedded"),
            ("LONGHAUL__EVENT_STORE__ADAPTER", "memory"),
        ] {
            let refused = load(Base::OneService, &[(variable, value)])
                .unwrap_err()
                .to_string();
            assert!(refused.contains("start `longhaul`"), "{refused}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let settings = load(
            Base::AllInOne,
            &[
                (
                    "LONGHAUL__EVENT_STORE__POSTGRES__URL",
                    "postgres://me:hush@db/longhaul",
                ),
                ("LONGHAUL__BUS__RABBITMQ__URL", "amqp://me:hush@broker/"),
            ],
        );
        let shown = format!("{:?}", settings.unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
