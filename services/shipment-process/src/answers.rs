//! What other services answer, and the decision that it leads to.

use contracts::Round;
use contracts::collection::CollectionBooked;
use contracts::process::{
    CollectionBookingCancellationCompleted, CollectionBookingCompleted, ProcessEvent,
    ShipmentManifestationCancellationCompleted, ShipmentManifestationCompleted,
    ShipmentManifestationFailed, ShipmentProcessStarted,
};
use contracts::shipment::{Failure, ManifestedLeg, Nothing, StepRetried, StepTimedOut};
use kernel::{Overdue, Refusal};

use crate::messages::Input;
use crate::operations;
use crate::state::{Stage, State};
use crate::step::{Step, Steps};

/// The decision that an input leads to.
pub(crate) fn decision(state: &State, input: &Input) -> Result<ProcessEvent, Refusal> {
    use ProcessEvent as E;
    let waits_for = |step, round| state.expect(step, round);
    Ok(match input {
        Input::Process(_) if state.request.is_some() => return Err(Refusal::AlreadyStarted),
        Input::Process(start) => E::Started(ShipmentProcessStarted {
            shipment_id: start.shipment_id.clone(),
            legs: start.legs.clone(),
            collection_date: start.collection_date,
            time_zone: start.time_zone.clone(),
        }),
        Input::CustomsInvoiceGenerated(done) => {
            waits_for(Step::CustomsInvoice, done.0.round)?;
            E::CustomsInvoiceCompleted(done.0.clone().into())
        }
        Input::Manifested(done) => {
            waits_for(Step::Manifestation, done.round)?;
            if !are_of_request(state, &done.manifested_legs) {
                return Err(Refusal::because("these are not the legs of this shipment"));
            }
            E::ManifestationCompleted(ShipmentManifestationCompleted {
                manifested_legs: done.manifested_legs.clone(),
            })
        }
        Input::LabelsGenerated(done) => {
            waits_for(Step::Labels, done.0.round)?;
            E::LabelsCompleted(done.0.clone().into())
        }
        Input::ReceiptGenerated(done) => {
            waits_for(Step::Receipt, done.0.round)?;
            E::ReceiptCompleted(done.0.clone().into())
        }
        Input::CombinedDocumentGenerated(done) => {
            waits_for(Step::CombinedDocument, done.0.round)?;
            E::CombinedDocumentCompleted(done.0.clone().into())
        }
        // A carrier may book after all what it had refused, what it took too long to answer, or what it was
        // to cancel and does not.
        Input::CollectionBooked(done) => {
            if !stands_after_all(state, done) {
                waits_for(Step::CollectionBooking, done.round)?;
            }
            E::BookingCompleted(CollectionBookingCompleted {
                booking_reference: done.booking_reference.clone(),
            })
        }
        Input::ManifestationFailed(failed) => {
            waits_for(Step::Manifestation, failed.round)?;
            E::ManifestationFailed(ShipmentManifestationFailed {
                failure: failed.failure.clone(),
                may_be_manifested: !failed.legs_to_cancel.is_empty(),
            })
        }
        // Somebody else has cancelled what is still waited for, or counted on.
        Input::BookingCancelled(done)
            if state.counts_on_booking() && done.0.round == state.rounds.booking =>
        {
            cancelled_by_others(Step::CollectionBooking)
        }
        Input::ManifestationCancelled(done)
            if state.counts_on_legs() && done.0.round == state.rounds.manifestation =>
        {
            cancelled_by_others(Step::Manifestation)
        }
        Input::BookingCancelled(done) => {
            waits_for(Step::BookingCancellation, done.0.round)?;
            E::BookingCancellationCompleted(CollectionBookingCancellationCompleted(Nothing {}))
        }
        Input::ManifestationCancelled(done) => {
            waits_for(Step::ManifestationCancellation, done.0.round)?;
            E::ManifestationCancellationCompleted(ShipmentManifestationCancellationCompleted(
                Nothing {},
            ))
        }
        Input::CustomsInvoiceFailed(it) => failed(state, Step::CustomsInvoice, &it.0)?,
        Input::LabelsFailed(it) => failed(state, Step::Labels, &it.0)?,
        Input::ReceiptFailed(it) => failed(state, Step::Receipt, &it.0)?,
        Input::CombinedDocumentFailed(it) => failed(state, Step::CombinedDocument, &it.0)?,
        Input::CollectionBookingFailed(it) => failed(state, Step::CollectionBooking, &it.0)?,
        Input::BookingCancellationFailed(it) => {
            let failure = Failure::because(&it.failure).in_round(it.round);
            failed(state, Step::BookingCancellation, &failure)?
        }
        Input::ManifestationCancellationFailed(it) => {
            failed(state, Step::ManifestationCancellation, &it.0)?
        }
        Input::Cancel(command) => operations::cancel(state, command)?,
        Input::AmendLegs(command) => operations::amend(state, command)?,
        Input::Rebook(command) => operations::rebook(state, command)?,
        Input::Retry(_) => operations::retry(state)?,
        Input::Settle(command) => operations::settle(state, command)?,
        Input::RegenerateDocuments(_) => operations::regenerate(state)?,
    })
}

