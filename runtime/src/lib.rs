//! The shell around the kernel: what runs a process over an event store and a message bus.
//!
//! It knows ports only, never an adapter, and no word of what the processes are about. Start with
//! [`Service`], which puts the parts together; [`Handler`] is the one place where an input becomes
//! decisions, and the relay the only way out.

mod backoff;
mod care;
mod clock;
mod codec;
mod consumer;
mod deadlines;
mod decision;
mod entrusted;
mod followed;
mod handler;
mod health;
mod held;
mod inbox;
mod indexes;
mod input;
mod parked;
#[cfg(test)]
mod paused;
mod pressure;
mod relay;
mod service;
mod settings;
mod share;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock};
pub use codec::{BOOKKEEPING, InputOutcome, Recorded, decode as decode_entry};
pub use deadlines::DeadlineIndex;
pub use decision::Loaded;
pub use followed::Followed;
pub use handler::{Handled, Handler, REMEMBERED_FOR};
pub use health::Health;
pub use inbox::{Failure, Inbox};
pub use indexes::Indexes;
pub use input::{Input, PendingDeadline, Runnable};
pub use parked::{ParkedIndex, ParkedInput, ParkedInstance, ParkedInstances, ParkedSummary};
pub use pressure::{Pressure, Unknown, Waiting};
pub use service::{Environment, Service};
pub use settings::Settings;
