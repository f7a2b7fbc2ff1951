//! A message bus over RabbitMQ: one quorum queue for each service and partition, with a single
//! active consumer, and messages as CloudEvents 1.0: one by one in AMQP binary mode, or several to the same
//! queue in the batch format.
//!
//! It never relies on the broker for anything but keeping what it confirmed: no delivery limit, no
//! time to live and no dead-letter exchange decides over a message. Start with [`RabbitMqBus`]; what
//! is declared at the broker is in `declaration.rs`, the headers are in `cloud_event.rs`, and what goes out
//! together is said in `parcels.rs`.

mod backoff;
mod batch;
#[doc(hidden)]
pub mod bench_support;
mod bus;
mod cloud_event;
mod connection;
mod declaration;
mod filling;
mod ledger;
mod parcels;
mod parts;
mod publisher;
mod session;
mod settings;
mod subscription;
mod tls;
mod unreadable;

pub use bus::RabbitMqBus;
pub use settings::Settings;
