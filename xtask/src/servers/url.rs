//! The little of a URL that the probes need.

use anyhow::{Context, Result, ensure};

/// The parts of `scheme://user:password@host:port/…`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
    /// What follows the slash, up to the question mark.
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
}

impl Url {
    /// Parses a URL with a host. `ports` are the schemes that it may have, with their ports.
    pub(super) fn parse(text: &str, ports: &[(&str, u16)]) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").context("it has no `://`")?;
        let (_, standard_port) = ports
            .iter()
            .find(|(known, _)| *known == scheme)
            .with_context(|| format!("`{scheme}` is not a scheme that is known here"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            Some(Ok((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
            Some(Err(user)) => (Some(decoded(user)?), None),
            None => (None, None),
        };
        // An IPv6 address is in brackets, and its colons come before the closing one.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().context("its port is not a number")?)
            }
            _ => (address, *standard_port),
        };
        ensure!(!host.is_empty(), "it names no host");
        Ok(Self {
            scheme: scheme.to_owned(),
            user,
            password,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path: decoded(path)?,
            query: query.to_owned(),
        })
    }

    /// Its address, for a person: without the password.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest.get(..2).and_then(|two| str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.context("a `%` in it is not followed by two hexadecimal digits")?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).context("it is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: &[(&str, u16)] = &[("postgres", 5432), ("amqp", 5672)];

    #[test]
    fn every_part_is_read() {
        let url = Url::parse("postgres://me:p%40ss@db.example:6000/books?a=b", PORTS).unwrap();
        assert_eq!(
            url,
            Url {
                scheme: "postgres".into(),
                user: Some("me".into()),
                password: Some("p@ss".into()),
                host: "db.example".into(),
                port: 6000,
                path: "books".into(),
                query: "a=b".into(),
            }
        );
    }

    #[test]
    fn what_is_left_out_has_its_standard_value() {
        let url = Url::parse("amqp://[::1]/%2f", PORTS).unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 5672));
        assert_eq!((url.user, url.password), (None, None));
        assert_eq!(url.path, "/");
        let url = Url::parse("postgres://me@localhost", PORTS).unwrap();
        assert_eq!((url.user, url.password), (Some("me".into()), None));
        assert_eq!((url.port, url.path.as_str()), (5432, ""));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, reason) in [
            ("localhost:5432", "`://`"),
            ("mysql://localhost", "mysql"),
            ("postgres:///books", "no host"),
            ("amqp://localhost:rabbit", "port"),
            ("amqp://a%zz@localhost", "hexadecimal"),
        ] {
            let error = Url::parse(text, PORTS).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
