//! The relay of an instance, and the carrier at the other end of the bus.

use crate::Protocol;
use crate::action::{Action, Who};
use crate::log::Entry;
use crate::model::ProtocolModel;
use crate::state::{Positions, Reading, Relay, State};

/// The steps that the relay of an instance can take.
pub(crate) fn possible(model: &ProtocolModel, state: &State, who: Who, actions: &mut Vec<Action>) {
    match state.instances[who].relay {
        Relay::Starting => actions.push(Action::LoadCheckpoint(who)),
        Relay::Ready(reading) => {
            if let Some(entry) = state.log.at(reading.next) {
                let ahead = model.protocol == Protocol::CheckpointBeforePublish;
                if !entry.decided || model.protocol == Protocol::PublishFromHandler {
                    actions.push(Action::Pass(who));
                } else if ahead && !state.checkpoint.has(reading.next) {
                    actions.push(Action::SaveAhead(who));
                } else {
                    actions.push(Action::Publish(who));
                    if state.left.holds > 0 {
                        actions.push(Action::Hold(who));
                    }
                }
            }
            let held = reading.held;
            if held != Positions::default() {
                actions.push(Action::PublishHeld(who));
            }
            if held.without(state.checkpoint) != held {
                actions.push(Action::Hear(who));
            }
            // A checkpoint never goes back: one that tells nothing new changes nothing.
            if told(model, reading).without(state.checkpoint) != Positions::default() {
                actions.push(Action::SaveCheckpoint(who));
            }
        }
        Relay::Unconfirmed(..) => {
            actions.push(Action::Confirm(who));
            if state.left.unknowns > 0 {
                actions.push(Action::LoseConfirmation(who));
            }
        }
    }
}

/// What the carrier can receive. It answers a key that it has seen as before, which changes nothing.
pub(crate) fn possible_at_the_carrier(
    model: &ProtocolModel,
    state: &State,
    actions: &mut Vec<Action>,
) {
    for command in state.bus.iter() {
        let key = command.id(model.protocol);
        let same_key = |done: &&Entry| done.id(model.protocol) == key;
        let done = state.effects.iter().filter(same_key).count();
        let again = model.protocol == Protocol::NoCarrierCheck && done < 2;
        if done == 0 || again {
            actions.push(Action::Carry(*command));
        }
    }
}

/// What a relay says is published.
fn told(model: &ProtocolModel, reading: Reading) -> Positions {
    if model.protocol == Protocol::CheckpointPassesHeld {
        Positions::below(reading.next)
    } else {
        reading.published()
    }
}

pub(crate) fn load_checkpoint(state: &mut State, who: Who) {
    state.instances[who].relay = Relay::Ready(Reading::behind(state.checkpoint));
}

pub(crate) fn publish(state: &mut State, who: Who) {
    if let Relay::Ready(reading) = state.instances[who].relay {
        publish_at(state, who, reading, reading.next);
    }
}

pub(crate) fn publish_held(state: &mut State, who: Who) {
    if let Relay::Ready(reading) = state.instances[who].relay
        && let Some(first) = reading.held.first()
    {
        publish_at(state, who, reading, first);
    }
}

fn publish_at(state: &mut State, who: Who, reading: Reading, position: u8) {
    if let Some(entry) = state.log.at(position) {
        state.bus.insert(entry);
        state.instances[who].relay = Relay::Unconfirmed(reading, position);
    }
}

/// What an instance publishes counts as published only when it has left.
pub(crate) fn move_on(state: &mut State, who: Who) {
    let (mut reading, position) = match state.instances[who].relay {
        Relay::Starting => return,
        Relay::Ready(reading) => (reading, reading.next),
        Relay::Unconfirmed(reading, position) => (reading, position),
    };
    if position == reading.next {
        reading.next += 1;
    } else {
        let one = Positions::default().with_one(position);
        reading.held = reading.held.without(one);
    }
    state.instances[who].relay = Relay::Ready(reading);
}

pub(crate) fn hold(state: &mut State, who: Who) {
    if let Relay::Ready(reading) = &mut state.instances[who].relay {
        state.left.holds -= 1;
        reading.held = reading.held.with_one(reading.next);
        reading.next += 1;
    }
}

pub(crate) fn hear(state: &mut State, who: Who) {
    if let Relay::Ready(reading) = &mut state.instances[who].relay {
        reading.held = reading.held.without(state.checkpoint);
    }
}

pub(crate) fn lose_confirmation(state: &mut State, who: Who) {
    if let Relay::Unconfirmed(reading, _) = state.instances[who].relay {
        state.left.unknowns -= 1;
        state.instances[who].relay = Relay::Ready(reading);
    }
}

/// What others have saved before is kept.
pub(crate) fn save(model: &ProtocolModel, state: &mut State, who: Who) {
    if let Relay::Ready(reading) = state.instances[who].relay {
        state.checkpoint = state.checkpoint.with(told(model, reading));
    }
}

pub(crate) fn save_ahead(state: &mut State, who: Who) {
    if let Relay::Ready(reading) = state.instances[who].relay {
        state.checkpoint = state.checkpoint.with(Positions::below(reading.next + 1));
    }
}

pub(crate) fn carry(state: &mut State, command: Entry) {
    let place = state.effects.partition_point(|done| *done < command);
    state.effects.insert(place, command);
}
