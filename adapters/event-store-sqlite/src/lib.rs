//! An event store in an SQLite file: the embedded default.
