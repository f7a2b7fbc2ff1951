//! How the server is reached.

use std::time::Duration;

use event_store::Error;
use kurrentdb::ClientSettings;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::refused;

/// Where the log is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The connection string: `esdb://user:password@host:2113?tls=false`, or with `kurrentdb://`,
    /// `+discover` and several hosts as the server's documentation has them.
    pub connection_string: SecretString,
    /// What the names of all streams begin with, and a dot, so that several installations can share a
    /// server: letters, digits and `_`; or nothing.
    #[serde(default)]
    pub stream_prefix: String,
    /// How long the server may take to answer, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// The largest append in bytes. The server's own setting `MaxAppendSize` has the same default,
    /// 1 MiB, and must not be smaller.
    #[serde(default = "default_max_append_bytes")]
    pub max_append_bytes: usize,
}

const fn default_timeout_ms() -> u64 {
    5_000
}

const fn default_max_append_bytes() -> usize {
    1 << 20
}

/// What the connection string should say where it says nothing. The client waits for the interval
/// before its first call as well; pauses between attempts are ours. And only the leader knows what was
/// stored last.
const DEFAULTS: [(&str, &str); 2] = [("discoveryInterval", "50"), ("nodePreference", "leader")];

impl Settings {
    /// A server, with the defaults for everything else.
    #[must_use]
    pub fn at(connection_string: impl Into<String>) -> Self {
        Self {
            connection_string: SecretString::from(connection_string.into()),
            stream_prefix: String::new(),
            timeout_ms: default_timeout_ms(),
            max_append_bytes: default_max_append_bytes(),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn client(&self) -> Result<ClientSettings, Error> {
        let mut text = self.connection_string.expose_secret().to_owned();
        for key in parameters(&text) {
            if !PARAMETERS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(key))
            {
                return Err(refused(UnknownParameter(key.to_owned())));
            }
        }
        for (name, value) in DEFAULTS {
            if !parameters(&text).any(|key| key.eq_ignore_ascii_case(name)) {
                text.push(if text.contains('?') { '&' } else { '?' });
                text.push_str(&format!("{name}={value}"));
            }
        }
        let parsed: Result<ClientSettings, _> = text.parse();
        // The client's own error holds the whole text, and with it the password.
        let parsed = parsed.map_err(|_| refused(InvalidConnectionString))?;
        // The client panics where it cannot read some of these.
        if let Some(file) = parsed.tls_ca_file() {
            check_file(file, certificates)?;
        }
        if let Some((certificate, key)) = parsed.user_certificate() {
            check_file(certificate, certificates)?;
            check_file(key, |file| PrivateKeyDer::from_pem_file(file).map(drop))?;
        }
        Ok(parsed)
    }

    pub(crate) fn check_prefix(&self) -> Result<(), Error> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.stream_prefix.chars().all(valid) {
            Ok(())
        } else {
            Err(refused(InvalidPrefix(self.stream_prefix.clone())))
        }
    }
}

fn certificates(file: &str) -> Result<(), pem::Error> {
    let found = CertificateDer::pem_file_iter(file)?;
    found.collect::<Result<Vec<_>, _>>().map(drop)
}

fn check_file(file: &str, read: impl Fn(&str) -> Result<(), pem::Error>) -> Result<(), Error> {
    read(file).map_err(|error| refused(InvalidFile(file.to_owned(), error)))
}

/// The names of the parameters of a connection string.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key))
}

/// What the client understands; anything else it would ignore.
const PARAMETERS: [&str; 13] = [
    "connectionName",
    "defaultDeadline",
    "discoveryInterval",
    "gossipTimeout",
    "keepAliveInterval",
    "keepAliveTimeout",
    "maxDiscoverAttempts",
    "nodePreference",
    "tls",
    "tlsCaFile",
    "tlsVerifyCert",
    "userCertFile",
    "userKeyFile",
];

#[derive(Debug, thiserror::Error)]
#[error(
    "the connection string has a parameter {0:?}, which is unknown; there are {known}",
    known = PARAMETERS.join(", ")
)]
struct UnknownParameter(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "the connection string is not valid; expected esdb://host:2113?tls=false, esdb://user:password@host:2113, \
     or the same with kurrentdb://"
)]
struct InvalidConnectionString;

