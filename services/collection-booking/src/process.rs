//! Books the collection of a parcel with the carrier of the first leg, at the right time, and cancels it
//! again.

use std::cmp::Ordering;

use contracts::Round;
use contracts::carrier::{
    BookCollectionWithCarrier, CancelCollectionWithCarrier, CarrierCommand,
    CollectionBookedByCarrier, CollectionBookingRejectedByCarrier,
    CollectionCancellationRejectedByCarrier, CollectionCancelledByCarrier, is_cancellation_of,
};
use contracts::collection::{
    CancelCollectionBooking, CollectionBooked, CollectionBookedMeanwhile,
    CollectionBookingCancellationFailed, CollectionBookingInitialized, CollectionBookingScheduled,
    CollectionBookingSchedulingFailed, CollectionBookingSubprocessFailed,
    CollectionBookingWithCarrierStarted, CollectionEvent, CollectionRequest,
    CreateCollectionBooking,
};
use contracts::message_set;
use contracts::shipment::{Failure, Nothing, StepRetried, StepTimedOut, Undone};
use jiff::Timestamp;
use kernel::{Decider, Due, Effect, Overdue, Patience, Process, Refusal, Trigger};

use crate::schedule::book_at;
use crate::state::{Progress, State};

message_set! {
    /// What collection-booking takes in.
    pub enum Input {
        Create(CreateCollectionBooking) = "CreateCollectionBooking",
        Cancel(CancelCollectionBooking) = "CancelCollectionBooking",
        Booked(CollectionBookedByCarrier) = "CollectionBookedByCarrier",
        Rejected(CollectionBookingRejectedByCarrier) = "CollectionBookingRejectedByCarrier",
        Cancelled(CollectionCancelledByCarrier) = "CollectionCancelledByCarrier",
        CancellationRejected(CollectionCancellationRejectedByCarrier)
            = "CollectionCancellationRejectedByCarrier",
    }
}

/// The process of a booking.
#[derive(Clone, Debug)]
pub struct CollectionBooking {
    /// Whether to book without waiting for the time that was scheduled.
    pub book_immediately: bool,
    /// How long a carrier may take to answer, and how often it is asked again.
    pub carrier: Patience,
}

/// The deadline for the time to book: a stored name.
const TIME_TO_BOOK: &str = "CollectionBooking";
/// The step that waits for the carrier to book: a stored name.
const WITH_CARRIER: &str = "CollectionBookingWithCarrier";
/// The step that waits for the carrier to cancel: a stored name.
const CANCELLATION: &str = "CollectionBookingCancellation";

const SILENT: &str = "the carrier did not answer in time";

impl Decider for CollectionBooking {
    type State = State;
    type Event = CollectionEvent;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, state: State, event: &CollectionEvent) -> State {
        state.after(event)
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, CollectionEvent>,
        now: Timestamp,
    ) -> Result<Vec<CollectionEvent>, Refusal> {
        Ok(vec![match trigger {
            Trigger::Own(event) => {
                return Ok(self.next(state, event, now).into_iter().collect());
            }
            Trigger::DeadlinePassed(TIME_TO_BOOK) => match state.progress {
                Progress::Scheduled => asks_carrier(),
                Progress::New
                | Progress::WithCarrier
                | Progress::Booked
                | Progress::Failed
                | Progress::Cancelling
                | Progress::Cancelled
                | Progress::CancellationFailed => {
                    return Err(Refusal::late("it no longer waits for the time to book"));
                }
            },
            Trigger::DeadlinePassed(name) => self.overdue(state, name)?,
            Trigger::Input(Input::Create(CreateCollectionBooking(request))) => {
                create(state, request)?
            }
            Trigger::Input(Input::Cancel(CancelCollectionBooking(undo))) => {
                cancel(state, undo.round)?
            }
            Trigger::Input(Input::Booked(answer)) => booked(state, answer)?,
            Trigger::Input(Input::Rejected(answer)) => {
                expect_answer(state, &answer.idempotency_key)?;
                if state.progress != Progress::WithCarrier {
                    return Err(Refusal::late("it no longer waits for the carrier"));
                }
                failed(state.round, &answer.failure)
            }
            Trigger::Input(Input::Cancelled(answer)) => {
                expect_cancellation(state, &answer.idempotency_key)?;
                // A carrier may agree after all, when it was slow to answer.
                CollectionEvent::Cancelled(Undone { round: state.round }.into())
            }
            Trigger::Input(Input::CancellationRejected(answer)) => {
                expect_cancellation(state, &answer.idempotency_key)?;
                if !may_be_refused(state, &answer.idempotency_key) {
                    return Err(Refusal::late("it no longer waits for the carrier"));
                }
                not_cancelled(state.round, &answer.failure, true)
            }
        }])
    }
}

