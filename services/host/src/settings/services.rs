//! What each of the four services has of its own.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kernel::{Backoff, Patience};
use serde::Deserialize;
use uuid::Uuid;

use super::Settings;
use super::choices::choices;

/// How long a step waits for an answer, and how often it asks again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long an answer may take, at least 1.
    pub timeout_ms: i64,
    /// How often it is asked again when none comes.
    pub retries: u32,
    /// The pause before the first retry; each later one is twice as long, up to an hour.
    pub retry_after_ms: i64,
}

impl Step {
    /// The kernel's value for it.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience {
            timeout: SignedDuration::from_millis(self.timeout_ms),
            retries: Backoff {
                retries: self.retries,
                first: SignedDuration::from_millis(self.retry_after_ms),
                longest: SignedDuration::from_hours(1),
            },
        }
    }
}

/// Settings of shipment-process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShipmentProcess {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// How long after a failed collection booking the legs stand; 0 to cancel them at once.
    pub rebooking_window_ms: i64,
    /// How much may wait for all services until starts have to wait, and are refused; 0 for any.
    pub max_backlog: usize,
    /// How long other services may take.
    pub steps: Steps,
}

/// How long other services may take, step by step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The customs invoice is generated.
    pub customs_invoice: Step,
    /// The legs are manifested.
    pub manifestation: Step,
    /// The labels are generated.
    pub labels: Step,
    /// The receipt is generated.
    pub receipt: Step,
    /// The combined document is generated.
    pub combined_document: Step,
    /// The collection is booked; the time until it is to be booked comes on top.
    pub collection_booking: Step,
    /// The collection is cancelled.
    pub booking_cancellation: Step,
    /// The legs are cancelled.
    pub manifestation_cancellation: Step,
}

/// Settings of manifestation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifestation {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// The address under which documents are found.
    pub documents_base_url: String,
    /// How long a carrier may take.
    pub carrier: Step,
}

/// Settings of collection-booking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionBooking {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// Whether to book at once, and not at the time that was scheduled.
    pub book_immediately: bool,
    /// How long a carrier may take.
    pub carrier: Step,
}

/// Settings of carrier-stub.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierStub {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// How long a carrier takes to answer.
    pub delay_ms: i64,
    /// How long after refusing it a carrier books a collection all the same.
    pub books_late_after_ms: i64,
    /// The carriers that behave in a way of their own, by their ids.
    #[serde(default)]
    pub carriers: BTreeMap<Uuid, Carrier>,
}

/// How a carrier behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// In which way it is special.
    pub behaviour: Behaviour,
    /// For `answers_after`: how long it takes to answer, in milliseconds.
    #[serde(default)]
    pub after_ms: i64,
}

/// In which way a carrier is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Behaviour {
    /// It takes no leg.
    RefusesManifestation,
    /// It never answers when it is to take a leg or to collect.
    NeverAnswers,
    /// It takes long to answer.
    AnswersAfter,
    /// It gives each answer twice.
    AnswersTwice,
    /// It cancels nothing.
    RefusesCancellation,
}

choices! { Behaviour: "refuses_manifestation" => RefusesManifestation, "never_answers" => NeverAnswers, "answers_after" => AnswersAfter, "answers_twice" => AnswersTwice, "refuses_cancellation" => RefusesCancellation }

impl Settings {
    /// The times of the services in milliseconds, by their keys, and the least that each may be.
    pub(super) fn times_of_services(&self) -> Vec<(String, i64, i64)> {
        let process = &self.shipment_process;
        let steps = &process.steps;
        let mut times = vec![
            (
                "shipment_process.rebooking_window_ms".to_owned(),
                process.rebooking_window_ms,
                0,
            ),
            (
                "carrier_stub.delay_ms".to_owned(),
                self.carrier_stub.delay_ms,
                0,
            ),
            (
                "carrier_stub.books_late_after_ms".to_owned(),
                self.carrier_stub.books_late_after_ms,
                0,
            ),
        ];
        for (name, step) in [
            (
                "shipment_process.steps.customs_invoice",
                &steps.customs_invoice,
            ),
            ("shipment_process.steps.manifestation", &steps.manifestation),
            ("shipment_process.steps.labels", &steps.labels),
            ("shipment_process.steps.receipt", &steps.receipt),
            (
                "shipment_process.steps.combined_document",
                &steps.combined_document,
            ),
            (
                "shipment_process.steps.collection_booking",
                &steps.collection_booking,
            ),
            (
                "shipment_process.steps.booking_cancellation",
                &steps.booking_cancellation,
            ),
            (
                "shipment_process.steps.manifestation_cancellation",
                &steps.manifestation_cancellation,
            ),
            ("manifestation.carrier", &self.manifestation.carrier),
            (
                "collection_booking.carrier",
                &self.collection_booking.carrier,
            ),
        ] {
            times.push((format!("{name}.timeout_ms"), step.timeout_ms, 1));
            times.push((format!("{name}.retry_after_ms"), step.retry_after_ms, 0));
        }
        for (id, carrier) in &self.carrier_stub.carriers {
            times.push((
                format!("carrier_stub.carriers.{id}.after_ms"),
                carrier.after_ms,
                0,
            ));
        }
        times
    }
}
