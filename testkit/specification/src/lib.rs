//! What the specification says becomes of a shipment, for tests to hold what they find against.
//!
//! It is written down by hand from the specification, knows no code of the suite, and must not: what is
//! wrong there would be right here. Start with [`Shipment`]; [`examples`] are the eight that the
//! specification names, and [`histories`] says what may follow upon what in a stream.

pub mod examples;
pub mod expectation;
pub mod histories;
mod shipment;
mod status;

pub use shipment::{Ending, REFUSAL, STEPS, Shipment};
pub use status::Status;