impl CollectionBooking {
    /// What follows from an own decision.
    fn next(
        &self,
        state: &State,
        event: &CollectionEvent,
        now: Timestamp,
    ) -> Option<CollectionEvent> {
        use CollectionEvent as E;
        Some(match event {
            E::Initialized(CollectionBookingInitialized(request)) => {
                match book_at(request.collection_date, &request.time_zone, now) {
                    Ok(book_at) => E::Scheduled(CollectionBookingScheduled { book_at }),
                    Err(why) => E::SchedulingFailed(CollectionBookingSchedulingFailed(failure(
                        state.round,
                        &why,
                    ))),
                }
            }
            E::SchedulingFailed(CollectionBookingSchedulingFailed(failure)) => {
                E::Failed(CollectionBookingSubprocessFailed(failure.clone()))
            }
            E::Scheduled(scheduled) if self.book_immediately || scheduled.book_at <= now => {
                asks_carrier()
            }
            // What the carrier has booked, and does not cancel, stands.
            E::CancellationFailed(failed) if failed.refused => {
                collected(state, state.reference.as_ref()?)
            }
            E::Scheduled(_)
            | E::WithCarrierStarted(_)
            | E::Booked(_)
            | E::BookedMeanwhile(_)
            | E::Failed(_)
            | E::CancellationStarted(_)
            | E::Cancelled(_)
            | E::CancellationFailed(_)
            | E::StepTimedOut(_)
            | E::StepRetried(_) => return None,
        })
    }

    /// The step that waits for the carrier is overdue, or may ask again.
    fn overdue(&self, state: &State, deadline: &str) -> Result<CollectionEvent, Refusal> {
        use CollectionEvent as E;
        let (Overdue::Answer(named) | Overdue::Retry(named)) = Overdue::of(deadline);
        let Some(step) = step(state).filter(|step| *step == named) else {
            return Err(Refusal::late(format!("it does not wait for {named}")));
        };
        let step = step.to_owned();
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
            Overdue::Answer(_) if state.progress == Progress::Cancelling => {
                not_cancelled(state.round, SILENT, false)
            }
            Overdue::Answer(_) => failed(state.round, SILENT),
        })
    }
}

/// Begins to book, or says again what came of it.
fn create(state: &State, request: &CollectionRequest) -> Result<CollectionEvent, Refusal> {
    let begins = match request.round.cmp(&state.round) {
        Ordering::Less => return Err(Refusal::late("it was begun anew meanwhile")),
        Ordering::Equal => state.progress == Progress::New,
        Ordering::Greater => !state.is_open(),
    };
    if begins {
        return Ok(CollectionEvent::Initialized(request.clone().into()));
    }
    // Whoever asks again has not had the answer.
    match state.progress {
        Progress::Booked => {
            let reference = state.reference.as_deref().unwrap_or_default();
            Ok(collected(state, reference))
        }
        Progress::Failed => {
            let failure = Failure::because(state.failure.clone().unwrap_or_default());
            Ok(CollectionEvent::Failed(
                failure.in_round(state.round).into(),
            ))
        }
        Progress::New | Progress::Scheduled | Progress::WithCarrier => {
            Err(Refusal::repeated("it is being booked already"))
        }
        // Whoever still waits for it must hear that it will not come.
        Progress::Cancelled => Ok(failed(request.round, "the booking was cancelled")),
        Progress::Cancelling | Progress::CancellationFailed => {
            Err(Refusal::late("the booking was cancelled"))
        }
    }
}

