//! The suite under a scheduler that a seed drives: the real handlers of the four services, two instances
//! of each, over a log in memory and by a clock that is set.
//!
//! It knows nothing of how a handler decides, and replaces nothing of the suite but what surrounds it:
//! queues, time, users, and all that goes wrong. Start with [`simulate`]; a run is the same again for
//! the same [`Chance`], to the letter of its trace.

mod act;
mod chance;
mod check;
mod gate;
mod instance;
mod run;
mod settle;
mod tally;
mod trace;
mod users;
mod weather;
mod worker;
mod world;

pub use chance::Chance;
pub use run::{Bounds, Calm, Run, calm, simulate};
pub use tally::Tally;
