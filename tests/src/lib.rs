//! What the tests of the whole system share: the example shipments and what must become of them, the
//! suite in one process, and the services as processes of their own.
//!
//! The tests themselves are in `tests/`; nothing here is part of the product. Start with [`examples`].

pub mod binaries;
pub mod client;
pub mod completeness;
pub mod group;
pub mod history;
pub mod parked;
pub mod queues;
pub mod suite;
pub mod transcript;

pub use specification::{examples, expectation};
