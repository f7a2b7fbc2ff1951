//! One stream over HTTP, as it is stored: what happened, why, and what it led to; also what was refused or
//! parked, with its reason.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use contracts::MessageId;
use event_store::{Entry, Metadata, StreamName, Visibility};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Problem;
use crate::directory::{Directory, instance, not_found};

pub(crate) fn router(directory: Arc<Directory>) -> Router {
    Router::new()
        .route("/streams/{stream}", get(history))
        .with_state(directory)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    visibility: Option<Visibility>,
}

#[derive(Serialize)]
struct History {
    stream: String,
    service: String,
    instance: String,
    /// How many entries it has, told here or not.
    version: u64,
    entries: Vec<Told>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    version: u64,
    id: MessageId,
    #[serde(rename = "type")]
    type_name: String,
    recorded_at: Timestamp,
    data: Box<RawValue>,
    metadata: Metadata,
}

async fn history(
    State(directory): State<Arc<Directory>>,
    stream: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let Path(name) =
        stream.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let Query(asked) = asked.map_err(|rejection| bad(rejection.body_text()))?;
    let stream = StreamName::parse(name).map_err(|error| bad(error.to_string()))?;
    instance(stream.instance())?;
    let mut services = directory.all();
    let service = services.find(|(_, service)| service.kind.as_str() == stream.kind());
    let (service, _) = service.ok_or_else(|| {
        let kinds: Vec<_> = directory.all().map(|(_, s)| s.kind.to_string()).collect();
        let kinds = kinds.join(", ");
        not_found(format!("no stream of this kind is kept here, but {kinds}"))
    })?;
    let entries = directory.stream(&stream).await?;
    let Some(version) = entries.last().map(|last| last.version.0) else {
        return Err(not_found(format!("there is no stream {stream}")));
    };
    let told = |entry: &Entry| {
        let visibility = entry.content.metadata.visibility;
        asked.visibility.is_none_or(|asked| asked == visibility)
    };
    Ok(Json(History {
        stream: stream.to_string(),
        service: service.to_owned(),
        instance: stream.instance().to_owned(),
        version,
        entries: entries
            .into_iter()
            .filter(told)
            .map(|entry| Told {
                version: entry.version.0,
                id: entry.content.id,
                type_name: entry.content.type_name,
                recorded_at: entry.content.recorded_at,
                data: entry.content.data,
                metadata: entry.content.metadata,
            })
            .collect(),
    }))
}
