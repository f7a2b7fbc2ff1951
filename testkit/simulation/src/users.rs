//! Users, who start shipments, repeat themselves, change their minds, and see to what has failed; and what
//! somebody sends that nobody can read.

use std::collections::BTreeMap;

use contracts::process::{
    AmendShipmentLegs, CancelShipment, ProcessShipment, RebookCollection, RegenerateDocuments,
    RetryFailedStep, SERVICE, SettleShipment,
};
use contracts::shipment::{Leg, Nothing};
use contracts::{Envelope, Kind, MessageId, MessageSet, ShipmentId};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use kernel::Category;
use runtime::Input;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::weather::Weather;
use crate::{Bounds, Chance};

/// Something that a user wants to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) shipment: ShipmentId,
    /// What is to be started, when it is a start.
    pub(crate) starts: Option<ProcessShipment>,
    pub(crate) message: Envelope,
    /// It is asked for at this step, or later.
    pub(crate) not_before: u64,
    /// Whether the user knows that it is stored.
    pub(crate) answered: bool,
    /// Whether an instance works on it.
    pub(crate) under_way: bool,
}

/// All that is asked for in a run.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    pub(crate) requests: Vec<Request>,
    /// How often somebody has seen to each shipment that needed attention.
    attended: BTreeMap<ShipmentId, u32>,
    /// What nobody can read, with the number of the service that it goes to.
    pub(crate) poisons: Vec<(usize, Envelope)>,
}

/// The type of what nobody can read.
pub(crate) const POISON: &str = "NobodyKnowsThis";
/// How many services there are.
const SERVICES: usize = 4;

/// The carriers that behave in a way of their own; their ids end with this.
const SPECIAL: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;
/// Of these, one that never answers.
const NEVER_ANSWERS: u128 = 2;

impl Users {
    /// So many shipments, of every kind; for some of them, a second start with another body. The weather
    /// says whether people ask for more, at any moment, and whether every carrier answers.
    pub(crate) fn drawn(
        chance: &mut Chance,
        bounds: Bounds,
        weather: &Weather,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let (patient, operations) = (weather.patient, weather.operations);
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut requests = Vec::new();
        let mut poisons = Vec::new();
        for number in 0..bounds.shipments {
            let ending = chance.one_of(&['0', '1', '2', '3', '3', 'X', 'X']);
            let id = ShipmentId::parse(format!("S{number:03}_{ending}"))?;
            let first = Request::start(start(chance, &id, today, patient), now)?;
            let first_id = first.message.id;
            requests.push(first);
            if chance.one_in(6) {
                let mut other = start(chance, &id, today, patient);
                other.legs[0].sender = "another sender".to_owned();
                requests.push(Request::start(other, now)?);
            }
            if weather.poisons && chance.one_in(3) {
                let nth = chance.below(SERVICES);
                // Every other bears the id of a message that anybody can read.
                let message_id = if number % 2 == 0 {
                    first_id
                } else {
                    MessageId::derive(&[id.as_str(), "poison"])
                };
                let data = to_raw_value(&())?;
                poisons.push((nth, message(&id, message_id, POISON, data, now)));
            }
            if !operations {
                continue;
            }
            for nth in 0..chance.one_of(&[0, 0, 1, 1, 2, 4]) {
                let step = chance.below(bounds.steps.max(1) as usize) as u64;
                requests.push(operation(chance, &id, nth, step, (patient, today, now))?);
            }
        }
        Ok(Self {
            requests,
            attended: BTreeMap::new(),
            poisons,
        })
    }

    /// Somebody sees to a shipment that needs attention: settles it, or where that cannot be, because its
    /// legs stand, cancels it before. Whether there was anything left to try.
    pub(crate) fn attend(&mut self, id: &ShipmentId, now: Timestamp) -> anyhow::Result<bool> {
        type Command = shipment_process::Input;
        let nth = self.attended.entry(id.clone()).or_default();
        let command: Command = match *nth {
            0 | 2 => settlement().into(),
            1 => CancelShipment { reason: None }.into(),
            _ => return Ok(false),
        };
        let message_id = MessageId::derive(&[id.as_str(), "attention", &nth.to_string()]);
        *nth += 1;
        let message = message(id, message_id, command.type_name(), command.encode()?, now);
        self.requests.push(Request::of(id, None, message, 0));
        Ok(true)
    }

    /// The ids under which it is recorded what nobody can read.
    pub(crate) fn poison_ids(&self) -> impl Iterator<Item = MessageId> {
        let poisons = self.poisons.iter();
        poisons.map(|(_, poison)| Input::unreadable_id(poison))
    }

    /// Whether every user knows that what was asked for is stored.
    pub(crate) fn are_answered(&self) -> bool {
        self.requests.iter().all(|request| request.answered)
    }

