//! The relay of an instance, and the carrier at the other end of the bus.

use crate::Protocol;
use crate::action::{Action, Who};
use crate::log::Entry;
use crate::model::ProtocolModel;
use crate::state::{Relay, State};

/// The steps that the relay of an instance can take.
pub(crate) fn possible(model: &ProtocolModel, state: &State, who: Who, actions: &mut Vec<Action>) {
    match state.instances[who].relay {
        Relay::Starting => actions.push(Action::LoadCheckpoint(who)),
        Relay::Ready(cursor) => {
            if let Some(entry) = state.log.at(cursor) {
                let ahead = model.protocol == Protocol::CheckpointBeforePublish;
                actions.push(
                    if !entry.decided || model.protocol == Protocol::PublishFromHandler {
                        Action::Pass(who)
                    } else if ahead && state.checkpoint <= cursor {
                        Action::SaveAhead(who)
                    } else {
                        Action::Publish(who)
                    },
                );
            }
            // A checkpoint never goes back: a lower one changes nothing.
            if state.checkpoint < cursor {
                actions.push(Action::SaveCheckpoint(who));
            }
        }
        Relay::Unconfirmed(_) => {
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

pub(crate) fn load_checkpoint(state: &mut State, who: Who) {
    state.instances[who].relay = Relay::Ready(state.checkpoint);
}

pub(crate) fn publish(state: &mut State, who: Who) {
    if let Relay::Ready(cursor) = state.instances[who].relay
        && let Some(entry) = state.log.at(cursor)
    {
        state.bus.insert(entry);
        state.instances[who].relay = Relay::Unconfirmed(cursor);
    }
}

/// What is behind an entry leaves only when the entry has left.
pub(crate) fn move_on(state: &mut State, who: Who) {
    if let Relay::Ready(cursor) | Relay::Unconfirmed(cursor) = state.instances[who].relay {
        state.instances[who].relay = Relay::Ready(cursor + 1);
    }
}

pub(crate) fn lose_confirmation(state: &mut State, who: Who) {
    if let Relay::Unconfirmed(cursor) = state.instances[who].relay {
        state.left.unknowns -= 1;
        state.instances[who].relay = Relay::Ready(cursor);
    }
}

pub(crate) fn save(state: &mut State, who: Who, ahead: u8) {
    if let Relay::Ready(cursor) = state.instances[who].relay {
        state.checkpoint = state.checkpoint.max(cursor + ahead);
    }
}

pub(crate) fn carry(state: &mut State, command: Entry) {
    let place = state.effects.partition_point(|done| *done < command);
    state.effects.insert(place, command);
}
