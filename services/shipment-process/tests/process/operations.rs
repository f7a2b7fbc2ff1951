//! What people ask of a shipment's process.

use contracts::collection::{
    CancelCollectionBooking, CollectionBookingCancelled, CreateCollectionBooking,
};
use contracts::manifestation as shipment;
use contracts::process::*;
use contracts::shipment::{Document, Nothing, Undo, Undone};
use contracts::{MessageSet, Round};
use shipment_process::Command;
use testkit::{Then, given};

use crate::fixtures::*;

fn names<P>(then: &Then<P>) -> Vec<&'static str>
where
    P: kernel::Process<Event = ProcessEvent>,
    P::Command: Clone + std::fmt::Debug + PartialEq,
{
    then.events().iter().map(MessageSet::type_name).collect()
}

fn cancel() -> CancelShipment {
    CancelShipment {
        reason: Some("the customer has changed his mind".to_owned()),
    }
}

pub(crate) fn settle() -> SettleShipment {
    SettleShipment {
        reason: "the carrier has cancelled it on the telephone".to_owned(),
    }
}

fn settled() -> ProcessEvent {
    ShipmentProcessSettled {
        reason: settle().reason,
    }
    .into()
}

fn undone(round: u32) -> Undone {
    Undone {
        round: Round(round),
    }
}

fn done() -> Vec<ProcessEvent> {
    let mut history = waiting_for_booking();
    history.extend(completed());
    history
}

#[test]
fn a_running_shipment_is_cancelled_and_its_step_is_no_longer_waited_for() {
    let cancelled = given(process(false), waiting_for_labels()).when(cancel());
    assert_eq!(
        names(&cancelled),
        [
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationStarted",
            "ShipmentManifestationCancellationStarted"
        ]
    );
    cancelled
        .waits_until(&[("ShipmentManifestationCancellation", IN_5_MINUTES)])
        .and_when(shipment::ShipmentManifestationCancelled(undone(0)))
        .then([
            ShipmentManifestationCancellationCompleted(Nothing {}).into(),
            ShipmentProcessCompensationCompleted(Nothing {}).into(),
            ShipmentProcessCancelled(Nothing {}).into(),
        ])
        .waits_until(&[])
        .and_when(cancel())
        .is_refused("finished");
}

#[test]
fn a_completed_shipment_is_cancelled_from_its_end() {
    let cancelled = given(process(false), done()).when(cancel());
    assert_eq!(
        names(&cancelled),
        [
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationStarted",
            "CollectionBookingCancellationStarted"
        ]
    );
    let next = cancelled.and_when(CollectionBookingCancelled(undone(0)));
    assert_eq!(
        names(&next),
        [
            "CollectionBookingCancellationCompleted",
            "ShipmentManifestationCancellationStarted"
        ]
    );
}

#[test]
fn a_shipment_of_which_no_carrier_knows_is_cancelled_at_once() {
    let cancelled = given(process(true), []).when(start()).and_when(cancel());
    assert_eq!(
        names(&cancelled),
        [
            "ShipmentCancellationRequested",
            "ShipmentProcessCompensationStarted",
            "ShipmentProcessCompensationCompleted",
            "ShipmentProcessCancelled"
        ]
    );
    cancelled.sends([]).waits_until(&[]);
}

#[test]
fn a_second_cancellation_and_late_answers_change_nothing() {
    given(process(false), waiting_for_labels())
        .when(cancel())
        .and_when(cancel())
        .is_refused("being cancelled already")
        .and_refused(
            shipment::ShipmentLabelsGenerated(document("labels")),
            "no longer waits",
        )
        .and_refused(RetryFailedStep(Nothing {}), "nothing has failed")
        .and_refused(RebookCollection::default(), "being cancelled");
}

