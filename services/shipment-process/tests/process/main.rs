//! The decisions of a shipment's process, one sentence a test.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one event")]

mod compensation;
mod fixtures;
mod guards;
mod operations;
mod others;
mod retries;
mod steps;
