//! What SQLite reports, in the port's words.

use event_store::{BoxError, Error};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

/// What the port calls an error of SQLite. A caller tries again what is unavailable, so that is
/// the answer wherever nothing else is certain.
pub(crate) fn translate(error: sqlx::Error) -> Error {
    if let sqlx::Error::Database(cause) = &error {
        return match primary_code(&**cause) {
            // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH: of this content.
            Some(18..=20) => Error::Refused(error.into()),
            // SQLITE_CORRUPT, SQLITE_NOTADB.
            Some(11 | 26) => Error::Corrupt(error.into()),
            // Among others SQLITE_BUSY (5), SQLITE_IOERR (10), SQLITE_FULL (13).
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

/// SQLite's result code without the extension in the higher bits.
pub(crate) fn primary_code(error: &dyn DatabaseError) -> Option<u32> {
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}

/// Something stored that is not what this program stores.
pub(crate) fn corrupt(cause: impl Into<BoxError>) -> Error {
    Error::Corrupt(cause.into())
}

/// Something given that cannot be stored.
pub(crate) fn refused(cause: impl Into<BoxError>) -> Error {
    Error::Refused(cause.into())
}
