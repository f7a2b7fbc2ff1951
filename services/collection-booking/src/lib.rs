//! Schedules the collection of a shipment, and books it with the carrier.
//!
//! It never decides what comes next for a shipment as a whole, and talks to no carrier itself. Start
//! with [`CollectionBooking`], the process, and [`book_at`], the schedule; [`start`] runs them.

mod process;
mod schedule;
mod state;

use std::sync::Arc;

use contracts::collection::SERVICE;
use host::{Hosted, Settings};
use kernel::{Category, InvalidCategory, Registry};
use runtime::Environment;

pub use process::{CollectionBooking, Input};
pub use schedule::book_at;
pub use state::State;

/// The process with these settings.
///
/// # Errors
/// None: the name is valid.
pub fn registry(
    settings: &host::CollectionBooking,
) -> Result<Registry<CollectionBooking>, InvalidCategory> {
    let process = CollectionBooking {
        book_immediately: settings.book_immediately,
        carrier: settings.carrier.patience(),
    };
    Ok(Registry::single(
        Category::parse("collection-booking-1.0")?,
        process,
    ))
}

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let registry = registry(&settings.collection_booking)?;
    Hosted::start(&SERVICE, Arc::new(registry), environment)
}
