//! What a shipment's process knows of its past: the fold of its stream.

use contracts::Round;
use contracts::process::{ProcessEvent, ShipmentProcessStarted};
use contracts::shipment::ManifestedLeg;
use kernel::Refusal;
use serde::Serialize;

use crate::step::Step;

/// The present of a shipment's process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What was asked for, as it was amended since.
    pub request: Option<ShipmentProcessStarted>,
    /// What was asked for at first.
    pub first_request: Option<ShipmentProcessStarted>,
    /// Where the process as a whole stands.
    pub status: Status,
    /// The step that it waits for; or, once it has failed, the step that failed.
    pub step: Option<Step>,
    /// How many attempts of the step have met with silence.
    pub silent: u32,
    /// How often work was begun anew.
    pub round: Round,
    /// In which round each kind of work was asked for.
    pub rounds: Rounds,
    /// The first stage.
    pub manifestation_and_documents: Stage,
    /// The second stage.
    pub collection_booking: Stage,
    /// The legs with their tracking numbers, once manifested.
    pub manifested_legs: Vec<ManifestedLeg>,
    /// The documents that exist.
    pub documents: Documents,
    /// The carrier's reference of the collection.
    pub booking_reference: Option<String>,
    /// The step that failed last.
    pub failed_step: Option<Step>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether legs are, or may be, manifested with their carriers.
    pub may_be_manifested: bool,
    /// Whether a collection is, or may be, booked with the carrier.
    pub may_be_booked: bool,
    /// Whether what was done with carriers is undone.
    pub compensation: Compensation,
    /// Why that could not be undone.
    pub compensation_failure: Option<String>,
    /// Whether somebody wants it to be cancelled.
    pub cancellation_requested: bool,
    /// Why, when that was said.
    pub cancellation_reason: Option<String>,
    /// What was begun anew, and is not done yet.
    pub anew: Option<Anew>,
}

/// In which round each kind of work was asked for last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    /// The customs invoice.
    pub customs_invoice: Round,
    /// The legs.
    pub manifestation: Round,
    /// The documents behind the manifestation.
    pub documents: Round,
    /// The collection.
    pub booking: Round,
}

/// Work that is begun anew while what was done before stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// The collection is booked again, once the first booking is cancelled.
    Booking,
    /// The documents of a completed shipment are generated again.
    Documents,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It waits for its next step.
    #[default]
    Running,
    /// Everything is done.
    Completed,
    /// A step has failed.
    Failed,
    /// It was cancelled, and what was done is undone.
    Cancelled,
    /// What was done could not be undone: a person has to see to it.
    NeedsAttention,
}

/// Where a stage stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Its turn has not come.
    #[default]
    NotStarted,
    /// It is being worked on.
    Running,
    /// It is done.
    Completed,
    /// One of its steps has failed.
    Failed,
    /// What it did with carriers is undone.
    Undone,
}

/// Whether what was done with carriers is undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Compensation {
    /// Nothing was to be undone so far.
    #[default]
    None,
    /// It is being undone.
    Running,
    /// Nothing is left of it.
    Completed,
    /// It could not be undone.
    Failed,
}

/// Addresses of the documents that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Documents {
    /// The labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// The customs invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customs_invoice: Option<String>,
    /// The receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// All of them in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combined_document: Option<String>,
}

impl State {
    /// Refuses an answer of this round unless the process waits for it.
    pub(crate) fn expect(&self, step: Step, round: Round) -> Result<(), Refusal> {
        if self.request.is_none() {
            return Err(Refusal::NotStarted);
        }
        let name = step.name();
        if round < self.round_of(step) {
            return Err(Refusal::late(format!("{name} was begun anew meanwhile")));
        }
        if self.waits_for(step) {
            return Ok(());
        }
        Err(if self.is_over(step) {
            Refusal::repeated(format!("{name} is done already"))
        } else if self.step == Some(step)
            || self.is_undoing()
            || self.anew == Some(Anew::Booking)
            || self.status != Status::Running
        {
            Refusal::late(format!("it no longer waits for {name}"))
        } else {
            Refusal::because(format!("it does not wait for {name}"))
        })
    }

    pub(crate) fn waits_for(&self, step: Step) -> bool {
        // What undoes may succeed after all, when its answer comes after it was given up.
        self.step == Some(step)
            && (self.status == Status::Running || (step.undoes() && self.is_undoing()))
    }

