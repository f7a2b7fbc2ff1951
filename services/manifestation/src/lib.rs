//! Manifests the legs of a shipment with their carriers, and generates its documents.
//!
//! It never decides what comes next for a shipment as a whole, and renders no document: it says under
//! which address one is found. Start with [`ShipmentManifestation`], the process; [`start`] runs it.

mod process;

use std::sync::Arc;

use contracts::manifestation::SERVICE;
use host::{Hosted, Settings};
use jiff::SignedDuration;
use kernel::{Category, Registry};
use runtime::Environment;

pub use process::{Input, ShipmentManifestation, State};

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let settings = &settings.manifestation;
    let process = ShipmentManifestation {
        documents_base: settings.documents_base_url.trim_end_matches('/').to_owned(),
        carrier_timeout: SignedDuration::from_millis(settings.carrier_timeout_ms),
    };
    let registry = Registry::single(Category::parse("manifestation-1.0")?, process);
    Hosted::start(&SERVICE, Arc::new(registry), environment)
}
