//! The HTTP API, as the commands ask it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Certificate, Method, Url};
use serde_json::Value;

/// How a service is reached.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// The service that is asked
    #[arg(long, env = "LONGHAUL_URL", default_value = "http://127.0.0.1:43210")]
    url: Url,
    /// The token that lets in whoever asks
    #[arg(long, env = "LONGHAUL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Who asks, where the service lets in everybody: recorded with what it leads to
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// A PEM file with the authority that has issued the service's certificate
    #[arg(long, env = "LONGHAUL_CA_CERTIFICATE", value_name = "FILE")]
    ca_certificate: Option<PathBuf>,
    /// A key under which the same request can be sent again, and is done once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Asks, and prints the answer.
    ///
    /// # Errors
    /// When the service is not reached, or refuses: then with its reason.
    #[expect(clippy::print_stdout, reason = "this is what the commands are for")]
    pub(crate) async fn show(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> anyhow::Result<()> {
        let answer = self.ask(method, path, query, body).await?;
        println!("{answer:#}");
        Ok(())
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut url = self.url.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            bail!("{} is no address of a service", self.url);
        };
        segments.pop_if_empty().extend(path);
        drop(segments);
        let mut request = self.http()?.request(method, url).query(query);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(actor) = &self.actor {
            request = request.header("x-longhaul-actor", actor);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{} does not answer (--url)", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer breaks off")?;
        let content: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            return Ok(content);
        }
        let mut problem = match &content["detail"] {
            Value::String(detail) => format!("{status}: {detail}"),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => format!("{status}: {content}"),
        };
        for error in content["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| error[name].as_str().unwrap_or_default();
            problem.push_str(&format!("\n  {}: {}", text("field"), text("detail")));
        }
        bail!(problem)
    }

    fn http(&self) -> anyhow::Result<reqwest::Client> {
        let mut http = reqwest::Client::builder().timeout(PATIENCE);
        if let Some(path) = &self.ca_certificate {
            let name = path.display();
            let pem = std::fs::read(path)
                .with_context(|| format!("cannot read {name} (--ca-certificate)"))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{name} holds no certificate (--ca-certificate)"))?;
            http = http.tls_certs_only(authorities);
        }
        http.build().context("cannot set up HTTP")
    }
}
