//! A whole service: deadlines by a clock that is set, the relay, and the order of acknowledgements.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use contracts::{Envelope, ServiceName, Topology};
use event_store::EventStore;
use jiff::{SignedDuration, Timestamp};
use message_bus::{Delivery, Error, MessageBus, Publisher, Receipt, Subscription};
use message_bus_embedded::{EmbeddedBus, Intervals};
use runtime::{Clock, Environment, Handled, Inbox, Service, SystemClock};
use support::{contract, envelope, memory, message, names, older, registry, settings, until};
use testkit::ManualClock;
use testkit::faults::{Fault, Faults, Kind};

fn start(
    store: &Arc<dyn EventStore>,
    bus: Arc<dyn MessageBus>,
    clock: Arc<dyn Clock>,
) -> (Service, Inbox) {
    let environment = Environment {
        store: store.clone(),
        indexes: store.clone(),
        bus,
        clock,
        settings: settings(),
    };
    Service::start(&contract(), registry(older()), &environment)
}

fn embedded(store: &Arc<dyn EventStore>) -> Arc<dyn MessageBus> {
    Arc::new(EmbeddedBus::new(
        store.clone(),
        Topology {
            services: vec![contract()],
        },
        Intervals::default(),
    ))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH))
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn a_deadline_is_reported_when_its_time_has_come_and_once() {
    let (store, clock) = (memory(), clock());
    let (service, inbox) = start(&store, embedded(&store), clock.clone());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    clock.advance(MINUTE * 9);
    inbox.submit_one(message("Open", "B", 1)).await.unwrap();
    clock.advance(MINUTE);
    until(&store, async || names(&store, "A").await.len() > 1).await;
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
    clock.advance(MINUTE * 9);
    until(&store, async || names(&store, "B").await.len() > 1).await;
    // B's came last, and A's not again in between.
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
    assert_eq!(names(&store, "B").await, ["Opened", "Reminded"]);
    drop(inbox);
    service.stop().await;
}

#[tokio::test]
async fn a_deadline_that_was_cleared_is_not_reported() {
    let (store, clock) = (memory(), clock());
    let (service, inbox) = start(&store, embedded(&store), clock.clone());
    for ticket in ["A", "B"] {
        inbox.submit_one(message("Open", ticket, 1)).await.unwrap();
    }
    inbox.submit_one(message("Close", "A", 1)).await.unwrap();
    clock.advance(MINUTE * 60);
    until(&store, async || names(&store, "B").await.len() > 1).await;
    assert_eq!(names(&store, "A").await, ["Opened", "Closed"]);
    drop(inbox);
    service.stop().await;
}

#[tokio::test]
async fn a_deadline_that_passed_while_nobody_ran_is_reported_at_the_next_start() {
    let (store, clock) = (memory(), clock());
    let (service, inbox) = start(&store, embedded(&store), clock.clone());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    drop(inbox);
    service.stop().await;
    clock.advance(MINUTE * 11);
    for _ in 0..2 {
        let (service, inbox) = start(&store, embedded(&store), clock.clone());
        until(&store, async || names(&store, "A").await.len() > 1).await;
        drop(inbox);
        service.stop().await;
    }
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
}

#[tokio::test]
async fn deadlines_are_rebuilt_from_the_log_when_their_index_is_lost() {
    let (store, clock) = (memory(), clock());
    let (service, inbox) = start(&store, embedded(&store), clock.clone());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    // As a crash does: nothing is saved.
    drop((service, inbox));
    clock.advance(MINUTE * 10);
    let (service, inbox) = start(&store, embedded(&store), clock.clone());
    until(&store, async || names(&store, "A").await.len() > 1).await;
    drop(inbox);
    service.stop().await;
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
}

/// A bus that publishes into a list, fails when it is told to, and delivers what it is given.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    published: Vec<Envelope>,
    failures: usize,
    to_deliver: VecDeque<Delivery>,
    acknowledged: Vec<Receipt>,
    rejected: Vec<Receipt>,
    /// What was stored when it was acknowledged.
    stored: Vec<usize>,
}

struct ScriptedSubscription {
    bus: Scripted,
    store: Arc<dyn EventStore>,
}

struct ScriptedBus {
    bus: Scripted,
    store: Arc<dyn EventStore>,
}

