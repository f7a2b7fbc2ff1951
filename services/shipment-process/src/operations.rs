//! What people ask of a shipment's process, and when it does so.

use contracts::process::{
    AmendShipmentLegs, CancelShipment, CollectionRebookingRequested,
    DocumentsRegenerationRequested, ProcessEvent, RebookCollection, ShipmentCancellationRequested,
    ShipmentLegsAmended, ShipmentProcessRetried,
};
use kernel::Refusal;

use crate::state::{Compensation, Stage, State, Status};
use crate::step::Step;

/// Cancels it, whatever was done so far.
pub(crate) fn cancel(state: &State, command: &CancelShipment) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    if state.cancellation_requested {
        return Err(if state.compensation == Compensation::Failed {
            Refusal::because("what was done could not be undone: have that tried again")
        } else {
            Refusal::repeated("it is being cancelled already")
        });
    }
    Ok(ProcessEvent::CancellationRequested(
        ShipmentCancellationRequested {
            reason: command.reason.clone(),
        },
    ))
}

/// Sends other legs, as long as no carrier knows of them.
pub(crate) fn amend(state: &State, command: &AmendShipmentLegs) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    not_cancelled(state)?;
    if command.legs.is_empty() {
        return Err(Refusal::because("a shipment has at least one leg"));
    }
    let failed_before =
        state.status == Status::Failed && state.manifestation_and_documents != Stage::Completed;
    if state.may_be_manifested || !(state.waits_for(Step::CustomsInvoice) || failed_before) {
        return Err(Refusal::because(
            "its legs are, or may be, manifested with their carriers: they can be amended before that, \
             or once that is undone",
        ));
    }
    Ok(ProcessEvent::LegsAmended(ShipmentLegsAmended {
        legs: command.legs.clone(),
        round: state.round.next(),
    }))
}

/// Books the collection anew, as long as the legs stand.
pub(crate) fn rebook(state: &State, command: &RebookCollection) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    not_cancelled(state)?;
    if !state.may_be_rebooked() {
        return Err(Refusal::because(
            if state.collection_booking == Stage::Completed {
                "its collection is booked"
            } else if state.compensation == Compensation::None {
                "its collection booking has not failed"
            } else {
                "what was done is undone, or being undone: once that is over, the failed step can be tried \
                 again"
            },
        ));
    }
    Ok(ProcessEvent::RebookingRequested(
        CollectionRebookingRequested {
            collection_date: command.collection_date,
            round: state.round.next(),
        },
    ))
}

/// Tries what has failed again: an undo, or the step at which the process has failed.
pub(crate) fn retry(state: &State) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    if state.may_be_rebooked() {
        return rebook(state, &RebookCollection::default());
    }
    let (status, compensation) = (state.status, state.compensation);
    let step = match (status, compensation) {
        (Status::NeedsAttention, _) => state.step,
        (Status::Failed, Compensation::None | Compensation::Completed) => state.failed_step,
        (Status::Failed, Compensation::Running | Compensation::Failed) => {
            return Err(Refusal::because(
                "what was done is being undone: once that is over, the failed step can be tried again",
            ));
        }
        (Status::Running | Status::Completed | Status::Cancelled, _) => {
            return Err(Refusal::because("nothing has failed"));
        }
    };
    let step = step.ok_or_else(|| Refusal::because("it is not known which step has failed"))?;
    Ok(ProcessEvent::Retried(ShipmentProcessRetried {
        step: step.name().to_owned(),
        round: state.round.next(),
    }))
}

/// Generates the documents again, once everything is done.
pub(crate) fn regenerate(state: &State) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    if state.status != Status::Completed {
        return Err(Refusal::because(
            "its documents can be generated again once everything is done",
        ));
    }
    Ok(ProcessEvent::RegenerationRequested(
        DocumentsRegenerationRequested {
            round: state.round.next(),
        },
    ))
}

fn started(state: &State) -> Result<(), Refusal> {
    if state.request.is_none() {
        return Err(Refusal::NotStarted);
    }
    Ok(())
}

fn not_cancelled(state: &State) -> Result<(), Refusal> {
    if state.cancellation_requested {
        return Err(Refusal::because("it is being cancelled"));
    }
    if state.is_undoing() {
        return Err(Refusal::because("what was done is being undone"));
    }
    Ok(())
}
