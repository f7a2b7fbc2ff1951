//! Connecting to the broker, with everything declared.

use std::time::Duration;

use contracts::{Partitions, Topology};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionBuilder, ConnectionProperties};
use message_bus::Error;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::Settings;
use crate::declaration::{Declaration, not_found};
use crate::tls::{self, Tls};

/// Seconds without a sign of life after which a broker counts as gone, when the URL does not say:
/// the broker's own default of 60 is long for a process that others wait for.
const HEARTBEAT_SECONDS: u16 = 10;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the broker refused or broke off")]
    Broker(#[from] lapin::Error),
    #[error("the broker did not answer within {0:?}")]
    TimedOut(Duration),
}

/// Why settings are of no use.
#[derive(Debug, thiserror::Error)]
enum SettingsError {
    // The parser's own words may repeat the URL, and with it the password.
    #[error("bus.rabbitmq.url is no AMQP URL")]
    Url,
    #[error("bus.rabbitmq.{0} must be at least 1")]
    Zero(&'static str),
}

/// What every connection of a service has in common.
#[derive(Debug)]
pub(crate) struct Connector {
    uri: AMQPUri,
    tls: Tls,
    timeout: Duration,
    declaration: Declaration,
}

impl Connector {
    /// # Errors
    /// [`Error::Refused`] for settings that no broker could make good.
    pub(crate) fn new(
        settings: &Settings,
        topology: &Topology,
        partitions: Partitions,
    ) -> Result<Self, Error> {
        let counts = [
            ("prefetch", settings.prefetch),
            ("batch_messages", settings.batch_messages),
            ("batch_events", settings.batch_events),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::Refused(SettingsError::Zero(name).into()));
        }
        let mut uri: AMQPUri = settings
            .url
            .expose_secret()
            .parse()
            .map_err(|_| Error::Refused(SettingsError::Url.into()))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let tls = tls::config(settings, &uri).map_err(|error| Error::Refused(error.into()))?;
        Ok(Self {
            uri,
            tls,
            timeout: settings.connect_timeout(),
            declaration: Declaration::new(topology, partitions),
        })
    }

    /// Connects and declares everything. The name is what the broker's own pages show.
    pub(crate) async fn connect(&self, name: &str) -> Result<Connection, ConnectError> {
        timeout(self.timeout, self.attempt(name))
            .await
            .unwrap_or(Err(ConnectError::TimedOut(self.timeout)))
    }

    /// How many AMQP messages wait for the services. A queue that is not there any more is put back.
    pub(crate) async fn count(&self, connection: &Connection) -> Result<u64, lapin::Error> {
        match self.declaration.count(connection).await {
            Err(error) if not_found(&error) => {
                self.declaration.declare(connection).await?;
                self.declaration.count(connection).await
            }
            counted => counted,
        }
    }

    async fn attempt(&self, name: &str) -> Result<Connection, ConnectError> {
        // The client's own recovery stays off: it gives up after a while, and replays what it knew
        // of instead of what must be there.
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = ConnectionBuilder::new()?
            .with_uri(self.uri.clone())
            .with_tls_config(self.tls.0.clone())
            .with_properties(properties)
            .connect()
            .await?;
        self.declaration.declare(&connection).await?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::error::Error as _;

    fn connector(url: &str, prefetch: u16) -> Result<Connector, Error> {
        let settings = Settings {
            url: url.into(),
            prefetch,
            ..Settings::default()
        };
        Connector::new(
            &settings,
            &message_bus::contract::topology(),
            Partitions::default(),
        )
    }

    #[test]
    fn a_useless_url_is_refused_without_repeating_it() {
        let refused = connector("hush://", 1).map(|_| ()).unwrap_err();
        assert_eq!(
            refused.source().unwrap().to_string(),
            "bus.rabbitmq.url is no AMQP URL"
        );
    }

    #[test]
    fn counts_of_nothing_are_refused() {
        let refused = connector("amqp://127.0.0.1", 0).map(|_| ());
        assert!(matches!(refused, Err(Error::Refused(_))));
        let settings = Settings {
            batch_messages: 0,
            ..Settings::default()
        };
        let topology = message_bus::contract::topology();
        let refused = Connector::new(&settings, &topology, Partitions::default());
        assert!(matches!(refused, Err(Error::Refused(_))));
    }

    #[test]
    fn a_heartbeat_in_the_url_counts() {
        let with = |url| connector(url, 1).unwrap().uri.query.heartbeat;
        assert_eq!(with("amqp://127.0.0.1"), Some(HEARTBEAT_SECONDS));
        assert_eq!(with("amqp://127.0.0.1/%2f?heartbeat=3"), Some(3));
    }
}
