//! The process of a shipment: which step comes next, whom it is delegated to, and how it is undone.
//!
//! `domestic-1.0` and `international-1.0` differ in one line: an international shipment begins with
//! its customs invoice.

use contracts::manifestation::CreateShipment;
use contracts::process::{
    CollectionBookingCancellationStarted, CollectionBookingFailed, CollectionBookingStarted,
    CombinedDocumentGenerationStarted, CustomsInvoiceGenerationStarted,
    ManifestationAndDocumentsCompleted, ManifestationAndDocumentsFailed,
    ManifestationAndDocumentsStarted, ProcessEvent, ReceiptGenerationStarted,
    ShipmentLabelsGenerationStarted, ShipmentManifestationCancellationStarted,
    ShipmentManifestationStarted, ShipmentProcessCancelled, ShipmentProcessCompensationCompleted,
    ShipmentProcessCompensationFailed, ShipmentProcessCompensationStarted,
    ShipmentProcessCompleted, ShipmentProcessCompletionChecked, ShipmentProcessFailed,
};
use contracts::shipment::{Failure, Nothing};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Patience, Process, Refusal, Trigger};

use crate::answers::{decision, overdue};
use crate::messages::{Command, Input, command, planned};
use crate::state::{Anew, Compensation, Stage, State, Status};
use crate::step::{Step, Steps};

/// The deadline until which a failed collection booking may be mended: a stored name.
const REBOOKING: &str = "Rebooking";

/// The process of one category.
#[derive(Clone, Debug)]
pub struct ShipmentProcess {
    /// Whether it begins with a customs invoice.
    pub customs_invoice: bool,
    /// How long each step is waited for.
    pub steps: Steps,
    /// How long after a failed collection booking the legs stand, so that the collection can still be
    /// booked; with none, they are cancelled at once.
    pub rebooking_window: SignedDuration,
}

impl Decider for ShipmentProcess {
    type State = State;
    type Event = ProcessEvent;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, state: State, event: &ProcessEvent) -> State {
        state.after(event)
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, ProcessEvent>,
        _now: Timestamp,
    ) -> Result<Vec<ProcessEvent>, Refusal> {
        Ok(vec![match trigger {
            Trigger::Input(input) => decision(state, input)?,
            Trigger::DeadlinePassed(REBOOKING) if state.may_be_rebooked() => compensate(),
            Trigger::DeadlinePassed(REBOOKING) => {
                return Err(Refusal::late("its collection is no longer to be rebooked"));
            }
            Trigger::DeadlinePassed(name) => overdue(state, name, &self.steps)?,
            Trigger::Own(event) => return Ok(self.next(state, event).into_iter().collect()),
        }])
    }
}

