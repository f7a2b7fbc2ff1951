//! The suite in the test's own process, over a store and bus of the test's choice.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use event_store::EventStore;
use host::{Base, Hosted, Settings, Start};
use message_bus_embedded::{EmbeddedBus, Intervals};
use runtime::{Environment, Inbox};
use serde_json::Value;
use testkit::ShiftedClock;
use tower::ServiceExt;

use crate::binaries::variable;

/// When the clocks of these tests begin: half a day before the evening on which a collection tomorrow
/// is to be booked, everywhere in Europe.
pub const BEGINNING: &str = "2024-05-26T10:00:00Z";

/// The four services. Dropping it ends them as `kill -9` does: at once, wherever they are.
pub struct Suite {
    hosted: Vec<Hosted>,
}

/// The settings of these tests: carriers that answer soon.
///
/// # Panics
/// When the settings that are compiled in do not fit.
#[must_use]
pub fn settings() -> Settings {
    settings_with(&[])
}

/// The same, with these (`carrier_stub.delay_ms`, …) laid over them.
///
/// # Panics
/// When they do not fit.
#[must_use]
pub fn settings_with(more: &[(&str, &str)]) -> Settings {
    let environment = [
        ("LONGHAUL__CARRIER_STUB__DELAY_MS", "2"),
        ("LONGHAUL__CARRIER_STUB__BOOKS_LATE_AFTER_MS", "100"),
        ("LONGHAUL__RUNTIME__POLL_INTERVAL_MS", "50"),
    ];
    let more = more.iter().map(|(k, v)| (variable(k), (*v).to_owned()));
    let environment = environment.map(|(k, v)| (k.to_owned(), v.to_owned()));
    let environment = environment.into_iter().chain(more).collect();
    Settings::layered(Base::AllInOne, None, environment).expect("the settings fit")
}

/// The embedded bus of the suite over this store.
#[must_use]
pub fn embedded_bus(store: Arc<dyn EventStore>, settings: &Settings) -> EmbeddedBus {
    let intervals = Intervals {
        poll: Duration::from_millis(settings.runtime.poll_interval_ms),
        checkpoint: Duration::from_millis(settings.runtime.checkpoint_interval_ms),
    };
    EmbeddedBus::new(store, contracts::shipment_suite(), intervals)
}

/// What services run on that are all in one process, over this store.
///
/// # Panics
/// Never: the beginning is a time.
#[must_use]
pub fn embedded(store: &Arc<dyn EventStore>, settings: &Settings) -> Environment {
    let begin = BEGINNING.parse().expect("a timestamp");
    Environment {
        store: store.clone(),
        indexes: store.clone(),
        bus: Arc::new(embedded_bus(store.clone(), settings)),
        clock: Arc::new(ShiftedClock::beginning_at(begin)),
        settings: settings.runtime.clone(),
    }
}

impl Suite {
    /// Starts the services over this store, on the embedded bus.
    pub fn embedded(store: Arc<dyn EventStore>) -> Self {
        let settings = settings();
        Self::start(&embedded(&store, &settings), &settings)
    }

    /// Starts the services.
    ///
    /// # Panics
    /// When a service does not start.
    pub fn start(environment: &Environment, settings: &Settings) -> Self {
        Self::start_some(environment, settings, &longhaul::SERVICES)
    }

    /// Starts some of the services, shipment-process first.
    ///
    /// # Panics
    /// When a service does not start.
    pub fn start_some(environment: &Environment, settings: &Settings, services: &[Start]) -> Self {
        let start = |start: &Start| start(settings, environment).expect("the service starts");
        Self {
            hosted: services.iter().map(start).collect(),
        }
    }

    /// Sends a request to the HTTP API; the answer's status and JSON.
    ///
    /// # Panics
    /// When there is no answer, or it is not JSON.
    pub async fn request(&self, method: &str, path: &str) -> (u16, Value) {
        self.send(method, path, None).await
    }

    /// Sends a request with a body to the HTTP API; the answer's status and JSON.
    ///
    /// # Panics
    /// When there is no answer, or it is not JSON.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_once(None, method, path, body).await
    }

    /// Sends a request that has an effect once, however often it is sent under this idempotency key.
    ///
    /// # Panics
    /// When there is no answer, or it is not JSON.
    pub async fn send_once(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request =
            request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        let answer = self
            .routes()
            .oneshot(request.expect("a request"))
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    /// What shipment-process answers over HTTP.
    pub fn routes(&self) -> Router {
        self.hosted[0].routes.clone()
    }

    /// Where inputs of shipment-process are handed in.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.hosted[0].inbox
    }

    /// Starts the demonstration of an id.
    ///
    /// # Panics
    /// When that is not accepted.
    pub async fn post(&self, id: &str) {
        let (status, body) = self.request("POST", &format!("/{id}")).await;
        assert_eq!(status, 202, "{id}: {body}");
    }

    /// Waits until the process of an id has this status.
    ///
    /// # Panics
    /// When it does not get there in time.
    pub async fn wait_for(&self, id: &str, status: &str) {
        let there = |outcome: &Value| outcome["status"] == status;
        self.wait_until(id, status, there).await;
    }

    /// Waits until the outcome of an id is as it must be, and answers it.
    ///
    /// # Panics
    /// When it does not get there in time.
    pub async fn wait_until(&self, id: &str, what: &str, there: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let arrives = async {
            loop {
                last = self.request("GET", &format!("/{id}")).await.1;
                if there(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), arrives)
            .await
            .is_err()
        {
            panic!("{id} does not become {what}: {last:#}");
        }
        last
    }

    /// Stops the services one after another, letting each finish what it has taken in.
    pub async fn stop(self) {
        for hosted in self.hosted {
            drop((hosted.inbox, hosted.routes));
            hosted.service.stop().await;
        }
    }
}
