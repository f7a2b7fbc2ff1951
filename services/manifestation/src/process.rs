//! Manifests the legs of a shipment one after another, generates its documents, and cancels the legs
//! again, the last one first.

use std::cmp::Ordering;

use contracts::Round;
use contracts::carrier::{
    CarrierCommand, LegCancellationRejectedByCarrier, LegCancelledByCarrier,
    LegManifestationRejectedByCarrier, LegManifestedByCarrier, is_cancellation_of,
};
use contracts::manifestation::{
    CancelShipmentManifestation, CreateShipment, GenerateCombinedDocument, GenerateCustomsInvoice,
    GenerateShipmentLabels, GenerateShipmentReceipt, LegToCancel, ManifestShipment,
    PlannedShipment, ShipmentEvent, ShipmentInitialized,
    ShipmentLegManifestationCancellationFailed, ShipmentLegManifestationFailed,
    ShipmentLegManifestationStarted, ShipmentLegManifested, ShipmentManifestationFailed,
    ShipmentManifested, ShipmentReplanned,
};
use contracts::message_set;
use contracts::shipment::{Failure, StepRetried, StepTimedOut, Undone};
use jiff::Timestamp;
use kernel::{Decider, Effect, Overdue, Patience, Process, Refusal, Trigger};

use crate::carrier::{cancel_leg, cancellation_step, leg_key, leg_step, manifest_leg, step};
use crate::documents::Documents;
use crate::state::{Progress, State, WithCarrier};

message_set! {
    /// What manifestation takes in.
    pub enum Input {
        Create(CreateShipment) = "CreateShipment",
        GenerateCustomsInvoice(GenerateCustomsInvoice) = "GenerateCustomsInvoice",
        Manifest(ManifestShipment) = "ManifestShipment",
        GenerateLabels(GenerateShipmentLabels) = "GenerateShipmentLabels",
        GenerateReceipt(GenerateShipmentReceipt) = "GenerateShipmentReceipt",
        GenerateCombinedDocument(GenerateCombinedDocument) = "GenerateCombinedDocument",
        Cancel(CancelShipmentManifestation) = "CancelShipmentManifestation",
        LegManifested(LegManifestedByCarrier) = "LegManifestedByCarrier",
        LegRejected(LegManifestationRejectedByCarrier) = "LegManifestationRejectedByCarrier",
        LegCancelled(LegCancelledByCarrier) = "LegCancelledByCarrier",
        LegCancellationRejected(LegCancellationRejectedByCarrier)
            = "LegCancellationRejectedByCarrier",
    }
}

/// The process of a shipment at manifestation.
#[derive(Clone, Debug)]
pub struct ShipmentManifestation {
    /// Where documents are found.
    pub documents: Documents,
    /// How long a carrier may take to answer, and how often it is asked again.
    pub carrier: Patience,
}

impl Decider for ShipmentManifestation {
    type State = State;
    type Event = ShipmentEvent;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, state: State, event: &ShipmentEvent) -> State {
        state.after(event)
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, ShipmentEvent>,
        _now: Timestamp,
    ) -> Result<Vec<ShipmentEvent>, Refusal> {
        use ShipmentEvent as E;
        let input = match trigger {
            Trigger::Own(event) => return Ok(next(state, event).into_iter().collect()),
            Trigger::DeadlinePassed(name) => return Ok(vec![self.overdue(state, name)?]),
            Trigger::Input(input) => input,
        };
        let documents = &self.documents;
        Ok(match input {
            Input::Create(CreateShipment(planned)) => {
                if state.id().is_some() {
                    return Err(Refusal::AlreadyStarted);
                }
                not_cancelled(state, planned.round)?;
                initialized(state, planned)
            }
            Input::GenerateCustomsInvoice(GenerateCustomsInvoice(planned)) => {
                not_cancelled(state, planned.round)?;
                if state.has_legs_after(planned.round) {
                    return Err(Refusal::late("it was begun anew meanwhile"));
                }
                let mut events = initialized(state, planned);
                events.push(documents.customs_invoice(state, planned)?);
                events
            }
            Input::Manifest(ManifestShipment(planned)) => manifest(state, planned)?,
            Input::Cancel(CancelShipmentManifestation(undo)) => vec![cancel(state, undo.round)?],
            Input::LegManifested(answer) => {
                let position = answer.position;
                expect_answer(state, position, &answer.idempotency_key)?;
                vec![E::LegManifested(ShipmentLegManifested {
                    position,
                    tracking_number: answer.tracking_number.clone(),
                })]
            }
            Input::LegRejected(answer) => {
                expect_answer(state, answer.position, &answer.idempotency_key)?;
                vec![leg_failed(answer.position, &answer.failure, false)]
            }
            Input::LegCancelled(answer) => {
                expect_cancellation(state, answer.position, &answer.idempotency_key)?;
                let position = answer.position;
                vec![E::LegCancelled(LegToCancel { position }.into())]
            }
            Input::LegCancellationRejected(answer) => {
                expect_cancellation(state, answer.position, &answer.idempotency_key)?;
                if state.progress != Progress::Cancelling(answer.position) {
                    return Err(Refusal::late("that leg's cancellation is over"));
                }
                vec![leg_not_cancelled(answer.position, &answer.failure)]
            }
            Input::GenerateLabels(GenerateShipmentLabels(shipment)) => {
                not_cancelled(state, shipment.round)?;
                vec![documents.labels(state, shipment)?]
            }
            Input::GenerateReceipt(GenerateShipmentReceipt(shipment)) => {
                not_cancelled(state, shipment.round)?;
                vec![documents.receipt(state, shipment)?]
            }
            Input::GenerateCombinedDocument(GenerateCombinedDocument(shipment)) => {
                not_cancelled(state, shipment.round)?;
                vec![documents.combined_document(state, shipment)?]
            }
        })
    }
}

