//! Parked inputs are tried again by the service itself: by a clock that is set, over restarts, in order,
//! once each time; and the list of what is parked follows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use contracts::{MessageSet, Topology};
use event_store::EventStore;
use jiff::{SignedDuration, Timestamp};
use kernel::{Category, Registry};
use message_bus_embedded::{EmbeddedBus, Intervals};
use runtime::{Environment, Handled, Inbox, ParkedInstance, ParkedSummary, Service};
use support::{
    Tickets, contract, discard, garbage, memory, message, names, newer, older, redrive, settings,
    stream, until,
};
use testkit::ManualClock;
use testkit::faults::{Fault, Faults, Kind};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Services of tickets over one store, by one clock.
struct World {
    store: Arc<dyn EventStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self {
            store: memory(),
            clock: Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)),
        }
    }

    fn start<I: MessageSet + Send + Sync + 'static>(
        &self,
        tickets: Tickets<I>,
    ) -> (Service, Inbox) {
        self.start_as("tickets-1.0", tickets)
    }

    /// A service that knows this category alone.
    fn start_as<I: MessageSet + Send + Sync + 'static>(
        &self,
        category: &str,
        tickets: Tickets<I>,
    ) -> (Service, Inbox) {
        let topology = Topology {
            services: vec![contract()],
        };
        let environment = Environment {
            store: self.store.clone(),
            indexes: self.store.clone(),
            bus: Arc::new(EmbeddedBus::new(
                self.store.clone(),
                topology,
                Intervals::default(),
            )),
            clock: self.clock.clone(),
            settings: settings(),
        };
        let registry = Registry::single(Category::parse(category).unwrap(), tickets);
        Service::start(&contract(), Arc::new(registry), &environment)
    }

    /// Waits until a ticket has so many entries; their names.
    async fn grows(&self, ticket: &str, count: usize) -> Vec<String> {
        until(&self.store, async || {
            names(&self.store, ticket).await.len() >= count
        })
        .await;
        let found = names(&self.store, ticket).await;
        assert_eq!(found.len(), count, "{found:?}");
        found
    }

    async fn parked(&self, ticket: &str) -> Option<ParkedInstance> {
        ParkedInstance::of(&stream(&self.store, ticket).await)
    }
}

async fn stop(service: Service, inbox: Inbox) {
    drop(inbox);
    service.stop().await;
}

/// The list of what is parked, once it is there and as it should be.
async fn listed(
    service: &Service,
    as_it_should_be: impl Fn(&[ParkedSummary]) -> bool,
) -> Vec<ParkedSummary> {
    let arrives = async {
        loop {
            match service.parked().page(None, 100).await {
                Some(list) if as_it_should_be(&list) => return list,
                Some(_) | None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrives)
        .await
        .expect("in time")
}

#[tokio::test]
async fn attempts_are_counted_over_restarts_until_it_waits_for_a_person() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    for input in [
        message("Open", "A", 1),
        message("Escalate", "A", 2),
        message("Note", "A", 3),
    ] {
        inbox.submit_one(input).await.unwrap();
    }
    stop(service, inbox).await;
    for (nth, delay) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        // Each time another process: half of them end as a crash does, with nothing saved.
        let (service, inbox) = world.start(older());
        let parked = world.parked("A").await.unwrap();
        let now = Timestamp::UNIX_EPOCH.max(parked.inputs[0].parked_at);
        assert!(parked.next_try.unwrap() > now);
        world.clock.advance(SECOND * delay);
        world.grows("A", 4 + nth).await;
        assert_eq!(
            world.parked("A").await.unwrap().inputs[0].attempts as usize,
            nth + 2
        );
        // All others go on.
        let other = message("Open", &format!("B{nth}"), 1);
        assert_eq!(inbox.submit_one(other).await.unwrap(), Handled::Decided);
        if nth % 2 == 0 {
            drop((service, inbox));
        } else {
            stop(service, inbox).await;
        }
    }
    let parked = world.parked("A").await.unwrap();
    assert_eq!((parked.next_try, parked.inputs[0].attempts), (None, 6));

    // Nobody tries again by himself from here on.
    let (service, inbox) = world.start(older());
    world.clock.advance(SignedDuration::from_hours(1000));
    world.grows("B0", 2).await;
    // A's reminder came meanwhile, and queues behind.
    let found = world.grows("A", 9).await;
    assert_eq!(found[8], "InputParked");
    let list = listed(&service, |list| list.len() == 1 && list[0].waiting == 3).await;
    assert_eq!((list[0].next_try, list[0].first.attempts), (None, 6));
    stop(service, inbox).await;

    // A person has mended it: all of them in order.
    let (service, inbox) = world.start(newer());
    let redriven = inbox.submit_one(redrive("A")).await.unwrap();
    assert!(
        matches!(
            redriven,
            Handled::Redriven {
                handled: 3,
                remaining: 0,
                reason: None
            }
        ),
        "{redriven:?}"
    );
    let found = names(&world.store, "A").await;
    let decided: Vec<_> = found[9..].iter().step_by(2).collect();
    assert_eq!(decided, ["Escalated", "Noted", "Reminded"]);
    listed(&service, <[_]>::is_empty).await;
    stop(service, inbox).await;
}

