//! A virtual host of its own for each test.

use std::env;
use std::future::Future;
use std::thread;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, Url};
use serde_json::json;
use uuid::Uuid;

/// Where the broker listens; its path, if any, is replaced by the virtual host.
const URL_VARIABLE: &str = "LONGHAUL_TEST_RABBITMQ_URL";
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672";

/// Where its management API listens.
const API_VARIABLE: &str = "LONGHAUL_TEST_RABBITMQ_API_URL";
const DEFAULT_API: &str = "http://guest:guest@127.0.0.1:15672";

/// A virtual host that exists as long as this value.
#[derive(Debug)]
pub struct VirtualHost {
    name: String,
    url: Url,
    api: Url,
}

/// Creates a virtual host with a name of its own.
///
/// # Panics
/// When there is no broker with its management API, saying how to start one.
pub async fn virtual_host() -> VirtualHost {
    match VirtualHost::create().await {
        Ok(created) => created,
        Err(error) => panic!(
            "no RabbitMQ to test with: {error:#}\n\
             Start one with its management API, in one of these ways:\n  \
             cargo xtask test            (brings one, and enables the management plugin where it may)\n  \
             docker run -p 5672:5672 -p 15672:15672 rabbitmq:4-management\n  \
             {URL_VARIABLE}=amqp://… {API_VARIABLE}=http://…    (one that runs elsewhere)"
        ),
    }
}

impl VirtualHost {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The AMQP URL, with user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The version of the broker.
    ///
    /// # Errors
    /// When its management API does not tell.
    pub async fn broker_version(&self) -> Result<String> {
        let told = self.ask(Method::GET, &["overview"], json!({})).await?;
        let told: serde_json::Value = serde_json::from_str(&told)?;
        let version = told["rabbitmq_version"].as_str();
        Ok(version.context("no version")?.to_owned())
    }

    /// Sets a policy for all queues whose names fit a pattern, as an operator may.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub async fn set_policy(&self, name: &str, pattern: &str, definition: serde_json::Value) {
        let body = json!({
            "pattern": pattern,
            "definition": definition,
            "apply-to": "queues",
        });
        let path = ["policies", &self.name, name];
        if let Err(error) = self.ask(Method::PUT, &path, body).await {
            panic!("the policy is not set: {error:#}");
        }
    }

    async fn create() -> Result<Self> {
        // Names in order of creation show which run left one behind.
        let name = format!("longhaul-test-{}", Uuid::now_v7().simple());
        let mut url = setting(URL_VARIABLE, DEFAULT_URL)?;
        let api = setting(API_VARIABLE, DEFAULT_API)?;
        url.set_path(&name);
        let created = Self { name, url, api };
        created
            .ask(Method::PUT, &["vhosts", &created.name], json!({}))
            .await?;
        let user = match created.url.username() {
            "" => "guest",
            user => user,
        };
        let everything = json!({"configure": ".*", "write": ".*", "read": ".*"});
        created
            .ask(
                Method::PUT,
                &["permissions", &created.name, user],
                everything,
            )
            .await?;
        Ok(created)
    }

    async fn ask(&self, method: Method, path: &[&str], body: serde_json::Value) -> Result<String> {
        let mut url = self.api.clone();
        // The client sends user and password of the URL as basic authentication.
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{API_VARIABLE} is no http URL"))?
            .pop_if_empty()
            .push("api")
            .extend(path);
        let answer = Client::new()
            .request(method, url)
            .json(&body)
            .send()
            .await
            .context("the management API does not answer")?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        ensure!(
            status.is_success(),
            "the management API answers {status}: {text}"
        );
        Ok(text)
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        // A thread with a runtime of its own, because the test's runtime may be shutting down; a
        // virtual host that is left behind is no reason to fail a test that has passed.
        thread::scope(|scope| {
            scope.spawn(|| block_on(self.ask(Method::DELETE, &["vhosts", &self.name], json!({}))));
        });
    }
}

fn setting(variable: &str, default: &str) -> Result<Url> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    Url::parse(&text).with_context(|| format!("{variable} is no URL"))
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