    /// The first that is due at this step, is not answered and not being worked on.
    pub(crate) fn next(&self, step: u64) -> Option<usize> {
        let waits = |request: &Request| {
            !request.answered && !request.under_way && request.not_before <= step
        };
        self.requests.iter().position(waits)
    }
}

fn start(chance: &mut Chance, id: &ShipmentId, today: Date, patient: bool) -> ProcessShipment {
    let days = chance.one_of(&[3, 1, 2, 4, 5, 6, 7, 0, -1, 8]);
    ProcessShipment {
        shipment_id: id.clone(),
        legs: legs(chance, patient),
        collection_date: today.saturating_add(Span::new().days(days)),
        time_zone: chance
            .one_of(&["Europe/London", "Europe/Berlin", "Pacific/Auckland"])
            .to_owned(),
    }
}

fn legs(chance: &mut Chance, patient: bool) -> Vec<Leg> {
    let count = chance.one_of(&[1, 2, 3]);
    let leg = |number: usize| {
        let special = chance.one_of(&[0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
        let waits_for_ever = patient && special == NEVER_ANSWERS;
        Leg {
            carrier_id: Uuid::from_u128(if special == 0 || waits_for_ever {
                number as u128
            } else {
                SPECIAL + special
            }),
            sender: format!("sender{number}"),
            receiver: format!("receiver{number}"),
            collection: format!("collection{number}"),
        }
    };
    (0..count).map(leg).collect()
}

/// Anything that a person may ask of a shipment.
fn operation(
    chance: &mut Chance,
    id: &ShipmentId,
    nth: u32,
    step: u64,
    (patient, today, now): (bool, Date, Timestamp),
) -> anyhow::Result<Request> {
    type Command = shipment_process::Input;
    let command: Command = match chance.below(8) {
        7 => settlement().into(),
        0 => CancelShipment { reason: None }.into(),
        1 | 2 => RetryFailedStep(Nothing {}).into(),
        3 => {
            let days = chance.one_of(&[3, 1, 8]);
            let date = today.saturating_add(Span::new().days(days));
            let collection_date = chance.one_in(2).then_some(date);
            RebookCollection { collection_date }.into()
        }
        4 => {
            let legs = legs(chance, patient);
            AmendShipmentLegs { legs }.into()
        }
        5 => RegenerateDocuments(Nothing {}).into(),
        _ => return change_of_category(chance, id, nth, step, now),
    };
    let message_id = MessageId::derive(&[id.as_str(), "operation", &nth.to_string()]);
    let message = message(id, message_id, command.type_name(), command.encode()?, now);
    Ok(Request::of(id, None, message, step))
}

fn settlement() -> SettleShipment {
    SettleShipment {
        reason: "somebody has called the carrier".to_owned(),
    }
}

fn change_of_category(
    chance: &mut Chance,
    id: &ShipmentId,
    nth: u32,
    step: u64,
    now: Timestamp,
) -> anyhow::Result<Request> {
    let to = chance.one_of(&["default-1.0", "domestic-1.0", "international-1.0"]);
    let to = Category::parse(to)?;
    let message_id = MessageId::derive(&[id.as_str(), "operation", &nth.to_string()]);
    let message = Input::change_category(&SERVICE, id.as_str(), &to, None, message_id, now)?;
    Ok(Request::of(id, None, message, step))
}

fn message(
    shipment: &ShipmentId,
    id: MessageId,
    type_name: &str,
    data: Box<RawValue>,
    now: Timestamp,
) -> Envelope {
    Envelope {
        id,
        kind: Kind::Command { to: SERVICE },
        source: SERVICE,
        type_name: type_name.to_owned(),
        subject: shipment.to_string(),
        time: now,
        correlation_id: id,
        causation_id: id,
        traceparent: None,
        category: None,
        actor: None,
        data,
    }
}

impl Request {
    /// As the HTTP API makes one: the same content is the same input.
    fn start(asked: ProcessShipment, now: Timestamp) -> anyhow::Result<Self> {
        let data = to_raw_value(&asked)?;
        let shipment = asked.shipment_id.clone();
        let id = MessageId::derive(&[shipment.as_str(), "start", data.get()]);
        let message = message(&shipment, id, "ProcessShipment", data, now);
        Ok(Self::of(&shipment, Some(asked), message, 0))
    }

    fn of(
        shipment: &ShipmentId,
        starts: Option<ProcessShipment>,
        message: Envelope,
        not_before: u64,
    ) -> Self {
        Self {
            shipment: shipment.clone(),
            starts,
            message,
            not_before,
            answered: false,
            under_way: false,
        }
    }
}