    /// Whether it waits for the legs to be manifested, or for what is made of manifested legs.
    pub(crate) fn waits_for_manifested_legs(&self) -> bool {
        [
            Step::Manifestation,
            Step::Labels,
            Step::Receipt,
            Step::CombinedDocument,
        ]
        .into_iter()
        .any(|step| self.waits_for(step))
    }

    fn is_over(&self, step: Step) -> bool {
        match step {
            Step::CustomsInvoice => self.documents.customs_invoice.is_some(),
            Step::Manifestation => !self.manifested_legs.is_empty(),
            Step::Labels => self.documents.labels.is_some(),
            Step::Receipt => self.documents.receipt.is_some(),
            Step::CombinedDocument => self.documents.combined_document.is_some(),
            Step::CollectionBooking => self.collection_booking == Stage::Completed,
            Step::BookingCancellation => !self.may_be_booked,
            Step::ManifestationCancellation => !self.may_be_manifested,
        }
    }

    pub(crate) const fn round_of(&self, step: Step) -> Round {
        match step {
            Step::CustomsInvoice => self.rounds.customs_invoice,
            Step::Manifestation | Step::ManifestationCancellation => self.rounds.manifestation,
            Step::Labels | Step::Receipt | Step::CombinedDocument => self.rounds.documents,
            Step::CollectionBooking | Step::BookingCancellation => self.rounds.booking,
        }
    }

    /// Whether what was done is being undone, or could not be.
    pub(crate) const fn is_undoing(&self) -> bool {
        matches!(
            self.compensation,
            Compensation::Running | Compensation::Failed
        )
    }

    /// Whether a collection that was not booked may still be, since nothing is undone.
    pub(crate) fn may_be_rebooked(&self) -> bool {
        self.status == Status::Failed
            && self.collection_booking == Stage::Failed
            && self.compensation == Compensation::None
    }

    pub(crate) fn stages_are_complete(&self) -> bool {
        self.manifestation_and_documents == Stage::Completed
            && self.collection_booking == Stage::Completed
    }

