//! The HTTP API: starts processes, tells what they have come to, and takes what people ask of them.

mod endings;
mod operations;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use contracts::process::{ProcessShipment, SERVICE};
use contracts::{Envelope, Kind, MessageId, ShipmentId, TraceParent};
use event_store::{Entry, EventStore, StreamKind, StreamName};
use host::{Caller, Problem};
use jiff::tz::TimeZoneDatabase;
use kernel::{Instance, Registry};
use runtime::{Clock, Failure, Handled, Inbox, Input, Loaded};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::admission::Admission;
use crate::outcome::Outcome;
use crate::process::ShipmentProcess;
use crate::request::StartRequest;

/// What the API works with.
pub(crate) struct Api {
    pub(crate) inbox: Inbox,
    pub(crate) registry: Arc<Registry<ShipmentProcess>>,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) kind: StreamKind,
    pub(crate) admission: Admission,
    pub(crate) following: Following,
    /// How long a request may wait.
    pub(crate) patience: Duration,
}

pub(crate) use endings::Following;

type Shared = State<Arc<Api>>;
/// The id in an address, which may be no text at all.
type Id = Result<Path<String>, PathRejection>;

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/shipments", post(start))
        .route("/shipments/{shipment_id}", get(outcome))
        .route("/{shipment_id}", post(start_demonstration).get(outcome))
        .merge(endings::router())
        .merge(operations::router())
        .with_state(Arc::new(api))
}

async fn start_demonstration(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(id)?;
    let asked = |zone: &str| {
        let zone = TimeZoneDatabase::bundled().get(zone).ok()?;
        api.clock.now().to_zoned(zone).date().tomorrow().ok()
    };
    // The zone depends on the id, and which day is tomorrow on the zone.
    let draft = StartRequest::demonstration(id.clone(), Default::default());
    let tomorrow = asked(&draft.time_zone)
        .ok_or_else(|| internal("it cannot be reckoned which day is tomorrow"))?;
    let start = StartRequest {
        collection_date: tomorrow,
        ..draft
    }
    .into_command(|| id);
    // A demonstration that was started yesterday is the same demonstration.
    api.start(start, caller, &headers, |old, new| {
        old.legs == new.legs && old.time_zone == new.time_zone
    })
    .await
}

async fn start(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = read_json(&headers, body)?;
    let request = StartRequest::read(&body).map_err(Problem::of_fields)?;
    let start = request.into_command(generate_id);
    api.start(start, caller, &headers, |old, new| old == new)
        .await
}

async fn outcome(State(api): Shared, id: Id) -> Result<Json<Outcome>, Problem> {
    let id = parse_id(id)?;
    let instance = api.load(&id).await?;
    Outcome::of(&instance)
        .map(Json)
        .ok_or_else(|| not_found(&id))
}

impl Api {
    /// Starts a process, and answers once that is durable. Where one was started before under the same
    /// id, `is_same` says whether it was asked for the same.
    async fn start(
        &self,
        start: ProcessShipment,
        caller: Caller,
        headers: &HeaderMap,
        is_same: fn(&ProcessShipment, &ProcessShipment) -> bool,
    ) -> Result<Response, Problem> {
        // Before anything is read: to send somebody away must cost nothing.
        self.admission.admit().await?;
        let data = to_raw_value(&start).map_err(|error| internal(error.to_string()))?;
        let id = MessageId::derive(&[start.shipment_id.as_str(), "start", data.get()]);
        let traceparent =
            traceparent(headers).unwrap_or_else(|| TraceParent::of(id.uuid(), id.uuid()));
        let input = Input::Message(Envelope {
            id,
            kind: Kind::Command { to: SERVICE },
            source: SERVICE,
            type_name: "ProcessShipment".to_owned(),
            subject: start.shipment_id.to_string(),
            time: self.clock.now(),
            correlation_id: id,
            causation_id: id,
            traceparent: Some(traceparent),
            category: None,
            actor: caller.actor,
            data,
        });
        match self.handled(self.inbox.begin(input)).await? {
            Handled::Decided => Ok(accepted(&start.shipment_id)),
            // It was handled before: to start it, unless it was parked.
            Handled::Duplicate => match self.started_before(&start, is_same).await? {
                Some(answer) => answer,
                None => Err(parked(&start.shipment_id)),
            },
            // Somebody else has started it in the meantime.
            Handled::Refused(refusal) => match self.started_before(&start, is_same).await? {
                Some(answer) => answer,
                None => Err(Problem::new(StatusCode::CONFLICT, refusal.to_string())),
            },
            Handled::Parked | Handled::Redriven { .. } | Handled::NotDiscarded(_) => {
                Err(parked(&start.shipment_id))
            }
        }
    }

