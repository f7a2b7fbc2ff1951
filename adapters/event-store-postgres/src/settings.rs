//! Where the database is, and how it is used.

use std::fs::File;
use std::time::Duration;

use event_store::Error;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// How the log is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `postgres://user:password@host:port/database`, with the parameters that libpq knows.
    pub url: SecretString,
    /// The most connections at once. Appends of one partition wait for each other anyway; a few are
    /// enough.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
    /// How long any call may take, in milliseconds; then it is unavailable.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

fn default_max_connections() -> u32 {
    4
}

fn default_timeout_ms() -> u64 {
    10_000
}

impl Settings {
    /// The defaults for a database.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            max_connections: default_max_connections(),
            timeout_ms: default_timeout_ms(),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// sqlx reads the files when it connects, and does not say which of them it cannot read.
    fn check_files(&self) -> Result<(), Error> {
        let url = Url::parse(self.url.expose_secret()).map_err(|_| Error::Refused(NoUrl.into()))?;
        for (parameter, value) in url.query_pairs() {
            // What is not the path of a file is the certificate itself.
            if FILES.contains(&&*parameter) && !value.starts_with("-----BEGIN") {
                File::open(&*value).map_err(|source| {
                    Error::Refused(
                        NoFile {
                            parameter: parameter.to_string(),
                            path: value.to_string(),
                            source,
                        }
                        .into(),
                    )
                })?;
            }
        }
        Ok(())
    }

    pub(crate) fn options(&self) -> Result<PgConnectOptions, Error> {
        let schemes = ["postgres://", "postgresql://"];
        if !schemes
            .iter()
            .any(|scheme| self.url.expose_secret().starts_with(scheme))
        {
            return Err(Error::Refused(NoUrl.into()));
        }
        self.check_files()?;
        let options: PgConnectOptions = self
            .url
            .expose_secret()
            .parse()
            .map_err(|error: sqlx::Error| Error::Refused(error.into()))?;
        Ok(match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("longhaul"),
        })
    }
}

/// The parameters that name files, with the other names that sqlx knows them by.
const FILES: [&str; 7] = [
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
];

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path} ({parameter} in the url)")]
struct NoFile {
    parameter: String,
    path: String,
    source: std::io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("the url is not valid; expected postgres://user:password@host:5432/database")]
struct NoUrl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_url_is_needed() {
        let settings: Settings = serde_json::from_str(r#"{"url":"postgres://h/d"}"#).unwrap();
        assert_eq!((settings.max_connections, settings.timeout_ms), (4, 10_000));
        assert_eq!(settings.options().unwrap().get_host(), "h");
    }

    #[test]
    fn unknown_settings_are_refused_by_name() {
        let wrong = r#"{"url":"postgres://h/d","pool":1}"#;
        let error = serde_json::from_str::<Settings>(wrong).unwrap_err();
        assert!(error.to_string().contains("pool"), "{error}");
    }

    #[test]
    fn the_password_is_not_shown() {
        let settings = Settings::at("postgres://user:hidden@h/d");
        assert!(!format!("{settings:?}").contains("hidden"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused_by_its_name() {
        for parameter in ["sslrootcert", "sslcert", "sslkey"] {
            let settings =
                Settings::at(format!("postgres://me:hush@h/d?{parameter}=/nowhere/x.pem"));
            let Error::Refused(cause) = settings.options().unwrap_err() else {
                panic!("it is refused")
            };
            let said = cause.to_string();
            assert_eq!(
                said,
                format!("cannot read /nowhere/x.pem ({parameter} in the url)")
            );
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused() {
        for wrong in ["nowhere", "http://h/d", "postgres//h"] {
            let options = Settings::at(wrong).options();
            assert!(matches!(options, Err(Error::Refused(_))), "{wrong}");
        }
    }
}