#[async_trait]
impl MessageBus for ScriptedBus {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        Some(Arc::new(self.bus.clone()))
    }

    async fn subscribe(&self, _service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        let (bus, store) = (self.bus.clone(), self.store.clone());
        Ok(Box::new(ScriptedSubscription { bus, store }))
    }

    async fn backlog(&self, _most: usize) -> Result<usize, Error> {
        Ok(self.bus.0.lock().unwrap().to_deliver.len())
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for Scripted {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error> {
        let mut script = self.0.lock().unwrap();
        if script.failures > 0 {
            script.failures -= 1;
            // The first half got through before the connection was lost.
            script
                .published
                .extend(messages[..messages.len() / 2].iter().cloned());
            return Err(Error::Unavailable("gone for a moment".into()));
        }
        script.published.extend(messages.iter().cloned());
        Ok(())
    }
}

#[async_trait]
impl Subscription for ScriptedSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let batch: Vec<_> = {
            let mut script = self.bus.0.lock().unwrap();
            let count = script.to_deliver.len().min(max);
            script.to_deliver.drain(..count).collect()
        };
        if batch.is_empty() {
            std::future::pending::<()>().await;
        }
        Ok(batch)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        let stored = names(&self.store, "A").await.len();
        let mut script = self.bus.0.lock().unwrap();
        script.acknowledged.extend(receipts);
        script.stored.push(stored);
        Ok(())
    }

    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        self.bus.0.lock().unwrap().rejected.extend(receipts);
        Ok(())
    }
}

impl Scripted {
    /// Has a ticket opened by a message.
    fn deliver_open(&self, ticket: &str) {
        let mut script = self.0.lock().unwrap();
        let receipt = Receipt {
            session: 1,
            number: 1,
        };
        script.to_deliver.push_back(Delivery {
            receipt,
            message: Ok(envelope("Open", ticket, 1)),
        });
    }
}

fn scripted(store: &Arc<dyn EventStore>) -> (Scripted, Arc<dyn MessageBus>) {
    let bus = Scripted::default();
    (
        bus.clone(),
        Arc::new(ScriptedBus {
            bus,
            store: store.clone(),
        }),
    )
}

#[tokio::test]
async fn the_relay_publishes_what_is_stored_in_order_until_it_is_confirmed() {
    let (store, clock) = (memory(), clock());
    let (script, bus) = scripted(&store);
    script.0.lock().unwrap().failures = 3;
    let (service, inbox) = start(&store, bus, clock.clone());
    for type_name in ["Open", "Note", "Close"] {
        inbox.submit_one(message(type_name, "A", 1)).await.unwrap();
    }
    drop(inbox);
    service.stop().await;
    let mut published: Vec<String> = script
        .0
        .lock()
        .unwrap()
        .published
        .iter()
        .map(|m| m.type_name.clone())
        .collect();
    published.dedup();
    // A note is internal, and never leaves.
    assert!(
        published.ends_with(&["Opened".to_owned(), "Closed".to_owned()]),
        "{published:?}"
    );
    assert!(!published.contains(&"Noted".to_owned()), "{published:?}");
}