impl ShipmentProcess {
    /// What follows from an own decision.
    fn next(&self, state: &State, event: &ProcessEvent) -> Option<ProcessEvent> {
        use ProcessEvent as E;
        Some(match event {
            E::Started(_) => {
                E::ManifestationAndDocumentsStarted(ManifestationAndDocumentsStarted(Nothing {}))
            }
            E::ManifestationAndDocumentsStarted(_) if self.customs_invoice => customs_invoice(),
            E::ManifestationAndDocumentsStarted(_) | E::CustomsInvoiceCompleted(_) => {
                manifestation()
            }
            E::ManifestationCompleted(_) | E::RegenerationRequested(_) => labels(),
            E::LabelsCompleted(_) => E::ReceiptStarted(ReceiptGenerationStarted(Nothing {})),
            E::ReceiptCompleted(_) => {
                E::CombinedDocumentStarted(CombinedDocumentGenerationStarted(Nothing {}))
            }
            E::CombinedDocumentCompleted(_) => E::ManifestationAndDocumentsCompleted(
                ManifestationAndDocumentsCompleted(Nothing {}),
            ),
            // Where documents were generated again, the collection is booked already.
            E::ManifestationAndDocumentsCompleted(_)
                if state.collection_booking == Stage::Completed =>
            {
                check_completion()
            }
            E::ManifestationAndDocumentsCompleted(_) => booking(),
            // It is to be undone all the same.
            E::BookingCompleted(_) if state.is_undoing() => return None,
            // It was cancelled by somebody else while documents were generated again.
            E::BookingCompleted(_) if state.anew == Some(Anew::Documents) => labels(),
            E::BookingCompleted(_) => check_completion(),
            E::CompletionChecked(_) if state.stages_are_complete() => {
                E::Completed(ShipmentProcessCompleted(Nothing {}))
            }
            E::CustomsInvoiceFailed(failed) => stage_failed(&failed.0),
            E::ManifestationFailed(failed) => stage_failed(&Failure::because(&failed.failure)),
            E::LabelsFailed(failed) => stage_failed(&failed.0),
            E::ReceiptFailed(failed) => stage_failed(&failed.0),
            E::CombinedDocumentFailed(failed) => stage_failed(&failed.0),
            E::ManifestationAndDocumentsFailed(ManifestationAndDocumentsFailed(failure))
            | E::BookingFailed(CollectionBookingFailed(failure)) => {
                E::Failed(ShipmentProcessFailed(failure.clone()))
            }
            E::Failed(_) if self.compensates_at_once(state) => compensate(),

            E::LegsAmended(_) if state.status == Status::Running => {
                if self.customs_invoice {
                    customs_invoice()
                } else {
                    manifestation()
                }
            }
            E::RebookingRequested(_) if state.may_be_booked => cancel_booking(),
            E::RebookingRequested(_) => booking(),
            E::Retried(retried) => match Step::named(&retried.step) {
                Some(step) if step.undoes() && state.anew == Some(Anew::Booking) => {
                    cancel_booking()
                }
                Some(step) if step.undoes() => compensate(),
                Some(_) if state.anew == Some(Anew::Documents) => labels(),
                Some(_) | None
                    if self.customs_invoice && state.documents.customs_invoice.is_none() =>
                {
                    customs_invoice()
                }
                Some(_) | None => manifestation(),
            },
            E::CancellationRequested(_) if state.compensation != Compensation::Running => {
                compensate()
            }

            E::BookingCancellationCompleted(_) if state.anew == Some(Anew::Booking) => booking(),
            // It had been given up; what was begun since goes on.
            E::BookingCancellationCompleted(_)
                if state.is_undoing_besides(Step::BookingCancellation) =>
            {
                return None;
            }
            // The legs stand, for the collection that was to be booked anew.
            E::BookingCancellationFailed(_) if state.anew == Some(Anew::Booking) => {
                not_undone(state)
            }
            E::CompensationStarted(_)
            | E::BookingCancellationCompleted(_)
            | E::BookingCancellationFailed(_)
            | E::ManifestationCancellationCompleted(_)
            | E::ManifestationCancellationFailed(_) => undo(state),
            E::CompensationCompleted(_) | E::Settled(_) if state.cancellation_requested => {
                E::Cancelled(ShipmentProcessCancelled(Nothing {}))
            }

            E::CustomsInvoiceStarted(_)
            | E::ManifestationStarted(_)
            | E::LabelsStarted(_)
            | E::ReceiptStarted(_)
            | E::CombinedDocumentStarted(_)
            | E::BookingStarted(_)
            | E::CompletionChecked(_)
            | E::Completed(_)
            | E::Failed(_)
            | E::CancellationRequested(_)
            | E::LegsAmended(_)
            | E::BookingCancellationStarted(_)
            | E::ManifestationCancellationStarted(_)
            | E::CompensationCompleted(_)
            | E::CompensationFailed(_)
            | E::Settled(_)
            | E::Cancelled(_)
            | E::StepTimedOut(_)
            | E::StepRetried(_) => return None,
        })
    }

    /// Whether what was done with carriers is undone as soon as the process has failed.
    fn compensates_at_once(&self, state: &State) -> bool {
        let something_is_done = state.may_be_manifested || state.may_be_booked;
        // Without its legs nothing stands.
        let has_legs = state.failed_step != Some(Step::Manifestation);
        // Documents that are generated again are worth no shipment.
        let stands = state.anew == Some(Anew::Documents)
            || (state.collection_booking == Stage::Failed && self.waits_for_rebooking());
        something_is_done && !(stands && has_legs)
    }

    fn waits_for_rebooking(&self) -> bool {
        self.rebooking_window.is_positive()
    }
}

