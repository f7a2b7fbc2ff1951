//! The client that sends all requests.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client};

use crate::arguments::{Arguments, Token};

/// A client that sends the token, and trusts the certificates, that the command line names.
///
/// # Errors
/// For a token that no header can have, and a file that has no certificates.
pub(crate) fn build(arguments: &Arguments) -> anyhow::Result<Client> {
    let mut client = Client::builder()
        .timeout(Duration::from_secs(arguments.request_timeout_s))
        // A proxy from the environment would be measured too, and a redirect would be followed to another address.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    if let Some(token) = &arguments.token {
        client = client.default_headers(bearer(token)?);
    }
    if let Some(path) = &arguments.ca_certificate {
        let trusted = certificates(path);
        client = client.tls_certs_only(trusted.with_context(|| {
            format!(
                "cannot use the certificates in {} (--ca-certificate)",
                path.display()
            )
        })?);
    } else if arguments.url.starts_with("http://") {
        // Nothing has to be trusted, so it does not matter whether the platform trusts anybody.
        client = client.tls_certs_only([]);
    }
    client.build().context("cannot set up the HTTP client")
}

fn bearer(token: &Token) -> anyhow::Result<HeaderMap> {
    let value = format!("Bearer {}", token.0);
    let mut value = HeaderValue::try_from(value).context("the token cannot be sent in a header")?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let certificates = Certificate::from_pem_bundle(&fs::read(path)?)?;
    anyhow::ensure!(!certificates.is_empty(), "it has no certificate in PEM");
    Ok(certificates)
}
