//! Each fault at each operation, in a run of its own.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use testkit::faults::{Fault, Faults, Kind};

use crate::answers::{Order, check};
use crate::case::Case;
use crate::course::{Course, Ended, Setup};
use crate::ground::{Bus, Ground, Store};
use crate::operations;
use crate::runs::{Job, Tally, kinds, run, side_by_side};

/// The process is killed.
pub(crate) const CUTS: [Fault; 2] = [Fault::StopBefore, Fault::StopAfter];

/// The process goes on, and does not know whether it was done.
const TROUBLES: [Fault; 2] = [Fault::LoseAnswer, Fault::Fail];

/// A run with one fault, and the lives that follow. Whether it was met.
async fn with_fault(setup: Setup, ground: &Ground, case: &Case, faults: &Arc<Faults>) -> Course {
    let mut course = Course::new(setup, ground, std::slice::from_ref(case)).await;
    if course.live(faults).await == Ended::Stopped {
        let resumed = course.live(&Faults::none()).await;
        assert_eq!(resumed, Ended::AtRest);
    }
    course
}

/// Has a fault at the first operation of a kind, at the second, and so on, until there are no more.
fn at_every(
    setup: Setup,
    ground: &Ground,
    case: &Case,
    (kind, fault): (Kind, Fault),
    tally: &Mutex<Tally>,
) {
    for nth in 0.. {
        let faults = Faults::at(kind, nth, fault);
        let context = format!("{}, {fault:?} at {kind:?} {nth}, {setup:?}", case.id);
        run(setup.store, async {
            let course = with_fault(setup, ground, case, &faults).await;
            check(&course, Order::Kept, &context).await;
        });
        let met = faults.counts().get(&kind).is_some_and(|count| *count > nth);
        let mut tally = tally.lock().unwrap();
        tally.runs += 1;
        tally.lives += 1;
        if !met {
            return;
        }
        tally.met(kind, fault);
        tally.lives += usize::from(CUTS.contains(&fault));
    }
}

/// Has each of these faults at each operation of these kinds, in each case, each in a run of its own.
fn everywhere(setup: Setup, cases: &[Case], kinds: &[Kind], faults: &[Fault], least: usize) {
    let begun = Instant::now();
    let mut jobs: Vec<Job> = Vec::new();
    let mut tallies = Vec::new();
    for case in cases {
        let tally = Arc::new(Mutex::new(Tally::default()));
        tallies.push((case.id.clone(), tally.clone()));
        for kind in kinds {
            for fault in faults {
                let (case, what, tally) = (case.clone(), (*kind, *fault), tally.clone());
                jobs.push(Box::new(move |ground| {
                    at_every(setup, ground, &case, what, &tally);
                }));
            }
        }
    }
    side_by_side(setup.store, jobs);
    let (store, bus) = (setup.store, setup.bus);
    for (id, tally) in tallies {
        let tally = tally.lock().unwrap();
        eprintln!("{store:?}, {bus:?}, {id}: {tally}");
        tally.assert_at_least(kinds, faults, least);
    }
    eprintln!("{store:?}, {bus:?}: {:?}", begun.elapsed());
}

fn killed_everywhere(setup: Setup, cases: &[Case], least: usize) {
    everywhere(setup, cases, &kinds(setup.bus), &CUTS, least);
}

#[test]
fn each_example_survives_every_cut_in_memory_embedded() {
    killed_everywhere(Setup::in_memory(Bus::Embedded), &Case::examples(), 3);
}

#[test]
fn each_example_survives_every_cut_in_memory_with_a_broker() {
    killed_everywhere(Setup::in_memory(Bus::Broker), &Case::examples(), 3);
}

#[test]
fn what_people_ask_for_survives_every_cut_in_memory_embedded() {
    killed_everywhere(Setup::in_memory(Bus::Embedded), &operations::cases(), 5);
}

#[test]
fn what_people_ask_for_survives_every_cut_in_memory_with_a_broker() {
    killed_everywhere(Setup::in_memory(Bus::Broker), &operations::cases(), 5);
}

/// Where readers save at every occasion, there are many more of these.
#[test]
fn every_save_may_be_the_last_thing_that_is_done() {
    let saves = [Kind::SaveCheckpoint, Kind::SaveIndex];
    for bus in [Bus::Embedded, Bus::Broker] {
        let setup = Setup::in_memory(bus).saving_always();
        everywhere(setup, &Case::one_of_each(), &saves, &CUTS, 15);
    }
}

#[test]
fn every_trouble_passes() {
    for bus in [Bus::Embedded, Bus::Broker] {
        let setup = Setup::in_memory(bus);
        everywhere(setup, &Case::one_of_each(), &kinds(bus), &TROUBLES, 4);
    }
}

#[test]
fn each_acknowledgement_of_each_example_may_be_lost() {
    for bus in [Bus::Embedded, Bus::Broker] {
        let setup = Setup::in_memory(bus);
        let (what, lost) = ([Kind::Acknowledge], [Fault::Fail]);
        everywhere(setup, &Case::examples(), &what, &lost, 4);
    }
}

/// Whether each case is run on each store, and not only what stands for the rest: for minutes.
const ALL_CUTS: &str = "LONGHAUL_TEST_ALL_CUTS";

/// These examples, each on its bus; or every case on both.
fn on_a_server(store: Store, usual: &[(Bus, &str)]) {
    if std::env::var_os(ALL_CUTS).is_some() {
        let all = [Case::examples(), operations::cases()].concat();
        for bus in [Bus::Embedded, Bus::Broker] {
            killed_everywhere(Setup::on(store, bus), &all, 1);
        }
        return;
    }
    for (bus, id) in usual {
        killed_everywhere(Setup::on(store, *bus), &[Case::example(id)], 1);
    }
}

const DOMESTIC: &str = "12EEQ9CS9K10";
const INTERNATIONAL: &str = "V74YCBYHC8A0";

#[test]
fn shipments_survive_every_cut_in_sqlite() {
    let usual = [(Bus::Embedded, DOMESTIC), (Bus::Broker, INTERNATIONAL)];
    on_a_server(Store::Sqlite, &usual);
}

#[test]
fn shipments_survive_every_cut_in_postgres() {
    on_a_server(Store::Postgres, &[(Bus::Broker, INTERNATIONAL)]);
}

#[test]
fn shipments_survive_every_cut_in_eventstoredb() {
    on_a_server(Store::EventStoreDb, &[(Bus::Embedded, DOMESTIC)]);
}