#[tokio::test]
async fn what_is_stored_and_not_published_presses_until_it_is() {
    let store = memory();
    let (script, bus) = scripted(&store);
    script.0.lock().unwrap().failures = usize::MAX;
    let (service, inbox) = start(&store, bus, clock());
    let pressure = service.pressure();
    for ticket in ["A", "B", "C"] {
        inbox.submit_one(message("Open", ticket, 1)).await.unwrap();
    }
    let waits_for = async |unpublished| {
        let patient = async {
            while pressure.look(100).await.unwrap().unpublished != unpublished {
                tokio::task::yield_now().await;
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, patient).await.unwrap();
    };
    waits_for(3).await;
    assert_eq!(pressure.look(2).await.unwrap().unpublished, 2);
    script.0.lock().unwrap().failures = 0;
    waits_for(0).await;
    drop(inbox);
    service.stop().await;
}

/// Lets the parts of services do what they have to do: the time is not waited for.
async fn settled() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_deadline_that_others_see_to_is_reported_late_and_only_if_they_do_not() {
    let (store, clock) = (memory(), clock());
    let (_, second_bus) = scripted(&store);
    let (_second, second_inbox) = start(&store, second_bus, clock.clone());
    settled().await;
    let (script, first_bus) = scripted(&store);
    for ticket in ["A", "B"] {
        script.deliver_open(ticket);
    }
    let (first, _first_inbox) = start(&store, first_bus, clock.clone());
    settled().await;
    assert_eq!(names(&store, "A").await, ["Opened"]);
    // Whoever receives the tickets is gone.
    drop(first);
    clock.advance(MINUTE * 10);
    settled().await;
    assert_eq!(names(&store, "A").await, ["Opened"]);
    second_inbox
        .submit_one(message("Close", "B", 1))
        .await
        .unwrap();
    settled().await;
    clock.advance(SECOND - SignedDuration::from_millis(1));
    settled().await;
    assert_eq!(names(&store, "A").await, ["Opened"]);
    clock.advance(SignedDuration::from_millis(1));
    settled().await;
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
    assert_eq!(names(&store, "B").await, ["Opened", "Closed"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_the_one_that_receives_reports_what_is_over() {
    let (store, clock) = (memory(), clock());
    let faults = Faults::none();
    let (_, bus) = scripted(&store);
    let (_second, _second_inbox) = start(&faults.store(store.clone()), bus, clock.clone());
    settled().await;
    let (script, bus) = scripted(&store);
    script.deliver_open("A");
    let (_first, _first_inbox) = start(&store, bus, clock.clone());
    settled().await;
    clock.advance(MINUTE * 10);
    settled().await;
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
    clock.advance(MINUTE);
    settled().await;
    let stored = faults.counts().get(&Kind::Append).copied();
    assert_eq!(stored, None, "the second has tried nothing");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_else_is_at_work_nothing_received_is_needed_to_report_at_once() {
    let (store, clock) = (memory(), clock());
    let (_, bus) = scripted(&store);
    let (_service, inbox) = start(&store, bus, clock.clone());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    settled().await;
    clock.advance(MINUTE * 10);
    until(&store, async || names(&store, "A").await.len() > 1).await;
    assert_eq!(names(&store, "A").await, ["Opened", "Reminded"]);
}

#[tokio::test]
async fn commands_leave_behind_the_decision_that_sends_them_under_ids_that_stay() {
    let (store, clock) = (memory(), clock());
    let (script, bus) = scripted(&store);
    let (service, inbox) = start(&store, bus.clone(), clock.clone());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    clock.advance(MINUTE * 10);
    until(&store, async || names(&store, "A").await.len() > 1).await;
    drop(inbox);
    service.stop().await;
    let first = std::mem::take(&mut script.0.lock().unwrap().published);
    let found: Vec<_> = first.iter().map(|m| m.type_name.as_str()).collect();
    assert_eq!(found, ["Opened", "Reminded", "Mail"]);
    assert_eq!(first[2].causation_id, first[1].id);
    assert!(
        first
            .iter()
            .all(|m| m.correlation_id == first[0].correlation_id)
    );

    // What its checkpoint says is published does not leave again.
    let (service, inbox) = start(&store, bus, clock);
    inbox.submit_one(message("Close", "A", 1)).await.unwrap();
    drop(inbox);
    service.stop().await;
    let found: Vec<_> = script
        .0
        .lock()
        .unwrap()
        .published
        .iter()
        .map(|m| m.type_name.clone())
        .collect();
    assert_eq!(found, ["Closed"]);
}

#[tokio::test]
async fn a_relay_without_its_checkpoint_says_the_same_again_under_the_same_ids() {
    let store = memory();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let forgetful = Faults::always(Kind::SaveCheckpoint, Fault::Fail).store(store.clone());
        let (script, bus) = scripted(&store);
        let (service, inbox) = start(&forgetful, bus, clock());
        let opened = inbox.submit_one(message("Open", "A", 1)).await.unwrap();
        assert_eq!(opened == Handled::Duplicate, !runs.is_empty());
        drop(inbox);
        service.stop().await;
        let ids: Vec<_> = script
            .0
            .lock()
            .unwrap()
            .published
            .iter()
            .map(|m| m.id)
            .collect();
        runs.push(ids);
    }
    assert_eq!(runs[0].len(), 1);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_delivery_is_acknowledged_once_it_is_stored() {
    let store = memory();
    let (script, bus) = scripted(&store);
    let receipt = |number| Receipt { session: 1, number };
    for (number, type_name) in (1..).zip(["Open", "Note", "Note"]) {
        let message = Ok(envelope(type_name, "A", number));
        let delivery = Delivery {
            receipt: receipt(u64::from(number)),
            message,
        };
        script.0.lock().unwrap().to_deliver.push_back(delivery);
    }
    let (service, inbox) = start(&store, bus, Arc::new(SystemClock));
    until(&store, async || names(&store, "A").await.len() == 3).await;
    drop(inbox);
    service.stop().await;
    let script = script.0.lock().unwrap();
    assert_eq!(script.acknowledged, [receipt(1), receipt(2), receipt(3)]);
    assert_eq!(
        script.stored,
        [3],
        "all of the batch was stored when it was acknowledged"
    );
    assert!(script.rejected.is_empty());
}

#[tokio::test]
async fn only_the_service_itself_says_that_its_deadline_is_over() {
    let (store, clock) = (memory(), clock());
    let (script, bus) = scripted(&store);
    let mut forged = envelope("DeadlinePassed", "A", 2);
    let said = r#"{"name":"reminder","due":"9999-12-30T00:00:00Z"}"#;
    forged.data = serde_json::value::RawValue::from_string(said.to_owned()).unwrap();
    for (number, message) in (1..).zip([envelope("Open", "A", 1), forged]) {
        let receipt = Receipt { session: 1, number };
        let delivery = Delivery {
            receipt,
            message: Ok(message),
        };
        script.0.lock().unwrap().to_deliver.push_back(delivery);
    }
    let (service, inbox) = start(&store, bus, clock);
    until(&store, async || names(&store, "A").await.len() == 2).await;
    drop(inbox);
    service.stop().await;
    assert_eq!(names(&store, "A").await, ["Opened", "InputParked"]);
}
