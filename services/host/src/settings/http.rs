//! How HTTP is served: where, to whom, and within which bounds.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::ensure;
use contracts::Actor;
use serde::Deserialize;

use super::choices::choices;
use crate::token::TokenHash;

/// HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on.
    pub host: IpAddr,
    /// The largest body that is read.
    pub body_limit_bytes: usize,
    /// How long a request may wait until what it asks is durable.
    pub request_timeout_ms: u64,
    /// How many requests may be under way at once, those for health not counted.
    pub max_requests: u32,
    /// How long a client may take to send the head of a request, and how long to send its body.
    pub receive_timeout_ms: u64,
    /// How long a request may take, whatever it waits for.
    pub longest_request_ms: u64,
    /// Who may come in.
    #[serde(default)]
    pub tokens: Tokens,
    /// With which certificate HTTPS is spoken; without one, HTTP is.
    pub tls: Option<Tls>,
}

/// A certificate and its key, each in a PEM file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and behind it those that lead to one that clients trust.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// The tokens, each by the name of whoever holds it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Token>")]
pub struct Tokens(pub(crate) BTreeMap<Actor, Token>);

/// What is known of a token: never the token itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What it allows.
    pub role: Role,
    /// Its SHA-256.
    pub sha256: TokenHash,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Role {
    /// To look.
    Read,
    /// Everything.
    Operate,
}

choices! { Role: "read" => Read, "operate" => Operate }

impl TryFrom<BTreeMap<String, Token>> for Tokens {
    type Error = String;

    fn try_from(named: BTreeMap<String, Token>) -> Result<Self, Self::Error> {
        let mut tokens: BTreeMap<Actor, Token> = BTreeMap::new();
        for (name, token) in named {
            let same = |(_, other): &(_, &Token)| token.sha256.is(&other.sha256);
            if let Some((other, _)) = tokens.iter().find(same) {
                // Nobody could tell which of the two has asked.
                return Err(format!("{name} and {other} have the same token"));
            }
            let name = Actor::parse(name.clone())
                .map_err(|error| format!("{name:?} is no name: {error}"))?;
            tokens.insert(name, token);
        }
        Ok(Self(tokens))
    }
}

impl Http {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let positive = [
            ("request_timeout_ms", self.request_timeout_ms),
            ("max_requests", u64::from(self.max_requests)),
            ("receive_timeout_ms", self.receive_timeout_ms),
        ];
        for (key, value) in positive {
            ensure!(value > 0, "http.{key} is 0, but must be at least 1");
        }
        let (longest, durable) = (self.longest_request_ms, self.request_timeout_ms);
        ensure!(
            longest >= durable,
            "http.longest_request_ms is {longest}, but must be at least http.request_timeout_ms, which is \
             {durable}"
        );
        Ok(())
    }
}
