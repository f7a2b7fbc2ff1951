//! One run that dies at every place: before each operation and after it, and goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use testkit::faults::{Fault, Faults, Handover, Kind, Operation};

use crate::answers::{Order, check};
use crate::case::Case;
use crate::course::{Course, Ended, Setup};
use crate::cuts::CUTS;
use crate::ground::{Bus, Ground, Store};
use crate::operations;
use crate::runs::{Tally, kinds, run};

/// How often one reader may die where it saves in one way: it saves at other places in each life, and
/// there would be no end.
const SAVES: usize = 10;

/// What was met in the lives so far.
#[derive(Default)]
struct Met {
    /// Each fault once at each operation, whichever life does it.
    places: BTreeSet<(Kind, String, Fault)>,
    /// How often each of the readers has died where it saves.
    saves: BTreeMap<(String, Fault), usize>,
    tally: Tally,
}

impl Met {
    fn next(&mut self, operation: &Operation, faults: &[Fault]) -> Option<Fault> {
        let new = |fault: &&Fault| self.is_new(operation, **fault);
        let fault = faults.iter().find(new).copied()?;
        self.tally.met(operation.kind, fault);
        Some(fault)
    }

    fn is_new(&mut self, operation: &Operation, fault: Fault) -> bool {
        let place = (operation.kind, operation.identity.clone(), fault);
        if self.places.contains(&place) {
            return false;
        }
        if let Some(reader) = operation.reader() {
            let saves = self.saves.entry((reader.to_owned(), fault)).or_default();
            if *saves == SAVES {
                return false;
            }
            *saves += 1;
        }
        self.places.insert(place)
    }
}

/// One run of these shipments, side by side: what was met in it.
fn chain(setup: Setup, ground: &Ground, cases: &[Case]) -> Tally {
    let begun = Instant::now();
    let (store, bus) = (setup.store, setup.bus);
    let met = Arc::new(Mutex::new(Met::default()));
    run(store, async {
        let mut course = Course::new(setup, ground, cases).await;
        loop {
            let plan = met.clone();
            let faults = Faults::new(
                move |operation| plan.lock().unwrap().next(operation, &CUTS),
                |_| Handover::Once,
            );
            met.lock().unwrap().tally.lives += 1;
            if course.live(&faults).await == Ended::AtRest {
                break;
            }
        }
        check(&course, Order::Kept, &format!("{store:?}, {bus:?}")).await;
    });
    let mut tally = std::mem::take(&mut met.lock().unwrap().tally);
    tally.runs = 1;
    let ids: Vec<_> = cases.iter().map(|case| &*case.id).collect();
    let (ids, took) = (ids.join(" "), begun.elapsed());
    eprintln!("{store:?}, {bus:?}, {ids}: {tally} {took:?}");
    tally
}

/// Chains on each store, side by side: all examples at once, or case by case, since their settings differ.
fn on_all_stores(bus: Bus, chains: &[Vec<Case>]) {
    thread::scope(|scope| {
        for store in Store::ALL {
            let setup = match store {
                Store::Memory => Setup::in_memory(bus),
                Store::Sqlite | Store::Postgres | Store::EventStoreDb => Setup::on(store, bus),
            };
            scope.spawn(move || {
                let ground = Ground::of(store);
                let mut all = Tally::default();
                for cases in chains {
                    all.add(&chain(setup.saving_always(), &ground, cases));
                }
                all.assert_at_least(&kinds(bus), &CUTS, 3);
            });
        }
    });
}

fn what_people_ask_for() -> Vec<Vec<Case>> {
    operations::cases()
        .into_iter()
        .map(|case| vec![case])
        .collect()
}

#[test]
fn all_examples_survive_all_cuts_one_after_another_embedded() {
    on_all_stores(Bus::Embedded, &[Case::examples()]);
}

#[test]
fn all_examples_survive_all_cuts_one_after_another_with_a_broker() {
    on_all_stores(Bus::Broker, &[Case::examples()]);
}

#[test]
fn what_people_ask_for_survives_all_cuts_one_after_another_embedded() {
    on_all_stores(Bus::Embedded, &what_people_ask_for());
}

#[test]
fn what_people_ask_for_survives_all_cuts_one_after_another_with_a_broker() {
    on_all_stores(Bus::Broker, &what_people_ask_for());
}
