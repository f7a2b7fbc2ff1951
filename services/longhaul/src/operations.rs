//! What people ask of shipments, and of what is parked: a command each, over HTTP.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;

/// A shipment, and how its service is reached.
#[derive(Debug, Args)]
pub(crate) struct OfShipment {
    /// The shipment's id
    #[arg(value_name = "SHIPMENT")]
    id: String,
    #[command(flatten)]
    client: Client,
}

impl OfShipment {
    async fn ask(&self, method: Method, what: &[&str], body: Option<Value>) -> anyhow::Result<()> {
        let path = [&["shipments", &self.id], what].concat();
        self.client.show(method, &path, &[], body).await
    }

    /// Shows what has become of it.
    pub(crate) async fn show(&self) -> anyhow::Result<()> {
        self.ask(Method::GET, &[], None).await
    }

    /// Has the step at which it failed tried again.
    pub(crate) async fn retry(&self) -> anyhow::Result<()> {
        self.ask(Method::POST, &["retry"], Some(json!({}))).await
    }

    /// Has its documents generated again.
    pub(crate) async fn documents(&self) -> anyhow::Result<()> {
        self.ask(Method::POST, &["documents"], Some(json!({})))
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    shipment: OfShipment,
    /// Why; recorded with the cancellation
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Cancel {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let body = json!({ "reason": self.reason });
        self.shipment
            .ask(Method::POST, &["cancel"], Some(body))
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Settle {
    #[command(flatten)]
    shipment: OfShipment,
    /// What was done about it; recorded with the settlement
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Settle {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let body = json!({ "reason": self.reason });
        self.shipment
            .ask(Method::POST, &["settle"], Some(body))
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Amend {
    #[command(flatten)]
    shipment: OfShipment,
    /// A JSON file with the list of legs, as in the body that starts a shipment; - for standard input
    #[arg(long, value_name = "FILE")]
    legs: PathBuf,
}

impl Amend {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let name = self.legs.display();
        let text = read(&self.legs).with_context(|| format!("cannot read {name} (--legs)"))?;
        let legs: Value =
            serde_json::from_str(&text).with_context(|| format!("{name} is not JSON (--legs)"))?;
        let body = json!({ "legs": legs });
        self.shipment.ask(Method::PUT, &["legs"], Some(body)).await
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

#[derive(Debug, Args)]
pub(crate) struct Rebook {
    #[command(flatten)]
    shipment: OfShipment,
    /// Another day than the one so far, as 2024-05-27
    #[arg(long, value_name = "DATE")]
    collection_date: Option<String>,
}

impl Rebook {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let body = json!({ "collectionDate": self.collection_date });
        self.shipment
            .ask(Method::POST, &["rebook"], Some(body))
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// The shipment's id
    #[arg(value_name = "SHIPMENT")]
    id: String,
    /// The category and version to go on under, as domestic-1.0
    #[arg(value_name = "CATEGORY")]
    category: String,
    /// Only say what would happen, and why it could not
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    client: Client,
}

impl Switch {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let path = ["shipments", &self.id, "category"];
        let query: &[_] = if self.dry_run {
            &[("dryRun", "true")]
        } else {
            &[]
        };
        let body = json!({ "processCategory": self.category });
        self.client
            .show(Method::PUT, &path, query, Some(body))
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The stream, as 12EEQ9CS9K10-Process
    stream: String,
    /// Leave out what is the service's own bookkeeping
    #[arg(long)]
    public: bool,
    #[command(flatten)]
    client: Client,
}

impl History {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let query: &[_] = if self.public {
            &[("visibility", "public")]
        } else {
            &[]
        };
        let path = ["streams", &self.stream];
        self.client.show(Method::GET, &path, query, None).await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Parked {
    /// Only what is parked at this service, as shipment-process
    service: Option<String>,
    /// All that waits in this instance of it, which is the shipment's id
    #[arg(requires = "service")]
    instance: Option<String>,
    #[command(flatten)]
    client: Client,
}

impl Parked {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let (path, query) = match (&self.service, &self.instance) {
            (Some(service), Some(instance)) => (vec!["parked", service, instance], vec![]),
            (Some(service), None) => (vec!["parked"], vec![("service", service.as_str())]),
            (None, _) => (vec!["parked"], vec![]),
        };
        self.client.show(Method::GET, &path, &query, None).await
    }
}

/// An instance of a service, and how that is reached.
#[derive(Debug, Args)]
pub(crate) struct OfInstance {
    /// The service, as shipment-process
    service: String,
    /// The instance, which is the shipment's id
    instance: String,
    #[command(flatten)]
    client: Client,
}

impl OfInstance {
    /// Has what is parked tried again, in order.
    pub(crate) async fn redrive(&self) -> anyhow::Result<()> {
        self.ask("redrive", json!({})).await
    }

    async fn ask(&self, what: &str, body: Value) -> anyhow::Result<()> {
        let path = ["parked", &self.service, &self.instance, what];
        self.client.show(Method::POST, &path, &[], Some(body)).await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    instance: OfInstance,
    /// The id of the first parked input, which is given up
    #[arg(long, value_name = "ID")]
    input: String,
}

impl Discard {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let body = json!({ "inputId": self.input });
        self.instance.ask("discard", body).await
    }
}
