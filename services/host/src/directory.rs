//! The services that are hosted here, by name, for those who look after them over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use event_store::{Entry, Error, EventStore, StreamKind, StreamName};
use runtime::{Failure, Handled, Health, Inbox, Input, ParkedInstances, Service};
use tokio::time::timeout;

use crate::Problem;

/// What is known of one of them.
pub(crate) struct Listed {
    inbox: Inbox,
    pub(crate) kind: StreamKind,
    pub(crate) parked: ParkedInstances,
    health: Health,
}

/// The services that are hosted here.
pub(crate) struct Directory {
    store: Arc<dyn EventStore>,
    services: BTreeMap<String, Listed>,
    /// How long a request may wait.
    patience: Duration,
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn EventStore>, patience: Duration) -> Self {
        Self {
            store,
            services: BTreeMap::new(),
            patience,
        }
    }

    pub(crate) fn add(&mut self, service: &Service, inbox: Inbox) {
        let listed = Listed {
            inbox,
            kind: service.kind().clone(),
            parked: service.parked(),
            health: service.health(),
        };
        self.services.insert(service.name().to_string(), listed);
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Listed)> {
        self.services
            .iter()
            .map(|(name, listed)| (name.as_str(), listed))
    }

    /// A service that does not get on: the store does not take what it decides.
    pub(crate) fn blocked(&self) -> Option<&str> {
        let mut all = self.all();
        let blocked = all.find(|(_, listed)| listed.health.is_blocked());
        blocked.map(|(name, _)| name)
    }

    /// The service of this name.
    ///
    /// # Errors
    /// A problem that names those there are.
    pub(crate) fn service(&self, name: &str) -> Result<&Listed, Problem> {
        self.services.get(name).ok_or_else(|| {
            let known: Vec<_> = self.services.keys().map(String::as_str).collect();
            let known = known.join(", ");
            not_found(format!("there is no service {name} here, but {known}"))
        })
    }

    /// The stream of an instance, whole; empty where there is none.
    pub(crate) async fn stream(&self, stream: &StreamName) -> Result<Vec<Entry>, Problem> {
        let read = self.store.read_streams(std::slice::from_ref(stream));
        let away = || Problem::unavailable("the event store does not answer");
        match timeout(self.patience, read).await {
            Err(_) | Ok(Err(Error::Unavailable(_))) => Err(away()),
            Ok(Ok(streams)) => Ok(streams.into_iter().next().unwrap_or_default()),
            // The store can have no stream of this name.
            Ok(Err(Error::Refused(_))) => Ok(Vec::new()),
            Ok(Err(error @ Error::Corrupt(_))) => Err(internal(error.to_string())),
        }
    }

    /// Hands in what a person wants of a service.
    pub(crate) async fn submit(&self, service: &Listed, input: Input) -> Result<Handled, Problem> {
        match timeout(self.patience, service.inbox.submit_one(input)).await {
            Err(_) => Err(Problem::unavailable(
                "it is not known yet whether this is done; look, and ask again",
            )),
            Ok(Ok(handled)) => Ok(handled),
            Ok(Err(failure @ (Failure::Stopped | Failure::Contended))) => {
                Err(Problem::unavailable(failure.to_string()))
            }
            Ok(Err(failure @ Failure::Refused(_))) => Err(internal(failure.to_string())),
        }
    }
}

/// The name of an instance, as it stands in an address.
///
/// # Errors
/// A problem when it can be none.
pub(crate) fn instance(name: &str) -> Result<(), Problem> {
    if Input::names_an_instance(name) {
        return Ok(());
    }
    let detail = format!("{name:?} is the name of no instance");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail))
}

pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, detail)
}

pub(crate) fn internal(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}
