//! A server that answers as EventStoreDB 23.10 does, for tests only, with faults that they choose.
//!
//! It keeps its data in memory and is never part of a shipped binary. Where it differs from the
//! real server, it is wrong: `tests/semantics` runs on both. Start with [`Double::start`], or
//! with [`server`] in tests that also run on a real server.

#![expect(clippy::result_large_err, reason = "every call returns tonic's status")]

mod all_subscription;
mod commit_check;
mod convert;
mod core;
mod double;
mod faults;
mod features;
mod filter;
mod listener;
mod log;
mod metadata;
mod output;
mod projection;
mod read_call;
mod reading;
mod service;
mod status;
mod stream_subscription;
mod subscription;
mod test_server;
pub mod wire;
mod writing;

pub use double::Double;
pub use faults::Held;
pub use test_server::{TestServer, server};
