//! Legs and documents, one after another.

use contracts::Round;
use contracts::carrier::LegManifestationRejectedByCarrier;
use contracts::manifestation::*;
use contracts::shipment::Failure;
use testkit::given;

use crate::fixtures::*;

#[test]
fn a_shipment_is_taken_in_once() {
    given(process(), [])
        .when(CreateShipment(planned(1)))
        .then([initialized(1)])
        .and_when(CreateShipment(planned(1)))
        .is_refused("started already");
}

#[test]
fn the_only_leg_is_manifested_with_its_carrier() {
    given(process(), [initialized(1)])
        .when(ManifestShipment(planned(1)))
        .then([leg_started(1)])
        .sends([request(1).into()])
        .waits_until(&[("ShipmentLegManifestation-1", "1970-01-01T00:05:00Z")])
        .and_when(answer(1))
        .then([
            leg_manifested(1),
            ShipmentManifested {
                manifested_legs: manifested_legs(1),
                round: Round::FIRST,
            }
            .into(),
        ])
        .waits_until(&[]);
}

#[test]
fn legs_are_manifested_one_after_another() {
    given(process(), [initialized(2), leg_started(1)])
        .when(answer(1))
        .then([leg_manifested(1), leg_started(2)])
        .sends([request(2).into()])
        .and_when(answer(2))
        .then([
            leg_manifested(2),
            ShipmentManifested {
                manifested_legs: manifested_legs(2),
                round: Round::FIRST,
            }
            .into(),
        ]);
}

#[test]
fn a_command_that_overtakes_the_creation_takes_the_shipment_in_itself() {
    given(process(), [])
        .when(ManifestShipment(planned(1)))
        .then([initialized(1), leg_started(1)])
        .and_when(CreateShipment(planned(1)))
        .is_refused("started already");
    given(process(), [])
        .when(GenerateCustomsInvoice(planned(1)))
        .then([
            initialized(1),
            CustomsInvoiceGenerated(document("customs-invoice")).into(),
        ]);
}

#[test]
fn a_leg_that_its_carrier_refuses_fails_the_manifestation() {
    given(process(), [initialized(2), leg_started(1)])
        .when(LegManifestationRejectedByCarrier {
            idempotency_key: "S1/leg/1".to_owned(),
            position: 1,
            failure: "no room".to_owned(),
        })
        .then([
            ShipmentLegManifestationFailed {
                position: 1,
                failure: "no room".to_owned(),
                may_be_manifested: false,
            }
            .into(),
            manifestation_failed("ShipmentManifestation: leg 1: no room", vec![]),
        ])
        .sends([])
        .waits_until(&[]);
}

#[test]
fn a_carrier_that_does_not_answer_fails_the_manifestation() {
    given(process(), [initialized(1), leg_started(1)])
        .when_deadline_passes("ShipmentLegManifestation-1")
        .then([
            ShipmentLegManifestationFailed {
                position: 1,
                failure: "the carrier did not answer in time".to_owned(),
                may_be_manifested: true,
            }
            .into(),
            manifestation_failed(
                "ShipmentManifestation: leg 1: the carrier did not answer in time",
                vec![1],
            ),
        ])
        .and_when(answer(1))
        .is_refused("no longer waits for the carrier of leg 1");
}

#[test]
fn an_answer_for_another_leg_is_refused() {
    given(process(), [initialized(2), leg_started(1)])
        .when(answer(2))
        .is_refused("no longer waits for the carrier of leg 2");
}

#[test]
fn a_second_manifestation_is_refused() {
    given(process(), [initialized(1), leg_started(1)])
        .when(ManifestShipment(planned(1)))
        .is_refused("already");
}

#[test]
fn documents_are_found_under_the_base_address() {
    let history = || [initialized(1), leg_started(1), leg_manifested(1)];
    given(process(), history())
        .when(GenerateShipmentLabels(manifested_shipment()))
        .then([ShipmentLabelsGenerated(document("labels")).into()])
        // Whoever asks again has not had the answer.
        .and_when(GenerateShipmentLabels(manifested_shipment()))
        .then([ShipmentLabelsGenerated(document("labels")).into()]);
    given(process(), history())
        .when(GenerateShipmentReceipt(manifested_shipment()))
        .then([ShipmentReceiptGenerated(document("receipt")).into()]);
    given(process(), history())
        .when(GenerateCombinedDocument(manifested_shipment()))
        .then([ShipmentCombinedDocumentGenerated(document("combined-document")).into()])
        .and_when(answer(1))
        .is_refused("manifested already");
}

#[test]
fn a_shipment_without_legs_fails_in_words() {
    given(process(), [])
        .when(ManifestShipment(planned(0)))
        .then([
            initialized(0),
            manifestation_failed("ShipmentManifestation: there is no leg", vec![]),
        ]);
    let nothing = ManifestedShipment {
        shipment_id: id(),
        manifested_legs: vec![],
        round: Round::FIRST,
    };
    let failure = Failure::because("labels: the shipment has no leg to document");
    given(process(), [initialized(0)])
        .when(GenerateShipmentLabels(nothing))
        .then([ShipmentLabelsGenerationFailed(failure).into()]);
}
