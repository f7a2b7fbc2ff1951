//! What the client reports, in the port's words.

use event_store::{BoxError, Error};
use kurrentdb::Error as ClientError;
use tokio::task::JoinError;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client itself does not time anything out.
    #[error("the server did not answer within {timeout_ms} ms")]
    TimedOut {
        /// How long it was waited for.
        timeout_ms: u128,
    },
    /// No client could be made of the settings, such as the files with certificates.
    #[error("the client cannot be set up: {0}")]
    SetUp(String),
    /// The server was emptied.
    #[error(
        "the server has another log than the one that was opened: it was emptied, or is another \
         server. Stop the services, look what has happened, and start them again"
    )]
    AnotherLog,
    /// The server was restored from a backup.
    #[error(
        "the log at the server ends before what was stored in it: it was restored from a backup. \
         Stop the services, delete their projections, and start them again"
    )]
    ShorterLog,
    /// The client has panicked.
    #[error("the client has ended")]
    Ended(#[source] JoinError),
    /// What the client reports.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Failure {
    /// Whether the stream is at another version.
    pub(crate) fn is_a_conflict(&self) -> bool {
        matches!(self, Self::Client(ClientError::WrongExpectedVersion { .. }))
    }

    /// Whether the time was over.
    pub(crate) fn is_time_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether another client might do better: this one has given up, or is bound to a server that is
    /// gone.
    pub(crate) fn is_the_connections(&self) -> bool {
        match self {
            Self::AnotherLog | Self::ShorterLog => false,
            Self::TimedOut { .. } | Self::SetUp(_) | Self::Ended(_) => true,
            Self::Client(error) => matches!(
                error,
                ClientError::ServerError(_)
                    | ClientError::ConnectionClosed
                    | ClientError::GrpcConnectionError(_)
                    | ClientError::InternalClientError
                    | ClientError::InitializationError(_)
                    | ClientError::IllegalStateError(_)
            ),
        }
    }
}

/// What the port calls it. A caller tries again what is unavailable, so that is the answer wherever
/// nothing else is certain.
pub(crate) fn translate(failure: Failure) -> Error {
    match failure {
        Failure::Client(ClientError::ResourceDeleted) => refused(ClientError::ResourceDeleted),
        // Among others the maximum size of an append, and names of streams that are none.
        Failure::Client(ClientError::Grpc { code, message })
            if code == tonic::Code::InvalidArgument =>
        {
            refused(ClientError::Grpc { code, message })
        }
        Failure::Client(error @ ClientError::InternalParsingError(_)) => corrupt(error),
        Failure::TimedOut { .. }
        | Failure::SetUp(_)
        | Failure::AnotherLog
        | Failure::ShorterLog
        | Failure::Ended(_)
        | Failure::Client(_) => Error::Unavailable(failure.into()),
    }
}

/// The same while the store is opened: what a person has to change is not waited for.
pub(crate) fn translate_opening(failure: Failure) -> Error {
    match failure {
        Failure::Client(error @ ClientError::AccessDenied) => refused(Opening(
            "the server refuses this user: it must be allowed to read $all, and to read and write \
             streams",
            error,
        )),
        Failure::Client(error @ ClientError::UnsupportedFeature) => refused(Opening(
            "this server lacks what is needed: it must be EventStoreDB 23.10 or later, or KurrentDB",
            error,
        )),
        Failure::SetUp(_) => refused(failure),
        Failure::TimedOut { .. }
        | Failure::AnotherLog
        | Failure::ShorterLog
        | Failure::Ended(_)
        | Failure::Client(_) => translate(failure),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Opening(&'static str, #[source] ClientError);

/// Something stored that is not what this program stores.
pub(crate) fn corrupt(cause: impl Into<BoxError>) -> Error {
    Error::Corrupt(cause.into())
}

/// Something given that cannot be stored.
pub(crate) fn refused(cause: impl Into<BoxError>) -> Error {
    Error::Refused(cause.into())
}
