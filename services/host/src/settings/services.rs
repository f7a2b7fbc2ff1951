//! What each of the four services has of its own.

use serde::Deserialize;

use super::Settings;

/// Settings of shipment-process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShipmentProcess {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// How long another service may take for a step.
    pub step_timeout_ms: i64,
}

/// Settings of manifestation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifestation {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// The address under which documents are found.
    pub documents_base_url: String,
    /// How long a carrier may take to answer.
    pub carrier_timeout_ms: i64,
}

/// Settings of collection-booking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionBooking {
    /// Where it listens; 0 for any free port.
    pub port: u16,
    /// Whether to book at once, and not at the time that was scheduled.
    pub book_immediately: bool,
    /// How long a carrier may take to answer.
    pub carrier_timeout_ms: i64,
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
}

impl Settings {
    /// The times of the services in milliseconds, by their keys, and the least that each may be.
    pub(super) fn times_of_services(&self) -> Vec<(&'static str, i64, i64)> {
        vec![
            (
                "shipment_process.step_timeout_ms",
                self.shipment_process.step_timeout_ms,
                1,
            ),
            (
                "manifestation.carrier_timeout_ms",
                self.manifestation.carrier_timeout_ms,
                1,
            ),
            (
                "collection_booking.carrier_timeout_ms",
                self.collection_booking.carrier_timeout_ms,
                1,
            ),
            ("carrier_stub.delay_ms", self.carrier_stub.delay_ms, 0),
            (
                "carrier_stub.books_late_after_ms",
                self.carrier_stub.books_late_after_ms,
                0,
            ),
        ]
    }
}