impl ShipmentManifestation {
    /// The step that waits for a carrier is overdue, or may ask again.
    fn overdue(&self, state: &State, deadline: &str) -> Result<ShipmentEvent, Refusal> {
        use ShipmentEvent as E;
        let waits_for = step(state.progress);
        let (Overdue::Answer(named) | Overdue::Retry(named)) = Overdue::of(deadline);
        let Some(step) = waits_for.filter(|step| step == named) else {
            return Err(Refusal::late(format!("it does not wait for {named}")));
        };
        Ok(match Overdue::of(deadline) {
            Overdue::Retry(_) => E::StepRetried(StepRetried {
                step,
                attempt: state.silent,
            }),
            Overdue::Answer(_) if self.carrier.allows_retry(state.silent + 1) => {
                E::StepTimedOut(StepTimedOut {
                    step,
                    attempt: state.silent + 1,
                })
            }
            Overdue::Answer(_) => match state.progress {
                Progress::WaitsFor(position) => leg_failed(position, SILENT, true),
                Progress::Cancelling(position) => leg_not_cancelled(position, SILENT),
                Progress::NotStarted
                | Progress::Manifested
                | Progress::Failed
                | Progress::Cancelled
                | Progress::CancellationFailed => {
                    return Err(Refusal::late("it does not wait for a carrier"));
                }
            },
        })
    }
}

const SILENT: &str = "the carrier did not answer in time";

/// Begins to manifest, or says again what came of it.
fn manifest(state: &State, planned: &PlannedShipment) -> Result<Vec<ShipmentEvent>, Refusal> {
    use ShipmentEvent as E;
    let begins = match planned.round.cmp(&state.round) {
        Ordering::Less => {
            return Err(Refusal::late("it was begun anew meanwhile"));
        }
        Ordering::Equal => state.progress == Progress::NotStarted,
        Ordering::Greater => state.with_carrier.is_empty(),
    };
    if begins {
        let mut events = initialized(state, planned);
        let round = planned.round;
        events.push(if planned.legs.is_empty() {
            E::ManifestationFailed(ShipmentManifestationFailed {
                failure: "ShipmentManifestation: there is no leg".to_owned(),
                round,
                legs_to_cancel: vec![],
            })
        } else {
            E::LegStarted(ShipmentLegManifestationStarted { position: 1, round })
        });
        return Ok(events);
    }
    // Whoever asks again has not had the answer.
    match state.progress {
        Progress::Manifested => Ok(vec![manifested(state)]),
        Progress::Failed => Ok(vec![manifestation_failed(state)]),
        // Whoever still waits for it must hear that it will not come.
        Progress::Cancelled => Ok(vec![E::ManifestationFailed(ShipmentManifestationFailed {
            failure: "ShipmentManifestation: it was cancelled".to_owned(),
            round: planned.round,
            legs_to_cancel: vec![],
        })]),
        Progress::Cancelling(_) | Progress::CancellationFailed => {
            Err(Refusal::late("its manifestation was cancelled"))
        }
        Progress::NotStarted | Progress::WaitsFor(_) => {
            Err(Refusal::repeated("its legs are being manifested already"))
        }
    }
}

