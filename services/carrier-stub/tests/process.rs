//! The carriers' ledger, one sentence a test.

use carrier_stub::{Behaviour, Behaviours, Carriers, Input};
use contracts::carrier::*;
use contracts::shipment::Leg;
use contracts::{MessageSet, ShipmentId};
use jiff::SignedDuration;
use testkit::given;
use uuid::Uuid;

fn carriers(delay_ms: i64) -> Carriers {
    Carriers {
        delay: SignedDuration::from_millis(delay_ms),
        books_late_after: SignedDuration::from_secs(2),
        behaviours: Behaviours::new(),
    }
}

fn shipment(id: &str) -> ShipmentId {
    ShipmentId::parse(id).unwrap_or_else(|error| panic!("{error}"))
}

fn manifest(id: &str) -> Input {
    ManifestLegWithCarrier {
        idempotency_key: format!("{id}/leg/1"),
        shipment_id: shipment(id),
        position: 1,
        leg: Leg {
            carrier_id: Uuid::from_u128(1),
            sender: "sender".to_owned(),
            receiver: "receiver".to_owned(),
            collection: "collection".to_owned(),
        },
    }
    .into()
}

fn book(id: &str) -> Input {
    BookCollectionWithCarrier {
        idempotency_key: format!("{id}/collection"),
        shipment_id: shipment(id),
        carrier_id: Uuid::from_u128(1),
        tracking_number: "T1".to_owned(),
        collection: "collection".to_owned(),
        collection_date: jiff::civil::date(2024, 5, 27),
    }
    .into()
}

fn names(events: &[CarrierEvent]) -> Vec<&'static str> {
    events.iter().map(MessageSet::type_name).collect()
}

#[test]
fn the_last_character_of_the_id_says_what_a_carrier_answers() {
    for (id, manifested, booked) in [
        ("S0", "LegManifestedByCarrier", "CollectionBookedByCarrier"),
        (
            "S1",
            "LegManifestationRejectedByCarrier",
            "CollectionBookedByCarrier",
        ),
        (
            "S2",
            "LegManifestedByCarrier",
            "CollectionBookingRejectedByCarrier",
        ),
        (
            "S3",
            "LegManifestedByCarrier",
            "CollectionBookingRejectedByCarrier",
        ),
        ("SX", "LegManifestedByCarrier", "CollectionBookedByCarrier"),
    ] {
        let answer = given(carriers(0), []).when(manifest(id));
        assert_eq!(
            names(&answer.events()),
            ["CarrierRequestReceived", manifested],
            "{id}"
        );
        let answer = given(carriers(0), []).when(book(id));
        assert_eq!(
            names(&answer.events()),
            ["CarrierRequestReceived", booked],
            "{id}"
        );
    }
}

#[test]
fn an_answer_comes_after_the_delay() {
    let received = given(carriers(500), []).when(manifest("S0"));
    assert_eq!(names(&received.events()), ["CarrierRequestReceived"]);
    let history = received.events();
    received.waits_until(&[("S0/leg/1", "1970-01-01T00:00:00.5Z")]);
    let answer = given(carriers(500), history).when_deadline_passes("S0/leg/1");
    assert_eq!(names(&answer.events()), ["LegManifestedByCarrier"]);
}

#[test]
fn a_repeated_request_gets_the_first_answer_again_and_has_no_second_effect() {
    let first = given(carriers(0), []).when(manifest("S0"));
    let answer = first.events().remove(1);
    first
        .and_when(manifest("S0"))
        .then([answer])
        .sends([])
        .waits_until(&[]);
}

#[test]
fn a_request_that_is_being_worked_on_is_not_begun_again() {
    given(carriers(500), [])
        .when(manifest("S0"))
        .and_when(manifest("S0"))
        .is_refused("worked on");
}

#[test]
fn requests_with_other_keys_have_answers_of_their_own() {
    let first = given(carriers(0), []).when(manifest("S0")).events();
    let other = given(carriers(0), []).when(manifest("T0")).events();
    match (&first[1], &other[1]) {
        (CarrierEvent::LegManifested(one), CarrierEvent::LegManifested(two)) => {
            assert_ne!(one.tracking_number, two.tracking_number);
            assert_eq!(one.tracking_number.len(), 32);
        }
        both => panic!("{both:?}"),
    }
}

#[test]
fn a_collection_that_is_refused_at_first_is_booked_later_once() {
    let refused = given(carriers(0), []).when(book("S3"));
    let mut history = refused.events();
    refused.waits_until(&[("S3/collection/late", "1970-01-01T00:00:02Z")]);
    let late = given(carriers(0), history.clone()).when_deadline_passes("S3/collection/late");
    assert_eq!(names(&late.events()), ["CollectionBookedByCarrier"]);
    history.extend(late.events());
    given(carriers(0), history)
        .when_deadline_passes("S3/collection/late")
        .is_refused("nothing left to book");
}

