//! The settings of all services, in layers: what is compiled in, a file, the environment.

mod check;
mod choices;
mod http;
mod layers;
mod sections;
mod services;

use serde::Deserialize;

pub use http::{Http, Role, Tls, Token, Tokens};
pub use layers::Base;
pub use sections::{BusAdapter, EventStore, Projections, ProjectionsAdapter, StoreAdapter};
pub(crate) use sections::{LogFormat, Telemetry};
pub use services::{
    Behaviour, Carrier, CarrierStub, CollectionBooking, Manifestation, ShipmentProcess, Step, Steps,
};

/// All settings. One file serves every binary: each reads the sections that it needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How the log is divided.
    pub log: sections::Log,
    /// Where the log is kept.
    pub event_store: EventStore,
    /// Where indexes over the log are kept, when the log is in `eventstoredb`.
    pub projections: Projections,
    /// How messages travel.
    pub bus: sections::Bus,
    /// HTTP.
    pub http: Http,
    /// The loops of a service.
    pub runtime: runtime::Settings,
    /// Logs.
    pub telemetry: Telemetry,
    /// The service of this name.
    pub shipment_process: ShipmentProcess,
    /// The service of this name.
    pub manifestation: Manifestation,
    /// The service of this name.
    pub collection_booking: CollectionBooking,
    /// The service of this name.
    pub carrier_stub: CarrierStub,
}
