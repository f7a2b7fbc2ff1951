//! The messages that the services exchange, and the envelope they travel in.
//!
//! This crate never decides anything and does no I/O: it holds data, its names on the wire and in
//! the store, and how a message finds its way. Start with [`Envelope`]; the vocabulary of each
//! service is in the module of its name.

pub mod carrier;
pub mod collection;
mod command;
mod envelope;
mod ids;
pub mod manifestation;
mod message_set;
mod partition;
pub mod process;
mod round;
pub mod shipment;
mod topology;
mod trace;

/// What [`message_set!`] expands to; not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use serde_json::value::{RawValue, to_raw_value};
    pub use serde_json::{Error as JsonError, from_str};
}

pub use command::Command;
pub use envelope::{Envelope, Kind};
pub use ids::{Actor, InvalidActor, InvalidShipmentId, MessageId, ServiceName, ShipmentId};
pub use message_set::{DecodeError, MessageSet};
pub use partition::{Partition, Partitions};
pub use round::Round;
pub use topology::{ServiceContract, Topology, shipment_suite};
pub use trace::TraceParent;
