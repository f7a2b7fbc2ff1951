//! An event store in memory, for tests and trials.
