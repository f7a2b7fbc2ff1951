//! The heart of a process manager: what a process is, how its decisions settle, and the guards that
//! no process author can forget.
//!
//! It is synchronous and pure: no clock, no randomness, no I/O, no logging, and no word of what the
//! processes are about. Start with [`Process`], then [`Registry::handle`].
//!
//! An input goes through [`Registry::handle`]: one that was handled before does nothing; one that the
//! process refuses is recorded with its reason; any other leads to decisions, which are fed back to
//! the process until it is quiet ([`settle`]). What comes out is to be stored in one append.

mod backoff;
mod category;
mod instance;
mod parking;
mod patience;
mod process;
mod refusal;
mod registry;
mod settle;

pub use backoff::Backoff;
pub use category::{Category, InvalidCategory};
pub use instance::{Instance, NewRecord, Parked, Record};
pub use parking::{NotDiscarded, PARKED_INPUT_RETRY, Retried};
pub use patience::{Overdue, Patience};
pub use process::{Decider, Due, Effect, Process, Trigger};
pub use refusal::{Fault, Refusal, Unsettled};
pub use registry::{Arrival, Content, Outcome, Registry};
pub use settle::{Decided, MAX_DECISIONS, settle};
