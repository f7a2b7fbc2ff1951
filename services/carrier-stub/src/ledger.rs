//! What stands in a carrier's books about one shipment.

use std::collections::BTreeMap;

use contracts::carrier::{
    Answer, CarrierEvent, CollectionBookedByCarrier, CollectionBookingRejectedByCarrier,
    CollectionCancellationRejectedByCarrier, CollectionCancelledByCarrier,
    LegCancellationRejectedByCarrier, LegCancelledByCarrier, LegManifestationRejectedByCarrier,
    LegManifestedByCarrier,
};

/// The requests of a shipment, by their key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger(BTreeMap<String, Entry>);

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// It came, and has this answer.
    Received {
        answer: Answer,
        /// How often the answer was given.
        answered: u32,
        /// Whether the carrier has booked after all what it had refused.
        booked_late: bool,
    },
    /// It has no effect any more, whether it ever came or not.
    Cancelled,
}

impl Ledger {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// Whether a request is there of which the carrier has more to say.
    pub(crate) fn is_open(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Entry::Received { .. }))
    }

    /// The reference under which a refused collection is still to be booked.
    pub(crate) fn late_booking(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Entry::Received {
                answer: Answer::CollectionRejected { booked_later, .. },
                booked_late: false,
                ..
            } => booked_later.as_deref(),
            Entry::Received { .. } | Entry::Cancelled => None,
        }
    }

    /// The ledger after an event.
    pub(crate) fn after(mut self, event: &CarrierEvent) -> Self {
        match event {
            CarrierEvent::RequestReceived(request) => {
                let entry = Entry::Received {
                    answer: request.answer.clone(),
                    answered: 0,
                    booked_late: false,
                };
                self.0.insert(request.idempotency_key.clone(), entry);
                // From the moment on at which the carrier has agreed, not only from its answer on.
                let agreed = matches!(
                    request.answer,
                    Answer::LegCancelled { .. } | Answer::CollectionCancelled {}
                );
                if let (true, Some(cancelled)) = (agreed, &request.cancels) {
                    self.0.insert(cancelled.clone(), Entry::Cancelled);
                }
            }
            CarrierEvent::CollectionBooked(done) => {
                let late = self.late_booking(&done.idempotency_key).is_some();
                self.count(&done.idempotency_key, late);
            }
            CarrierEvent::LegManifested(LegManifestedByCarrier {
                idempotency_key, ..
            })
            | CarrierEvent::LegRejected(LegManifestationRejectedByCarrier {
                idempotency_key,
                ..
            })
            | CarrierEvent::CollectionRejected(CollectionBookingRejectedByCarrier {
                idempotency_key,
                ..
            })
            | CarrierEvent::LegCancelled(LegCancelledByCarrier {
                idempotency_key, ..
            })
            | CarrierEvent::LegCancellationRejected(LegCancellationRejectedByCarrier {
                idempotency_key,
                ..
            })
            | CarrierEvent::CollectionCancelled(CollectionCancelledByCarrier { idempotency_key })
            | CarrierEvent::CollectionCancellationRejected(
                CollectionCancellationRejectedByCarrier {
                    idempotency_key, ..
                },
            ) => self.count(idempotency_key, false),
        }
        self
    }

    /// An answer was given.
    fn count(&mut self, key: &str, late: bool) {
        if let Some(Entry::Received {
            answered,
            booked_late,
            ..
        }) = self.0.get_mut(key)
        {
            *answered += 1;
            *booked_late |= late;
        }
    }
}

/// The event by which an answer is given.
pub(crate) fn given(key: &str, answer: &Answer) -> CarrierEvent {
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
        Answer::LegCancelled { position } => CarrierEvent::LegCancelled(LegCancelledByCarrier {
            idempotency_key,
            position,
        }),
        Answer::LegCancellationRejected { position, failure } => {
            CarrierEvent::LegCancellationRejected(LegCancellationRejectedByCarrier {
                idempotency_key,
                position,
                failure,
            })
        }
        Answer::CollectionCancelled {} => {
            CarrierEvent::CollectionCancelled(CollectionCancelledByCarrier { idempotency_key })
        }
        Answer::CollectionCancellationRejected { failure } => {
            CarrierEvent::CollectionCancellationRejected(CollectionCancellationRejectedByCarrier {
                idempotency_key,
                failure,
            })
        }
    }
}
