//! The process of a shipment: which step comes next, and whom it is delegated to.
//!
//! `domestic-1.0` and `international-1.0` differ in one line: an international shipment begins with
//! its customs invoice.

use contracts::collection::{
    CollectionBooked, CollectionBookingSubprocessFailed, CollectionCommand, CollectionRequest,
    CreateCollectionBooking,
};
use contracts::manifestation::{
    self as shipment, CreateShipment, GenerateCombinedDocument, GenerateCustomsInvoice,
    GenerateShipmentLabels, GenerateShipmentReceipt, ManifestShipment, ManifestationCommand,
    ManifestedShipment, PlannedShipment,
};
use contracts::process::{
    CollectionBookingCompleted, CollectionBookingFailed, CollectionBookingStarted,
    CombinedDocumentGenerationStarted, CustomsInvoiceGenerationStarted,
    ManifestationAndDocumentsCompleted, ManifestationAndDocumentsFailed,
    ManifestationAndDocumentsStarted, ProcessEvent, ProcessShipment, ReceiptGenerationStarted,
    ShipmentLabelsGenerationStarted, ShipmentManifestationCompleted, ShipmentManifestationStarted,
    ShipmentProcessCompleted, ShipmentProcessCompletionChecked, ShipmentProcessFailed,
    ShipmentProcessStarted,
};
use contracts::shipment::{Failure, Nothing};
use contracts::{ServiceName, message_set};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Process, Refusal, Trigger};
use serde_json::value::RawValue;

use crate::state::{Stage, State, Status, Step};

message_set! {
    /// What a shipment's process takes in.
    pub enum Input {
        Process(ProcessShipment) = "ProcessShipment",
        CustomsInvoiceGenerated(shipment::CustomsInvoiceGenerated) = "CustomsInvoiceGenerated",
        CustomsInvoiceFailed(shipment::CustomsInvoiceGenerationFailed)
            = "CustomsInvoiceGenerationFailed",
        Manifested(shipment::ShipmentManifested) = "ShipmentManifested",
        ManifestationFailed(shipment::ShipmentManifestationFailed) = "ShipmentManifestationFailed",
        LabelsGenerated(shipment::ShipmentLabelsGenerated) = "ShipmentLabelsGenerated",
        LabelsFailed(shipment::ShipmentLabelsGenerationFailed) = "ShipmentLabelsGenerationFailed",
        ReceiptGenerated(shipment::ShipmentReceiptGenerated) = "ShipmentReceiptGenerated",
        ReceiptFailed(shipment::ShipmentReceiptGenerationFailed)
            = "ShipmentReceiptGenerationFailed",
        CombinedDocumentGenerated(shipment::ShipmentCombinedDocumentGenerated)
            = "ShipmentCombinedDocumentGenerated",
        CombinedDocumentFailed(shipment::ShipmentCombinedDocumentGenerationFailed)
            = "ShipmentCombinedDocumentGenerationFailed",
        CollectionBooked(CollectionBooked) = "CollectionBooked",
        CollectionBookingFailed(CollectionBookingSubprocessFailed)
            = "CollectionBookingSubprocessFailed",
    }
}

/// What the process asks of other services.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Of manifestation.
    Manifestation(ManifestationCommand),
    /// Of collection-booking.
    Collection(CollectionCommand),
}

impl contracts::Command for Command {
    fn to(&self) -> ServiceName {
        match self {
            Self::Manifestation(command) => command.to(),
            Self::Collection(command) => command.to(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Manifestation(command) => contracts::Command::type_name(command),
            Self::Collection(command) => contracts::Command::type_name(command),
        }
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::Manifestation(command) => contracts::Command::encode(command),
            Self::Collection(command) => contracts::Command::encode(command),
        }
    }
}

/// How long a collection may be booked ahead; its step waits at least that long.
const BOOKING_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The process of one category.
#[derive(Clone, Debug)]
pub struct ShipmentProcess {
    /// Whether it begins with a customs invoice.
    pub customs_invoice: bool,
    /// How long another service may take for a step.
    pub step_timeout: SignedDuration,
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
        let decision = match trigger {
            Trigger::Input(input) => answer(state, input)?,
            Trigger::DeadlinePassed(name) => timed_out(state, name)?,
            Trigger::Own(event) => return Ok(self.next(state, event).into_iter().collect()),
        };
        Ok(vec![decision])
    }
}

