//! What collection-booking knows of a booking: the fold of its stream.

use contracts::Round;
use contracts::carrier::cancellation_key;
use contracts::collection::{CollectionEvent, CollectionRequest};

/// The present of a booking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(crate) request: Option<CollectionRequest>,
    pub(crate) round: Round,
    pub(crate) progress: Progress,
    /// Whether the carrier was asked, and may have booked it: until it is cancelled.
    pub(crate) may_be_booked: bool,
    /// The carrier's reference, or why it has failed: what is said again to whoever asks again.
    pub(crate) reference: Option<String>,
    pub(crate) failure: Option<String>,
    /// How many attempts of the present step have met with silence.
    pub(crate) silent: u32,
    /// How often the cancellation was begun.
    pub(crate) cancellations: u32,
    /// Whether the carrier has refused it the last time.
    pub(crate) cancellation_refused: bool,
}

/// Where the booking of this round stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    #[default]
    New,
    /// Waits for the time to book.
    Scheduled,
    /// Waits for the carrier.
    WithCarrier,
    Booked,
    /// Failed; the carrier, if it was asked, may book after all.
    Failed,
    /// Waits for the carrier to cancel it.
    Cancelling,
    Cancelled,
    /// The carrier has not cancelled it, and has not booked it as far as is known, or may cancel it yet.
    CancellationFailed,
}

impl State {
    /// The key of the request to the carrier.
    pub(crate) fn key(&self) -> Option<String> {
        let request = self.request.as_ref()?;
        let collection = format!("{}/collection", request.shipment_id);
        Some(self.round.key(&collection))
    }

    /// The key of the present request to cancel it.
    pub(crate) fn cancellation_key(&self) -> Option<String> {
        Some(cancellation_key(&self.key()?, self.cancellations))
    }

    /// Whether there is, or may be, something to cancel.
    pub(crate) fn is_open(&self) -> bool {
        self.may_be_booked || self.progress == Progress::Scheduled
    }

    /// The state after a decision.
    pub(crate) fn after(mut self, event: &CollectionEvent) -> Self {
        use CollectionEvent as E;
        match event {
            E::Initialized(initialized) => {
                self = Self {
                    round: initialized.0.round,
                    request: Some(initialized.0.clone()),
                    ..Self::default()
                };
            }
            E::Scheduled(_) => self.progress = Progress::Scheduled,
            E::WithCarrierStarted(_) => {
                self.progress = Progress::WithCarrier;
                self.may_be_booked = true;
                self.silent = 0;
            }
            E::Booked(booked) => {
                self.progress = Progress::Booked;
                self.reference = Some(booked.booking_reference.clone());
            }
            // What is cancelled stays cancelled.
            E::Failed(_) if self.progress == Progress::Cancelled => {}
            E::Failed(failed) => {
                self.progress = Progress::Failed;
                self.failure = Some(failed.0.failure.clone());
            }
            E::CancellationStarted(_) => {
                self.progress = Progress::Cancelling;
                self.cancellations += 1;
                self.cancellation_refused = false;
                self.silent = 0;
            }
            E::Cancelled(cancelled) => {
                self.round = cancelled.0.round;
                self.progress = Progress::Cancelled;
                self.may_be_booked = false;
            }
            E::CancellationFailed(failed) => {
                self.cancellation_refused = failed.refused;
                self.progress = Progress::CancellationFailed;
            }
            E::BookedMeanwhile(booked) => self.reference = Some(booked.booking_reference.clone()),
            E::StepTimedOut(timed_out) => self.silent = timed_out.attempt,
            E::SchedulingFailed(_) | E::StepRetried(_) => {}
        }
        self
    }
}