    /// The state after a decision.
    #[must_use]
    pub fn after(mut self, event: &ProcessEvent) -> Self {
        use ProcessEvent as E;
        match event {
            E::Started(started) => {
                self.request = Some(started.clone());
                self.first_request = Some(started.clone());
            }
            E::ManifestationAndDocumentsStarted(_) => {
                self.manifestation_and_documents = Stage::Running;
            }
            E::CustomsInvoiceStarted(_) => {
                self.rounds.customs_invoice = self.round;
                self.begin(Step::CustomsInvoice);
            }
            E::ManifestationStarted(_) => {
                self.rounds.manifestation = self.round;
                self.may_be_manifested = true;
                self.begin(Step::Manifestation);
            }
            E::LabelsStarted(_) => {
                self.rounds.documents = self.round;
                self.begin(Step::Labels);
            }
            E::ReceiptStarted(_) => self.begin(Step::Receipt),
            E::CombinedDocumentStarted(_) => self.begin(Step::CombinedDocument),
            E::BookingStarted(_) => {
                self.rounds.booking = self.round;
                self.may_be_booked = true;
                self.anew = None;
                self.begin(Step::CollectionBooking);
                self.collection_booking = Stage::Running;
            }
            E::CustomsInvoiceCompleted(done) => {
                self.documents.customs_invoice = Some(done.0.address.clone());
            }
            E::ManifestationCompleted(done) => {
                self.manifested_legs.clone_from(&done.manifested_legs);
            }
            E::ManifestationFailed(failed) => self.may_be_manifested = failed.may_be_manifested,
            E::LabelsCompleted(done) => self.documents.labels = Some(done.0.address.clone()),
            E::ReceiptCompleted(done) => self.documents.receipt = Some(done.0.address.clone()),
            E::CombinedDocumentCompleted(done) => {
                self.documents.combined_document = Some(done.0.address.clone());
            }
            E::ManifestationAndDocumentsCompleted(_) => {
                self.manifestation_and_documents = Stage::Completed;
                self.anew = None;
            }
            E::BookingCompleted(done) => {
                self.booking_reference = Some(done.booking_reference.clone());
                self.collection_booking = Stage::Completed;
            }
            E::ManifestationAndDocumentsFailed(_) => {
                self.manifestation_and_documents = Stage::Failed;
            }
            E::BookingFailed(_) => self.collection_booking = Stage::Failed,
            E::Completed(_) => {
                self.status = Status::Completed;
                self.step = None;
                self.failed_step = None;
                self.failure = None;
            }
            E::Failed(failed) => {
                self.status = Status::Failed;
                self.failed_step = self.step;
                self.failure = Some(failed.0.failure.clone());
            }
            E::CancellationRequested(requested) => {
                self.status = Status::Running;
                self.cancellation_requested = true;
                self.cancellation_reason.clone_from(&requested.reason);
                self.anew = None;
            }
            E::LegsAmended(amended) => {
                if let Some(request) = &mut self.request {
                    request.legs.clone_from(&amended.legs);
                }
                // It is of other legs.
                self.documents.customs_invoice = None;
                self.round = amended.round;
            }
            E::RebookingRequested(requested) => {
                if let (Some(request), Some(date)) = (&mut self.request, requested.collection_date)
                {
                    request.collection_date = date;
                }
                self.round = requested.round;
                self.anew = Some(Anew::Booking);
                self.run_again();
            }
            E::RegenerationRequested(requested) => {
                self.round = requested.round;
                self.anew = Some(Anew::Documents);
                self.documents = Documents {
                    customs_invoice: self.documents.customs_invoice.take(),
                    ..Documents::default()
                };
                self.manifestation_and_documents = Stage::Running;
                self.run_again();
            }
            E::Retried(retried) => self.retry(retried.round, Step::named(&retried.step)),
            E::CompensationStarted(_) => self.compensation = Compensation::Running,
            E::BookingCancellationStarted(_) => self.begin(Step::BookingCancellation),
            E::ManifestationCancellationStarted(_) => self.begin(Step::ManifestationCancellation),
            E::BookingCancellationCompleted(_) => {
                self.may_be_booked = false;
                self.booking_reference = None;
                self.collection_booking = Stage::Undone;
                self.attended();
            }
            E::ManifestationCancellationCompleted(_) => {
                self.may_be_manifested = false;
                self.manifested_legs.clear();
                self.manifestation_and_documents = Stage::Undone;
                self.attended();
            }
            E::CompensationCompleted(_) => {
                self.compensation = Compensation::Completed;
                self.step = self.failed_step;
            }
            E::CompensationFailed(failed) => {
                self.compensation = Compensation::Failed;
                self.status = Status::NeedsAttention;
                self.compensation_failure = Some(failed.0.failure.clone());
            }
            E::Cancelled(_) => {
                self.status = Status::Cancelled;
                self.step = None;
            }
            E::StepTimedOut(timed_out) => self.silent = timed_out.attempt,
            // What these tell is told by the stage that fails with them, or by what they lead to.
            E::CustomsInvoiceFailed(_)
            | E::LabelsFailed(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentFailed(_)
            | E::BookingCancellationFailed(_)
            | E::ManifestationCancellationFailed(_)
            | E::StepRetried(_)
            | E::CompletionChecked(_) => {}
        }
        self
    }

    fn begin(&mut self, step: Step) {
        self.step = Some(step);
        self.silent = 0;
    }

    fn run_again(&mut self) {
        self.status = Status::Running;
        self.failed_step = None;
        self.failure = None;
    }

    fn retry(&mut self, round: Round, failed: Option<Step>) {
        self.round = round;
        if failed.is_some_and(Step::undoes) {
            self.attended();
            return;
        }
        self.run_again();
        self.manifestation_and_documents = Stage::Running;
        if self.anew.is_none() {
            // Nothing of what was done before stands any more, but for the customs invoice.
            self.compensation = Compensation::None;
            self.collection_booking = Stage::NotStarted;
            self.documents = Documents {
                customs_invoice: self.documents.customs_invoice.take(),
                ..Documents::default()
            };
        }
    }

    /// What could not be undone is attended to.
    fn attended(&mut self) {
        self.compensation_failure = None;
        if self.status == Status::NeedsAttention {
            let goes_on = self.anew.is_some() || self.cancellation_requested;
            self.status = if goes_on {
                Status::Running
            } else {
                Status::Failed
            };
            self.compensation = match self.anew {
                Some(_) => Compensation::None,
                None => Compensation::Running,
            };
        }
    }
}