    async fn started_before(
        &self,
        start: &ProcessShipment,
        is_same: fn(&ProcessShipment, &ProcessShipment) -> bool,
    ) -> Result<Option<Result<Response, Problem>>, Problem> {
        let instance = self.load(&start.shipment_id).await?;
        let Some(started) = instance
            .state()
            .and_then(|state| state.first_request.clone())
        else {
            return Ok(None);
        };
        let before = ProcessShipment {
            shipment_id: started.shipment_id,
            legs: started.legs,
            collection_date: started.collection_date,
            time_zone: started.time_zone,
        };
        Ok(Some(if is_same(&before, start) {
            Ok(accepted(&start.shipment_id))
        } else {
            let detail = format!(
                "shipment {} was started with another content",
                start.shipment_id
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }))
    }

    async fn load(&self, id: &ShipmentId) -> Result<Instance<crate::State>, Problem> {
        Ok(self.replay(&self.entries(id).await?))
    }

    fn replay(&self, entries: &[Entry]) -> Instance<crate::State> {
        Loaded::replay(&self.registry, entries).instance
    }

    async fn entries(&self, id: &ShipmentId) -> Result<Vec<Entry>, Problem> {
        let stream = StreamName::new(id.as_str(), &self.kind);
        let read = self.store.read_streams(std::slice::from_ref(&stream));
        let streams = self.read(read).await?;
        Ok(streams.into_iter().next().unwrap_or_default())
    }

    /// Waits for what is read, as long as a request may.
    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, event_store::Error>>,
    ) -> Result<T, Problem> {
        timeout(self.patience, read)
            .await
            .map_err(|_| late())?
            .map_err(|error| match error {
                event_store::Error::Unavailable(_) => Problem::unavailable(error.to_string()),
                error @ (event_store::Error::Refused(_) | event_store::Error::Corrupt(_)) => {
                    internal(error.to_string())
                }
            })
    }

    async fn submit(&self, input: Input) -> Result<Handled, Problem> {
        self.handled(self.inbox.submit_one(input)).await
    }

    async fn handled(
        &self,
        handling: impl Future<Output = Result<Handled, Failure>>,
    ) -> Result<Handled, Problem> {
        match timeout(self.patience, handling).await {
            Err(_) => Err(late()),
            Ok(Ok(handled)) => Ok(handled),
            Ok(Err(failure @ (Failure::Stopped | Failure::Contended))) => {
                Err(Problem::unavailable(failure.to_string()))
            }
            Ok(Err(failure @ Failure::Refused(_))) => Err(internal(failure.to_string())),
        }
    }
}

/// An id for a shipment that was sent without one: ordered by time, as 32 hexadecimal digits.
fn generate_id() -> ShipmentId {
    let id = Uuid::now_v7().simple().to_string().to_uppercase();
    ShipmentId::parse(id).unwrap_or_else(|_| unreachable!("hexadecimal digits are allowed"))
}

fn parse_id(id: Id) -> Result<ShipmentId, Problem> {
    let Path(id) =
        id.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    ShipmentId::parse(id).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    let header = headers.get("traceparent")?;
    TraceParent::parse(header.to_str().ok()?)
}

fn read_json(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, Problem> {
    let body = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let detail = "the body must be application/json, and say so in content-type";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not JSON: {error}"),
        )
    })
}

fn accepted(id: &ShipmentId) -> Response {
    let location = [(header::LOCATION, format!("/shipments/{id}"))];
    let body = Json(json!({ "shipmentId": id.as_str() }));
    (StatusCode::ACCEPTED, location, body).into_response()
}

fn not_found(id: &ShipmentId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no shipment {id}"))
}

fn parked(id: &ShipmentId) -> Problem {
    let detail = format!(
        "shipment {id} has a parked input, which is tried again by itself for a while: see \
         GET /parked/{SERVICE}/{id}, and once its cause is mended, POST /parked/{SERVICE}/{id}/redrive"
    );
    Problem::new(StatusCode::CONFLICT, detail)
}

fn given_up() -> Problem {
    let detail = "this request was parked, and a person has given it up";
    Problem::new(StatusCode::CONFLICT, detail)
}

fn late() -> Problem {
    Problem::unavailable("it is not known yet whether this is stored; send the same request again")
}

fn internal(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}
