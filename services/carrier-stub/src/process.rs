//! The ledger of the carriers: each request is answered once, after a while, and a repetition gets
//! the same answer again.

use std::collections::BTreeMap;
use std::convert::Infallible;

use contracts::carrier::{
    Answer, BookCollectionWithCarrier, CarrierEvent, CarrierRequestReceived,
    CollectionBookedByCarrier, CollectionBookingRejectedByCarrier,
    LegManifestationRejectedByCarrier, LegManifestedByCarrier, ManifestLegWithCarrier,
};
use contracts::{MessageId, ShipmentId, message_set};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Process, Refusal, Trigger};

message_set! {
    /// What carriers take in.
    pub enum Input {
        ManifestLeg(ManifestLegWithCarrier) = "ManifestLegWithCarrier",
        BookCollection(BookCollectionWithCarrier) = "BookCollectionWithCarrier",
    }
}

/// The requests of a shipment, by their key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    answer: Answer,
    answered: bool,
    /// Whether the carrier has booked after all what it had refused.
    booked_late: bool,
}

/// The carriers, as one process a shipment.
#[derive(Clone, Debug)]
pub struct Carriers {
    /// How long they take to answer.
    pub delay: SignedDuration,
    /// How long after refusing a collection they book it all the same.
    pub books_late_after: SignedDuration,
}

/// What the names of deadlines for a late booking end with: a stored name.
const LATE: &str = "/late";

/// What the end of the shipment's id says will happen.
fn outcome(shipment: &ShipmentId) -> char {
    shipment.as_str().chars().last().unwrap_or_default()
}

/// A number as a carrier gives it, the same for the same request.
fn number(key: &str) -> String {
    MessageId::derive(&["carrier", key])
        .uuid()
        .simple()
        .to_string()
}

fn answer_to(input: &Input) -> (&str, Answer) {
    match input {
        Input::ManifestLeg(request) => {
            let position = request.position;
            let answer = match outcome(&request.shipment_id) {
                '1' => Answer::LegRejected {
                    position,
                    failure: "the carrier does not take this leg".to_owned(),
                },
                _ => Answer::LegManifested {
                    position,
                    tracking_number: number(&request.idempotency_key),
                },
            };
            (&request.idempotency_key, answer)
        }
        Input::BookCollection(request) => {
            let key = &request.idempotency_key;
            let rejected = |booked_later| Answer::CollectionRejected {
                failure: "the carrier does not collect there on that day".to_owned(),
                booked_later,
            };
            let answer = match outcome(&request.shipment_id) {
                '2' => rejected(None),
                '3' => rejected(Some(number(key))),
                _ => Answer::CollectionBooked {
                    booking_reference: number(key),
                },
            };
            (key, answer)
        }
    }
}

fn answered(key: &str, answer: &Answer) -> CarrierEvent {
    let idempotency_key = key.to_owned();
    match answer.clone() {
        Answer::LegManifested {
            position,
            tracking_number,
        } => CarrierEvent::LegManifested(LegManifestedByCarrier {
            idempotency_key,
            position,
            tracking_number,
        }),
        Answer::LegRejected { position, failure } => {
            CarrierEvent::LegRejected(LegManifestationRejectedByCarrier {
                idempotency_key,
                position,
                failure,
            })
        }
        Answer::CollectionBooked { booking_reference } => {
            CarrierEvent::CollectionBooked(CollectionBookedByCarrier {
                idempotency_key,
                booking_reference,
            })
        }
        Answer::CollectionRejected { failure, .. } => {
            CarrierEvent::CollectionRejected(CollectionBookingRejectedByCarrier {
                idempotency_key,
                failure,
            })
        }
    }
}

impl Ledger {
    fn entry(&self, key: &str) -> Result<&Entry, Refusal> {
        self.0
            .get(key)
            .ok_or_else(|| Refusal::because(format!("there is no request {key}")))
    }

