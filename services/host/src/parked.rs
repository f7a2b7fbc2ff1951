//! What is parked, over HTTP: the list, what waits in one instance, and what a person does about it.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use contracts::MessageId;
use kernel::NotDiscarded;
use runtime::{Handled, Input, ParkedInput, ParkedInstance, ParkedSummary};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::directory::{Directory, instance, internal, not_found};
use crate::{Caller, Problem};

/// How many are told at once, unless another number is asked for; and the most that may be.
const LIMIT: usize = 100;
const MOST: usize = 1_000;

pub(crate) fn router(directory: Arc<Directory>) -> Router {
    Router::new()
        .route("/parked", get(list))
        .route("/parked/{service}/{instance}", get(one))
        .route("/parked/{service}/{instance}/redrive", post(redrive))
        .route("/parked/{service}/{instance}/discard", post(discard))
        .with_state(directory)
}

type Shared = State<Arc<Directory>>;
/// The service and the instance in an address, which may be no text at all.
type Named = Result<Path<(String, String)>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only what is parked at this service.
    service: Option<String>,
    limit: Option<usize>,
    /// Only what comes behind this, in the order of the list.
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedOfOne {
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Discard {
    input_id: MessageId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    service: String,
    instance: String,
    since: jiff::Timestamp,
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<jiff::Timestamp>,
    waits_for_person: bool,
    first: ParkedInput,
}

#[derive(Serialize)]
struct Page {
    parked: Vec<Summary>,
    /// To be asked for as `after`, where there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One {
    service: String,
    instance: String,
    since: jiff::Timestamp,
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<jiff::Timestamp>,
    waits_for_person: bool,
    inputs: Vec<Waiting>,
}

#[derive(Serialize)]
struct Waiting {
    #[serde(flatten)]
    about: ParkedInput,
    /// What was kept of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
}

async fn list(
    State(directory): Shared,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(asked) = asked.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = bounded(asked.limit)?;
    if let Some(service) = &asked.service {
        directory.service(service)?;
    }
    let after = asked.after.as_deref();
    let (after_service, after_instance) = match after.map(|after| after.split_once('/')) {
        None => (None, None),
        Some(Some((service, instance))) => (Some(service), Some(instance)),
        Some(None) => return Err(bad("after is no {service}/{instance}")),
    };
    let mut parked = Vec::new();
    for (service, listed) in directory.all() {
        let asked_for = asked.service.as_deref().is_none_or(|only| only == service);
        if !asked_for || after_service.is_some_and(|after| service < after) {
            continue;
        }
        let behind = after_instance.filter(|_| after_service == Some(service));
        // One more than is told, to know whether there are more.
        let page = listed.parked.page(behind, limit + 1 - parked.len()).await;
        let page = page.ok_or_else(|| {
            Problem::unavailable(format!("{service} still reads what is parked from its log"))
        })?;
        parked.extend(page.into_iter().map(|found| summary(service, found)));
        if parked.len() > limit {
            break;
        }
    }
    let more = parked.len() > limit;
    parked.truncate(limit);
    let last = parked.last().filter(|_| more);
    let next = last.map(|last| format!("{}/{}", last.service, last.instance));
    Ok(Json(Page { parked, next }))
}

async fn one(
    State(directory): Shared,
    named: Named,
    asked: Result<Query<AskedOfOne>, QueryRejection>,
) -> Result<Json<One>, Problem> {
    let (service, instance) = read(named)?;
    let Query(asked) = asked.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = bounded(asked.limit)?;
    let stream = event_store::StreamName::new(&instance, &directory.service(&service)?.kind);
    let entries = directory.stream(&stream).await?;
    let parked = ParkedInstance::of(&entries).ok_or_else(|| nothing_parked(&service, &instance))?;
    let waiting = parked.inputs.len();
    let inputs = parked.inputs.into_iter().take(limit);
    Ok(Json(One {
        service,
        instance,
        since: parked.since,
        waiting,
        next_try: parked.next_try,
        waits_for_person: parked.next_try.is_none(),
        inputs: inputs
            .map(|about| Waiting {
                input: about.kept(&entries),
                about,
            })
            .collect(),
    }))
}

async fn redrive(
    State(directory): Shared,
    caller: Caller,
    named: Named,
) -> Result<Json<Value>, Problem> {
    let (service, instance) = read(named)?;
    let listed = directory.service(&service)?;
    let wish = Input::Redrive {
        request_id: MessageId::from(Uuid::now_v7()),
        instance: instance.clone(),
        actor: caller.actor,
    };
    let handled = directory.submit(listed, wish).await?;
    if let Handled::Redriven {
        handled: 0,
        remaining: 0,
        ..
    } = handled
    {
        return Err(nothing_parked(&service, &instance));
    }
    answer(&service, &instance, handled)
}

async fn discard(
    State(directory): Shared,
    caller: Caller,
    named: Named,
    body: Result<Json<Discard>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (service, instance) = read(named)?;
    let listed = directory.service(&service)?;
    let Json(Discard { input_id }) = body.map_err(|rejection| {
        let detail = rejection.body_text();
        Problem::new(rejection.status(), detail)
    })?;
    let wish = Input::Discard {
        request_id: MessageId::from(Uuid::now_v7()),
        instance: instance.clone(),
        input_id,
        actor: caller.actor,
    };
    let handled = directory.submit(listed, wish).await?;
    answer(&service, &instance, handled)
}

fn answer(service: &str, instance: &str, handled: Handled) -> Result<Json<Value>, Problem> {
    match handled {
        Handled::Redriven {
            handled,
            remaining,
            reason,
        } => Ok(Json(
            json!({ "handled": handled, "remaining": remaining, "reason": reason }),
        )),
        Handled::NotDiscarded(NotDiscarded::NothingParked) => {
            Err(nothing_parked(service, instance))
        }
        Handled::NotDiscarded(refused @ NotDiscarded::NotFirst { .. }) => {
            Err(Problem::new(StatusCode::CONFLICT, refused.to_string()))
        }
        Handled::Duplicate | Handled::Decided | Handled::Refused(_) | Handled::Parked => {
            Err(internal(format!("unexpected: {handled:?}")))
        }
    }
}

fn summary(service: &str, parked: ParkedSummary) -> Summary {
    Summary {
        service: service.to_owned(),
        instance: parked.instance,
        since: parked.since,
        waiting: parked.waiting,
        next_try: parked.next_try,
        waits_for_person: parked.next_try.is_none(),
        first: parked.first,
    }
}

fn read(named: Named) -> Result<(String, String), Problem> {
    let Path((service, name)) =
        named.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    instance(&name)?;
    Ok((service, name))
}

fn bounded(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(LIMIT) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(bad(format!("limit may be 1 to {MOST}"))),
    }
}

fn nothing_parked(service: &str, instance: &str) -> Problem {
    not_found(format!("nothing of {instance} is parked at {service}"))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
