//! The documents of a shipment: each is said to be found under an address, as often as it is asked for.

use contracts::manifestation::{ManifestedShipment, PlannedShipment, ShipmentEvent};
use contracts::shipment::{Document, Failure};
use contracts::{Round, ShipmentId};
use kernel::Refusal;

use crate::state::{COMBINED_DOCUMENT, CUSTOMS_INVOICE, LABELS, RECEIPT, State};

/// Where documents are found.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The address under which they are found, without a slash at the end.
    pub base_url: String,
}

impl Documents {
    pub(crate) fn customs_invoice(
        &self,
        state: &State,
        planned: &PlannedShipment,
    ) -> Result<ShipmentEvent, Refusal> {
        let (id, legs) = (&planned.shipment_id, planned.legs.len());
        let made = self.generate(state, CUSTOMS_INVOICE, id, legs, planned.round)?;
        Ok(match made {
            Ok(document) => ShipmentEvent::CustomsInvoiceGenerated(document.into()),
            Err(failure) => ShipmentEvent::CustomsInvoiceFailed(failure.into()),
        })
    }

    pub(crate) fn labels(
        &self,
        state: &State,
        shipment: &ManifestedShipment,
    ) -> Result<ShipmentEvent, Refusal> {
        Ok(match self.of(state, LABELS, shipment)? {
            Ok(document) => ShipmentEvent::LabelsGenerated(document.into()),
            Err(failure) => ShipmentEvent::LabelsFailed(failure.into()),
        })
    }

    pub(crate) fn receipt(
        &self,
        state: &State,
        shipment: &ManifestedShipment,
    ) -> Result<ShipmentEvent, Refusal> {
        Ok(match self.of(state, RECEIPT, shipment)? {
            Ok(document) => ShipmentEvent::ReceiptGenerated(document.into()),
            Err(failure) => ShipmentEvent::ReceiptFailed(failure.into()),
        })
    }

    pub(crate) fn combined_document(
        &self,
        state: &State,
        shipment: &ManifestedShipment,
    ) -> Result<ShipmentEvent, Refusal> {
        Ok(match self.of(state, COMBINED_DOCUMENT, shipment)? {
            Ok(document) => ShipmentEvent::CombinedDocumentGenerated(document.into()),
            Err(failure) => ShipmentEvent::CombinedDocumentFailed(failure.into()),
        })
    }

    fn of(
        &self,
        state: &State,
        name: &str,
        shipment: &ManifestedShipment,
    ) -> Result<Result<Document, Failure>, Refusal> {
        let (id, legs) = (&shipment.shipment_id, shipment.manifested_legs.len());
        self.generate(state, name, id, legs, shipment.round)
    }

    /// Whoever asks again in the same round has not had the answer, and gets it again.
    fn generate(
        &self,
        state: &State,
        name: &str,
        shipment: &ShipmentId,
        legs: usize,
        round: Round,
    ) -> Result<Result<Document, Failure>, Refusal> {
        if state.documents.get(name).is_some_and(|last| round < *last) {
            return Err(Refusal::late(format!(
                "its {name} was generated anew meanwhile"
            )));
        }
        if legs == 0 {
            let failure = Failure::because(format!("{name}: the shipment has no leg to document"));
            return Ok(Err(failure.in_round(round)));
        }
        Ok(Ok(Document {
            address: format!("{}/{shipment}/{name}", self.base_url),
            round,
        }))
    }
}
