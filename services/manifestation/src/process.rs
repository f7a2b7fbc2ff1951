//! Manifests the legs of a shipment one after another, and generates its documents.

use contracts::carrier::{
    CarrierCommand, LegManifestationRejectedByCarrier, LegManifestedByCarrier,
    ManifestLegWithCarrier,
};
use contracts::manifestation::{
    CreateShipment, GenerateCombinedDocument, GenerateCustomsInvoice, GenerateShipmentLabels,
    GenerateShipmentReceipt, ManifestShipment, PlannedShipment, ShipmentEvent, ShipmentInitialized,
    ShipmentLegManifestationFailed, ShipmentLegManifestationStarted, ShipmentLegManifested,
    ShipmentManifestationFailed, ShipmentManifested,
};
use contracts::shipment::{Document, Failure, Leg, ManifestedLeg};
use contracts::{ShipmentId, message_set};
use jiff::{SignedDuration, Timestamp};
use kernel::{Decider, Due, Effect, Process, Refusal, Trigger};

message_set! {
    /// What manifestation takes in.
    pub enum Input {
        Create(CreateShipment) = "CreateShipment",
        GenerateCustomsInvoice(GenerateCustomsInvoice) = "GenerateCustomsInvoice",
        Manifest(ManifestShipment) = "ManifestShipment",
        GenerateLabels(GenerateShipmentLabels) = "GenerateShipmentLabels",
        GenerateReceipt(GenerateShipmentReceipt) = "GenerateShipmentReceipt",
        GenerateCombinedDocument(GenerateCombinedDocument) = "GenerateCombinedDocument",
        LegManifested(LegManifestedByCarrier) = "LegManifestedByCarrier",
        LegRejected(LegManifestationRejectedByCarrier) = "LegManifestationRejectedByCarrier",
    }
}

/// The present of a shipment at manifestation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    shipment: Option<(ShipmentId, Vec<Leg>)>,
    manifestation: Manifestation,
    manifested: Vec<ManifestedLeg>,
    customs_invoice: bool,
    labels: bool,
    receipt: bool,
    combined_document: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Manifestation {
    #[default]
    NotStarted,
    /// The carrier of the leg at this position was asked.
    WaitsFor(u32),
    Over,
}

impl State {
    fn leg(&self, position: u32) -> Option<&Leg> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        self.shipment.as_ref()?.1.get(index)
    }
}

/// The process of a shipment at manifestation.
#[derive(Clone, Debug)]
pub struct ShipmentManifestation {
    /// The address under which documents are found, without a slash at the end.
    pub documents_base: String,
    /// How long a carrier may take to answer.
    pub carrier_timeout: SignedDuration,
}

