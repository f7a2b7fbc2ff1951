//! Reading the layers: what is compiled in, a file, the environment.

use std::path::Path;

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat};

use super::Settings;

/// What a binary starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// All services in one process, on an embedded store and bus.
    AllInOne,
    /// One service, on servers that it shares with the others.
    OneService,
}

const DEFAULT: &str = include_str!("../../../../config/default.toml");
const SERVICES: &str = include_str!("../../../../config/services.toml");

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
}

/// What the commands of `longhaul` that ask a service take from the environment.
const OF_COMMANDS: [&str; 3] = ["LONGHAUL_URL", "LONGHAUL_TOKEN", "LONGHAUL_CA_CERTIFICATE"];

/// `LONGHAUL_STORE_KIND` would be ignored without a word; it is refused instead. What tests need begins
/// with `LONGHAUL_TEST_`, and the commands that ask a service have three of their own.
fn refuse_look_alikes(
    environment: &std::collections::HashMap<String, String>,
) -> anyhow::Result<()> {
    let alike = |name: &&String| {
        name.starts_with("LONGHAUL_")
            && !name.starts_with("LONGHAUL__")
            && !name.starts_with("LONGHAUL_TEST_")
            && !OF_COMMANDS.contains(&name.as_str())
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
    use crate::settings::{BusAdapter, StoreAdapter};

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
            ("LONGHAUL__HTTP__MAX_REQUESTS", "0", "http.max_requests"),
            (
                "LONGHAUL__HTTP__RECEIVE_TIMEOUT_MS",
                "0",
                "http.receive_timeout_ms",
            ),
            (
                "LONGHAUL__HTTP__LONGEST_REQUEST_MS",
                "9999",
                "http.longest_request_ms",
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