/// Begins to cancel what is or may be booked, or says that nothing is.
fn cancel(state: &State, round: Round) -> Result<CollectionEvent, Refusal> {
    if round < state.round {
        return Err(Refusal::late("it was begun anew meanwhile"));
    }
    // The booking is known to the carrier under the key of its round.
    if round > state.round && state.may_be_booked {
        return Err(Refusal::because(format!(
            "nothing was booked in round {round}"
        )));
    }
    if state.progress == Progress::Cancelling {
        return Err(Refusal::repeated("it is being cancelled already"));
    }
    let undone = Undone { round };
    Ok(if state.may_be_booked {
        CollectionEvent::CancellationStarted(undone.into())
    } else {
        CollectionEvent::Cancelled(undone.into())
    })
}

/// A carrier may book after all what it had refused, was slow to answer, or does not cancel.
fn booked(state: &State, answer: &CollectionBookedByCarrier) -> Result<CollectionEvent, Refusal> {
    expect_answer(state, &answer.idempotency_key)?;
    let reference = &answer.booking_reference;
    match state.progress {
        Progress::WithCarrier | Progress::Failed => Ok(collected(state, reference)),
        Progress::Booked => Err(Refusal::repeated("it is booked already")),
        Progress::CancellationFailed if state.cancellation_refused => {
            Ok(collected(state, reference))
        }
        // As long as it may still be cancelled, nobody counts on it.
        Progress::Cancelling | Progress::CancellationFailed if state.reference.is_none() => {
            let booking_reference = reference.clone();
            Ok(CollectionBookedMeanwhile { booking_reference }.into())
        }
        Progress::Cancelling | Progress::CancellationFailed => {
            Err(Refusal::repeated("it is known to be booked already"))
        }
        Progress::New | Progress::Scheduled | Progress::Cancelled => {
            Err(Refusal::late("the booking was cancelled"))
        }
    }
}

/// Whether it is of interest that the carrier has refused the cancellation of this key: it is the last one,
/// and was not refused before.
fn may_be_refused(state: &State, key: &str) -> bool {
    let is_open = match state.progress {
        Progress::Cancelling => true,
        Progress::CancellationFailed => !state.cancellation_refused,
        Progress::New
        | Progress::Scheduled
        | Progress::WithCarrier
        | Progress::Booked
        | Progress::Failed
        | Progress::Cancelled => false,
    };
    is_open && state.cancellation_key().as_deref() == Some(key)
}

fn expect_answer(state: &State, key: &str) -> Result<(), Refusal> {
    if state.key().as_deref() != Some(key) {
        return Err(match state.progress {
            Progress::New => Refusal::because("no carrier was asked"),
            Progress::Scheduled
            | Progress::WithCarrier
            | Progress::Booked
            | Progress::Failed
            | Progress::Cancelling
            | Progress::Cancelled
            | Progress::CancellationFailed => Refusal::late("it was begun anew meanwhile"),
        });
    }
    if state.may_be_booked || state.progress == Progress::Cancelled {
        Ok(())
    } else {
        Err(Refusal::because("no carrier was asked"))
    }
}

fn expect_cancellation(state: &State, key: &str) -> Result<(), Refusal> {
    let of_this = state.key().is_some_and(|of| is_cancellation_of(key, &of));
    if !of_this || state.cancellations == 0 {
        return Err(Refusal::late("no cancellation is waited for"));
    }
    if !state.may_be_booked {
        return Err(Refusal::repeated("it is cancelled already"));
    }
    Ok(())
}

fn asks_carrier() -> CollectionEvent {
    CollectionEvent::WithCarrierStarted(CollectionBookingWithCarrierStarted(Nothing {}))
}

fn failure(round: Round, why: &str) -> Failure {
    Failure::because(format!("CollectionBooking: {why}")).in_round(round)
}