/// Begins to cancel whatever legs may be with their carriers, or says again that none is.
fn cancel(state: &State, round: Round) -> Result<ShipmentEvent, Refusal> {
    use ShipmentEvent as E;
    if round < state.round {
        return Err(Refusal::late("it was begun anew meanwhile"));
    }
    // The legs are known to their carriers under the keys of their round.
    if round > state.round && !state.with_carrier.is_empty() {
        return Err(Refusal::because(format!(
            "nothing was manifested in round {round}"
        )));
    }
    if matches!(state.progress, Progress::Cancelling(_)) {
        return Err(Refusal::repeated("its legs are being cancelled already"));
    }
    let undone = Undone { round };
    Ok(if state.with_carrier.is_empty() {
        E::Cancelled(undone.into())
    } else {
        E::CancellationStarted(undone.into())
    })
}

/// What follows from an own decision.
fn next(state: &State, event: &ShipmentEvent) -> Option<ShipmentEvent> {
    use ShipmentEvent as E;
    Some(match event {
        E::LegManifested(done) if state.leg(done.position + 1).is_some() => {
            E::LegStarted(ShipmentLegManifestationStarted {
                position: done.position + 1,
                round: state.round,
            })
        }
        E::LegManifested(_) => manifested(state),
        E::LegFailed(failed) => E::ManifestationFailed(ShipmentManifestationFailed {
            failure: format!(
                "ShipmentManifestation: leg {}: {}",
                failed.position, failed.failure
            ),
            round: state.round,
            legs_to_cancel: state.to_cancel(),
        }),
        E::CancellationStarted(_) => cancel_next(state, None),
        E::LegCancelled(done) if state.progress == Progress::Cancelling(done.0.position) => {
            cancel_next(state, Some(done.0.position))
        }
        // A carrier has answered after all.
        E::LegCancelled(_)
            if state.progress == Progress::CancellationFailed && state.with_carrier.is_empty() =>
        {
            E::Cancelled(Undone { round: state.round }.into())
        }
        E::LegCancellationFailed(failed) => cancel_next(state, Some(failed.position)),
        E::Initialized(_)
        | E::Replanned(_)
        | E::CustomsInvoiceGenerated(_)
        | E::CustomsInvoiceFailed(_)
        | E::LegStarted(_)
        | E::Manifested(_)
        | E::ManifestationFailed(_)
        | E::LabelsGenerated(_)
        | E::LabelsFailed(_)
        | E::ReceiptGenerated(_)
        | E::ReceiptFailed(_)
        | E::CombinedDocumentGenerated(_)
        | E::CombinedDocumentFailed(_)
        | E::LegCancellationStarted(_)
        | E::LegCancelled(_)
        | E::Cancelled(_)
        | E::CancellationFailed(_)
        | E::StepTimedOut(_)
        | E::StepRetried(_) => return None,
    })
}

/// Cancels the leg before this one, or says how the cancellation has ended.
fn cancel_next(state: &State, before: Option<u32>) -> ShipmentEvent {
    use ShipmentEvent as E;
    let round = state.round;
    match state.next_to_cancel(before) {
        Some(position) => E::LegCancellationStarted(LegToCancel { position }.into()),
        None if state.with_carrier.is_empty() => E::Cancelled(Undone { round }.into()),
        None => {
            let failure = format!(
                "ShipmentManifestationCancellation: {}",
                state.not_cancelled()
            );
            E::CancellationFailed(Failure::because(failure).in_round(round).into())
        }
    }
}

fn manifested(state: &State) -> ShipmentEvent {
    ShipmentEvent::Manifested(ShipmentManifested {
        manifested_legs: state.manifested.clone(),
        round: state.round,
    })
}

fn manifestation_failed(state: &State) -> ShipmentEvent {
    ShipmentEvent::ManifestationFailed(ShipmentManifestationFailed {
        failure: state.failure.clone().unwrap_or_default(),
        round: state.round,
        legs_to_cancel: state.to_cancel(),
    })
}

fn leg_failed(position: u32, failure: &str, may_be_manifested: bool) -> ShipmentEvent {
    ShipmentEvent::LegFailed(ShipmentLegManifestationFailed {
        position,
        failure: failure.to_owned(),
        may_be_manifested,
    })
}

fn leg_not_cancelled(position: u32, failure: &str) -> ShipmentEvent {
    ShipmentEvent::LegCancellationFailed(ShipmentLegManifestationCancellationFailed {
        position,
        failure: failure.to_owned(),
    })
}

/// Every command carries the legs: whichever comes first takes the shipment in, and one of a later round
/// says which legs it is from there on.
fn initialized(state: &State, planned: &PlannedShipment) -> Vec<ShipmentEvent> {
    let mut events = Vec::new();
    if state.id().is_none() {
        events.push(ShipmentEvent::Initialized(ShipmentInitialized {
            shipment_id: planned.shipment_id.clone(),
            legs: planned.legs.clone(),
        }));
    } else if state.has_legs_before(planned.round) {
        events.push(ShipmentEvent::Replanned(ShipmentReplanned {
            legs: planned.legs.clone(),
            round: planned.round,
        }));
    }
    events
}

