//! Messages that come twice, late, or again because their acknowledgement was lost; and users who ask
//! twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use testkit::faults::{Fault, Faults, Handover, Kind, Operation};

use crate::answers::{Order, check};
use crate::case::{Act, Case, When};
use crate::course::{Course, Ended, Setup};
use crate::ground::{Bus, Ground, Store};
use crate::operations;
use crate::runs::{Job, run, side_by_side};

const HANDOVERS: [Handover; 4] = [
    Handover::Twice,
    Handover::Again,
    Handover::AgainLate,
    Handover::Late,
];

/// A life without a crash.
async fn one_life(setup: Setup, ground: &Ground, cases: &[Case], faults: &Arc<Faults>) -> Course {
    let mut course = Course::new(setup, ground, cases).await;
    assert_eq!(course.live(faults).await, Ended::AtRest);
    course
}

/// Only what was held back itself comes in another order.
fn order(handover: Handover) -> Order {
    match handover {
        Handover::Late => Order::Lost,
        Handover::Once | Handover::Twice | Handover::Again | Handover::AgainLate => Order::Kept,
    }
}

/// Hands over the first message in this way, in another run the second, and so on, until there are no
/// more. How many there were.
fn each_message(ground: &Ground, bus: Bus, case: &Case, handover: Handover) -> usize {
    for nth in 0.. {
        let faults = Faults::new(
            |_| None,
            move |arrived| match arrived.nth == nth {
                true => handover,
                false => Handover::Once,
            },
        );
        let context = format!("{}, message {nth} {handover:?}, {bus:?}", case.id);
        run(Store::Memory, async {
            let setup = Setup::in_memory(bus);
            let cases = std::slice::from_ref(case);
            let course = one_life(setup, ground, cases, &faults).await;
            check(&course, order(handover), &context).await;
        });
        if faults.arrived() <= nth {
            return nth;
        }
    }
    0
}

fn each_message_of_each(bus: Bus, cases: &[Case], handovers: &[Handover]) {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let mut jobs: Vec<Job> = Vec::new();
    for case in cases {
        for handover in handovers {
            let (case, handover, messages) = (case.clone(), *handover, messages.clone());
            jobs.push(Box::new(move |ground| {
                let count = each_message(ground, bus, &case, handover);
                messages.lock().unwrap().push((case.id, handover, count));
            }));
        }
    }
    side_by_side(Store::Memory, jobs);
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), cases.len() * handovers.len());
    for (id, handover, count) in messages.iter() {
        eprintln!("{bus:?}, {id}: {count} messages, each {handover:?} in a run of its own");
        assert!(*count >= 5, "{id} has {count} messages");
    }
}

#[test]
fn each_message_of_each_example_may_come_twice_or_late_embedded() {
    each_message_of_each(Bus::Embedded, &Case::examples(), &HANDOVERS);
}

#[test]
fn each_message_of_each_example_may_come_twice_or_late_with_a_broker() {
    each_message_of_each(Bus::Broker, &Case::examples(), &HANDOVERS);
}

/// Each message in this way, of all examples at once; and the first acknowledgement of each is lost.
fn all_messages(store: Store, bus: Bus, handover: Handover) {
    let lost = Arc::new(Mutex::new(BTreeSet::new()));
    let known = lost.clone();
    let lose = move |operation: &Operation| {
        let is_new = operation.kind == Kind::Acknowledge
            && known.lock().unwrap().insert(operation.identity.clone());
        is_new.then_some(Fault::Fail)
    };
    let faults = Faults::new(lose, move |_| handover);
    let ground = Ground::of(store);
    run(store, async {
        let setup = match store {
            Store::Memory => Setup::in_memory(bus),
            Store::Sqlite | Store::Postgres | Store::EventStoreDb => Setup::on(store, bus),
        };
        let setup = setup.looking_long();
        let course = one_life(setup, &ground, &Case::examples(), &faults).await;
        let context = format!("all messages {handover:?}, {setup:?}");
        check(&course, order(handover), &context).await;
    });
    let (messages, lost) = (faults.arrived(), lost.lock().unwrap().len());
    eprintln!("{store:?}, {bus:?}: {messages} messages {handover:?}, {lost} acknowledgements lost");
    assert!(messages > 80 && lost > 10, "{messages}, {lost}");
}

#[test]
fn all_messages_may_come_twice_or_late_and_lose_their_acknowledgement() {
    thread::scope(|scope| {
        for store in Store::ALL {
            scope.spawn(move || {
                for bus in [Bus::Embedded, Bus::Broker] {
                    for handover in [Handover::Twice, Handover::Again, Handover::AgainLate] {
                        all_messages(store, bus, handover);
                    }
                }
            });
        }
    });
}

/// What people ask for is not put out of order: it depends on what came before.
#[test]
fn each_message_of_what_people_ask_for_may_come_twice() {
    for bus in [Bus::Embedded, Bus::Broker] {
        let handovers = [Handover::Twice, Handover::Again, Handover::AgainLate];
        each_message_of_each(bus, &operations::cases(), &handovers);
    }
}

#[test]
fn users_may_ask_twice() {
    for bus in [Bus::Embedded, Bus::Broker] {
        let cases = Case::examples().into_iter().map(|mut case| {
            // At once, and when everything is over.
            let last = case.streams["Process"][0].last().unwrap();
            let mut late = case.acts[0].clone();
            late.when = When::Stored("Process", last);
            case.acts
                .extend([Act::starting(case.acts[0].path.clone(), None), late]);
            case
        });
        let cases: Vec<_> = cases.collect();
        run(Store::Memory, async {
            let course = one_life(
                Setup::in_memory(bus),
                &Ground::Memory,
                &cases,
                &Faults::none(),
            )
            .await;
            check(&course, Order::Kept, &format!("asked twice, {bus:?}")).await;
        });
    }
}
