//! What every binary of the suite shares: settings, telemetry, the choice of adapters, HTTP, and the
//! life from start to stop.
//!
//! It decides nothing about shipments. Start with [`main`], which a binary's own `main` calls with the
//! services that it hosts.

mod access;
mod adapters;
mod application;
mod command_line;
mod http;
mod problem;
mod settings;
mod telemetry;

pub use access::Caller;
pub use application::{Application, Hosted, Start};
pub use command_line::{Binary, main};
pub use problem::{FieldError, Problem};
pub use settings::{
    Base, Behaviour, BusAdapter, Carrier, CarrierStub, CollectionBooking, EventStore, Http,
    Manifestation, Projections, ProjectionsAdapter, Settings, ShipmentProcess, Step, Steps,
    StoreAdapter,
};
