//! Schedules the collection of a shipment, and books it with the carrier.
//!
//! It never decides what comes next for a shipment as a whole, and talks to no carrier itself. Start
//! with [`CollectionBooking`], the process, and [`book_at`], the schedule; [`start`] runs them.

mod process;
mod schedule;

use std::sync::Arc;

use contracts::collection::SERVICE;
use contracts::shipment_suite;
use host::{Hosted, Settings};
use jiff::SignedDuration;
use kernel::{Category, Registry};
use runtime::{Environment, Service};

pub use process::{CollectionBooking, Input, State};
pub use schedule::book_at;

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let settings = &settings.collection_booking;
    let process = CollectionBooking {
        book_immediately: settings.book_immediately,
        carrier_timeout: SignedDuration::from_millis(settings.carrier_timeout_ms),
    };
    let registry = Registry::single(Category::parse("collection-booking-1.0")?, process);
    let topology = shipment_suite();
    let contract = topology
        .service(&SERVICE)
        .ok_or_else(|| anyhow::anyhow!("no {SERVICE}"))?;
    let (service, inbox) = Service::start(contract, Arc::new(registry), environment);
    Ok(Hosted {
        service,
        inbox,
        routes: Default::default(),
    })
}