#[derive(Debug, thiserror::Error)]
#[error(
    "the file {0:?} that the connection string names holds no certificate or key that can be read"
)]
struct InvalidFile(String, #[source] pem::Error);

#[derive(Debug, thiserror::Error)]
#[error("stream_prefix = {0:?} may hold letters, digits and _ only")]
struct InvalidPrefix(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ClientSettings {
        Settings::at(text).client().unwrap()
    }

    #[test]
    fn only_the_connection_string_is_needed() {
        let settings: Settings =
            serde_json::from_str(r#"{"connection_string":"esdb://h?tls=false"}"#).unwrap();
        assert_eq!(
            (settings.timeout_ms, settings.max_append_bytes),
            (5_000, 1 << 20)
        );
        let client = settings.client().unwrap();
        assert!(!client.is_secure_mode_enabled());
        assert_eq!(
            (client.hosts()[0].host.as_str(), client.hosts()[0].port),
            ("h", 2113)
        );
    }

    #[test]
    fn both_names_of_the_server_are_understood() {
        for scheme in ["esdb", "kurrentdb", "esdb+discover", "kurrentdb+discover"] {
            let client = query(&format!("{scheme}://user:hidden@h:2114"));
            assert!(client.is_secure_mode_enabled());
            assert_eq!(
                client.is_dns_discovery_enabled(),
                scheme.ends_with("discover")
            );
        }
        assert_eq!(query("esdb://a:1,b:2,c:3?tls=false").hosts().len(), 3);
    }

    #[test]
    fn what_the_connection_string_leaves_open_is_filled_in() {
        let ms = |text| query(text).discovery_interval().as_millis();
        assert_eq!(ms("esdb://h"), 50);
        assert_eq!(ms("esdb://h?tls=false"), 50);
        assert_eq!(ms("esdb://h?DiscoveryInterval=700&tls=false"), 700);
        let preference = query("esdb://h?nodePreference=follower").node_preference();
        assert_eq!(preference, kurrentdb::NodePreference::Follower);
        assert_eq!(
            query("esdb://h").node_preference(),
            kurrentdb::NodePreference::Leader
        );
    }

    #[test]
    fn unknown_settings_are_refused_by_name() {
        let wrong = r#"{"connection_string":"esdb://h","pool":1}"#;
        let error = serde_json::from_str::<Settings>(wrong).unwrap_err();
        assert!(error.to_string().contains("pool"), "{error}");
    }

    #[test]
    fn unknown_parameters_are_refused_by_name() {
        let settings = Settings::at("esdb://h?tls=false&tlsVerfyCert=false");
        let error = settings.client().unwrap_err();
        let Error::Refused(cause) = error else {
            panic!("{error}")
        };
        assert!(cause.to_string().contains("tlsVerfyCert"), "{cause}");
    }

    #[test]
    fn certificates_that_cannot_be_read_are_refused_by_the_name_of_their_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, broken).unwrap();
        for path in [file.path().to_str().unwrap(), "nowhere.pem"] {
            for parameters in [
                format!("tlsCaFile={path}"),
                format!("userCertFile={path}&userKeyFile=nowhere.key"),
            ] {
                let settings = Settings::at(format!("esdb://h?{parameters}"));
                let Err(Error::Refused(cause)) = settings.client() else {
                    panic!("{path} is taken")
                };
                assert!(cause.to_string().contains(path), "{cause}");
            }
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let settings = Settings::at("esdb://user:hidden@h");
        assert!(!format!("{settings:?}").contains("hidden"));
        for wrong in [
            "esdb://user:hidden@h:port",
            "user:hidden@h",
            "http://user:hidden@h",
        ] {
            let error = Settings::at(wrong).client().unwrap_err();
            let Error::Refused(cause) = error else {
                panic!("{error}")
            };
            assert!(
                !format!("{cause} {cause:?}").contains("hidden"),
                "{cause:?}"
            );
        }
    }

    #[test]
    fn a_prefix_must_be_a_word() {
        let with = |prefix: &str| {
            let mut settings = Settings::at("esdb://h");
            settings.stream_prefix = prefix.to_owned();
            settings.check_prefix()
        };
        assert!(with("").is_ok() && with("staging_2").is_ok());
        for wrong in ["a-b", "a/", "a.", "$a", "a b", "ä"] {
            assert!(matches!(with(wrong), Err(Error::Refused(_))), "{wrong}");
        }
    }
}
