//! What the wire speaks, generated from `proto/`: the server's side, and a client for tests that
//! look at what the usual client hides.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::wildcard_enum_match_arm,
    reason = "generated code"
)]

// Messages that both services use; what is generated for them expects them here.
tonic::include_proto!("event_store.client");

/// What a server can do.
pub mod server_features {
    tonic::include_proto!("event_store.client.server_features");
}

/// Reading and appending.
pub mod streams {
    tonic::include_proto!("event_store.client.streams");
}
