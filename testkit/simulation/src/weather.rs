//! What a run is like as a whole.

use std::collections::HashMap;

use anyhow::Context;
use host::{Base, Settings, Step};

use crate::Chance;

/// Drawn once, at the beginning of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Whether no step ever times out: every answer is waited for.
    pub(crate) patient: bool,
    /// Whether people ask for more than a start.
    pub(crate) operations: bool,
    /// Whether somebody sees in the end to what could not be undone.
    pub(crate) settles: bool,
    /// Whether messages come that nobody can read.
    pub(crate) poisons: bool,
    /// Whether collections are booked without waiting for the evening before.
    book_immediately: bool,
    /// How long carriers take to answer.
    carrier_delay_ms: i64,
    /// How long after refusing it they book a collection all the same.
    books_late_after_ms: i64,
    /// How long legs stand whose collection is not booked.
    rebooking_window_ms: i64,
    /// How long services wait, and how often they ask again.
    step: (i64, u32),
    /// One message in so many is held up for long.
    pub(crate) holds_up_one_in: usize,
    /// One message in so many stays in the queue when it is taken.
    pub(crate) copies_one_in: usize,
    /// How much goes wrong at the store.
    pub(crate) store_troubles: usize,
    /// How often instances crash.
    pub(crate) crashes: usize,
    /// How much faster the clocks of the second instances are, in milliseconds.
    pub(crate) skew_ms: i64,
}

/// Once in so many times, which no run sees.
const NEVER: usize = 1 << 40;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl Weather {
    pub(crate) fn drawn(chance: &mut Chance) -> Self {
        let patient = !chance.one_in(2);
        Self {
            patient,
            operations: chance.one_in(2),
            settles: chance.one_in(2),
            poisons: chance.one_in(2),
            book_immediately: !chance.one_in(3),
            carrier_delay_ms: chance.one_of(&[500, 0, 5, 60_000]),
            books_late_after_ms: chance.one_of(&[2_000, 1, 3_600_000]),
            rebooking_window_ms: chance.one_of(&[DAY_MS, 0, 60_000]),
            step: if patient {
                (400 * DAY_MS, 0)
            } else {
                chance.one_of(&[(900_000, 1), (90_000, 0), (2_000, 3), (2_000, 0)])
            },
            holds_up_one_in: chance.one_of(&[1_000, 30, 8]),
            copies_one_in: chance.one_of(&[1_000, 20, 4]),
            store_troubles: chance.one_of(&[0, 1, 4]),
            crashes: chance.one_of(&[0, 1, 5]),
            skew_ms: chance.one_of(&[0, 3, 20_000, -20_000]),
        }
    }

    /// Nothing goes wrong, and everyone waits.
    pub(crate) const fn calm() -> Self {
        Self {
            patient: true,
            operations: false,
            settles: false,
            poisons: false,
            book_immediately: true,
            carrier_delay_ms: 500,
            books_late_after_ms: 2_000,
            rebooking_window_ms: DAY_MS,
            step: (400 * DAY_MS, 0),
            holds_up_one_in: NEVER,
            copies_one_in: NEVER,
            store_troubles: 0,
            crashes: 0,
            skew_ms: 0,
        }
    }

    /// From here on nothing goes wrong any more.
    pub(crate) const fn clear_up(&mut self) {
        self.holds_up_one_in = NEVER;
        self.copies_one_in = NEVER;
    }

    /// The settings of the services: those that are shipped, but for these.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::layered(Base::AllInOne, None, HashMap::new())
            .context("the settings that are shipped fit")?;
        let (timeout_ms, retries) = self.step;
        let step = Step {
            timeout_ms,
            retries,
            retry_after_ms: 1_000,
        };
        let process = &mut settings.shipment_process;
        process.rebooking_window_ms = self.rebooking_window_ms;
        process.steps = host::Steps {
            customs_invoice: step,
            manifestation: step,
            labels: step,
            receipt: step,
            combined_document: step,
            collection_booking: step,
            booking_cancellation: step,
            manifestation_cancellation: step,
        };
        settings.manifestation.carrier = step;
        settings.collection_booking.carrier = step;
        settings.collection_booking.book_immediately = self.book_immediately;
        settings.carrier_stub.delay_ms = self.carrier_delay_ms;
        settings.carrier_stub.books_late_after_ms = self.books_late_after_ms;
        Ok(settings)
    }
}
