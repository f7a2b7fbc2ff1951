//! The handler of an instance: receive, load, decide, append, acknowledge.

use crate::Protocol;
use crate::action::{Action, Who};
use crate::log::{Appended, Entry, Input};
use crate::model::ProtocolModel;
use crate::state::{Hand, State};

/// The steps that the handler of an instance can take.
pub(crate) fn possible(model: &ProtocolModel, state: &State, who: Who, actions: &mut Vec<Action>) {
    let left = &state.left;
    match state.instances[who].hand {
        Hand::Empty => {
            for input in model.bounds.ids() {
                if !state.acknowledged.contains(&input) && !state.held(input) {
                    actions.push(Action::Receive(who, input));
                } else if left.duplicates > 0 {
                    actions.push(Action::ReceiveAgain(who, input));
                }
            }
        }
        Hand::Received(input) => {
            actions.push(Action::Load(who));
            let stream = usize::from(model.bounds.stream(input).0);
            if state.instances[who].cache[stream].is_some() {
                actions.push(Action::UseCached(who));
            }
        }
        Hand::Loaded(..) => actions.push(Action::Decide(who)),
        Hand::Appending { entry, unknown } => {
            let publishes = model.protocol == Protocol::PublishFromHandler && entry.decided;
            if publishes && !state.bus.contains(&entry) {
                actions.push(Action::PublishDecision(who));
                return;
            }
            let moves = model.protocol == Protocol::ReappendAtReloadedVersion && unknown;
            actions.push(match moves {
                true => Action::MoveAppend(who),
                false => Action::Append(who),
            });
            // Where nothing would be stored, a lost answer changes nothing.
            if left.unknowns > 0 && !unknown && state.log.expects(&entry) {
                actions.extend([Action::AppendUnanswered(who), Action::AppendDelayed(who)]);
            }
        }
        Hand::Stored(_) => actions.push(Action::Acknowledge(who)),
    }
}

pub(crate) fn receive(model: &ProtocolModel, state: &mut State, who: Who, input: Input) {
    state.instances[who].hand = Hand::Received(input);
    if model.protocol == Protocol::AcknowledgeBeforeAppend {
        state.acknowledged.insert(input);
    }
}

/// What is loaded is taken out of the cache: only what is stored goes back.
pub(crate) fn load(model: &ProtocolModel, state: &mut State, who: Who) {
    let Hand::Received(input) = state.instances[who].hand else {
        return;
    };
    let stream = model.bounds.stream(input);
    let version = state.log.version(stream);
    *state.instances[who].cached(stream) = None;
    state.instances[who].hand = Hand::Loaded(input, version);
}

pub(crate) fn use_cached(model: &ProtocolModel, state: &mut State, who: Who) {
    let instance = &mut state.instances[who];
    let Hand::Received(input) = instance.hand else {
        return;
    };
    if let Some(version) = instance.cached(model.bounds.stream(input)).take() {
        instance.hand = Hand::Loaded(input, version);
    }
}

/// The inbox first: an input that the fold knows was handled. Then the process. A refusal is an entry
/// as well.
pub(crate) fn decide(model: &ProtocolModel, state: &mut State, who: Who) {
    let Hand::Loaded(input, version) = state.instances[who].hand else {
        return;
    };
    let stream = model.bounds.stream(input);
    let known = state.log.handled(stream, version, input);
    let started = state.log.started(stream, version);
    let decided = model.bounds.kind(input).applies(started);
    let nothing_to_store = match model.protocol {
        Protocol::NoInboxCheck => false,
        Protocol::RefusalsForgotten => known || !decided,
        Protocol::Real
        | Protocol::AcknowledgeBeforeAppend
        | Protocol::CheckpointBeforePublish
        | Protocol::PublishFromHandler
        | Protocol::ReappendAtReloadedVersion
        | Protocol::IdsWithoutInput
        | Protocol::NoExpectedVersion
        | Protocol::CheckpointPassesHeld
        | Protocol::NoCarrierCheck => known,
    };
    let instance = &mut state.instances[who];
    if nothing_to_store {
        *instance.cached(stream) = Some(version);
        instance.hand = Hand::Stored(input);
        return;
    }
    let entry = Entry {
        stream,
        version: version + 1,
        input,
        decided,
    };
    instance.hand = Hand::Appending {
        entry,
        unknown: false,
    };
}

pub(crate) fn publish_decision(state: &mut State, who: Who) {
    if let Hand::Appending { entry, .. } = state.instances[who].hand {
        state.bus.insert(entry);
    }
}

/// Whoever conflicts loads again, and decides anew.
pub(crate) fn append(model: &ProtocolModel, state: &mut State, who: Who) {
    let Hand::Appending { entry, .. } = state.instances[who].hand else {
        return;
    };
    let appended = state.log.append(entry, model.protocol);
    let instance = &mut state.instances[who];
    match appended {
        Appended::Stored => {
            *instance.cached(entry.stream) = Some(entry.version);
            instance.hand = Hand::Stored(entry.input);
        }
        Appended::Conflict => instance.hand = Hand::Received(entry.input),
    }
}

/// The instance does not learn what became of its append, which is returned.
pub(crate) fn lose_answer(state: &mut State, who: Who) -> Entry {
    match &mut state.instances[who].hand {
        Hand::Appending { entry, unknown } => {
            *unknown = true;
            *entry
        }
        hand @ (Hand::Empty | Hand::Received(_) | Hand::Loaded(..) | Hand::Stored(_)) => {
            unreachable!("{hand:?} has no append")
        }
    }
}

pub(crate) fn move_append(state: &mut State, who: Who) {
    let log = &state.log;
    if let Hand::Appending { entry, unknown } = &mut state.instances[who].hand {
        entry.version = log.version(entry.stream) + 1;
        *unknown = false;
    }
}

pub(crate) fn acknowledge(state: &mut State, who: Who) {
    if let Hand::Stored(input) = state.instances[who].hand {
        state.acknowledged.insert(input);
        state.instances[who].hand = Hand::Empty;
    }
}
