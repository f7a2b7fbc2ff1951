//! Decides the next step of each shipment, and delegates it.
//!
//! It never does a step itself. Start with [`ShipmentProcess`], the process; [`start`] runs it with the
//! HTTP API.

mod answers;
mod api;
mod messages;
mod operations;
mod outcome;
mod process;
mod request;
mod state;
mod step;

use std::sync::Arc;
use std::time::Duration;

use contracts::process::{SERVICE, STREAM_KIND};
use event_store::StreamKind;
use host::{Hosted, Settings};
use jiff::SignedDuration;
use kernel::{Category, InvalidCategory, Registry};
use runtime::Environment;

pub use messages::{Command, Input};
pub use outcome::Outcome;
pub use process::ShipmentProcess;
pub use state::{Anew, Compensation, Documents, Rounds, Stage, State, Status};
pub use step::{Step, Steps};

/// The processes by category, and how a shipment is classified: one with one leg is domestic, one with
/// more is international.
///
/// # Errors
/// None: the names are valid.
pub fn registry(
    steps: Steps,
    rebooking_window: SignedDuration,
) -> Result<Registry<ShipmentProcess>, InvalidCategory> {
    let domestic = Category::parse("domestic-1.0")?;
    let international = Category::parse("international-1.0")?;
    let process = |customs_invoice| ShipmentProcess {
        customs_invoice,
        steps,
        rebooking_window,
    };
    let processes = [
        (domestic.clone(), process(false)),
        (international.clone(), process(true)),
        (Category::parse("default-1.0")?, process(true)),
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
    let process = &settings.shipment_process;
    let rebooking_window = SignedDuration::from_millis(process.rebooking_window_ms);
    let mut steps = steps(&process.steps);
    if !settings.collection_booking.book_immediately {
        let timeout = &mut steps.collection_booking.timeout;
        *timeout = timeout.saturating_add(BOOKING_AHEAD);
    }
    let registry = Arc::new(registry(steps, rebooking_window)?);
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

/// How long a collection may be booked ahead; its step waits at least that long.
const BOOKING_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How long each step is waited for, with these settings.
#[must_use]
pub fn steps(settings: &host::Steps) -> Steps {
    Steps {
        customs_invoice: settings.customs_invoice.patience(),
        manifestation: settings.manifestation.patience(),
        labels: settings.labels.patience(),
        receipt: settings.receipt.patience(),
        combined_document: settings.combined_document.patience(),
        collection_booking: settings.collection_booking.patience(),
        booking_cancellation: settings.booking_cancellation.patience(),
        manifestation_cancellation: settings.manifestation_cancellation.patience(),
    }
}