#[test]
fn legs_are_amended_before_a_carrier_knows_of_them_and_the_invoice_is_generated_anew() {
    let legs = vec![leg(7), leg(8)];
    let invoice = |round| Document {
        round: Round(round),
        ..document("customs-invoice")
    };
    let amended = given(process(true), [])
        .when(start())
        .and_when(AmendShipmentLegs { legs: legs.clone() });
    let planned = shipment::PlannedShipment {
        legs,
        round: Round(1),
        ..planned()
    };
    amended
        .sends([ask(shipment::GenerateCustomsInvoice(planned.clone()))])
        .and_refused(
            shipment::CustomsInvoiceGenerated(invoice(0)),
            "begun anew meanwhile",
        )
        .and_when(shipment::CustomsInvoiceGenerated(invoice(1)))
        .sends([ask(shipment::ManifestShipment(planned))])
        .and_when(AmendShipmentLegs { legs: vec![leg(9)] })
        .is_refused("manifested with their carriers");
}

#[test]
fn a_failed_collection_is_rebooked_once_the_first_booking_is_cancelled() {
    let date = jiff::civil::date(2024, 5, 28);
    let rebooked = given(process(false), booking_failed()).when(RebookCollection {
        collection_date: Some(date),
    });
    assert_eq!(
        names(&rebooked),
        [
            "CollectionRebookingRequested",
            "CollectionBookingCancellationStarted"
        ]
    );
    let mut request = collection(1);
    request.collection_date = date;
    rebooked
        .sends([Command::Collection(CancelCollectionBooking(undo()).into())])
        // The carrier books late what is about to be cancelled.
        .and_refused(booked(), "no longer waits")
        .and_when(CollectionBookingCancelled(undone(0)))
        .sends([Command::Collection(CreateCollectionBooking(request).into())])
        .and_refused(booked(), "begun anew meanwhile");
}

#[test]
fn what_has_not_failed_is_not_rebooked() {
    given(process(false), waiting_for_booking())
        .when(RebookCollection::default())
        .is_refused("has not failed");
    given(process(false), done())
        .when(RebookCollection::default())
        .is_refused("is booked");
}

#[test]
fn a_failed_step_is_tried_again_from_where_nothing_is_left_of_it() {
    let failed = given(process(false), waiting_for_labels())
        .when(shipment::ShipmentLabelsGenerationFailed(failure()))
        .and_refused(RetryFailedStep(Nothing {}), "being undone")
        .and_when(shipment::ShipmentManifestationCancelled(undone(0)));
    let again = failed.and_when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again),
        ["ShipmentProcessRetried", "ShipmentManifestationStarted"]
    );
    let planned = shipment::PlannedShipment {
        round: Round(1),
        ..planned()
    };
    again
        .sends([ask(shipment::ManifestShipment(planned))])
        .and_refused(manifested_in(0), "begun anew meanwhile")
        .and_when(manifested_in(1))
        .and_when(cancel())
        .sends([ask(shipment::CancelShipmentManifestation(Undo {
            round: Round(1),
            ..undo()
        }))]);
}

#[test]
fn a_failed_booking_that_is_tried_again_is_rebooked() {
    let again = given(process(false), booking_failed()).when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again),
        [
            "CollectionRebookingRequested",
            "CollectionBookingCancellationStarted"
        ]
    );
}

#[test]
fn documents_of_a_completed_shipment_are_generated_again_and_it_stays_booked() {
    let labels = Document {
        round: Round(1),
        ..document("labels")
    };
    let again = given(process(false), done()).when(RegenerateDocuments(Nothing {}));
    assert_eq!(
        names(&again),
        [
            "DocumentsRegenerationRequested",
            "ShipmentLabelsGenerationStarted"
        ]
    );
    let last = again
        .and_when(shipment::ShipmentLabelsGenerated(labels.clone()))
        .and_when(shipment::ShipmentReceiptGenerated(labels.clone()))
        .and_when(shipment::ShipmentCombinedDocumentGenerated(labels.clone()));
    assert_eq!(
        names(&last),
        [
            "CombinedDocumentGenerationCompleted",
            "ManifestationAndDocumentsCompleted",
            "ShipmentProcessCompletionChecked",
            "ShipmentProcessCompleted"
        ]
    );
    // Where they fail, the shipment is not undone for that, and they can be tried again.
    let failed = given(process(false), done())
        .when(RegenerateDocuments(Nothing {}))
        .and_when(shipment::ShipmentLabelsGenerationFailed(
            failure().in_round(Round(1)),
        ));
    assert_eq!(names(&failed).last(), Some(&"ShipmentProcessFailed"));
    let again = failed.and_when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again),
        ["ShipmentProcessRetried", "ShipmentLabelsGenerationStarted"]
    );
    given(process(false), waiting_for_booking())
        .when(RegenerateDocuments(Nothing {}))
        .is_refused("once everything is done");
}

