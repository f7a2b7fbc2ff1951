//! Which process a shipment gets, and that several versions run side by side.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use contracts::process::{ProcessEvent, ProcessShipment};
use contracts::shipment::Leg;
use contracts::{MessageSet, ShipmentId};
use jiff::{SignedDuration, Timestamp};
use kernel::{Arrival, Backoff, Category, Content, Instance, Outcome, Record, Registry};
use shipment_process::{Command, Input, ShipmentProcess, State, Steps, registry};
use testkit::patience;
use uuid::Uuid;

fn processes() -> Registry<ShipmentProcess> {
    let steps = Steps::all(patience(SignedDuration::from_mins(5), 0));
    registry(steps, SignedDuration::from_hours(24)).unwrap()
}

fn start(legs: u128) -> Input {
    let leg = |n| Leg {
        carrier_id: Uuid::from_u128(n),
        sender: "sender".to_owned(),
        receiver: "receiver".to_owned(),
        collection: "collection".to_owned(),
    };
    Input::Process(ProcessShipment {
        shipment_id: ShipmentId::parse("S1").unwrap(),
        legs: (1..=legs).map(leg).collect(),
        collection_date: jiff::civil::date(2024, 5, 27),
        time_zone: "Europe/London".to_owned(),
    })
}

fn take(
    registry: &Registry<ShipmentProcess>,
    instance: &mut Instance<State>,
    content: Content<Input>,
) -> Outcome<ProcessEvent, Command> {
    let id = Uuid::from_u128(u128::from(instance.version()) + 1);
    let arrival = Arrival {
        id,
        name: "input",
        content,
        whole: &String::new,
        retries: Backoff::NONE,
    };
    registry.handle(instance, arrival, Timestamp::UNIX_EPOCH)
}

fn events(outcome: Outcome<ProcessEvent, Command>) -> Vec<&'static str> {
    let records = outcome.into_records().into_iter();
    let name = |record| match record {
        Record::Event(event) => Some(MessageSet::type_name(&event)),
        Record::CategoryChanged { .. } => Some("ProcessCategoryChanged"),
        Record::TriggerIgnored { .. }
        | Record::InputParked { .. }
        | Record::ParkedInputRetried { .. }
        | Record::ParkedInputHandled
        | Record::ParkedInputDiscarded => None,
    };
    records.filter_map(|record| name(record.record)).collect()
}

#[test]
fn one_leg_is_domestic_and_more_are_international() {
    let registry = processes();
    for (legs, category, third) in [
        (1, "domestic-1.0", "ShipmentManifestationStarted"),
        (2, "international-1.0", "CustomsInvoiceGenerationStarted"),
        (3, "international-1.0", "CustomsInvoiceGenerationStarted"),
    ] {
        let mut instance = Instance::default();
        let started = take(&registry, &mut instance, Content::Input(start(legs)));
        assert_eq!(events(started)[2], third);
        assert_eq!(instance.category().unwrap().as_str(), category);
    }
}

#[test]
fn the_default_category_begins_with_a_customs_invoice_as_international_does() {
    let registry = processes();
    let process = |name| registry.process(&Category::parse(name).unwrap()).unwrap();
    assert!(process("default-1.0").customs_invoice && process("international-1.0").customs_invoice);
    assert!(!process("domestic-1.0").customs_invoice);
}

#[test]
fn a_shipment_keeps_its_category_until_it_is_switched_and_goes_on_from_where_it_is() {
    let registry = processes();
    let mut instance = Instance::default();
    take(&registry, &mut instance, Content::Input(start(2)));
    let to = Category::parse("domestic-1.0").unwrap();
    let switched = take(
        &registry,
        &mut instance,
        Content::ChangeCategory(to.clone()),
    );
    assert_eq!(events(switched), ["ProcessCategoryChanged"]);
    assert_eq!(instance.category(), Some(&to));
    // The invoice that was asked for under the other category still leads on.
    let document = contracts::shipment::Document {
        address: "https://documents".to_owned(),
        round: contracts::Round::FIRST,
    };
    let generated = contracts::manifestation::CustomsInvoiceGenerated(document);
    let next = take(&registry, &mut instance, Content::Input(generated.into()));
    assert_eq!(
        events(next),
        [
            "CustomsInvoiceGenerationCompleted",
            "ShipmentManifestationStarted"
        ]
    );
}
