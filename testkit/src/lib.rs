//! What tests share: given/when/then for processes, clocks that tests set, and a store that fails when
//! it is told to.
//!
//! It never reaches into the code under test: everything goes through what is public. Start with
//! [`given`].

mod clock;
mod faulty_store;
mod guards;
mod patience;
mod scenario;

pub use clock::{ManualClock, ShiftedClock};
pub use faulty_store::{Cut, FaultyStore};
pub use guards::{guards, hold_against};
pub use patience::patience;
pub use scenario::{Given, Then, given};