fn customs_invoice() -> ProcessEvent {
    ProcessEvent::CustomsInvoiceStarted(CustomsInvoiceGenerationStarted(Nothing {}))
}

fn manifestation() -> ProcessEvent {
    ProcessEvent::ManifestationStarted(ShipmentManifestationStarted(Nothing {}))
}

fn labels() -> ProcessEvent {
    ProcessEvent::LabelsStarted(ShipmentLabelsGenerationStarted(Nothing {}))
}

fn booking() -> ProcessEvent {
    ProcessEvent::BookingStarted(CollectionBookingStarted(Nothing {}))
}

fn check_completion() -> ProcessEvent {
    ProcessEvent::CompletionChecked(ShipmentProcessCompletionChecked(Nothing {}))
}

fn compensate() -> ProcessEvent {
    ProcessEvent::CompensationStarted(ShipmentProcessCompensationStarted(Nothing {}))
}

fn cancel_booking() -> ProcessEvent {
    ProcessEvent::BookingCancellationStarted(CollectionBookingCancellationStarted(Nothing {}))
}

fn cancel_legs() -> ProcessEvent {
    ProcessEvent::ManifestationCancellationStarted(ShipmentManifestationCancellationStarted(
        Nothing {},
    ))
}

/// Undoes what is left of what was done with carriers, the last thing first. What cannot be undone does not
/// keep the rest from it, and is told in the end.
fn undo(state: &State) -> ProcessEvent {
    if state.next_to_undo() == Some(Step::BookingCancellation) {
        cancel_booking()
    } else if state.next_to_undo() == Some(Step::ManifestationCancellation) {
        cancel_legs()
    } else if state.not_undone.is_empty() {
        ProcessEvent::CompensationCompleted(ShipmentProcessCompensationCompleted(Nothing {}))
    } else {
        not_undone(state)
    }
}

fn stage_failed(failure: &Failure) -> ProcessEvent {
    ProcessEvent::ManifestationAndDocumentsFailed(ManifestationAndDocumentsFailed(failure.clone()))
}

fn not_undone(state: &State) -> ProcessEvent {
    let failure = Failure::because(state.why_not_undone().unwrap_or_default());
    ProcessEvent::CompensationFailed(ShipmentProcessCompensationFailed(failure))
}

impl Process for ShipmentProcess {
    type Command = Command;

