//! The protocol between handler, log, relay and inbox as a model, of which every run within bounds is
//! checked: each order of steps, with a crash, a duplicate or a lost answer at every place.
//!
//! It never runs the code that it models, and depends on none of it; what it says of the protocol must be
//! kept true by whoever changes that code. Start with [`Action`], then [`ProtocolModel::next`], then
//! [`properties`].
//!
//! # What is modelled
//!
//! One service in two instances, of which each may receive every input; one log with one or two streams;
//! a queue before it that delivers at least once and in any order; a bus behind it that does the same; a
//! carrier that is given one command by each decision. A process takes one input to start and refuses
//! what does not apply, so that the order of inputs matters.
//!
//! What two steps do one after the other in the code is two actions here, and anything may happen in
//! between; only what is computed without asking anybody is one.
//!
//! | action | code |
//! |---|---|
//! | [`Receive`](Action::Receive), [`ReceiveAgain`](Action::ReceiveAgain) | `runtime/src/consumer.rs`: `Subscription::receive`, of `ports/message-bus/src/lib.rs` |
//! | [`Load`](Action::Load), [`UseCached`](Action::UseCached) | `runtime/src/handler.rs`: `load`, which takes out of the cache or reads; `Loaded::replay` of `runtime/src/decision.rs` |
//! | [`Decide`](Action::Decide) | `runtime/src/handler.rs`: `plan`; `kernel/src/registry.rs`: `handle`, where the id is looked for and a refusal becomes `TriggerIgnored` |
//! | the id of an [`Entry`] | `runtime/src/codec.rs`: `encode` |
//! | [`Append`](Action::Append) | `runtime/src/handler.rs`: `attempt`, with a conflict; `EventStore::append` of `ports/event-store/src/lib.rs` |
//! | [`AppendUnanswered`](Action::AppendUnanswered), [`AppendDelayed`](Action::AppendDelayed), [`Land`](Action::Land) | `runtime/src/handler.rs`: `persist`, which repeats the identical call after `Unavailable` |
//! | [`Acknowledge`](Action::Acknowledge) | `runtime/src/consumer.rs`: `answer`, after `runtime/src/inbox.rs` has replied |
//! | [`LoadCheckpoint`](Action::LoadCheckpoint), [`SaveCheckpoint`](Action::SaveCheckpoint) | `runtime/src/relay.rs`: `publish_all` and `tell`; `Checkpoints` of `ports/event-store/src/lib.rs`, which never go back |
//! | [`Hold`](Action::Hold), [`Hear`](Action::Hear), [`PublishHeld`](Action::PublishHeld) | `runtime/src/held.rs`: `take_in`, `told` and `take_late` |
//! | [`Pass`](Action::Pass) | `ports/event-store/src/outgoing.rs`: an internal entry without commands says nothing |
//! | [`Publish`](Action::Publish), [`Confirm`](Action::Confirm), [`LoseConfirmation`](Action::LoseConfirmation) | `runtime/src/relay.rs`: `publish`; `Publisher::publish` of `ports/message-bus/src/lib.rs` |
//! | [`Carry`](Action::Carry) | a receiver with the same inbox rule, as `services/carrier-stub/src/process.rs` keeps it by key |
//! | [`Crash`](Action::Crash), [`Restart`](Action::Restart) | the whole program, at any of its awaits |
//!
//! # How it is checked
//!
//! Bounds ([`Bounds`]) say how many inputs there are and how often something goes wrong. Within them every
//! state is visited; two that differ only in which instance is which count as one. States are told apart
//! by a hash of 64 bits.
//!
//! That all gets done is checked in two ways. In every state where an instance runs, something can be
//! done without any luck or fault, or all is done ([`properties::NEVER_STUCK`]): so one instance that
//! survives is enough. And every run ends, since the graph of states has no cycle (a test walks it), with
//! all done ([`properties::ALL_GETS_DONE`]).
//!
//! A model in which nothing can be wrong would prove nothing. So the situations that the protocol is
//! there for must come about, and each fault of [`Protocol`] must be found.
//!
//! The tests take bounds that are quick to check. For others there is an example, by which the real
//! protocol was found to hold in those below:
//! `cargo run --release -p protocol-model --example explore -- inputs=2 crashes=2`. With `protocol=` and
//! the name of a broken one, it tells short stories of how that breaks.
//!
//! | inputs | streams | crashes | duplicates | lost answers | states |
//! |---|---|---|---|---|---|
//! | 2 | 1 | 2 | 2 | 2 | 13,053,135 |
//! | 2 | 2 | 1 | 1 | 1 | 1,168,298 |
//! | 3 | 2 | 1 | 1 | 0 | 10,847,417 |
//! | 3 | 1 | 1 | 1 | 1 | 45,171,227 |
//!
//! # What is not modelled
//!
//! - Batches, and inputs that lead to several entries: an append here is one entry. Appends are atomic,
//!   and to each stream for itself, so that more entries make no more places to stop at.
//! - Pages of the relay: it publishes one entry at a time, and may stop between any two.
//! - Partitions and what a store does for readers never to skip an entry: the log is one sequence. The
//!   contract suites of the ports check that.
//! - Giving up after many conflicts, rejecting, parking, deadlines, stopping in good order; answers of the
//!   carrier, which are inputs like any other.
//! - Time, and who stored what: a relay may leave any entry to the other instance, and publish it whenever
//!   it likes. What takes long is what anything else may come before.
//! - A checkpoint that does not tell any more what another relay had saved, which saved at the same time: it
//!   tells nothing that is not true, and less of it.

mod action;
mod bounds;
mod handling;
mod log;
mod model;
pub mod properties;
mod protocol;
mod relaying;
mod state;

pub use action::{Action, Who};
pub use bounds::{Bounds, Kind, MAX_STREAMS};
pub use log::{Appended, Entry, Id, Input, Log, Stream};
pub use model::ProtocolModel;
pub use protocol::Protocol;
pub use state::{Hand, Instance, Left, Positions, Reading, Relay, Set, State};