fn legs_kept() -> shipment::ShipmentManifestationCancellationFailed {
    shipment::ShipmentManifestationCancellationFailed(failure())
}

#[test]
fn what_could_not_be_undone_is_settled_by_hand() {
    given(process(false), waiting_for_labels())
        .when(shipment::ShipmentLabelsGenerationFailed(failure()))
        .and_refused(settle(), "nothing needs attention")
        .and_when(legs_kept())
        .and_when(settle())
        .then([settled()])
        .sends([])
        .waits_until(&[])
        // What other services say now changes nothing, and nothing is begun anew on top of it.
        .and_refused(
            shipment::ShipmentManifestationCancelled(undone(0)),
            "finished",
        )
        .and_refused(RetryFailedStep(Nothing {}), "finished");
}

#[test]
fn what_was_to_be_cancelled_is_cancelled_when_it_is_settled() {
    let needs_attention = given(process(false), waiting_for_labels())
        .when(cancel())
        .and_when(legs_kept());
    needs_attention
        .and_refused(cancel(), "settle it by hand")
        .and_when(settle())
        .then([settled(), ShipmentProcessCancelled(Nothing {}).into()])
        .waits_until(&[]);
}

#[test]
fn a_rebooking_is_not_settled_since_its_legs_stand_but_it_can_be_cancelled_before() {
    given(process(false), booking_failed())
        .when(RebookCollection::default())
        .and_when(kept())
        .and_refused(settle(), "its legs stand")
        .and_when(cancel())
        .and_when(kept())
        .and_when(shipment::ShipmentManifestationCancelled(undone(0)))
        .and_when(settle())
        .then([settled(), ShipmentProcessCancelled(Nothing {}).into()]);
}

#[test]
fn nothing_is_settled_that_was_never_started() {
    given(process(false), [])
        .when(settle())
        .is_refused("nothing has been started");
}

#[test]
fn the_invoice_is_generated_anew_with_legs_that_are_amended_after_the_manifestation_has_failed() {
    let legs = vec![leg(7), leg(8)];
    let invoice = |round| {
        shipment::CustomsInvoiceGenerated(Document {
            round: Round(round),
            ..document("customs-invoice")
        })
    };
    let amended = given(process(true), [])
        .when(start())
        .and_when(invoice(0))
        .and_when(shipment::ShipmentManifestationFailed {
            failure: failure().failure,
            round: Round(0),
            legs_to_cancel: vec![],
        })
        .and_when(AmendShipmentLegs { legs: legs.clone() });
    assert_eq!(names(&amended), ["ShipmentLegsAmended"]);
    let again = amended.sends([]).and_when(RetryFailedStep(Nothing {}));
    assert_eq!(
        names(&again),
        ["ShipmentProcessRetried", "CustomsInvoiceGenerationStarted"]
    );
    let planned = shipment::PlannedShipment {
        legs,
        round: Round(2),
        ..planned()
    };
    again
        .sends([ask(shipment::GenerateCustomsInvoice(planned.clone()))])
        .and_refused(invoice(0), "begun anew meanwhile")
        .and_when(invoice(2))
        .sends([ask(shipment::ManifestShipment(planned))]);
}