#[tokio::test]
async fn what_is_mended_in_time_goes_on_by_itself_in_order_and_once() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    let mut inputs = vec![message("Open", "A", 1), message("Escalate", "A", 2)];
    inputs.extend((0..20).map(|n| message("Note", "A", n)));
    inbox.submit(inputs).await;
    stop(service, inbox).await;
    // Two instances of the mended program, each of which sees that the time has come.
    let (one, other) = (world.start(newer()), world.start(newer()));
    world.clock.advance(SECOND);
    until(&world.store, async || world.parked("A").await.is_none()).await;
    stop(one.0, one.1).await;
    stop(other.0, other.1).await;
    let entries = stream(&world.store, "A").await;
    let noted: Vec<_> = entries
        .iter()
        .filter(|entry| entry.content.type_name == "Noted")
        .map(|entry| entry.content.data.get().to_owned())
        .collect();
    let expected: Vec<_> = (0..20).map(|n| format!(r#"{{"text":"{n}"}}"#)).collect();
    assert_eq!(noted, expected);
    let count = |name: &str| {
        let names = entries.iter().map(|entry| &entry.content.type_name);
        names.filter(|found| *found == name).count()
    };
    assert_eq!((count("Escalated"), count("ParkedInputHandled")), (1, 21));
    assert_eq!(count("ParkedInputRetried"), 0);
}

#[tokio::test]
async fn what_names_no_instance_is_tried_again_as_well() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    inbox.submit_one(garbage(None, "1")).await.unwrap();
    world.clock.advance(SECOND);
    let found = world.grows("~unaddressed", 2).await;
    assert_eq!(found, ["InputParked", "ParkedInputRetried"]);
    stop(service, inbox).await;
}

#[tokio::test]
async fn whoever_tries_in_between_puts_no_retry_off() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    inbox.submit_one(message("Escalate", "A", 2)).await.unwrap();
    world.clock.advance(SECOND / 2);
    inbox.submit_one(redrive("A")).await.unwrap();
    let parked = world.parked("A").await.unwrap();
    assert_eq!(parked.inputs[0].attempts, 2);
    assert_eq!(parked.next_try, Some(Timestamp::UNIX_EPOCH + SECOND));
    world.clock.advance(SECOND / 2);
    world.grows("A", 4).await;
    assert_eq!(world.parked("A").await.unwrap().inputs[0].attempts, 3);
    stop(service, inbox).await;
}

