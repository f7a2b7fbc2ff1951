//! The errors a caller gets, with the trailers that name them.

use tonic::metadata::{AsciiMetadataKey, MetadataMap};
use tonic::{Code, Status};

use crate::faults::Leader;

pub(crate) fn stream_deleted(stream: &str) -> Status {
    with_trailers(
        Code::FailedPrecondition,
        format!("Event stream '{stream}' is deleted."),
        &[("exception", "stream-deleted"), ("stream-name", stream)],
    )
}

pub(crate) fn wrong_expected_version(
    operation: &str,
    stream: &str,
    expected: i64,
    current: i64,
) -> Status {
    let text = format!(
        "{operation} failed due to WrongExpectedVersion. Stream: {stream}, Expected version: \
         {expected}, Actual version: {current}"
    );
    with_trailers(
        Code::FailedPrecondition,
        text,
        &[
            ("exception", "wrong-expected-version"),
            ("stream-name", stream),
            ("expected-version", &expected.to_string()),
            ("actual-version", &current.to_string()),
        ],
    )
}

pub(crate) fn maximum_append_size_exceeded(maximum: usize) -> Status {
    with_trailers(
        Code::InvalidArgument,
        format!("Maximum Append Size of {maximum} Exceeded."),
        &[
            ("exception", "maximum-append-size-exceeded"),
            ("maximum-append-size", &maximum.to_string()),
        ],
    )
}

pub(crate) fn missing_metadata(name: &str) -> Status {
    with_trailers(
        Code::InvalidArgument,
        format!("Required Metadata Property '{name}' is missing"),
        &[
            ("exception", "missing-required-metadata-property"),
            ("required-metadata-properties", "type,content-type"),
        ],
    )
}

pub(crate) fn access_denied() -> Status {
    with_trailers(
        Code::PermissionDenied,
        "Access Denied".to_owned(),
        &[("exception", "access-denied")],
    )
}

pub(crate) fn not_leader(leader: &Leader) -> Status {
    with_trailers(
        Code::NotFound,
        "Leader info available".to_owned(),
        &[
            ("exception", "not-leader"),
            ("leader-endpoint-host", &leader.host),
            ("leader-endpoint-port", &leader.port.to_string()),
        ],
    )
}

/// The outcome is unknown.
pub(crate) fn timed_out() -> Status {
    Status::aborted("Operation timed out: Commit phase timeout.")
}

pub(crate) fn invalid_argument(what: &str) -> Status {
    Status::invalid_argument(format!("'None' is not a valid {what}"))
}

/// What a caller sees of an exception that nobody handles.
pub(crate) fn thrown() -> Status {
    Status::unknown("Exception was thrown by handler.")
}

pub(crate) fn read_error() -> Status {
    Status::unknown("Unexpected ReadStreamResult: Error")
}

pub(crate) fn invalid_position() -> Status {
    Status::invalid_argument("Trying to read from an invalid position.")
}

pub(crate) fn message_too_large() -> Status {
    Status::resource_exhausted("Received message exceeds the maximum configured message size.")
}

fn with_trailers(code: Code, message: String, trailers: &[(&'static str, &str)]) -> Status {
    let mut metadata = MetadataMap::new();
    for (name, value) in trailers {
        // A name that is no header value is left out.
        if let Ok(value) = value.parse() {
            metadata.insert(AsciiMetadataKey::from_static(name), value);
        }
    }
    Status::with_metadata(code, message, metadata)
}
