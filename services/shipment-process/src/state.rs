//! What a shipment's process knows of its past: the fold of its stream.

use contracts::Round;
use contracts::process::{ProcessEvent, ShipmentProcessStarted};
use contracts::shipment::ManifestedLeg;
use jiff::civil::Date;
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
    /// The day for which the collection was to be booked last.
    pub booked_for: Option<Date>,
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
    /// What could not be undone, and why, in the order in which it was tried.
    pub not_undone: Vec<(Step, String)>,
    /// What was done about that by hand, when somebody has said so.
    pub settlement: Option<String>,
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
    /// Some of it could not be undone.
    Failed,
    /// Somebody has seen to what could not be undone.
    Settled,
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
        if round > self.round_of(step) {
            return Err(Refusal::because(format!(
                "{name} was not asked for in that round"
            )));
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
        self.is_under_way(step) || self.has_failed_to(step)
    }

    /// Whether it was asked for, and has not ended.
    fn is_under_way(&self, step: Step) -> bool {
        self.step == Some(step)
            && !self.has_failed_to(step)
            && (self.status == Status::Running
                || (step.undoes() && self.compensation == Compensation::Running))
    }

    /// Whether this could not be undone. It may be after all, when the answer comes after it was given up.
    pub(crate) fn has_failed_to(&self, undo: Step) -> bool {
        self.not_undone.iter().any(|(step, _)| *step == undo)
    }

    /// What is left of what was done with carriers, and was not tried to be undone yet: the last thing first.
    pub(crate) fn next_to_undo(&self) -> Option<Step> {
        let is_left = |step: &Step| !self.is_over(*step) && !self.has_failed_to(*step);
        [Step::BookingCancellation, Step::ManifestationCancellation]
            .into_iter()
            .find(is_left)
    }

    /// Whether something is just being undone, other than this.
    pub(crate) fn is_undoing_besides(&self, undone: Step) -> bool {
        let other = self.step.filter(|step| step.undoes() && *step != undone);
        other.is_some_and(|step| self.is_under_way(step) && !self.is_over(step))
    }

    /// Why something could not be undone, each with the name of its step.
    pub(crate) fn why_not_undone(&self) -> Option<String> {
        let reasons: Vec<_> = self
            .not_undone
            .iter()
            .map(|(_, why)| why.as_str())
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
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
            && self.failed_step != Some(Step::Manifestation)
            && self.compensation == Compensation::None
    }

    /// Whether the collection is booked for all that is known, or is being booked, and is to be.
    pub(crate) fn counts_on_booking(&self) -> bool {
        self.waits_for(Step::CollectionBooking)
            || (self.collection_booking == Stage::Completed && !self.is_undoing())
    }

    /// Whether the legs are manifested for all that is known, or are being manifested, and are to be.
    pub(crate) fn counts_on_legs(&self) -> bool {
        let stand = !self.manifested_legs.is_empty() || self.waits_for(Step::Manifestation);
        self.may_be_manifested && stand && !self.is_undoing()
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
                self.booked_for = self.request.as_ref().map(|it| it.collection_date);
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
            E::ManifestationFailed(failed) => {
                self.may_be_manifested = failed.may_be_manifested;
                // Somebody else may have cancelled legs that stood.
                self.manifested_legs.clear();
                self.anew = None;
            }
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
                if self.anew == Some(Anew::Booking) {
                    self.keep_booking();
                }
                if self.documents_are_due() {
                    self.anew = Some(Anew::Documents);
                    self.manifestation_and_documents = Stage::Running;
                    self.run_again();
                }
            }
            E::ManifestationAndDocumentsFailed(_) => {
                self.manifestation_and_documents = Stage::Failed;
            }
            E::BookingFailed(_) => {
                self.collection_booking = Stage::Failed;
                self.booking_reference = None;
                self.anew = None;
            }
            E::Completed(_) => {
                self.status = Status::Completed;
                self.step = None;
                self.failed_step = None;
                self.failure = None;
            }
            E::Failed(failed) => {
                self.status = Status::Failed;
                // Either may be cancelled by somebody else while the process waits for something else.
                if self.may_be_manifested && self.manifested_legs.is_empty() {
                    self.step = Some(Step::Manifestation);
                } else if self.collection_booking == Stage::Failed {
                    self.step = Some(Step::CollectionBooking);
                }
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
            E::CompensationStarted(_) => {
                self.compensation = Compensation::Running;
                self.not_undone.clear();
            }
            E::BookingCancellationStarted(_) => self.begin(Step::BookingCancellation),
            E::ManifestationCancellationStarted(_) => self.begin(Step::ManifestationCancellation),
            E::BookingCancellationCompleted(_) => {
                self.may_be_booked = false;
                self.booking_reference = None;
                self.collection_booking = Stage::Undone;
                self.undone(Step::BookingCancellation);
            }
            E::ManifestationCancellationCompleted(_) => {
                self.may_be_manifested = false;
                self.manifested_legs.clear();
                self.manifestation_and_documents = Stage::Undone;
                self.undone(Step::ManifestationCancellation);
            }
            E::BookingCancellationFailed(failed) => {
                self.not_undone(Step::BookingCancellation, &failed.0.failure);
            }
            E::ManifestationCancellationFailed(failed) => {
                self.not_undone(Step::ManifestationCancellation, &failed.0.failure);
            }
            E::CompensationCompleted(_) => {
                self.compensation = Compensation::Completed;
                self.step = self.failed_step;
            }
            E::CompensationFailed(_) => {
                self.compensation = Compensation::Failed;
                self.status = Status::NeedsAttention;
                self.step = self.not_undone.first().map(|(step, _)| *step);
            }
            E::Settled(settled) => {
                self.compensation = Compensation::Settled;
                self.status = Status::Failed;
                self.step = self.failed_step;
                self.settlement = Some(settled.reason.clone());
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
            | E::StepRetried(_)
            | E::CompletionChecked(_) => {}
        }
        self
    }

    fn begin(&mut self, step: Step) {
        self.step = Some(step);
        self.silent = 0;
        self.not_undone.retain(|(failed, _)| *failed != step);
    }

    fn undone(&mut self, step: Step) {
        self.not_undone.retain(|(failed, _)| *failed != step);
        self.attended();
    }

    fn not_undone(&mut self, step: Step, why: &str) {
        self.not_undone.push((step, why.to_owned()));
    }

    /// The booking that was to be replaced by another stands, and is the one that counts.
    fn keep_booking(&mut self) {
        if let (Some(request), Some(date)) = (&mut self.request, self.booked_for) {
            request.collection_date = date;
        }
        self.undone(Step::BookingCancellation);
        self.anew = None;
    }

    /// Whether documents were to be generated again when the booking was cancelled by somebody else.
    fn documents_are_due(&self) -> bool {
        !self.is_undoing()
            && matches!(
                self.manifestation_and_documents,
                Stage::Running | Stage::Failed
            )
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