impl Decider for ShipmentManifestation {
    type State = State;
    type Event = ShipmentEvent;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, mut state: State, event: &ShipmentEvent) -> State {
        use ShipmentEvent as E;
        match event {
            E::Initialized(shipment) => {
                state.shipment = Some((shipment.shipment_id.clone(), shipment.legs.clone()));
            }
            E::CustomsInvoiceGenerated(_) => state.customs_invoice = true,
            E::LegStarted(leg) => state.manifestation = Manifestation::WaitsFor(leg.position),
            E::LegManifested(done) => {
                if let Some(leg) = state.leg(done.position).cloned() {
                    state.manifested.push(ManifestedLeg {
                        position: done.position,
                        leg,
                        tracking_number: done.tracking_number.clone(),
                    });
                }
            }
            E::Manifested(_) | E::ManifestationFailed(_) => {
                state.manifestation = Manifestation::Over;
            }
            E::LabelsGenerated(_) => state.labels = true,
            E::ReceiptGenerated(_) => state.receipt = true,
            E::CombinedDocumentGenerated(_) => state.combined_document = true,
            E::LegFailed(_)
            | E::CustomsInvoiceFailed(_)
            | E::LabelsFailed(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentFailed(_) => {}
        }
        state
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, ShipmentEvent>,
        _now: Timestamp,
    ) -> Result<Vec<ShipmentEvent>, Refusal> {
        use ShipmentEvent as E;
        Ok(match trigger {
            Trigger::Input(Input::Create(_)) if state.shipment.is_some() => {
                return Err(Refusal::AlreadyStarted);
            }
            Trigger::Input(Input::Create(CreateShipment(planned))) => initialized(state, planned),
            Trigger::Input(Input::GenerateCustomsInvoice(GenerateCustomsInvoice(planned))) => {
                once(state.customs_invoice, "customs invoice")?;
                let mut events = initialized(state, planned);
                events.push(
                    match self.document(&planned.shipment_id, "customs-invoice", &planned.legs) {
                        Ok(document) => E::CustomsInvoiceGenerated(document.into()),
                        Err(failure) => E::CustomsInvoiceFailed(failure.into()),
                    },
                );
                events
            }
            Trigger::Input(Input::Manifest(ManifestShipment(planned))) => {
                if state.manifestation != Manifestation::NotStarted {
                    return Err(Refusal::because(
                        "its legs are or were being manifested already",
                    ));
                }
                let mut events = initialized(state, planned);
                events.push(if planned.legs.is_empty() {
                    let failure = Failure::because("ShipmentManifestation: there is no leg");
                    E::ManifestationFailed(failure.into())
                } else {
                    E::LegStarted(ShipmentLegManifestationStarted { position: 1 })
                });
                events
            }
            Trigger::Input(Input::LegManifested(answer)) => {
                expect_leg(state, answer.position)?;
                vec![E::LegManifested(ShipmentLegManifested {
                    position: answer.position,
                    tracking_number: answer.tracking_number.clone(),
                })]
            }
            Trigger::Input(Input::LegRejected(answer)) => {
                expect_leg(state, answer.position)?;
                vec![leg_failed(answer.position, &answer.failure)]
            }
            Trigger::DeadlinePassed(_) => match state.manifestation {
                Manifestation::WaitsFor(position) => {
                    vec![leg_failed(position, "the carrier did not answer in time")]
                }
                Manifestation::NotStarted | Manifestation::Over => {
                    return Err(Refusal::because("it does not wait for a carrier"));
                }
            },
            Trigger::Input(Input::GenerateLabels(GenerateShipmentLabels(shipment))) => {
                once(state.labels, "labels")?;
                let legs = &shipment.manifested_legs;
                vec![match self.document(&shipment.shipment_id, "labels", legs) {
                    Ok(document) => E::LabelsGenerated(document.into()),
                    Err(failure) => E::LabelsFailed(failure.into()),
                }]
            }
            Trigger::Input(Input::GenerateReceipt(GenerateShipmentReceipt(shipment))) => {
                once(state.receipt, "receipt")?;
                let legs = &shipment.manifested_legs;
                vec![
                    match self.document(&shipment.shipment_id, "receipt", legs) {
                        Ok(document) => E::ReceiptGenerated(document.into()),
                        Err(failure) => E::ReceiptFailed(failure.into()),
                    },
                ]
            }
            Trigger::Input(Input::GenerateCombinedDocument(GenerateCombinedDocument(shipment))) => {
                once(state.combined_document, "combined document")?;
                let legs = &shipment.manifested_legs;
                vec![
                    match self.document(&shipment.shipment_id, "combined-document", legs) {
                        Ok(document) => E::CombinedDocumentGenerated(document.into()),
                        Err(failure) => E::CombinedDocumentFailed(failure.into()),
                    },
                ]
            }
            Trigger::Own(event) => next(state, event).into_iter().collect(),
        })
    }
}

