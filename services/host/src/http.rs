//! What every service answers over HTTP: whether it is well, and what a person may do about it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use event_store::EventStore;
use message_bus::MessageBus;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use crate::access::{self, Access};
use crate::directory::Directory;
use crate::settings::Http;
use crate::{Problem, limits, parked, streams};

/// How long a server may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is served before the store is open, and what is served from then on.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<OnceLock<Router>>);

impl Gate {
    /// Serves the routes of the services from here on.
    pub(crate) fn open(&self, routes: Router) {
        let _ = self.0.set(routes);
    }

    /// Answers that the process lives, until it is opened.
    pub(crate) fn router(&self) -> Router {
        let gate = self.clone();
        Router::new().fallback(async move |request: Request| match gate.0.get() {
            Some(routes) => match routes.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None if request.uri().path() == LIVE => live().await.into_response(),
            None => Problem::unavailable("the event store does not answer yet").into_response(),
        })
    }
}

const LIVE: &str = "/health/live";

/// Whether this is asked of everybody's health, which everybody may ask at any time.
pub(crate) fn is_health(path: &str) -> bool {
    path.starts_with("/health/")
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

struct Shared {
    store: Arc<dyn EventStore>,
    bus: Arc<dyn MessageBus>,
    directory: Arc<Directory>,
}

/// Adds health, what is parked, and the streams, to the routes of the services that are hosted
/// here; lets in who may come, within the bounds of the settings; and answers whatever none of them knows.
pub(crate) fn router(
    services: Router,
    store: Arc<dyn EventStore>,
    bus: Arc<dyn MessageBus>,
    directory: Directory,
    settings: &Http,
    access: Access,
) -> Router {
    let directory = Arc::new(directory);
    let shared = Arc::new(Shared {
        store,
        bus,
        directory: directory.clone(),
    });
    let routes = Router::new()
        .route(LIVE, get(live))
        .route("/health/ready", get(ready))
        .with_state(shared)
        .merge(parked::router(directory.clone()))
        .merge(streams::router(directory))
        .merge(services)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take requests of this method",
            )
        });
    limits::before(routes, settings)
        // Before the limits: whoever may not come in takes nobody's place.
        .layer(middleware::from_fn_with_state(access, access::guard))
        .layer(CatchPanicLayer::custom(|_| {
            let detail = "this request has met a fault of the program, which is in its log";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let store = async {
        timeout(PATIENCE, shared.store.ping())
            .await
            .is_ok_and(|answer| answer.is_ok())
    };
    let bus = async {
        timeout(PATIENCE, shared.bus.ping())
            .await
            .is_ok_and(|answer| answer.is_ok())
    };
    match tokio::join!(store, bus) {
        (true, true) => match shared.directory.blocked() {
            None => Ok(Json(json!({ "status": "ready" }))),
            Some(service) => Err(Problem::unavailable(format!(
                "the event store answers, but does not take what {service} decides"
            ))),
        },
        (false, true) => Err(Problem::unavailable("the event store does not answer")),
        (true, false) => Err(Problem::unavailable("the message bus does not answer")),
        (false, false) => Err(Problem::unavailable(
            "the event store and the message bus do not answer",
        )),
    }
}
