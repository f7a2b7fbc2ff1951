//! The settings of this adapter, as the `bus` section of the configuration has them.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// How to reach the broker, and how to use it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `amqp://user:password@host:port/virtual-host`, or `amqps://` for TLS. A `heartbeat` (in
    /// seconds) and a `frame_max` (in bytes; each connection takes 64 times as much) may follow as query
    /// parameters.
    pub url: SecretString,
    /// With `amqps://`: a PEM file of certificates that are trusted beside those that the platform
    /// trusts.
    pub ca_certificate: Option<PathBuf>,
    /// With `amqps://`: a PEM file of the certificate that the broker is shown, and those that lead to
    /// one that it trusts. It needs its key.
    pub client_certificate: Option<PathBuf>,
    /// The PEM file of its private key.
    pub client_key: Option<PathBuf>,
    /// How many unacknowledged deliveries a subscription may hold for each partition, at least 1.
    pub prefetch: u16,
    /// How many messages to the same queue of a service may go out as one, at least 1. They do when
    /// there is a backlog.
    pub batch_messages: u16,
    /// The same for events of one type to the exchange `longhaul.events`: at 1, whoever reads them need
    /// not know the batch format of CloudEvents.
    pub batch_events: u16,
    /// Whether events also go to the exchange `longhaul.events`, for other programs. It is a setting of
    /// the bus as a whole, and set by whoever reads that.
    #[serde(skip, default = "yes")]
    pub publish_events: bool,
    /// How long a batch may wait for its publisher confirms.
    pub confirm_timeout_ms: u64,
    /// How long an attempt to connect may take, with everything declared.
    pub connect_timeout_ms: u64,
    /// The longest pause between two attempts to connect.
    pub reconnect_max_ms: u64,
}

fn yes() -> bool {
    true
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: SecretString::from("amqp://guest:guest@127.0.0.1:5672"),
            ca_certificate: None,
            client_certificate: None,
            client_key: None,
            prefetch: 16,
            batch_messages: 50,
            batch_events: 50,
            publish_events: true,
            confirm_timeout_ms: 10_000,
            connect_timeout_ms: 10_000,
            reconnect_max_ms: 5_000,
        }
    }
}

impl Settings {
    pub(crate) fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.confirm_timeout_ms)
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn reconnect_max(&self) -> Duration {
        Duration::from_millis(self.reconnect_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings.prefetch, 16);
        assert!(settings.publish_events);
        assert_eq!(settings.confirm_timeout(), Duration::from_secs(10));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let refused = serde_json::from_str::<Settings>(r#"{"prefetsch": 1}"#).unwrap_err();
        assert!(refused.to_string().contains("prefetsch"), "{refused}");
    }

    #[test]
    fn the_password_is_not_shown() {
        let settings: Settings =
            serde_json::from_str(r#"{"url": "amqp://me:hush@broker/"}"#).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
