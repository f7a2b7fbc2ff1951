//! What a user does over HTTP: starts shipments, and looks what has become of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;

use crate::binaries::eventually;
use crate::examples;

/// A user of shipment-process, who knows all addresses at which it may be found.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    addresses: Vec<String>,
    accepted: Arc<Mutex<Vec<String>>>,
}

impl Client {
    /// A user who asks these addresses, each without a slash at its end: for each shipment another one
    /// first, and where it does not answer, the next.
    ///
    /// # Panics
    /// When the client cannot be set up.
    #[must_use]
    pub fn of(addresses: &[String]) -> Self {
        Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            addresses: addresses.to_vec(),
            accepted: Arc::default(),
        }
    }

    /// The shipments whose start was answered with `202`, up to now.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn accepted(&self) -> Vec<String> {
        self.accepted.lock().unwrap().clone()
    }

    /// Starts the demonstration of each, side by side; tries again where nobody answers.
    ///
    /// # Panics
    /// When one is not accepted in time, or refused.
    pub async fn start_all(&self, ids: &[String]) {
        join_all(ids.iter().enumerate().map(|(nth, id)| self.start(id, nth))).await;
    }

    async fn start(&self, id: &str, mut nth: usize) {
        let limit = Duration::from_secs(50);
        eventually(&format!("{id} is accepted"), limit, async || {
            let address = &self.addresses[nth % self.addresses.len()];
            nth += 1;
            let answer = self
                .http
                .post(format!("{address}/{id}"))
                .send()
                .await
                .ok()?;
            match answer.status() {
                StatusCode::ACCEPTED => {
                    self.accepted.lock().unwrap().push(id.to_owned());
                    Some(())
                }
                StatusCode::SERVICE_UNAVAILABLE => None,
                other => panic!("{id}: {other}: {}", answer.text().await.unwrap()),
            }
        })
        .await;
    }

    /// The outcome of a shipment; `None` when nobody answers, or nobody knows it.
    pub async fn outcome(&self, id: &str) -> Option<Value> {
        for address in &self.addresses {
            let url = format!("{address}/shipments/{id}");
            if let Ok(answer) = self.http.get(url).send().await
                && answer.status().is_success()
            {
                return answer.json().await.ok();
            }
        }
        None
    }

    /// Waits until each shipment has the status in which it must end; answers the outcomes, in order.
    ///
    /// # Panics
    /// When one has not in time.
    pub async fn finished(&self, ids: &[String], limit: Duration) -> Vec<Value> {
        let mut last = Value::Null;
        let mut outcomes = Vec::new();
        for id in ids {
            let what = format!("{id} ends");
            let outcome = eventually(&what, limit, async || {
                last = self.outcome(id).await?;
                (last["status"] == examples::final_status(id)).then(|| last.clone())
            });
            outcomes.push(outcome.await);
        }
        outcomes
    }
}