    /// The reference under which a refused collection is still to be booked.
    fn late_booking(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Entry {
                answer: Answer::CollectionRejected { booked_later, .. },
                booked_late: false,
                ..
            } => booked_later.as_deref(),
            _ => None,
        }
    }
}

impl Decider for Carriers {
    type State = Ledger;
    type Event = CarrierEvent;
    type Input = Input;

    fn initial(&self) -> Ledger {
        Ledger::default()
    }

    fn evolve(&self, mut ledger: Ledger, event: &CarrierEvent) -> Ledger {
        let mut set = |key: &str, change: fn(&mut Entry)| {
            if let Some(entry) = ledger.0.get_mut(key) {
                change(entry);
            }
        };
        match event {
            CarrierEvent::RequestReceived(request) => {
                ledger.0.insert(
                    request.idempotency_key.clone(),
                    Entry {
                        answer: request.answer.clone(),
                        answered: false,
                        booked_late: false,
                    },
                );
            }
            CarrierEvent::LegManifested(done) => set(&done.idempotency_key, |e| e.answered = true),
            CarrierEvent::LegRejected(done) => set(&done.idempotency_key, |e| e.answered = true),
            CarrierEvent::CollectionBooked(done) => set(&done.idempotency_key, |entry| {
                entry.booked_late = entry.answered;
                entry.answered = true;
            }),
            CarrierEvent::CollectionRejected(done) => {
                set(&done.idempotency_key, |e| e.answered = true);
            }
        }
        ledger
    }

    fn decide(
        &self,
        ledger: &Ledger,
        trigger: Trigger<'_, Input, CarrierEvent>,
        _now: Timestamp,
    ) -> Result<Vec<CarrierEvent>, Refusal> {
        Ok(vec![match trigger {
            Trigger::Input(input) => {
                let (key, answer) = answer_to(input);
                match ledger.0.get(key) {
                    None => CarrierEvent::RequestReceived(CarrierRequestReceived {
                        idempotency_key: key.to_owned(),
                        answer,
                    }),
                    Some(entry) if entry.answered => answered(key, &entry.answer),
                    Some(_) => return Err(Refusal::because("the request is being worked on")),
                }
            }
            Trigger::Own(CarrierEvent::RequestReceived(request)) if self.delay.is_zero() => {
                answered(&request.idempotency_key, &request.answer)
            }
            Trigger::Own(_) => return Ok(vec![]),
            Trigger::DeadlinePassed(name) => match name.strip_suffix(LATE) {
                Some(key) => match ledger.late_booking(key) {
                    Some(reference) => CarrierEvent::CollectionBooked(CollectionBookedByCarrier {
                        idempotency_key: key.to_owned(),
                        booking_reference: reference.to_owned(),
                    }),
                    None => return Err(Refusal::because("there is nothing left to book")),
                },
                None => answered(name, &ledger.entry(name)?.answer),
            },
        }])
    }
}

impl Process for Carriers {
    type Command = Infallible;

    fn react(&self, after: &Ledger, event: &CarrierEvent) -> Vec<Effect<Infallible>> {
        match event {
            CarrierEvent::RequestReceived(request) if !self.delay.is_zero() => {
                vec![Effect::set_deadline(
                    &request.idempotency_key,
                    Due::After(self.delay),
                )]
            }
            CarrierEvent::CollectionRejected(rejected)
                if after.late_booking(&rejected.idempotency_key).is_some() =>
            {
                let name = format!("{}{LATE}", rejected.idempotency_key);
                vec![Effect::set_deadline(
                    name,
                    Due::After(self.books_late_after),
                )]
            }
            CarrierEvent::RequestReceived(_)
            | CarrierEvent::LegManifested(_)
            | CarrierEvent::LegRejected(_)
            | CarrierEvent::CollectionBooked(_)
            | CarrierEvent::CollectionRejected(_) => vec![],
        }
    }

    fn is_finished(&self, _ledger: &Ledger) -> bool {
        false
    }
}