#[test]
fn a_collection_that_is_refused_for_good_is_not_booked_later() {
    given(carriers(0), []).when(book("S2")).waits_until(&[]);
}

fn cancel_leg(id: &str) -> Input {
    CancelLegWithCarrier {
        idempotency_key: format!("{id}/leg/1/cancel"),
        cancels: format!("{id}/leg/1"),
        shipment_id: shipment(id),
        carrier_id: Uuid::from_u128(1),
        position: 1,
    }
    .into()
}

fn cancel_collection(id: &str) -> Input {
    CancelCollectionWithCarrier {
        idempotency_key: format!("{id}/collection/cancel"),
        cancels: format!("{id}/collection"),
        shipment_id: shipment(id),
        carrier_id: Uuid::from_u128(1),
    }
    .into()
}

fn special(delay_ms: i64, behaviour: Behaviour) -> Carriers {
    Carriers {
        behaviours: Behaviours::from([(Uuid::from_u128(1), behaviour)]),
        ..carriers(delay_ms)
    }
}

#[test]
fn what_is_cancelled_has_no_effect_any_more_and_its_answer_is_no_longer_waited_for() {
    let cancelled = given(carriers(500), [])
        .when(manifest("S0"))
        .and_when(cancel_leg("S0"));
    assert_eq!(names(&cancelled.events()), ["CarrierRequestReceived"]);
    cancelled
        .waits_until(&[("S0/leg/1/cancel", "1970-01-01T00:00:00.5Z")])
        .and_refused(manifest("S0"), "was cancelled");
}

#[test]
fn a_request_that_comes_behind_its_cancellation_is_not_taken() {
    given(carriers(0), [])
        .when(cancel_leg("S0"))
        .and_refused(manifest("S0"), "was cancelled");
}

#[test]
fn a_collection_that_would_be_booked_late_is_not_once_it_is_cancelled() {
    let cancelled = given(carriers(0), [])
        .when(book("S3"))
        .and_when(cancel_collection("S3"));
    assert_eq!(
        names(&cancelled.events()),
        ["CarrierRequestReceived", "CollectionCancelledByCarrier"]
    );
    cancelled.waits_until(&[]);
}

#[test]
fn a_carrier_may_refuse_every_leg() {
    let answer = given(special(0, Behaviour::RefusesManifestation), []).when(manifest("S0"));
    assert_eq!(
        names(&answer.events()).last(),
        Some(&"LegManifestationRejectedByCarrier")
    );
}

#[test]
fn a_carrier_may_never_answer_but_to_a_cancellation() {
    let silent = given(special(0, Behaviour::NeverAnswers), []).when(manifest("S0"));
    assert_eq!(names(&silent.events()), ["CarrierRequestReceived"]);
    let cancelled = silent.waits_until(&[]).and_when(cancel_leg("S0"));
    assert_eq!(
        names(&cancelled.events()).last(),
        Some(&"LegCancelledByCarrier")
    );
}

#[test]
fn a_carrier_may_take_its_time() {
    let slow = Behaviour::AnswersAfter(SignedDuration::from_secs(5));
    given(special(0, slow), [])
        .when(manifest("S0"))
        .waits_until(&[("S0/leg/1", "1970-01-01T00:00:05Z")]);
}

#[test]
fn a_carrier_may_answer_twice() {
    let received = given(special(0, Behaviour::AnswersTwice), []).when(manifest("S0"));
    let history = received.events();
    assert_eq!(history.len(), 2);
    received.waits_until(&[("S0/leg/1/again", "1970-01-01T00:00:00.001Z")]);
    given(special(0, Behaviour::AnswersTwice), history.clone())
        .when_deadline_passes("S0/leg/1/again")
        .then([history[1].clone()]);
}

#[test]
fn a_carrier_may_refuse_to_cancel_and_then_the_leg_stands() {
    let refused = given(special(0, Behaviour::RefusesCancellation), [])
        .when(manifest("S0"))
        .and_when(cancel_leg("S0"));
    assert_eq!(
        names(&refused.events()).last(),
        Some(&"LegCancellationRejectedByCarrier")
    );
    let again = refused.and_when(manifest("S0"));
    assert_eq!(names(&again.events()), ["LegManifestedByCarrier"]);
    let refused = given(special(0, Behaviour::RefusesCancellation), [])
        .when(book("S0"))
        .and_when(cancel_collection("S0"));
    assert_eq!(
        names(&refused.events()).last(),
        Some(&"CollectionCancellationRejectedByCarrier")
    );
}