/// The decision that an input leads to.
fn answer(state: &State, input: &Input) -> Result<ProcessEvent, Refusal> {
    use ProcessEvent as E;
    let waits_for = |step| state.expect(step);
    Ok(match input {
        Input::Process(_) if state.request.is_some() => return Err(Refusal::AlreadyStarted),
        Input::Process(start) => E::Started(ShipmentProcessStarted {
            shipment_id: start.shipment_id.clone(),
            legs: start.legs.clone(),
            collection_date: start.collection_date,
            time_zone: start.time_zone.clone(),
        }),
        Input::CustomsInvoiceGenerated(done) => {
            waits_for(Step::CustomsInvoice)?;
            E::CustomsInvoiceCompleted(done.0.clone().into())
        }
        Input::Manifested(done) => {
            waits_for(Step::Manifestation)?;
            E::ManifestationCompleted(ShipmentManifestationCompleted {
                manifested_legs: done.manifested_legs.clone(),
            })
        }
        Input::LabelsGenerated(done) => {
            waits_for(Step::Labels)?;
            E::LabelsCompleted(done.0.clone().into())
        }
        Input::ReceiptGenerated(done) => {
            waits_for(Step::Receipt)?;
            E::ReceiptCompleted(done.0.clone().into())
        }
        Input::CombinedDocumentGenerated(done) => {
            waits_for(Step::CombinedDocument)?;
            E::CombinedDocumentCompleted(done.0.clone().into())
        }
        // A carrier may book after all what it had refused, or what it took too long to answer.
        Input::CollectionBooked(done) => {
            if state.collection_booking != Stage::Failed {
                waits_for(Step::CollectionBooking)?;
            }
            E::BookingCompleted(CollectionBookingCompleted {
                booking_reference: done.booking_reference.clone(),
            })
        }
        Input::CustomsInvoiceFailed(failed) => failure(state, Step::CustomsInvoice, &failed.0)?,
        Input::ManifestationFailed(failed) => failure(state, Step::Manifestation, &failed.0)?,
        Input::LabelsFailed(failed) => failure(state, Step::Labels, &failed.0)?,
        Input::ReceiptFailed(failed) => failure(state, Step::Receipt, &failed.0)?,
        Input::CombinedDocumentFailed(failed) => failure(state, Step::CombinedDocument, &failed.0)?,
        Input::CollectionBookingFailed(failed) => {
            failure(state, Step::CollectionBooking, &failed.0)?
        }
    })
}

/// The step that the process waits for has failed.
fn failure(state: &State, step: Step, failure: &Failure) -> Result<ProcessEvent, Refusal> {
    use ProcessEvent as E;
    state.expect(step)?;
    let failure = failure.clone();
    Ok(match step {
        Step::CustomsInvoice => E::CustomsInvoiceFailed(failure.into()),
        Step::Manifestation => E::ManifestationFailed(failure.into()),
        Step::Labels => E::LabelsFailed(failure.into()),
        Step::Receipt => E::ReceiptFailed(failure.into()),
        Step::CombinedDocument => E::CombinedDocumentFailed(failure.into()),
        Step::CollectionBooking => E::BookingFailed(failure.into()),
    })
}

fn timed_out(state: &State, deadline: &str) -> Result<ProcessEvent, Refusal> {
    let step = Step::named(deadline)
        .ok_or_else(|| Refusal::because(format!("there is no step {deadline}")))?;
    let reason = format!("{} timed out: no answer came in time", step.name());
    failure(state, step, &Failure::because(reason))
}

impl ShipmentProcess {
    /// What follows from an own decision.
    fn next(&self, state: &State, event: &ProcessEvent) -> Option<ProcessEvent> {
        use ProcessEvent as E;
        Some(match event {
            E::Started(_) => {
                E::ManifestationAndDocumentsStarted(ManifestationAndDocumentsStarted(Nothing {}))
            }
            E::ManifestationAndDocumentsStarted(_) if self.customs_invoice => {
                E::CustomsInvoiceStarted(CustomsInvoiceGenerationStarted(Nothing {}))
            }
            E::ManifestationAndDocumentsStarted(_) | E::CustomsInvoiceCompleted(_) => {
                E::ManifestationStarted(ShipmentManifestationStarted(Nothing {}))
            }
            E::ManifestationCompleted(_) => {
                E::LabelsStarted(ShipmentLabelsGenerationStarted(Nothing {}))
            }
            E::LabelsCompleted(_) => E::ReceiptStarted(ReceiptGenerationStarted(Nothing {})),
            E::ReceiptCompleted(_) => {
                E::CombinedDocumentStarted(CombinedDocumentGenerationStarted(Nothing {}))
            }
            E::CombinedDocumentCompleted(_) => E::ManifestationAndDocumentsCompleted(
                ManifestationAndDocumentsCompleted(Nothing {}),
            ),
            E::ManifestationAndDocumentsCompleted(_) => {
                E::BookingStarted(CollectionBookingStarted(Nothing {}))
            }
            E::BookingCompleted(_) => {
                E::CompletionChecked(ShipmentProcessCompletionChecked(Nothing {}))
            }
            E::CompletionChecked(_) if state.stages_are_complete() => {
                E::Completed(ShipmentProcessCompleted(Nothing {}))
            }
            E::CustomsInvoiceFailed(failed) => stage_failed(&failed.0),
            E::ManifestationFailed(failed) => stage_failed(&failed.0),
            E::LabelsFailed(failed) => stage_failed(&failed.0),
            E::ReceiptFailed(failed) => stage_failed(&failed.0),
            E::CombinedDocumentFailed(failed) => stage_failed(&failed.0),
            E::ManifestationAndDocumentsFailed(ManifestationAndDocumentsFailed(failure))
            | E::BookingFailed(CollectionBookingFailed(failure)) => {
                E::Failed(ShipmentProcessFailed(failure.clone()))
            }
            E::CustomsInvoiceStarted(_)
            | E::ManifestationStarted(_)
            | E::LabelsStarted(_)
            | E::ReceiptStarted(_)
            | E::CombinedDocumentStarted(_)
            | E::BookingStarted(_)
            | E::CompletionChecked(_)
            | E::Completed(_)
            | E::Failed(_) => return None,
        })
    }