    fn react(&self, after: &State, event: &ProcessEvent) -> Vec<Effect<Command>> {
        use ProcessEvent as E;
        let ask = |step: Step| match command(after, step) {
            Some(command) => self.steps.of(step).ask(step.name(), command),
            None => vec![],
        };
        let over = |step: Step| Patience::over(step.name(), after.silent);
        match event {
            E::ManifestationAndDocumentsStarted(_) => planned(after, after.round)
                .map(|planned| Command::Manifestation(CreateShipment(planned).into()))
                .map(Effect::Send)
                .into_iter()
                .collect(),
            E::CustomsInvoiceStarted(_) => ask(Step::CustomsInvoice),
            E::ManifestationStarted(_) => ask(Step::Manifestation),
            E::LabelsStarted(_) => ask(Step::Labels),
            E::ReceiptStarted(_) => ask(Step::Receipt),
            E::CombinedDocumentStarted(_) => ask(Step::CombinedDocument),
            E::BookingStarted(_) => ask(Step::CollectionBooking),
            E::BookingCancellationStarted(_) => ask(Step::BookingCancellation),
            E::ManifestationCancellationStarted(_) => ask(Step::ManifestationCancellation),
            E::StepRetried(retried) => Step::named(&retried.step).map_or(vec![], ask),
            E::StepTimedOut(timed_out) => match Step::named(&timed_out.step) {
                Some(step) => self.steps.of(step).pause(step.name(), timed_out.attempt),
                None => vec![],
            },
            E::CustomsInvoiceCompleted(_) | E::CustomsInvoiceFailed(_) => {
                over(Step::CustomsInvoice)
            }
            E::ManifestationCompleted(_) => over(Step::Manifestation),
            E::LabelsCompleted(_) | E::LabelsFailed(_) => over(Step::Labels),
            E::ReceiptCompleted(_) | E::ReceiptFailed(_) => over(Step::Receipt),
            E::CombinedDocumentCompleted(_) | E::CombinedDocumentFailed(_) => {
                over(Step::CombinedDocument)
            }
            // It stands, though it was to be cancelled: for good, or until that is tried again.
            E::BookingCompleted(_) if after.is_undoing() => vec![],
            E::BookingCompleted(_) if after.step == Some(Step::BookingCancellation) => {
                over(Step::BookingCancellation)
            }
            // The carrier has booked after all.
            E::BookingCompleted(_)
                if after.status == Status::Failed || after.anew == Some(Anew::Documents) =>
            {
                let mut effects = vec![Effect::clear_deadline(REBOOKING)];
                if after.status != Status::Failed {
                    effects.extend(over(Step::CollectionBooking));
                }
                effects
            }
            E::BookingCompleted(_) => over(Step::CollectionBooking),
            // Whatever is waited for; somebody else may have cancelled a booking, or the legs.
            E::BookingFailed(_) => after.step.map_or(vec![], over),
            E::ManifestationFailed(_) => {
                let mut effects = after.step.map_or(vec![], over);
                if after.may_be_rebooked() && self.waits_for_rebooking() {
                    effects.push(Effect::clear_deadline(REBOOKING));
                }
                effects
            }
            E::BookingCancellationCompleted(_) | E::BookingCancellationFailed(_) => {
                over(Step::BookingCancellation)
            }
            E::ManifestationCancellationCompleted(_) | E::ManifestationCancellationFailed(_) => {
                over(Step::ManifestationCancellation)
            }
            E::Failed(_) if after.may_be_rebooked() && self.waits_for_rebooking() => {
                let window = Due::After(self.rebooking_window);
                vec![Effect::set_deadline(REBOOKING, window)]
            }
            E::RebookingRequested(_) => vec![Effect::clear_deadline(REBOOKING)],
            // Nothing that was begun is waited for any more, but for what is being undone.
            E::CancellationRequested(_) => {
                let mut effects = vec![Effect::clear_deadline(REBOOKING)];
                if let Some(step) = after.step.filter(|step| !step.undoes()) {
                    effects.extend(over(step));
                }
                effects
            }
            E::LegsAmended(_) => after.step.map_or(vec![], over),
            E::Started(_)
            | E::ManifestationAndDocumentsCompleted(_)
            | E::ManifestationAndDocumentsFailed(_)
            | E::CompletionChecked(_)
            | E::Completed(_)
            | E::Failed(_)
            | E::RegenerationRequested(_)
            | E::Retried(_)
            | E::CompensationStarted(_)
            | E::CompensationCompleted(_)
            | E::CompensationFailed(_)
            | E::Settled(_)
            | E::Cancelled(_) => vec![],
        }
    }

    /// What was settled by hand is no longer known to be as the other services have it.
    fn is_finished(&self, state: &State) -> bool {
        state.status == Status::Cancelled || state.compensation == Compensation::Settled
    }

    fn adopt(&self, state: &State) -> Result<Vec<String>, Refusal> {
        if state.status == Status::Completed {
            return Err(Refusal::Finished);
        }
        if state.is_undoing() || state.cancellation_requested {
            return Err(Refusal::because("what was done is being undone"));
        }
        let mut notes = Vec::new();
        if let Some(step) = state.step {
            let name = step.name();
            notes.push(match state.status {
                Status::Failed => format!("it has failed at {name}, and stays failed"),
                Status::Running
                | Status::Completed
                | Status::Cancelled
                | Status::NeedsAttention => format!("it goes on waiting for {name}"),
            });
        }
        let has_invoice = state.documents.customs_invoice.is_some();
        match (self.customs_invoice, state.step) {
            (true, Some(Step::CustomsInvoice)) | (false, Some(_) | None) if !has_invoice => {}
            (true, Some(_) | None) if !has_invoice => {
                notes.push("no customs invoice is generated: its turn is over".to_owned());
            }
            (true | false, Some(_) | None) => {}
        }
        Ok(notes)
    }

    fn is_public(&self, event: &ProcessEvent) -> bool {
        !matches!(
            event,
            ProcessEvent::StepTimedOut(_) | ProcessEvent::StepRetried(_)
        )
    }
}
