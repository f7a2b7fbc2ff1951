//! Connecting to the broker, with everything declared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contracts::{Partitions, Topology};
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionBuilder, ConnectionProperties, ErrorKind};
use message_bus::Error;
use secrecy::ExposeSecret;
use tokio::time::timeout;
use tracing::info;

use crate::Settings;
use crate::declaration::{Declaration, not_found};
use crate::tls::{self, Tls};

/// Seconds without a sign of life after which a broker counts as gone, when the URL does not say:
/// the broker's own default of 60 is long for a process that others wait for.
const HEARTBEAT_SECONDS: u16 = 10;

/// The largest frame, in bytes, when the URL does not say. The client keeps room for 32 frames each way, and writes on
/// all of it at once: 8 MiB for each connection with what a broker proposes (128 KiB), and a service has two.
/// What is larger goes in several frames.
const FRAME_BYTES: u32 = 32 * 1024;

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
    /// Frames are as large as the broker proposes, see [`Connector::broke_off`].
    largest_frames: AtomicBool,
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
        uri.query.frame_max.get_or_insert(FRAME_BYTES);
        let tls = tls::config(settings, &uri).map_err(|error| Error::Refused(error.into()))?;
        Ok(Self {
            uri,
            largest_frames: AtomicBool::new(false),
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

    /// Learns from the end of a connection. The headers of a message are one frame, which the broker passes on as
    /// large as it took them from any other program: where they do not fit, the same message would end each
    /// connection, so that those to come take all that the broker does.
    pub(crate) fn broke_off(&self, error: &lapin::Error) {
        let too_large = matches!(error.kind(), ErrorKind::ProtocolError(error)
            if error.kind() == &AMQPErrorKind::Hard(AMQPHardError::FRAMEERROR));
        if too_large && !self.largest_frames.swap(true, Ordering::Relaxed) {
            info!(
                "a message has headers of more than a frame: frames are as large as the broker takes from now on"
            );
        }
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
        let mut uri = self.uri.clone();
        if self.largest_frames.load(Ordering::Relaxed) {
            uri.query.frame_max = None;
        }
        let connection = ConnectionBuilder::new()?
            .with_uri(uri)
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

    #[test]
    fn a_largest_frame_in_the_url_counts() {
        let with = |url| connector(url, 1).unwrap().uri.query.frame_max;
        assert_eq!(with("amqp://127.0.0.1"), Some(FRAME_BYTES));
        assert_eq!(with("amqp://127.0.0.1/%2f?frame_max=65536"), Some(65536));
    }
}
