//! Each way to get the protocol wrong is found: which properties it breaks, and a story of how.

use std::collections::BTreeSet;

use protocol_model::Action::*;
use protocol_model::properties::*;
use protocol_model::{Action, Bounds, Entry, Input, Protocol, ProtocolModel, Stream};
use stateright::{Checker, Model};

/// Starts the instance.
const START: Input = Input(0);
/// Goes on with it.
const CONTINUE: Input = Input(1);

/// In all the runs within the bounds, just these properties are broken; the first of them by this story.
#[track_caller]
fn breaks(protocol: Protocol, bounds: Bounds, broken: &[&'static str], story: &[Action]) {
    let model = ProtocolModel { protocol, bounds };
    let checker = model.checker().threads(2).symmetry().spawn_dfs().join();
    let found = checker.discoveries();
    let properties = checker.model().properties().into_iter();
    let counterexamples: BTreeSet<_> = properties
        .filter(|p| p.expectation.discovery_is_failure() && found.contains_key(p.name))
        .map(|p| p.name)
        .collect();
    assert_eq!(counterexamples, broken.iter().copied().collect());
    checker.assert_discovery(broken[0], story.to_vec());
}

fn two_inputs() -> Bounds {
    Bounds::new(2, 1)
}

/// The command of a decision.
fn command(version: u8, input: Input) -> Entry {
    Entry {
        stream: Stream(0),
        version,
        input,
        decided: true,
    }
}

#[test]
fn an_input_acknowledged_before_its_append_is_lost_in_a_crash() {
    breaks(
        Protocol::AcknowledgeBeforeAppend,
        two_inputs().crashes(1),
        &[ACKNOWLEDGED_IS_STORED, NEVER_STUCK, ALL_GETS_DONE],
        &[Receive(0, START), Load(0), Decide(0), Crash(0)],
    );
}

#[test]
fn a_command_that_the_checkpoint_passes_before_it_is_published_is_lost_in_a_crash() {
    breaks(
        Protocol::CheckpointBeforePublish,
        two_inputs().crashes(1),
        &[PASSED_IS_PUBLISHED, NEVER_STUCK, ALL_GETS_DONE],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            Append(0),
            LoadCheckpoint(0),
            SaveAhead(0),
            Crash(0),
        ],
    );
}

#[test]
fn a_command_that_is_left_to_the_other_and_passed_by_the_checkpoint_is_never_sent() {
    breaks(
        Protocol::CheckpointPassesHeld,
        two_inputs().holds(1),
        &[PASSED_IS_PUBLISHED, NEVER_STUCK, ALL_GETS_DONE],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            Append(0),
            LoadCheckpoint(0),
            Hold(0),
            SaveCheckpoint(0),
        ],
    );
}

/// The other instance is faster, so that the decision is made anew; the carrier has heard both.
#[test]
fn a_decision_published_before_it_is_stored_may_never_be_stored() {
    breaks(
        Protocol::PublishFromHandler,
        two_inputs(),
        &[ONE_EFFECT_AN_INPUT, PUBLISHED_IS_STORED],
        &[
            Receive(0, START),
            Receive(1, CONTINUE),
            Load(0),
            Decide(0),
            PublishDecision(0),
            Carry(command(1, START)),
            Load(1),
            Decide(1),
            Append(1),
            Append(0),
            Load(0),
            Decide(0),
            PublishDecision(0),
            Carry(command(2, START)),
        ],
    );
}

#[test]
fn without_a_look_into_the_inbox_an_input_is_decided_again_after_a_crash() {
    breaks(
        Protocol::NoInboxCheck,
        two_inputs().crashes(1),
        &[ONE_DECISION, ONE_EFFECT_AN_INPUT],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            Append(0),
            Crash(0),
            Receive(1, START),
            Load(1),
            Decide(1),
            Append(1),
        ],
    );
}

#[test]
fn an_append_moved_after_an_unknown_outcome_is_stored_twice() {
    breaks(
        Protocol::ReappendAtReloadedVersion,
        two_inputs().unknowns(1),
        &[ONE_DECISION, ONE_EFFECT_AN_INPUT],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            AppendUnanswered(0),
            MoveAppend(0),
            Append(0),
        ],
    );
}

/// Both append at the first version, and the second is told that it is stored.
#[test]
fn with_ids_that_do_not_name_the_input_the_loser_of_a_race_looks_stored() {
    breaks(
        Protocol::IdsWithoutInput,
        two_inputs(),
        &[ACKNOWLEDGED_IS_STORED, NEVER_STUCK, ALL_GETS_DONE],
        &[
            Receive(0, START),
            Receive(1, CONTINUE),
            Load(0),
            Load(1),
            Decide(0),
            Decide(1),
            Append(0),
            Append(1),
            Acknowledge(1),
        ],
    );
}

/// While one instance is about to store its decision, the other has the same input a second time.
#[test]
fn without_expected_versions_two_instances_decide_one_input() {
    breaks(
        Protocol::NoExpectedVersion,
        two_inputs().duplicates(1),
        &[ONE_DECISION, ONE_EFFECT_AN_INPUT],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            Receive(1, CONTINUE),
            Load(1),
            Decide(1),
            Append(1),
            Acknowledge(1),
            ReceiveAgain(1, START),
            Load(1),
            Decide(1),
            Append(1),
            Append(0),
        ],
    );
}

#[test]
fn a_refusal_that_is_not_recorded_leaves_nothing_of_its_input() {
    breaks(
        Protocol::RefusalsForgotten,
        two_inputs(),
        &[ACKNOWLEDGED_IS_STORED, NEVER_STUCK, ALL_GETS_DONE],
        &[Receive(0, CONTINUE), Load(0), Decide(0), Acknowledge(0)],
    );
}

#[test]
fn a_carrier_that_forgets_keys_acts_twice() {
    breaks(
        Protocol::NoCarrierCheck,
        two_inputs(),
        &[ONE_EFFECT_A_KEY, ONE_EFFECT_AN_INPUT],
        &[
            Receive(0, START),
            Load(0),
            Decide(0),
            Append(0),
            LoadCheckpoint(0),
            Publish(0),
            Carry(command(1, START)),
            Carry(command(1, START)),
        ],
    );
}