/// Whether a collection is booked that nobody waits for any more: one that was to fail, or to be cancelled.
fn stands_after_all(state: &State, booked: &CollectionBooked) -> bool {
    let not_cancelled = booked.cancellation_refused
        && state.waits_for(Step::BookingCancellation)
        && state.collection_booking != Stage::Completed;
    booked.round == state.rounds.booking && (state.may_be_rebooked() || not_cancelled)
}

/// Whether these are the legs that were asked for, in their order.
fn are_of_request(state: &State, manifested: &[ManifestedLeg]) -> bool {
    let asked = state.request.iter().flat_map(|request| &request.legs);
    asked.eq(manifested.iter().map(|manifested| &manifested.leg))
}

fn cancelled_by_others(step: Step) -> ProcessEvent {
    let why = format!("{}: it was cancelled by somebody else", step.name());
    failure_of(step, Failure::because(why))
}

/// A step's deadline is over: it is asked for again, after a pause, until that was in vain often enough.
pub(crate) fn overdue(
    state: &State,
    deadline: &str,
    steps: &Steps,
) -> Result<ProcessEvent, Refusal> {
    use ProcessEvent as E;
    let (Overdue::Answer(name) | Overdue::Retry(name)) = Overdue::of(deadline);
    let step =
        Step::named(name).ok_or_else(|| Refusal::because(format!("there is no step {name}")))?;
    state.expect(step, state.round_of(step))?;
    let name = step.name().to_owned();
    if state.has_failed_to(step) {
        return Err(Refusal::late(format!("it no longer waits for {name}")));
    }
    let silent = state.silent + 1;
    Ok(match Overdue::of(deadline) {
        Overdue::Retry(_) => E::StepRetried(StepRetried {
            step: name,
            attempt: state.silent,
        }),
        Overdue::Answer(_) if steps.of(step).allows_retry(silent) => {
            E::StepTimedOut(StepTimedOut {
                step: name,
                attempt: silent,
            })
        }
        Overdue::Answer(_) => {
            let why = format!("{name} timed out: no answer came in time, to {silent} attempts");
            failure_of(step, Failure::because(why))
        }
    })
}

/// The step that the process waits for has failed.
fn failed(state: &State, step: Step, failure: &Failure) -> Result<ProcessEvent, Refusal> {
    state.expect(step, failure.round)?;
    if state.has_failed_to(step) {
        return Err(Refusal::repeated(format!(
            "{} has failed already",
            step.name()
        )));
    }
    Ok(failure_of(step, failure.clone().in_round(Round::FIRST)))
}

fn failure_of(step: Step, failure: Failure) -> ProcessEvent {
    use ProcessEvent as E;
    match step {
        Step::CustomsInvoice => E::CustomsInvoiceFailed(failure.into()),
        // Nobody has said that no leg is manifested.
        Step::Manifestation => E::ManifestationFailed(ShipmentManifestationFailed {
            failure: failure.failure,
            may_be_manifested: true,
        }),
        Step::Labels => E::LabelsFailed(failure.into()),
        Step::Receipt => E::ReceiptFailed(failure.into()),
        Step::CombinedDocument => E::CombinedDocumentFailed(failure.into()),
        Step::CollectionBooking => E::BookingFailed(failure.into()),
        Step::BookingCancellation => E::BookingCancellationFailed(failure.into()),
        Step::ManifestationCancellation => E::ManifestationCancellationFailed(failure.into()),
    }
}
