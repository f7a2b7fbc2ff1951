//! The real protocol, in every run within bounds.
//!
//! The numbers of states are written down, so that a change of the model shows how much it changes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol_model::properties::HEARD;
use protocol_model::{Bounds, Protocol, ProtocolModel, State};
use stateright::{Checker, Expectation, Model};

fn real(bounds: Bounds) -> ProtocolModel {
    ProtocolModel {
        protocol: Protocol::Real,
        bounds,
    }
}

/// Nothing is broken in any of the states, of which there are so many.
#[track_caller]
fn holds(bounds: Bounds, states: usize) -> impl Checker<ProtocolModel> {
    let builder = real(bounds).checker().threads(2).symmetry();
    let checker = builder.spawn_dfs().join();
    nothing_is_broken(&checker, states);
    checker
}

#[track_caller]
fn nothing_is_broken(checker: &impl Checker<ProtocolModel>, states: usize) {
    for property in checker.model().properties() {
        if property.expectation != Expectation::Sometimes {
            checker.assert_no_discovery(property.name);
        }
    }
    assert_eq!(checker.unique_state_count(), states);
}

#[test]
fn two_inputs_of_one_stream_with_every_fault_once() {
    let bounds = Bounds::new(2, 1).crashes(1).duplicates(1).unknowns(1);
    let checker = holds(bounds, 937_397);
    // Here everything that should come about at all does, but for what needs that something is held.
    let properties = checker.model().properties().into_iter();
    let sometimes = properties.filter(|p| p.expectation == Expectation::Sometimes);
    for property in sometimes.filter(|p| p.name != HEARD) {
        checker.assert_any_discovery(property.name);
    }
}

#[test]
fn two_inputs_of_which_the_relays_leave_each_to_the_other_with_a_crash() {
    let bounds = Bounds::new(2, 1).crashes(1).holds(2);
    holds(bounds, 194_380).assert_any_discovery(HEARD);
}

#[test]
fn one_input_with_every_fault_twice() {
    holds(
        Bounds::new(1, 1).crashes(2).duplicates(2).unknowns(2),
        69_922,
    );
}

#[test]
fn two_inputs_with_two_crashes() {
    holds(Bounds::new(2, 1).crashes(2), 64_158);
}

#[test]
fn two_inputs_with_two_duplicates() {
    holds(Bounds::new(2, 1).duplicates(2), 80_553);
}

#[test]
fn two_inputs_with_two_lost_answers() {
    holds(Bounds::new(2, 1).unknowns(2), 39_043);
}

#[test]
fn two_inputs_of_two_streams_with_a_crash() {
    holds(Bounds::new(2, 2).crashes(1), 34_880);
}

#[test]
fn three_inputs_of_one_stream() {
    holds(Bounds::new(3, 1), 60_321);
}

#[test]
fn three_inputs_of_two_streams() {
    holds(Bounds::new(3, 2), 98_145);
}

/// What is checked with the two counted as one holds without that as well.
#[test]
fn nothing_hangs_on_the_instances_being_alike() {
    let bounds = Bounds::new(2, 1).crashes(1);
    holds(bounds.clone(), 26_547);
    let apart = real(bounds).checker().threads(2).spawn_bfs().join();
    nothing_is_broken(&apart, 52_785);
}

/// That all gets done is exact only where no run goes round in circles. After so many steps at most, each
/// has ended.
#[test]
fn every_run_ends() {
    let longest_runs = [
        (Bounds::new(1, 1).crashes(1).duplicates(1).unknowns(1), 27),
        (Bounds::new(2, 1).crashes(1), 38),
        (Bounds::new(2, 1).duplicates(1), 32),
        (Bounds::new(2, 1).unknowns(1), 29),
        (Bounds::new(2, 2), 24),
        (Bounds::new(2, 1).holds(2), 29),
    ];
    let found = longest_runs.clone().map(|(bounds, _)| {
        let model = real(bounds.clone());
        let start = State::new(&bounds);
        (bounds, longest_run(&model, start, &mut HashMap::new()))
    });
    assert_eq!(found, longest_runs);
}

/// How many steps a run from here takes at most. A state without a number is on the way to this one.
fn longest_run(
    model: &ProtocolModel,
    state: State,
    known: &mut HashMap<State, Option<usize>>,
) -> usize {
    match known.entry(state.clone()) {
        Entry::Occupied(steps) => return steps.get().expect("a run goes round in a circle"),
        Entry::Vacant(place) => place.insert(None),
    };
    let next = model.next_states(&state).into_iter();
    let longest = next.map(|next| 1 + longest_run(model, next, known)).max();
    let steps = longest.unwrap_or(0);
    known.insert(state, Some(steps));
    steps
}
