//! What every binary of the suite shares: settings, telemetry, the choice of adapters, HTTP, and the
//! life from start to stop.
//!
//! It decides nothing about shipments. Start with [`main`], which a binary's own `main` calls with the
//! services that it hosts.

mod access;
mod adapters;
mod application;
mod command_line;
mod directory;
mod health_check;
mod http;
mod limits;
mod parked;
mod problem;
mod server;
mod settings;
mod streams;
mod telemetry;
mod tls;
mod token;

pub use access::Caller;
pub use adapters::removable_log;
pub use application::{Application, Hosted, Start};
pub use command_line::{Binary, Subcommands, main};
pub use problem::{FieldError, Problem};
pub use settings::{
    Base, Behaviour, BusAdapter, Carrier, CarrierStub, CollectionBooking, EventStore, Http,
    Manifestation, Projections, ProjectionsAdapter, Role, Settings, ShipmentProcess, Step, Steps,
    StoreAdapter, Tls, Token, Tokens,
};
pub use token::TokenHash;
