//! Manifests the legs of a shipment with their carriers, and generates its documents.
//!
//! It never decides what comes next for a shipment as a whole, and renders no document: it says under
//! which address one is found. Start with [`ShipmentManifestation`], the process; [`start`] runs it.

mod carrier;
mod documents;
mod process;
mod state;

use std::sync::Arc;

use contracts::manifestation::SERVICE;
use host::{Hosted, Settings};
use kernel::{Category, InvalidCategory, Registry};
use runtime::Environment;

pub use documents::Documents;
pub use process::{Input, ShipmentManifestation};
pub use state::State;

/// The process with these settings.
///
/// # Errors
/// None: the name is valid.
pub fn registry(
    settings: &host::Manifestation,
) -> Result<Registry<ShipmentManifestation>, InvalidCategory> {
    let process = ShipmentManifestation {
        documents: Documents {
            base_url: settings.documents_base_url.trim_end_matches('/').to_owned(),
        },
        carrier: settings.carrier.patience(),
    };
    Ok(Registry::single(
        Category::parse("manifestation-1.0")?,
        process,
    ))
}

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let registry = registry(&settings.manifestation)?;
    Hosted::start(&SERVICE, Arc::new(registry), environment)
}