#[tokio::test]
async fn the_list_tells_what_is_parked_in_pages_and_is_rebuilt_when_it_is_lost() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    for ticket in ["A", "B", "C", "D"] {
        inbox.submit_one(message("Open", ticket, 1)).await.unwrap();
    }
    for ticket in ["D", "A", "C"] {
        inbox
            .submit_one(message("Escalate", ticket, 2))
            .await
            .unwrap();
        inbox.submit_one(message("Note", ticket, 3)).await.unwrap();
        inbox
            .submit_one(garbage(Some(ticket), ticket))
            .await
            .unwrap();
    }
    let all = |list: &[ParkedSummary]| list.len() == 3 && list.iter().all(|p| p.waiting == 3);
    let list = listed(&service, all).await;
    let instances: Vec<_> = list.iter().map(|p| p.instance.as_str()).collect();
    assert_eq!(instances, ["A", "C", "D"]);
    assert_eq!(list[0].since, list[0].first.parked_at);
    assert_eq!(list[0].next_try, Some(Timestamp::UNIX_EPOCH + SECOND));
    assert_eq!(list[0].first.type_name, "Escalate");
    assert_eq!(list[0].first.attempts, 1);
    let parked = service.parked();
    assert_eq!(parked.page(None, 2).await.unwrap(), list[..2]);
    assert_eq!(parked.page(Some("C"), 2).await.unwrap(), list[2..]);
    assert_eq!(parked.page(Some("B"), 1).await.unwrap(), list[1..2]);

    // Saved, and lost: it tells the same.
    stop(service, inbox).await;
    let forgetful = Faults::always(Kind::SaveCheckpoint, Fault::Fail).store(world.store.clone());
    for store in [world.store.clone(), forgetful] {
        let world = World {
            store,
            clock: world.clock.clone(),
        };
        let (service, inbox) = world.start(older());
        assert_eq!(listed(&service, all).await, list);
        stop(service, inbox).await;
    }

    // Given up or handled, it is no longer there.
    let (service, inbox) = world.start(newer());
    inbox.submit_one(redrive("A")).await.unwrap();
    let list = listed(&service, |list| list.len() == 3 && list[0].waiting == 1).await;
    assert_eq!(list[0].first.reason, "no JSON");
    inbox
        .submit_one(discard("A", list[0].first.id))
        .await
        .unwrap();
    listed(&service, |list| list.len() == 2).await;
    stop(service, inbox).await;
}

#[tokio::test]
async fn a_deadline_that_is_given_up_only_loses_its_place() {
    let world = World::new();
    let (service, inbox) = world.start(older());
    inbox.submit_one(message("Open", "A", 1)).await.unwrap();
    let opened = stream(&world.store, "A").await.remove(0);
    stop(service, inbox).await;

    // A program that does not know the ticket's category can decide nothing of it.
    let (service, inbox) = world.start_as("tickets-2.0", older());
    world.clock.advance(SignedDuration::from_mins(10));
    world.grows("A", 2).await;
    inbox.submit_one(message("Note", "A", 2)).await.unwrap();
    let first = world.parked("A").await.unwrap().inputs[0].clone();
    assert_eq!(first.type_name, "DeadlinePassed");
    inbox.submit_one(discard("A", first.id)).await.unwrap();
    // Said anew, it comes behind the note.
    let found = world.grows("A", 6).await;
    assert_eq!(
        found[3..],
        ["ParkedInputDiscarded", "ParkedInputRetried", "InputParked"]
    );
    let parked = world.parked("A").await.unwrap();
    let waiting: Vec<_> = parked.inputs.iter().map(|p| p.type_name.as_str()).collect();
    assert_eq!(waiting, ["Note", "DeadlinePassed"]);
    assert_ne!(parked.inputs[1].id, first.id);
    stop(service, inbox).await;

    let (service, inbox) = world.start(older());
    inbox.submit_one(redrive("A")).await.unwrap();
    let entries = stream(&world.store, "A").await;
    let decided = entries
        .iter()
        .filter(|entry| !runtime::BOOKKEEPING.contains(&entry.content.type_name.as_str()));
    let decided: Vec<_> = decided.map(|e| e.content.type_name.as_str()).collect();
    assert_eq!(decided, ["Opened", "Noted", "Reminded"]);
    let belongs_to = opened.content.metadata.correlation_id;
    for entry in entries {
        let metadata = entry.content.metadata;
        let about_the_deadline = metadata.deadlines_set.contains_key("reminder");
        assert!(!about_the_deadline || metadata.correlation_id == belongs_to);
    }
    stop(service, inbox).await;
}
