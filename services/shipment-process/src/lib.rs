//! Decides the next step of each shipment, and delegates it.
//!
//! It never does a step itself. Start with [`ShipmentProcess`], the process; [`start`] runs it with the
//! HTTP API.

mod admission;
mod answers;
mod api;
mod endings;
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

use crate::admission::Admission;

pub use endings::has_ended;
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
    let registry = Arc::new(registry(steps(settings), rebooking_window)?);
    let mut hosted = Hosted::start(&SERVICE, registry.clone(), environment)?;
    hosted.routes = api::router(api::Api {
        inbox: hosted.inbox.clone(),
        registry,
        store: environment.store.clone(),
        clock: environment.clock.clone(),
        kind: StreamKind::new(STREAM_KIND),
        admission: Admission::new(hosted.service.pressure(), process.max_backlog),
        following: api::Following::new(&hosted.service, settings),
        patience: Duration::from_millis(settings.http.request_timeout_ms),
    });
    Ok(hosted)
}

/// How long a collection may be booked ahead; its step waits at least that long, unless it is booked at once.
const BOOKING_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How long each step is waited for, with these settings.
#[must_use]
pub fn steps(settings: &Settings) -> Steps {
    let steps = &settings.shipment_process.steps;
    let mut collection_booking = steps.collection_booking.patience();
    if !settings.collection_booking.book_immediately {
        let timeout = &mut collection_booking.timeout;
        *timeout = timeout.saturating_add(BOOKING_AHEAD);
    }
    Steps {
        customs_invoice: steps.customs_invoice.patience(),
        manifestation: steps.manifestation.patience(),
        labels: steps.labels.patience(),
        receipt: steps.receipt.patience(),
        combined_document: steps.combined_document.patience(),
        collection_booking,
        booking_cancellation: steps.booking_cancellation.patience(),
        manifestation_cancellation: steps.manifestation_cancellation.patience(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use host::Base;

    use super::*;

    /// How much longer than it says the settings' step waits for the collection.
    fn added(book_immediately: bool) -> SignedDuration {
        let mut settings = Settings::layered(Base::AllInOne, None, HashMap::new())
            .unwrap_or_else(|error| panic!("{error:#}"));
        settings.collection_booking.book_immediately = book_immediately;
        let of_step = settings
            .shipment_process
            .steps
            .collection_booking
            .patience();
        steps(&settings).collection_booking.timeout - of_step.timeout
    }

    #[test]
    fn a_collection_is_waited_for_as_long_as_it_may_be_booked_ahead_and_no_longer_when_it_is_booked_at_once()
     {
        assert_eq!(added(true), SignedDuration::ZERO);
        assert_eq!(added(false), SignedDuration::from_hours(8 * 24));
    }
}
