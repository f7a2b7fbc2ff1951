//! The ledger of the carriers: each request is answered once, after a while, and a repetition gets
//! the same answer again.

use std::convert::Infallible;

use contracts::carrier::{CarrierEvent, CarrierRequestReceived, CollectionBookedByCarrier};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Process, Refusal, Trigger};

use crate::behaviour::{Behaviour, Behaviours, Input};
use crate::ledger::{Entry, Ledger, given};

/// The carriers, as one process a shipment.
#[derive(Clone, Debug)]
pub struct Carriers {
    /// How long they take to answer.
    pub delay: SignedDuration,
    /// How long after refusing a collection they book it all the same.
    pub books_late_after: SignedDuration,
    /// Those that behave in a way of their own.
    pub behaviours: Behaviours,
}

/// What the names of deadlines for a late booking end with: a stored name.
const LATE: &str = "/late";
/// What the names of deadlines for a second answer end with: a stored name.
const AGAIN: &str = "/again";

/// How long it takes to give an answer.
enum Pace {
    AtOnce,
    After(SignedDuration),
    Never,
}

impl Carriers {
    fn pace(&self, input: &CarrierRequestReceived) -> Pace {
        let usual = if self.delay.is_zero() {
            Pace::AtOnce
        } else {
            Pace::After(self.delay)
        };
        // A cancellation is answered at the usual pace, whatever the carrier does otherwise.
        if input.cancels.is_some() {
            return usual;
        }
        match self.behaviour_of(input) {
            Some(Behaviour::NeverAnswers) => Pace::Never,
            Some(Behaviour::AnswersAfter(time)) => Pace::After(time),
            Some(
                Behaviour::RefusesManifestation
                | Behaviour::AnswersTwice
                | Behaviour::RefusesCancellation,
            )
            | None => usual,
        }
    }

    fn behaviour_of(&self, request: &CarrierRequestReceived) -> Option<Behaviour> {
        self.behaviours.get(&request.carrier_id?).copied()
    }
}

impl Decider for Carriers {
    type State = Ledger;
    type Event = CarrierEvent;
    type Input = Input;

    fn initial(&self) -> Ledger {
        Ledger::default()
    }

    fn evolve(&self, ledger: Ledger, event: &CarrierEvent) -> Ledger {
        ledger.after(event)
    }

    fn decide(
        &self,
        ledger: &Ledger,
        trigger: Trigger<'_, Input, CarrierEvent>,
        _now: Timestamp,
    ) -> Result<Vec<CarrierEvent>, Refusal> {
        Ok(vec![match trigger {
            Trigger::Input(input) => match ledger.entry(input.key()) {
                None => self.receive(input),
                Some(Entry::Cancelled) => {
                    return Err(Refusal::late("the request was cancelled"));
                }
                Some(Entry::Received { answered: 0, .. }) => {
                    return Err(Refusal::repeated("the request is being worked on"));
                }
                Some(Entry::Received { answer, .. }) => given(input.key(), answer),
            },
            Trigger::Own(CarrierEvent::RequestReceived(request)) => match self.pace(request) {
                Pace::AtOnce => given(&request.idempotency_key, &request.answer),
                Pace::After(_) | Pace::Never => return Ok(vec![]),
            },
            Trigger::Own(_) => return Ok(vec![]),
            Trigger::DeadlinePassed(name) => match name.strip_suffix(LATE) {
                Some(key) => match ledger.late_booking(key) {
                    Some(reference) => CarrierEvent::CollectionBooked(CollectionBookedByCarrier {
                        idempotency_key: key.to_owned(),
                        booking_reference: reference.to_owned(),
                    }),
                    None => return Err(Refusal::late("there is nothing left to book")),
                },
                None => {
                    let key = name.strip_suffix(AGAIN).unwrap_or(name);
                    match ledger.entry(key) {
                        Some(Entry::Received { answer, .. }) => given(key, answer),
                        Some(Entry::Cancelled) => {
                            return Err(Refusal::late("the request was cancelled"));
                        }
                        None => {
                            return Err(Refusal::because(format!("there is no request {key}")));
                        }
                    }
                }
            },
        }])
    }
}

impl Carriers {
    fn receive(&self, input: &Input) -> CarrierEvent {
        let carrier = input.carrier();
        let behaviour = self.behaviours.get(&carrier).copied();
        CarrierEvent::RequestReceived(CarrierRequestReceived {
            idempotency_key: input.key().to_owned(),
            answer: input.answer(behaviour),
            cancels: input.cancels().map(str::to_owned),
            carrier_id: Some(carrier),
        })
    }

    /// What else a carrier does once it has given an answer for the first time.
    fn afterwards(&self, ledger: &Ledger, event: &CarrierEvent) -> Vec<Effect<Infallible>> {
        let CarrierEvent::CollectionRejected(rejected) = event else {
            return vec![];
        };
        if ledger.late_booking(&rejected.idempotency_key).is_none() {
            return vec![];
        }
        let name = format!("{}{LATE}", rejected.idempotency_key);
        vec![Effect::set_deadline(
            name,
            Due::After(self.books_late_after),
        )]
    }
}

impl Process for Carriers {
    type Command = Infallible;

    fn react(&self, after: &Ledger, event: &CarrierEvent) -> Vec<Effect<Infallible>> {
        let CarrierEvent::RequestReceived(request) = event else {
            return self.afterwards(after, event);
        };
        let mut effects = Vec::new();
        // What was cancelled is not spoken of again.
        if let Some(cancelled) = &request.cancels
            && !after.is_open(cancelled)
        {
            let deadlines = ["", LATE, AGAIN].map(|end| format!("{cancelled}{end}"));
            effects.extend(deadlines.map(Effect::clear_deadline));
        }
        let mut answered_after = SignedDuration::ZERO;
        match self.pace(request) {
            Pace::AtOnce => {}
            Pace::After(time) => {
                effects.push(Effect::set_deadline(
                    &request.idempotency_key,
                    Due::After(time),
                ));
                answered_after = time;
            }
            Pace::Never => return effects,
        }
        if self.behaviour_of(request) == Some(Behaviour::AnswersTwice) {
            let again = answered_after + SignedDuration::from_millis(1);
            let name = format!("{}{AGAIN}", request.idempotency_key);
            effects.push(Effect::set_deadline(name, Due::After(again)));
        }
        effects
    }

    fn is_finished(&self, _ledger: &Ledger) -> bool {
        false
    }
}
