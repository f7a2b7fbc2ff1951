//! Books the collection of a parcel with the carrier of the first leg, at the right time.

use contracts::carrier::{
    BookCollectionWithCarrier, CarrierCommand, CollectionBookedByCarrier,
    CollectionBookingRejectedByCarrier,
};
use contracts::collection::{
    CollectionBooked, CollectionBookingInitialized, CollectionBookingScheduled,
    CollectionBookingSchedulingFailed, CollectionBookingSubprocessFailed,
    CollectionBookingWithCarrierStarted, CollectionEvent, CollectionRequest,
    CreateCollectionBooking,
};
use contracts::message_set;
use contracts::shipment::{Failure, Nothing};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Process, Refusal, Trigger};

use crate::schedule::book_at;

message_set! {
    /// What collection-booking takes in.
    pub enum Input {
        Create(CreateCollectionBooking) = "CreateCollectionBooking",
        Booked(CollectionBookedByCarrier) = "CollectionBookedByCarrier",
        Rejected(CollectionBookingRejectedByCarrier) = "CollectionBookingRejectedByCarrier",
    }
}

/// The present of a booking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    request: Option<CollectionRequest>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Progress {
    #[default]
    New,
    /// Waits for the time to book.
    Scheduled,
    /// Waits for the carrier.
    WithCarrier,
    Booked,
    /// Failed; `asked` when the carrier had been asked, and may book after all.
    Failed {
        asked: bool,
    },
}

/// The process of a booking.
#[derive(Clone, Debug)]
pub struct CollectionBooking {
    /// Whether to book without waiting for the time that was scheduled.
    pub book_immediately: bool,
    /// How long a carrier may take to answer.
    pub carrier_timeout: SignedDuration,
}

/// The deadline for the time to book: a stored name.
const TIME_TO_BOOK: &str = "CollectionBooking";
/// The deadline for the carrier's answer: a stored name.
const CARRIER: &str = "CollectionBookingWithCarrier";

impl Decider for CollectionBooking {
    type State = State;
    type Event = CollectionEvent;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, mut state: State, event: &CollectionEvent) -> State {
        use CollectionEvent as E;
        match event {
            E::Initialized(CollectionBookingInitialized(request)) => {
                state.request = Some(request.clone());
            }
            E::Scheduled(_) => state.progress = Progress::Scheduled,
            E::WithCarrierStarted(_) => state.progress = Progress::WithCarrier,
            E::Booked(_) => state.progress = Progress::Booked,
            E::Failed(_) => {
                let asked = state.progress == Progress::WithCarrier;
                state.progress = Progress::Failed { asked };
            }
            E::SchedulingFailed(_) => {}
        }
        state
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, CollectionEvent>,
        now: Timestamp,
    ) -> Result<Vec<CollectionEvent>, Refusal> {
        use CollectionEvent as E;
        let asks_carrier =
            || E::WithCarrierStarted(CollectionBookingWithCarrierStarted(Nothing {}));
        Ok(vec![match trigger {
            Trigger::Input(Input::Create(CreateCollectionBooking(request))) => {
                if state.request.is_some() {
                    return Err(Refusal::AlreadyStarted);
                }
                E::Initialized(CollectionBookingInitialized(request.clone()))
            }
            Trigger::Own(E::Initialized(CollectionBookingInitialized(request))) => {
                match book_at(request.collection_date, &request.time_zone, now) {
                    Ok(book_at) => E::Scheduled(CollectionBookingScheduled { book_at }),
                    Err(why) => E::SchedulingFailed(CollectionBookingSchedulingFailed(
                        Failure::because(format!("CollectionBooking: {why}")),
                    )),
                }
            }
            Trigger::Own(E::SchedulingFailed(CollectionBookingSchedulingFailed(failure))) => {
                E::Failed(CollectionBookingSubprocessFailed(failure.clone()))
            }
            Trigger::Own(E::Scheduled(scheduled))
                if self.book_immediately || scheduled.book_at <= now =>
            {
                asks_carrier()
            }
            Trigger::DeadlinePassed(TIME_TO_BOOK) if state.progress == Progress::Scheduled => {
                asks_carrier()
            }
            Trigger::DeadlinePassed(CARRIER) if state.progress == Progress::WithCarrier => {
                failed("the carrier did not answer in time")
            }
            Trigger::DeadlinePassed(name) => {
                return Err(Refusal::because(format!("it does not wait for {name}")));
            }
            Trigger::Input(Input::Booked(answer)) => {
                // A carrier may book after all what it had refused, or was slow to answer.
                let asked = matches!(
                    state.progress,
                    Progress::WithCarrier | Progress::Failed { asked: true }
                );
                if !asked {
                    return Err(Refusal::because("no carrier was asked"));
                }
                E::Booked(CollectionBooked {
                    booking_reference: answer.booking_reference.clone(),
                })
            }
            Trigger::Input(Input::Rejected(answer)) => {
                if state.progress != Progress::WithCarrier {
                    return Err(Refusal::because("it does not wait for the carrier"));
                }
                failed(&answer.failure)
            }
            Trigger::Own(
                E::Scheduled(_) | E::WithCarrierStarted(_) | E::Booked(_) | E::Failed(_),
            ) => return Ok(vec![]),
        }])
    }
}

fn failed(why: &str) -> CollectionEvent {
    let failure = Failure::because(format!("CollectionBooking: {why}"));
    CollectionEvent::Failed(CollectionBookingSubprocessFailed(failure))
}

impl Process for CollectionBooking {
    type Command = CarrierCommand;

    fn react(&self, after: &State, event: &CollectionEvent) -> Vec<Effect<CarrierCommand>> {
        use CollectionEvent as E;
        match event {
            E::Scheduled(scheduled) if !self.book_immediately => {
                vec![Effect::set_deadline(
                    TIME_TO_BOOK,
                    Due::At(scheduled.book_at),
                )]
            }
            E::WithCarrierStarted(_) => {
                let Some(request) = &after.request else {
                    return vec![];
                };
                let command = BookCollectionWithCarrier {
                    idempotency_key: format!("{}/collection", request.shipment_id),
                    shipment_id: request.shipment_id.clone(),
                    tracking_number: request.leg.tracking_number.clone(),
                    collection: request.leg.leg.collection.clone(),
                    collection_date: request.collection_date,
                };
                vec![
                    Effect::clear_deadline(TIME_TO_BOOK),
                    Effect::Send(command.into()),
                    Effect::set_deadline(CARRIER, Due::After(self.carrier_timeout)),
                ]
            }
            E::Booked(_) | E::Failed(_) => vec![Effect::clear_deadline(CARRIER)],
            E::Initialized(_) | E::Scheduled(_) | E::SchedulingFailed(_) => vec![],
        }
    }

    fn is_finished(&self, state: &State) -> bool {
        state.progress == Progress::Booked
    }
}
