//! What people ask of a shipment: each is a command through the same handler as every input, and is
//! recorded with who asked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use contracts::process::{
    AmendShipmentLegs, CancelShipment, RebookCollection, RegenerateDocuments, RetryFailedStep,
    SERVICE, SettleShipment,
};
use contracts::shipment::Nothing;
use contracts::{Envelope, Kind, MessageId, MessageSet, ShipmentId};
use event_store::Entry;
use host::{Caller, FieldError, Problem};
use kernel::{Category, Refusal};
use runtime::{Handled, Input, InputOutcome, Recorded};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, Id, Shared, given_up, internal, not_found, parked, parse_id, read_json};
use crate::messages::Input as Command;
use crate::outcome::Outcome;
use crate::request;

type Body = Result<Bytes, BytesRejection>;

pub(super) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/shipments/{shipment_id}/cancel", post(cancel))
        .route("/shipments/{shipment_id}/legs", put(amend))
        .route("/shipments/{shipment_id}/rebook", post(rebook))
        .route("/shipments/{shipment_id}/retry", post(retry))
        .route("/shipments/{shipment_id}/settle", post(settle))
        .route("/shipments/{shipment_id}/documents", post(regenerate))
        .route("/shipments/{shipment_id}/category", put(change_category))
}

async fn cancel(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    let body = read_optional(&headers, body)?;
    let reason = request::read_reason(&body).map_err(Problem::of_fields)?;
    let command = CancelShipment { reason };
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

async fn amend(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    let body = read_json(&headers, body)?;
    let legs = request::read_legs(&body).map_err(Problem::of_fields)?;
    let command = AmendShipmentLegs { legs };
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

async fn rebook(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    let body = read_optional(&headers, body)?;
    let collection_date = request::read_collection_date(&body).map_err(Problem::of_fields)?;
    let command = RebookCollection { collection_date };
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

async fn retry(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    request::read_nothing(&read_optional(&headers, body)?).map_err(Problem::of_fields)?;
    let command = RetryFailedStep(Nothing {});
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

async fn settle(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    let body = read_json(&headers, body)?;
    let reason = request::read_settlement(&body).map_err(Problem::of_fields)?;
    let command = SettleShipment { reason };
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

async fn regenerate(
    State(api): Shared,
    id: Id,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Outcome>, Problem> {
    request::read_nothing(&read_optional(&headers, body)?).map_err(Problem::of_fields)?;
    let command = RegenerateDocuments(Nothing {});
    api.operate(parse_id(id)?, caller, &headers, command.into())
        .await
}

/// How a category is to be changed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ChangeQuery {
    /// Whether to say only what would happen.
    dry_run: bool,
}

async fn change_category(
    State(api): Shared,
    id: Id,
    query: Result<Query<ChangeQuery>, QueryRejection>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id = parse_id(id)?;
    let Query(query) =
        query.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let body = read_json(&headers, body)?;
    let bad = |detail: String| {
        Problem::of_fields(vec![FieldError {
            field: "processCategory".to_owned(),
            detail,
        }])
    };
    let Some(Value::String(category)) = body.get("processCategory") else {
        return Err(bad("must be text, as domestic-1.0".to_owned()));
    };
    let to = Category::parse(category.clone()).map_err(|error| bad(error.to_string()))?;
    let instance = api.load(&id).await?;
    if instance.state().is_none() {
        return Err(not_found(&id));
    }
    if query.dry_run {
        let preview = api.registry.preview_category(&instance, &to);
        let (notes, reason) = match preview {
            Ok(notes) => (notes, None),
            Err(refusal @ Refusal::UnknownCategory(_)) => return Err(bad(refusal.to_string())),
            Err(refusal) => (vec![], Some(refusal.to_string())),
        };
        let answer = json!({
            "possible": reason.is_none(),
            "from": instance.category().map(Category::as_str),
            "to": to.as_str(),
            "notes": notes,
            "reason": reason,
        });
        return Ok(Json(answer).into_response());
    }
    let request = request_id(&id, &headers);
    let now = api.clock.now();
    let message = Input::change_category(&SERVICE, id.as_str(), &to, caller.actor, request, now)
        .map_err(|error| internal(error.to_string()))?;
    let asked = Asked::by(&message);
    let handled = api.submit(asked.input(message)).await?;
    if let Handled::Refused(refusal @ Refusal::UnknownCategory(_)) = &handled {
        return Err(bad(refusal.to_string()));
    }
    Ok(api.answer(&id, asked, handled).await?.into_response())
}

impl Api {
    /// Hands a command in, and answers what it has led to once that is durable.
    async fn operate(
        &self,
        id: ShipmentId,
        caller: Caller,
        headers: &HeaderMap,
        command: Command,
    ) -> Result<Json<Outcome>, Problem> {
        // Nothing is recorded for a shipment that nobody has started.
        if self.load(&id).await?.state().is_none() {
            return Err(not_found(&id));
        }
        let request = request_id(&id, headers);
        let data = command
            .encode()
            .map_err(|error| internal(error.to_string()))?;
        let message = Envelope {
            id: request,
            kind: Kind::Command { to: SERVICE },
            source: SERVICE,
            type_name: command.type_name().to_owned(),
            subject: id.to_string(),
            time: self.clock.now(),
            correlation_id: request,
            causation_id: request,
            traceparent: super::traceparent(headers),
            category: None,
            actor: caller.actor,
            data,
        };
        let asked = Asked::by(&message);
        let handled = self.submit(asked.input(message)).await?;
        self.answer(&id, asked, handled).await
    }

    async fn answer(
        &self,
        id: &ShipmentId,
        asked: Asked,
        handled: Handled,
    ) -> Result<Json<Outcome>, Problem> {
        match handled {
            Handled::Refused(Refusal::NotStarted) => return Err(not_found(id)),
            Handled::Refused(refusal) => {
                return Err(Problem::new(StatusCode::CONFLICT, refusal.to_string()));
            }
            Handled::Parked => return Err(parked(id)),
            Handled::Duplicate
            | Handled::Decided
            | Handled::Redriven { .. }
            | Handled::NotDiscarded(_) => {}
        }
        let entries = self.entries(id).await?;
        if handled == Handled::Duplicate {
            asked.as_at_first(id, &entries)?;
        }
        Outcome::of(&self.replay(&entries))
            .map(Json)
            .ok_or_else(|| not_found(id))
    }
}

/// A request, under the id of its key. What it belongs to names all that it asks for, and is recorded with
/// what it leads to: so another request under the same key is told from a repetition.
#[derive(Clone, Copy)]
struct Asked {
    input_id: MessageId,
    correlation_id: MessageId,
}

impl Asked {
    fn by(message: &Envelope) -> Self {
        let (id, data) = (message.id.to_string(), message.data.get());
        Self {
            input_id: message.id,
            correlation_id: MessageId::derive(&[&id, &message.type_name, data]),
        }
    }

    fn input(self, message: Envelope) -> Input {
        Input::Message(Envelope {
            correlation_id: self.correlation_id,
            ..message
        })
    }

    /// Asked again, it is answered as it was the first time.
    fn as_at_first(self, id: &ShipmentId, stream: &[Entry]) -> Result<(), Problem> {
        let Some(recorded) = Recorded::of(self.input_id, stream) else {
            // The stream could not take it, which is parked elsewhere.
            return Err(parked(id));
        };
        if recorded.correlation_id != self.correlation_id {
            let detail = "this idempotency-key was used for another request of this shipment";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        match recorded.outcome {
            InputOutcome::Decided => Ok(()),
            InputOutcome::Ignored(reason) => Err(Problem::new(StatusCode::CONFLICT, reason)),
            InputOutcome::Parked => Err(parked(id)),
            InputOutcome::Discarded => Err(given_up()),
        }
    }
}

/// The id of a request: each is one of its own, unless whoever sends it gives it a key, under which it
/// can be sent again.
fn request_id(id: &ShipmentId, headers: &HeaderMap) -> MessageId {
    match headers.get("idempotency-key") {
        Some(key) => {
            let key = String::from_utf8_lossy(key.as_bytes());
            MessageId::derive(&[id.as_str(), "idempotency-key", &key])
        }
        None => MessageId::from(Uuid::now_v7()),
    }
}

/// A body that may be left out.
fn read_optional(headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    match &body {
        Ok(bytes) if bytes.is_empty() => Ok(json!({})),
        Ok(_) | Err(_) => read_json(headers, body),
    }
}
