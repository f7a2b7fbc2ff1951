//! What one request may take, and all of them together, so that nobody can take everything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::settings::Http;
use crate::{Problem, http};

#[derive(Clone)]
struct Limits {
    places: Arc<Semaphore>,
    body_bytes: usize,
    receive: Duration,
    longest: Duration,
}

/// Sets the bounds before these routes.
pub(crate) fn before(routes: Router, settings: &Http) -> Router {
    let limits = Limits {
        places: Arc::new(Semaphore::new(settings.max_requests as usize)),
        body_bytes: settings.body_limit_bytes,
        receive: Duration::from_millis(settings.receive_timeout_ms),
        longest: Duration::from_millis(settings.longest_request_ms),
    };
    routes
        // What is read here is as large as it may be.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(limits, within))
}

async fn within(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    // Health must be answered when there is no place left, too.
    let place = if http::is_health(request.uri().path()) {
        None
    } else {
        match limits.places.try_acquire() {
            Ok(place) => Some(place),
            Err(_) => {
                let detail = "as many requests as may be are under way: send it again in a moment";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
                return without_its_body(&request, problem.into_response());
            }
        }
    };
    let answer = async {
        match limits.receive(request).await {
            Ok(request) => next.run(request).await,
            Err(response) => response,
        }
    };
    let answer = timeout(limits.longest, answer).await.unwrap_or_else(|_| {
        let detail = format!(
            "this takes longer than {} ms, and is not waited for; ask what has come of it",
            limits.longest.as_millis()
        );
        closing(Problem::unavailable(detail).into_response())
    });
    drop(place);
    answer
}

impl Limits {
    /// Reads the body, also where nobody else does.
    async fn receive(&self, request: Request) -> Result<Request, Response> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.body_bytes) {
            return Err(self.too_large());
        }
        let (head, body) = request.into_parts();
        match timeout(self.receive, to_bytes(body, self.body_bytes)).await {
            Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
            Ok(Err(error)) if is_of_length(&error) => Err(self.too_large()),
            Ok(Err(_)) => {
                let detail = "the body has not come to its end";
                Err(closing(
                    Problem::new(StatusCode::BAD_REQUEST, detail).into_response(),
                ))
            }
            Err(_) => {
                let detail = format!(
                    "the body has not come within {} ms",
                    self.receive.as_millis()
                );
                Err(closing(
                    Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into_response(),
                ))
            }
        }
    }

    fn too_large(&self) -> Response {
        let detail = format!("a body may have {} bytes", self.body_bytes);
        closing(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response())
    }
}

/// Whether a body could not be read because it is too long.
fn is_of_length(error: &axum::Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>())
}

/// An answer to a request whose body is not read.
pub(crate) fn without_its_body(request: &Request, answer: Response) -> Response {
    if request.body().is_end_stream() {
        answer
    } else {
        closing(answer)
    }
}

/// A body that is not read to its end leaves nothing that could follow it on its connection; without
/// this, whoever asks next on it may be cut off.
fn closing(mut answer: Response) -> Response {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::{Base, Settings};

    #[tokio::test]
    async fn whoever_answers_too_late_is_not_waited_for() {
        let mut settings = Settings::layered(Base::AllInOne, None, Default::default())
            .unwrap()
            .http;
        settings.longest_request_ms = 20;
        let late = Router::new().route("/", get(std::future::pending::<()>));
        let request = Request::new(Body::empty());
        let answer = before(late, &settings).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let said = to_bytes(answer.into_body(), 10_000).await.unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("longer than 20 ms"), "{said}");
    }
}
