//! What PostgreSQL reports, in the port's words.

use event_store::{BoxError, Error};
use sqlx::migrate::MigrateError;

/// The database did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {timeout_ms} ms")]
pub struct TimedOut {
    /// How long it was waited for.
    pub timeout_ms: u128,
}

/// What the port calls an error of sqlx. A caller tries again what is unavailable, so that is the
/// answer wherever nothing else is certain.
pub(crate) fn translate(error: sqlx::Error) -> Error {
    if let sqlx::Error::Database(cause) = &error {
        return match cause.code().as_deref() {
            // A version that somebody else has stored meanwhile: the next try sees it.
            Some("23505") => Error::Unavailable(error.into()),
            // Data exception, integrity constraint violation, program limit exceeded.
            Some(code)
                if ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
            {
                Error::Refused(error.into())
            }
            // data_corrupted, index_corrupted.
            Some("XX001" | "XX002") => Error::Corrupt(error.into()),
            // Among others connection exceptions (08), transaction rollback (40), insufficient
            // resources (53), operator intervention (57), system error (58).
            Some(_) | None => Error::Unavailable(error.into()),
        };
    }
    let undecodable = matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
    );
    if undecodable {
        Error::Corrupt(error.into())
    } else if matches!(error, sqlx::Error::Encode(_)) {
        Error::Refused(error.into())
    } else {
        Error::Unavailable(error.into())
    }
}

/// The same for setting up.
pub(crate) fn translate_migration(error: MigrateError) -> Error {
    if let MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) = error {
        translate(cause)
    } else {
        refused(error)
    }
}

/// Something stored that is not what this program stores.
pub(crate) fn corrupt(cause: impl Into<BoxError>) -> Error {
    Error::Corrupt(cause.into())
}

/// Something given that cannot be stored.
pub(crate) fn refused(cause: impl Into<BoxError>) -> Error {
    Error::Refused(cause.into())
}