fn failed(round: Round, why: &str) -> CollectionEvent {
    CollectionEvent::Failed(CollectionBookingSubprocessFailed(failure(round, why)))
}

fn collected(state: &State, reference: &str) -> CollectionEvent {
    CollectionEvent::Booked(CollectionBooked {
        booking_reference: reference.to_owned(),
        round: state.round,
        cancellation_refused: state.cancellation_refused,
    })
}

fn not_cancelled(round: Round, why: &str, refused: bool) -> CollectionEvent {
    CollectionEvent::CancellationFailed(CollectionBookingCancellationFailed {
        failure: format!("{CANCELLATION}: {why}"),
        round,
        refused,
    })
}

/// The step that waits for the carrier, which is the name of its deadline.
fn step(state: &State) -> Option<&'static str> {
    match state.progress {
        Progress::WithCarrier => Some(WITH_CARRIER),
        Progress::Cancelling => Some(CANCELLATION),
        Progress::New
        | Progress::Scheduled
        | Progress::Booked
        | Progress::Failed
        | Progress::Cancelled
        | Progress::CancellationFailed => None,
    }
}

/// What the carrier is asked in the present step.
fn request(state: &State) -> Option<CarrierCommand> {
    let request = state.request.as_ref()?;
    let key = state.key()?;
    Some(if state.progress == Progress::Cancelling {
        CancelCollectionWithCarrier {
            idempotency_key: state.cancellation_key()?,
            cancels: key,
            shipment_id: request.shipment_id.clone(),
            carrier_id: request.leg.leg.carrier_id,
        }
        .into()
    } else {
        BookCollectionWithCarrier {
            idempotency_key: key,
            shipment_id: request.shipment_id.clone(),
            carrier_id: request.leg.leg.carrier_id,
            tracking_number: request.leg.tracking_number.clone(),
            collection: request.leg.leg.collection.clone(),
            collection_date: request.collection_date,
        }
        .into()
    })
}

impl Process for CollectionBooking {
    type Command = CarrierCommand;

    fn react(&self, after: &State, event: &CollectionEvent) -> Vec<Effect<CarrierCommand>> {
        use CollectionEvent as E;
        let asks = || match (step(after), request(after)) {
            (Some(step), Some(request)) => self.carrier.ask(step, request),
            (Some(_) | None, _) => vec![],
        };
        match event {
            E::Scheduled(scheduled) if !self.book_immediately => {
                vec![Effect::set_deadline(
                    TIME_TO_BOOK,
                    Due::At(scheduled.book_at),
                )]
            }
            E::WithCarrierStarted(_) => {
                let mut effects = vec![Effect::clear_deadline(TIME_TO_BOOK)];
                effects.extend(asks());
                effects
            }
            E::CancellationStarted(_) => {
                let mut effects = Patience::over(WITH_CARRIER, 1);
                effects.extend(asks());
                effects
            }
            E::StepRetried(_) => asks(),
            E::StepTimedOut(timed_out) => self.carrier.pause(&timed_out.step, timed_out.attempt),
            E::Booked(_) => Patience::over(WITH_CARRIER, after.silent),
            E::Failed(_) if after.may_be_booked => Patience::over(WITH_CARRIER, after.silent),
            E::Cancelled(_) if after.cancellations > 0 => {
                Patience::over(CANCELLATION, after.silent)
            }
            E::Cancelled(_) => vec![Effect::clear_deadline(TIME_TO_BOOK)],
            E::CancellationFailed(_) => Patience::over(CANCELLATION, after.silent),
            E::Initialized(_)
            | E::Scheduled(_)
            | E::SchedulingFailed(_)
            | E::Failed(_)
            | E::BookedMeanwhile(_) => vec![],
        }
    }

    /// Never: what is booked may be cancelled, and booked anew.
    fn is_finished(&self, _state: &State) -> bool {
        false
    }

    fn is_public(&self, event: &CollectionEvent) -> bool {
        !matches!(
            event,
            CollectionEvent::BookedMeanwhile(_)
                | CollectionEvent::StepTimedOut(_)
                | CollectionEvent::StepRetried(_)
        )
    }
}
