//! What manifestation knows of a shipment: the fold of its stream.

use std::collections::BTreeMap;

use contracts::manifestation::ShipmentEvent;
use contracts::shipment::{Leg, ManifestedLeg};
use contracts::{Round, ShipmentId};

/// The present of a shipment at manifestation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    shipment: Option<(ShipmentId, Vec<Leg>)>,
    /// The round that the legs are of.
    planned: Round,
    /// The round of the manifestation.
    pub(crate) round: Round,
    pub(crate) progress: Progress,
    /// What became of the legs of this round, by position. Those that the carrier has refused, or has
    /// given up, are not among them.
    pub(crate) with_carrier: BTreeMap<u32, WithCarrier>,
    pub(crate) manifested: Vec<ManifestedLeg>,
    /// Why it has failed, when it has.
    pub(crate) failure: Option<String>,
    /// How many attempts of the present step have met with silence.
    pub(crate) silent: u32,
    /// How often the cancellation was begun.
    pub(crate) cancellations: u32,
    /// The documents that exist, by name, with the round of the last one.
    pub(crate) documents: BTreeMap<&'static str, Round>,
}

/// Where the manifestation of this round stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Progress {
    #[default]
    NotStarted,
    /// The carrier of the leg at this position was asked.
    WaitsFor(u32),
    Manifested,
    Failed,
    /// Legs are being cancelled; the carrier of the one at this position was asked.
    Cancelling(u32),
    Cancelled,
    /// Some legs could not be cancelled.
    CancellationFailed,
}

/// A leg that is or may be manifested with its carrier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WithCarrier {
    /// The carrier was asked, and has not said what became of it.
    Asked,
    /// The carrier has taken it.
    Manifested,
    /// The carrier has not cancelled it, for this reason.
    NotCancelled(String),
}

impl State {
    pub(crate) fn id(&self) -> Option<&ShipmentId> {
        self.shipment.as_ref().map(|(id, _)| id)
    }

    pub(crate) fn leg(&self, position: u32) -> Option<&Leg> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        self.shipment.as_ref()?.1.get(index)
    }

    /// Whether legs of this round are newer than those that are known.
    pub(crate) fn has_legs_before(&self, round: Round) -> bool {
        self.shipment.is_some() && self.planned < round
    }

    /// Whether the legs that are known, or being manifested, are newer than those of this round.
    pub(crate) fn has_legs_after(&self, round: Round) -> bool {
        self.planned > round || self.round > round
    }

    /// The positions of the legs that may be manifested with their carriers.
    pub(crate) fn to_cancel(&self) -> Vec<u32> {
        self.with_carrier.keys().copied().collect()
    }

    /// The leg to be cancelled behind the one at this position, or first of all: the journey's end comes
    /// first, and each is asked for once.
    pub(crate) fn next_to_cancel(&self, before: Option<u32>) -> Option<u32> {
        let before = before.unwrap_or(u32::MAX);
        let mut earlier = self.with_carrier.range(..before);
        earlier.next_back().map(|(position, _)| *position)
    }

    /// Why legs are not cancelled, in words that name them.
    pub(crate) fn not_cancelled(&self) -> String {
        let reasons = self.with_carrier.iter().map(|(position, leg)| match leg {
            WithCarrier::NotCancelled(why) => format!("leg {position}: {why}"),
            WithCarrier::Asked | WithCarrier::Manifested => format!("leg {position}"),
        });
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// The state after a decision.
    pub(crate) fn after(mut self, event: &ShipmentEvent) -> Self {
        use ShipmentEvent as E;
        match event {
            E::Initialized(shipment) => {
                self.shipment = Some((shipment.shipment_id.clone(), shipment.legs.clone()));
            }
            E::Replanned(replanned) => {
                if let Some((_, legs)) = &mut self.shipment {
                    legs.clone_from(&replanned.legs);
                }
                self.planned = replanned.round;
            }
            E::LegStarted(started) => {
                if started.round != self.round || started.position == 1 {
                    self.begin(started.round);
                }
                self.progress = Progress::WaitsFor(started.position);
                self.with_carrier
                    .insert(started.position, WithCarrier::Asked);
                self.silent = 0;
            }
            E::LegManifested(done) => {
                self.with_carrier
                    .insert(done.position, WithCarrier::Manifested);
                if let Some(leg) = self.leg(done.position).cloned() {
                    self.manifested.push(ManifestedLeg {
                        position: done.position,
                        leg,
                        tracking_number: done.tracking_number.clone(),
                    });
                }
            }
            E::LegFailed(failed) => {
                if !failed.may_be_manifested {
                    self.with_carrier.remove(&failed.position);
                }
            }
            E::Manifested(_) => self.progress = Progress::Manifested,
            // What is cancelled stays cancelled.
            E::ManifestationFailed(_) if self.progress == Progress::Cancelled => {}
            E::ManifestationFailed(failed) => {
                self.round = failed.round;
                self.progress = Progress::Failed;
                self.failure = Some(failed.failure.clone());
            }
            E::CancellationStarted(started) => {
                self.round = started.0.round;
                self.cancellations += 1;
            }
            E::LegCancellationStarted(started) => {
                self.progress = Progress::Cancelling(started.0.position);
                self.silent = 0;
            }
            E::LegCancelled(done) => {
                self.with_carrier.remove(&done.0.position);
            }
            E::LegCancellationFailed(failed) => {
                let why = WithCarrier::NotCancelled(failed.failure.clone());
                self.with_carrier.insert(failed.position, why);
            }
            E::Cancelled(done) => {
                self.round = done.0.round;
                self.progress = Progress::Cancelled;
                self.manifested.clear();
            }
            E::CancellationFailed(_) => self.progress = Progress::CancellationFailed,
            E::CustomsInvoiceGenerated(done) => self.document(CUSTOMS_INVOICE, done.0.round),
            E::LabelsGenerated(done) => self.document(LABELS, done.0.round),
            E::ReceiptGenerated(done) => self.document(RECEIPT, done.0.round),
            E::CombinedDocumentGenerated(done) => self.document(COMBINED_DOCUMENT, done.0.round),
            E::StepTimedOut(timed_out) => self.silent = timed_out.attempt,
            E::StepRetried(_)
            | E::CustomsInvoiceFailed(_)
            | E::LabelsFailed(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentFailed(_) => {}
        }
        self
    }

    fn begin(&mut self, round: Round) {
        self.round = round;
        self.with_carrier.clear();
        self.manifested.clear();
        self.failure = None;
        self.cancellations = 0;
    }

    fn document(&mut self, name: &'static str, round: Round) {
        self.documents.insert(name, round);
    }
}

/// The documents, by the last part of their address.
pub(crate) const CUSTOMS_INVOICE: &str = "customs-invoice";
pub(crate) const LABELS: &str = "labels";
pub(crate) const RECEIPT: &str = "receipt";
pub(crate) const COMBINED_DOCUMENT: &str = "combined-document";
