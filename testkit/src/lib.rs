//! What tests share: given/when/then for processes, clocks that tests set, faults at every port, and a
//! broker in memory.
//!
//! It never reaches into the code under test: everything goes through what is public. Start with
//! [`given`], and with [`faults::Faults`].

mod broker;
mod clock;
pub mod faults;
mod guards;
mod patience;
mod scenario;

pub use broker::Broker;
pub use clock::{ManualClock, ShiftedClock};
pub use guards::{guards, hold_against};
pub use patience::patience;
pub use scenario::{Given, Then, given};