/// Refuses what was asked for before the manifestation was cancelled.
fn not_cancelled(state: &State, round: Round) -> Result<(), Refusal> {
    let cancelled = matches!(
        state.progress,
        Progress::Cancelling(_) | Progress::Cancelled | Progress::CancellationFailed
    );
    if cancelled && round <= state.round {
        return Err(Refusal::late("its manifestation was cancelled"));
    }
    Ok(())
}

fn expect_answer(state: &State, position: u32, key: &str) -> Result<(), Refusal> {
    let asked = state
        .id()
        .is_some_and(|id| key == leg_key(id, state.round, position));
    match state.with_carrier.get(&position) {
        Some(WithCarrier::Asked) if asked && state.progress == Progress::WaitsFor(position) => {
            Ok(())
        }
        Some(WithCarrier::Manifested) if asked => Err(Refusal::repeated(format!(
            "leg {position} is manifested already"
        ))),
        Some(_) | None if state.progress == Progress::NotStarted => Err(Refusal::because(format!(
            "it does not wait for the carrier of leg {position}"
        ))),
        Some(_) | None => Err(Refusal::late(format!(
            "it no longer waits for the carrier of leg {position}"
        ))),
    }
}

fn expect_cancellation(state: &State, position: u32, key: &str) -> Result<(), Refusal> {
    let asked = state.id().is_some_and(|id| {
        state.cancellations > 0 && is_cancellation_of(key, &leg_key(id, state.round, position))
    });
    if !asked {
        return Err(Refusal::late(format!(
            "no cancellation of leg {position} is waited for"
        )));
    }
    if !state.with_carrier.contains_key(&position) {
        return Err(Refusal::repeated(format!(
            "leg {position} is cancelled already"
        )));
    }
    Ok(())
}

impl Process for ShipmentManifestation {
    type Command = CarrierCommand;

    fn react(&self, after: &State, event: &ShipmentEvent) -> Vec<Effect<CarrierCommand>> {
        use ShipmentEvent as E;
        let over = |step: &str| Patience::over(step, after.silent);
        match event {
            E::LegStarted(_) | E::LegCancellationStarted(_) | E::StepRetried(_) => {
                let (Some(step), Some(request)) = (step(after.progress), request(after)) else {
                    return vec![];
                };
                self.carrier.ask(&step, request)
            }
            E::StepTimedOut(timed_out) => self.carrier.pause(&timed_out.step, timed_out.attempt),
            E::LegManifested(ShipmentLegManifested { position, .. })
            | E::LegFailed(ShipmentLegManifestationFailed { position, .. }) => {
                over(&leg_step(*position))
            }
            // It no longer waits for the leg that was asked for.
            E::CancellationStarted(_) => match after.progress {
                Progress::WaitsFor(position) => over(&leg_step(position)),
                Progress::NotStarted
                | Progress::Manifested
                | Progress::Failed
                | Progress::Cancelling(_)
                | Progress::Cancelled
                | Progress::CancellationFailed => vec![],
            },
            E::LegCancelled(done) if after.progress == Progress::Cancelling(done.0.position) => {
                over(&cancellation_step(done.0.position))
            }
            E::LegCancellationFailed(failed) => over(&cancellation_step(failed.position)),
            E::Initialized(_)
            | E::Replanned(_)
            | E::CustomsInvoiceGenerated(_)
            | E::CustomsInvoiceFailed(_)
            | E::Manifested(_)
            | E::ManifestationFailed(_)
            | E::LabelsGenerated(_)
            | E::LabelsFailed(_)
            | E::ReceiptGenerated(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentGenerated(_)
            | E::CombinedDocumentFailed(_)
            | E::LegCancelled(_)
            | E::Cancelled(_)
            | E::CancellationFailed(_) => vec![],
        }
    }

    /// Never: whatever was done may be cancelled, and begun anew.
    fn is_finished(&self, _state: &State) -> bool {
        false
    }

    fn is_public(&self, event: &ShipmentEvent) -> bool {
        !matches!(
            event,
            ShipmentEvent::StepTimedOut(_) | ShipmentEvent::StepRetried(_)
        )
    }
}

/// What the carrier is asked in the present step.
fn request(state: &State) -> Option<CarrierCommand> {
    match state.progress {
        Progress::WaitsFor(position) => manifest_leg(state, position),
        Progress::Cancelling(position) => cancel_leg(state, position),
        Progress::NotStarted
        | Progress::Manifested
        | Progress::Failed
        | Progress::Cancelled
        | Progress::CancellationFailed => None,
    }
}