    /// Delegates a step, and waits for it until its time is over.
    fn delegate(&self, step: Step, command: Command) -> Vec<Effect<Command>> {
        let patience = match step {
            Step::CollectionBooking => self.step_timeout.saturating_add(BOOKING_AHEAD),
            Step::CustomsInvoice
            | Step::Manifestation
            | Step::Labels
            | Step::Receipt
            | Step::CombinedDocument => self.step_timeout,
        };
        vec![
            Effect::Send(command),
            Effect::set_deadline(step.name(), Due::After(patience)),
        ]
    }
}

fn stage_failed(failure: &Failure) -> ProcessEvent {
    ProcessEvent::ManifestationAndDocumentsFailed(ManifestationAndDocumentsFailed(failure.clone()))
}

impl Process for ShipmentProcess {
    type Command = Command;

    fn react(&self, after: &State, event: &ProcessEvent) -> Vec<Effect<Command>> {
        use ProcessEvent as E;
        let Some(request) = &after.request else {
            return vec![];
        };
        let planned = || PlannedShipment {
            shipment_id: request.shipment_id.clone(),
            legs: request.legs.clone(),
        };
        let manifested = || ManifestedShipment {
            shipment_id: request.shipment_id.clone(),
            manifested_legs: after.manifested_legs.clone(),
        };
        let ask = |step, command: ManifestationCommand| {
            self.delegate(step, Command::Manifestation(command))
        };
        let over = |step: Step| vec![Effect::clear_deadline(step.name())];
        match event {
            E::ManifestationAndDocumentsStarted(_) => {
                vec![Effect::Send(Command::Manifestation(
                    CreateShipment(planned()).into(),
                ))]
            }
            E::CustomsInvoiceStarted(_) => ask(
                Step::CustomsInvoice,
                GenerateCustomsInvoice(planned()).into(),
            ),
            E::ManifestationStarted(_) => {
                ask(Step::Manifestation, ManifestShipment(planned()).into())
            }
            E::LabelsStarted(_) => ask(Step::Labels, GenerateShipmentLabels(manifested()).into()),
            E::ReceiptStarted(_) => {
                ask(Step::Receipt, GenerateShipmentReceipt(manifested()).into())
            }
            E::CombinedDocumentStarted(_) => ask(
                Step::CombinedDocument,
                GenerateCombinedDocument(manifested()).into(),
            ),
            E::BookingStarted(_) => {
                let Some(first) = after.manifested_legs.first() else {
                    return vec![];
                };
                let booking = CreateCollectionBooking(CollectionRequest {
                    shipment_id: request.shipment_id.clone(),
                    leg: first.clone(),
                    collection_date: request.collection_date,
                    time_zone: request.time_zone.clone(),
                });
                self.delegate(Step::CollectionBooking, Command::Collection(booking.into()))
            }
            E::CustomsInvoiceCompleted(_) | E::CustomsInvoiceFailed(_) => {
                over(Step::CustomsInvoice)
            }
            E::ManifestationCompleted(_) | E::ManifestationFailed(_) => over(Step::Manifestation),
            E::LabelsCompleted(_) | E::LabelsFailed(_) => over(Step::Labels),
            E::ReceiptCompleted(_) | E::ReceiptFailed(_) => over(Step::Receipt),
            E::CombinedDocumentCompleted(_) | E::CombinedDocumentFailed(_) => {
                over(Step::CombinedDocument)
            }
            E::BookingCompleted(_) | E::BookingFailed(_) => over(Step::CollectionBooking),
            E::Started(_)
            | E::ManifestationAndDocumentsCompleted(_)
            | E::ManifestationAndDocumentsFailed(_)
            | E::CompletionChecked(_)
            | E::Completed(_)
            | E::Failed(_) => vec![],
        }
    }

    fn is_finished(&self, state: &State) -> bool {
        state.status == Status::Completed
    }
}
