//! Decides the next step of each shipment, and delegates it.
//!
//! It never does a step itself. Start with [`ShipmentProcess`], the process; [`start`] runs it with the
//! HTTP API.

mod api;
mod outcome;
mod process;
mod request;
mod state;

use std::sync::Arc;
use std::time::Duration;

use contracts::process::{SERVICE, STREAM_KIND};
use event_store::StreamKind;
use host::{Hosted, Settings};
use jiff::SignedDuration;
use kernel::{Category, InvalidCategory, Registry};
use runtime::Environment;

pub use outcome::Outcome;
pub use process::{Command, Input, ShipmentProcess};
pub use state::{Documents, Stage, State, Status, Step};

/// The processes by category, and how a shipment is classified: one with one leg is domestic, one with
/// more is international.
///
/// # Errors
/// None: the names are valid.
pub fn registry(
    step_timeout: SignedDuration,
) -> Result<Registry<ShipmentProcess>, InvalidCategory> {
    let domestic = Category::parse("domestic-1.0")?;
    let international = Category::parse("international-1.0")?;
    let processes = [
        (
            domestic.clone(),
            ShipmentProcess {
                customs_invoice: false,
                step_timeout,
            },
        ),
        (
            international.clone(),
            ShipmentProcess {
                customs_invoice: true,
                step_timeout,
            },
        ),
        (
            Category::parse("default-1.0")?,
            ShipmentProcess {
                customs_invoice: true,
                step_timeout,
            },
        ),
    ];
    let classify = move |input: &Input| {
        let Input::Process(start) = input else {
            return None;
        };
        Some(if start.legs.len() == 1 {
            domestic.clone()
        } else {
            international.clone()
        })
    };
    Ok(Registry::new(classify, processes))
}

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let step_timeout = SignedDuration::from_millis(settings.shipment_process.step_timeout_ms);
    let registry = Arc::new(registry(step_timeout)?);
    let mut hosted = Hosted::start(&SERVICE, registry.clone(), environment)?;
    hosted.routes = api::router(api::Api {
        inbox: hosted.inbox.clone(),
        registry,
        store: environment.store.clone(),
        clock: environment.clock.clone(),
        kind: StreamKind::new(STREAM_KIND),
        patience: Duration::from_millis(settings.http.request_timeout_ms),
    });
    Ok(hosted)
}