/// What follows from an own decision.
fn next(state: &State, event: &ShipmentEvent) -> Option<ShipmentEvent> {
    use ShipmentEvent as E;
    Some(match event {
        E::LegManifested(done) if state.leg(done.position + 1).is_some() => {
            E::LegStarted(ShipmentLegManifestationStarted {
                position: done.position + 1,
            })
        }
        E::LegManifested(_) => E::Manifested(ShipmentManifested {
            manifested_legs: state.manifested.clone(),
        }),
        E::LegFailed(failed) => {
            let failure = format!(
                "ShipmentManifestation: leg {}: {}",
                failed.position, failed.failure
            );
            E::ManifestationFailed(ShipmentManifestationFailed(Failure { failure }))
        }
        E::Initialized(_)
        | E::CustomsInvoiceGenerated(_)
        | E::CustomsInvoiceFailed(_)
        | E::LegStarted(_)
        | E::Manifested(_)
        | E::ManifestationFailed(_)
        | E::LabelsGenerated(_)
        | E::LabelsFailed(_)
        | E::ReceiptGenerated(_)
        | E::ReceiptFailed(_)
        | E::CombinedDocumentGenerated(_)
        | E::CombinedDocumentFailed(_) => return None,
    })
}

/// Every command carries the legs: whichever comes first takes the shipment in.
fn initialized(state: &State, planned: &PlannedShipment) -> Vec<ShipmentEvent> {
    if state.shipment.is_some() {
        return vec![];
    }
    vec![ShipmentEvent::Initialized(ShipmentInitialized {
        shipment_id: planned.shipment_id.clone(),
        legs: planned.legs.clone(),
    })]
}

fn once(exists: bool, document: &str) -> Result<(), Refusal> {
    if exists {
        return Err(Refusal::because(format!(
            "its {document} was generated already"
        )));
    }
    Ok(())
}

fn expect_leg(state: &State, position: u32) -> Result<(), Refusal> {
    if state.manifestation == Manifestation::WaitsFor(position) {
        Ok(())
    } else {
        Err(Refusal::because(format!(
            "it does not wait for the carrier of leg {position}"
        )))
    }
}

fn leg_failed(position: u32, failure: &str) -> ShipmentEvent {
    ShipmentEvent::LegFailed(ShipmentLegManifestationFailed {
        position,
        failure: failure.to_owned(),
    })
}

impl ShipmentManifestation {
    /// The address of a document over these legs.
    fn document<L>(
        &self,
        shipment: &ShipmentId,
        name: &str,
        legs: &[L],
    ) -> Result<Document, Failure> {
        if legs.is_empty() {
            return Err(Failure::because(format!(
                "{name}: the shipment has no leg to document"
            )));
        }
        Ok(Document {
            address: format!("{}/{shipment}/{name}", self.documents_base),
        })
    }
}

fn deadline(position: u32) -> String {
    format!("ShipmentLegManifestation-{position}")
}

impl Process for ShipmentManifestation {
    type Command = CarrierCommand;

    fn react(&self, after: &State, event: &ShipmentEvent) -> Vec<Effect<CarrierCommand>> {
        use ShipmentEvent as E;
        match event {
            E::LegStarted(started) => {
                let (Some((shipment_id, _)), Some(leg)) =
                    (&after.shipment, after.leg(started.position))
                else {
                    return vec![];
                };
                let position = started.position;
                let command = ManifestLegWithCarrier {
                    idempotency_key: format!("{shipment_id}/leg/{position}"),
                    shipment_id: shipment_id.clone(),
                    position,
                    leg: leg.clone(),
                };
                vec![
                    Effect::Send(command.into()),
                    Effect::set_deadline(deadline(position), Due::After(self.carrier_timeout)),
                ]
            }
            E::LegManifested(ShipmentLegManifested { position, .. })
            | E::LegFailed(ShipmentLegManifestationFailed { position, .. }) => {
                vec![Effect::clear_deadline(deadline(*position))]
            }
            E::Initialized(_)
            | E::CustomsInvoiceGenerated(_)
            | E::CustomsInvoiceFailed(_)
            | E::Manifested(_)
            | E::ManifestationFailed(_)
            | E::LabelsGenerated(_)
            | E::LabelsFailed(_)
            | E::ReceiptGenerated(_)
            | E::ReceiptFailed(_)
            | E::CombinedDocumentGenerated(_)
            | E::CombinedDocumentFailed(_) => vec![],
        }
    }

    fn is_finished(&self, state: &State) -> bool {
        state.combined_document
    }
}
