//! What a user does over HTTP: starts shipments, and looks what has become of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::binaries::{eventually, http_client};
use crate::examples;

/// A user of shipment-process, who knows all addresses at which it may be found.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    addresses: Vec<String>,
    patience: Patience,
    accepted: Arc<Mutex<Vec<String>>>,
    unanswered: Arc<AtomicUsize>,
}

/// How long a user waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the answer to one request.
    pub request: Duration,
    /// Before what was not answered is tried again.
    pub pause: Duration,
    /// For the acceptance of a shipment, over all tries.
    pub acceptance: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(20),
            pause: Duration::ZERO,
            acceptance: Duration::from_secs(50),
        }
    }
}

impl Client {
    /// A user who asks these addresses, each without a slash at its end: for each shipment another one
    /// first, and where it does not answer, the next.
    ///
    /// # Panics
    /// When the client cannot be set up.
    #[must_use]
    pub fn of(addresses: &[String]) -> Self {
        Self::with_patience(addresses, Patience::default())
    }

    /// The same, with a patience of one's own.
    ///
    /// # Panics
    /// When the client cannot be set up.
    #[must_use]
    pub fn with_patience(addresses: &[String], patience: Patience) -> Self {
        Self {
            http: http_client(patience.request),
            addresses: addresses.to_vec(),
            patience,
            accepted: Arc::default(),
            unanswered: Arc::default(),
        }
    }

    /// How many requests were not answered, or with `503`, up to now; each was tried again.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
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
        let starts = ids.iter().enumerate();
        join_all(starts.map(|(nth, id)| self.start(id, nth))).await;
    }

    /// Starts the demonstration of one, at the `nth` address first; tries again at the next, with the
    /// same id, where nobody answers.
    ///
    /// # Panics
    /// When it is not accepted in time, or refused.
    pub async fn start(&self, id: &str, nth: usize) {
        self.start_from(id, None, nth).await;
    }

    /// The same from this body, where there is one.
    ///
    /// # Panics
    /// When it is not accepted in time, or refused.
    pub async fn start_from(&self, id: &str, body: Option<&Value>, nth: usize) {
        self.start_again(id, body, nth).await;
        self.accepted.lock().unwrap().push(id.to_owned());
    }

    /// The same for one that was accepted before, as by a user who has lost the answer.
    ///
    /// # Panics
    /// When it is not accepted in time, or refused.
    pub async fn start_again(&self, id: &str, body: Option<&Value>, nth: usize) {
        let path = match body {
            Some(_) => "/shipments".to_owned(),
            None => format!("/{id}"),
        };
        self.post(id, &path, body, StatusCode::ACCEPTED, nth).await;
    }

    /// Cancels one.
    ///
    /// # Panics
    /// When that is not done in time, or refused.
    pub async fn cancel(&self, id: &str, nth: usize) {
        let path = format!("/shipments/{id}/cancel");
        self.post(id, &path, None, StatusCode::OK, nth).await;
    }

    /// Sends the same until it is answered.
    async fn post(
        &self,
        id: &str,
        path: &str,
        body: Option<&Value>,
        answer: StatusCode,
        mut nth: usize,
    ) {
        let what = format!("POST {path} for {id} is answered");
        eventually(&what, self.patience.acceptance, async || {
            let url = format!("{}{path}", self.addresses[nth % self.addresses.len()]);
            nth += 1;
            let mut request = self.http.post(url).header("idempotency-key", "once");
            if let Some(body) = body {
                request = request.json(body);
            }
            if answered(id, request, answer).await {
                return Some(());
            }
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.patience.pause).await;
            None
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

/// Whether there was this answer; any other but one that asks for patience is a fault.
async fn answered(id: &str, request: RequestBuilder, expected: StatusCode) -> bool {
    let Ok(answer) = request.send().await else {
        return false;
    };
    match answer.status() {
        status if status == expected => true,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => false,
        other => panic!("{id}: {other}: {}", answer.text().await.unwrap_or_default()),
    }
}
