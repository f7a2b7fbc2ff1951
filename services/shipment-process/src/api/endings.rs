//! What has ended, page by page; whoever has read everything may wait for more.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use event_store::Cursor;
use host::{Problem, Settings};
use runtime::{Followed, Service};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Api, Shared};
use crate::endings::{self, Ending, Endings, Recent};

/// How many are told at once, unless another number is asked for; and the most that may be.
const LIMIT: usize = 100;
const MOST: usize = 1_000;
/// The longest that somebody may ask to wait.
const LONGEST_WAIT_MS: u64 = 30_000;
/// How many may wait at once: each looks whenever the log grows.
const WAITING: usize = 64;
/// The cursor of whoever only wants to know what ends from now on.
const NOW: &str = "now";

/// What those who wait for endings have to do with the service.
pub(crate) struct Following {
    recent: Recent,
    followed: Followed,
    stopping: CancellationToken,
    places: Semaphore,
    /// How often a reader looks by itself; hints wake it sooner.
    poll: Duration,
    /// No request may take so long.
    longest: Duration,
}

impl Following {
    pub(crate) fn new(service: &Service, settings: &Settings) -> Self {
        Self {
            recent: Recent::default(),
            followed: service.followed(),
            stopping: service.stopping(),
            places: Semaphore::new(WAITING),
            poll: Duration::from_millis(settings.runtime.poll_interval_ms),
            longest: Duration::from_millis(settings.http.longest_request_ms),
        }
    }
}

/// A shipment that is called `endings` is asked for as `GET /endings`.
pub(super) fn router() -> Router<Arc<Api>> {
    Router::new().route("/shipments/endings", get(list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    /// Only what ended behind this, in the order of the log.
    after: Option<String>,
    limit: Option<usize>,
    /// How long to wait where nothing has ended.
    wait_ms: Option<u64>,
}

#[derive(Serialize)]
struct Page {
    endings: Vec<Ending>,
    /// To be asked for as `after`.
    next: String,
    /// Whether the log goes on behind that already.
    more: bool,
}

impl From<Endings> for Page {
    fn from(read: Endings) -> Self {
        Self {
            next: endings::write(&read.cursor),
            endings: read.endings,
            more: read.more,
        }
    }
}

async fn list(
    State(api): Shared,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(asked) = asked.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = match asked.limit.unwrap_or(LIMIT) {
        limit @ 1..=MOST => limit,
        _ => return Err(bad(format!("limit may be 1 to {MOST}"))),
    };
    let wait = match asked.wait_ms.unwrap_or_default() {
        ms @ 0..=LONGEST_WAIT_MS => Duration::from_millis(ms),
        _ => return Err(bad(format!("waitMs may be 0 to {LONGEST_WAIT_MS}"))),
    };
    let mut cursor = api.place(asked.after.as_deref())?;
    let _place = match wait.is_zero() {
        true => None,
        false => Some(api.following.places.try_acquire().map_err(|_| {
            let detail =
                "as many as may be wait for endings: ask again in a moment, or without waitMs";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
        })?),
    };
    // Some of the time of a request is for reading.
    let end = Instant::now() + wait.min(api.following.longest / 2);
    // From before the first look, so that nothing can come unseen between the two.
    let mut wake_up = api.store.wake_ups(&api.kind);
    loop {
        let Following {
            recent, followed, ..
        } = &api.following;
        let log = (&*api.store, &api.kind);
        let read = recent.read(log, followed.cursor(), cursor, limit);
        let read = api.read(read).await?;
        let stopping = api.following.stopping.is_cancelled();
        if !read.endings.is_empty() || read.more || stopping || Instant::now() >= end {
            return Ok(Json(read.into()));
        }
        cursor = read.cursor;
        tokio::select! {
            () = wake_up.woken() => {}
            () = sleep(api.following.poll) => {}
            () = sleep_until(end) => {}
            () = api.following.stopping.cancelled() => {}
        }
    }
}

impl Api {
    /// The place in the log that a reader names.
    fn place(&self, after: Option<&str>) -> Result<Cursor, Problem> {
        let partitions = self.store.partitions();
        match after {
            None => Ok(Cursor::start(partitions)),
            Some(NOW) => self.following.followed.cursor().ok_or_else(|| {
                Problem::unavailable("the log is still read for the first time since the start")
            }),
            Some(text) => endings::parse(text, partitions).ok_or_else(|| {
                bad(format!(
                    "after is neither `{NOW}` nor what was answered as `next`"
                ))
            }),
        }
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
