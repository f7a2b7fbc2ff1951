//! What people ask of a shipment's process, and when it does so.

use contracts::process::{
    AmendShipmentLegs, CancelShipment, CollectionRebookingRequested,
    DocumentsRegenerationRequested, ProcessEvent, RebookCollection, SettleShipment,
    ShipmentCancellationRequested, ShipmentLegsAmended, ShipmentProcessRetried,
    ShipmentProcessSettled,
};
use kernel::Refusal;

use crate::state::{Compensation, Stage, State, Status};
use crate::step::Step;

/// Cancels it, whatever was done so far.
pub(crate) fn cancel(state: &State, command: &CancelShipment) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    if state.cancellation_requested {
        return Err(if state.compensation == Compensation::Failed {
            Refusal::because(
                "what was done could not be undone: have that tried again, or settle it by hand",
            )
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
        (Status::Failed, Compensation::Running | Compensation::Failed | Compensation::Settled) => {
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

/// Ends it, since somebody has seen to what could not be undone.
pub(crate) fn settle(state: &State, command: &SettleShipment) -> Result<ProcessEvent, Refusal> {
    started(state)?;
    if state.status != Status::NeedsAttention {
        return Err(Refusal::because("nothing needs attention"));
    }
    // Only then is nothing with carriers but what somebody has seen to.
    if state.anew.is_some() {
        return Err(Refusal::because(
            "its collection is to be booked anew, and its legs stand: have it tried again, or cancel it",
        ));
    }
    Ok(ProcessEvent::Settled(ShipmentProcessSettled {
        reason: command.reason.clone(),
    }))
}

/// What can be done, by the names of the operations, about a shipment that needs attention.
pub(crate) fn remedies(state: &State) -> Vec<&'static str> {
    let settlement = SettleShipment {
        reason: String::new(),
    };
    let mut remedies = vec![
        ("retry", retry(state)),
        ("settle", settle(state, &settlement)),
        ("cancel", cancel(state, &CancelShipment::default())),
    ];
    remedies.retain(|(_, decision)| state.status == Status::NeedsAttention && decision.is_ok());
    remedies.into_iter().map(|(name, _)| name).collect()
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
