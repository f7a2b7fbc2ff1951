//! Stands for the carriers' systems: answers after a while, and what it answers is told by the last
//! character of the shipment's id, or by the carrier.
//!
//! It never has a second effect for a repeated request: it keeps a ledger. Start with [`Carriers`], the
//! process; [`start`] runs it.

mod behaviour;
mod ledger;
mod process;

use std::sync::Arc;

use contracts::carrier::SERVICE;
use host::{Hosted, Settings};
use jiff::SignedDuration;
use kernel::{Category, InvalidCategory, Registry};
use runtime::Environment;

pub use behaviour::{Behaviour, Behaviours, Input};
pub use ledger::Ledger;
pub use process::Carriers;

/// The carriers with these settings.
///
/// # Errors
/// None: the name is valid.
pub fn registry(settings: &host::CarrierStub) -> Result<Registry<Carriers>, InvalidCategory> {
    let process = Carriers {
        delay: SignedDuration::from_millis(settings.delay_ms),
        books_late_after: SignedDuration::from_millis(settings.books_late_after_ms),
        behaviours: settings
            .carriers
            .iter()
            .map(|(id, carrier)| (*id, behaviour(carrier)))
            .collect(),
    };
    Ok(Registry::single(Category::parse("carrier-1.0")?, process))
}

/// Starts the service.
///
/// # Errors
/// None that settings which were read can cause.
pub fn start(settings: &Settings, environment: &Environment) -> anyhow::Result<Hosted> {
    let registry = registry(&settings.carrier_stub)?;
    Hosted::start(&SERVICE, Arc::new(registry), environment)
}

fn behaviour(carrier: &host::Carrier) -> Behaviour {
    match carrier.behaviour {
        host::Behaviour::RefusesManifestation => Behaviour::RefusesManifestation,
        host::Behaviour::NeverAnswers => Behaviour::NeverAnswers,
        host::Behaviour::AnswersAfter => {
            Behaviour::AnswersAfter(SignedDuration::from_millis(carrier.after_ms))
        }
        host::Behaviour::AnswersTwice => Behaviour::AnswersTwice,
        host::Behaviour::RefusesCancellation => Behaviour::RefusesCancellation,
    }
}
