//! What must hold, and what must come about so that it is held against something.

use stateright::Property;

use crate::log::Entry;
use crate::model::ProtocolModel;
use crate::state::{Hand, Relay, State};

/// No input leads to two entries.
pub const ONE_DECISION: &str = "an input is decided once";
/// The carrier does nothing twice for one key.
pub const ONE_EFFECT_A_KEY: &str = "a key has one effect";
/// The carrier does nothing twice for one input.
pub const ONE_EFFECT_AN_INPUT: &str = "an input has one effect";
/// What is published is in the log.
pub const PUBLISHED_IS_STORED: &str = "what is published is stored";
/// What is acknowledged is in the log.
pub const ACKNOWLEDGED_IS_STORED: &str = "what is acknowledged is stored";
/// What is before the checkpoint is published.
pub const PASSED_IS_PUBLISHED: &str = "what the checkpoint has passed is published";
/// As long as an instance runs, something can be done until all is done; no chance is needed.
pub const NEVER_STUCK: &str = "it rests only when all is done";
/// In every run, all gets done.
pub const ALL_GETS_DONE: &str = "all gets done";

/// What needs that relays leave entries to each other.
pub const HEARD: &str = "a relay hears that what it holds is published";

type Condition = fn(&ProtocolModel, &State) -> bool;

const ALWAYS: [(&str, Condition); 7] = [
    (ONE_DECISION, |_, state| {
        no_two(&state.log.entries().collect::<Vec<_>>(), |a, b| {
            a.input == b.input
        })
    }),
    (ONE_EFFECT_A_KEY, |model, state| {
        no_two(&state.effects, |a, b| {
            a.id(model.protocol) == b.id(model.protocol)
        })
    }),
    (ONE_EFFECT_AN_INPUT, |_, state| {
        no_two(&state.effects, |a, b| a.input == b.input)
    }),
    (PUBLISHED_IS_STORED, |_, state| {
        state.bus.iter().all(|command| state.log.contains(command))
    }),
    (ACKNOWLEDGED_IS_STORED, |_, state| {
        state.acknowledged.iter().all(|i| state.log.knows(*i))
    }),
    (PASSED_IS_PUBLISHED, |_, state| {
        let mut passed = state.checkpoint.iter().filter_map(|at| state.log.at(at));
        passed.all(|entry| !entry.decided || state.bus.contains(&entry))
    }),
    (NEVER_STUCK, |model, state| {
        let nobody_runs = state.instances.iter().all(|instance| !instance.up);
        let goes_on = || model.possible(state).iter().any(|a| !a.is_chance());
        nobody_runs || all_is_done(model, state) || goes_on()
    }),
];

/// Each is a state from which the step in question is taken, or that only this step leads to, so that no
/// history has to be kept.
const SOMETIMES: [(&str, Condition); 10] = [
    ("an append meets a conflict", |_, state| {
        appending(state).any(|(entry, _)| !state.log.expects(&entry) && !state.log.contains(&entry))
    }),
    ("a decision is made on a stale fold", |model, state| {
        state.instances.iter().any(|instance| {
            let Hand::Loaded(input, version) = instance.hand else {
                return false;
            };
            version < state.log.version(model.bounds.stream(input))
        })
    }),
    ("a duplicate is recognised", |model, state| {
        state.instances.iter().any(|instance| {
            let Hand::Loaded(input, version) = instance.hand else {
                return false;
            };
            let stream = model.bounds.stream(input);
            state.log.handled(stream, version, input)
        })
    }),
    ("the identical append finds itself stored", |_, state| {
        appending(state).any(|(entry, unknown)| unknown && state.log.contains(&entry))
    }),
    ("a delayed append comes too late", |_, state| {
        let mut delayed = state.delayed.iter();
        delayed.any(|entry| !state.log.expects(entry) && !state.log.contains(entry))
    }),
    ("a command is published again", |_, state| {
        state.instances.iter().any(|instance| {
            let Relay::Ready(reading) = instance.relay else {
                return false;
            };
            let next = state.log.at(reading.next);
            next.is_some_and(|entry| state.bus.contains(&entry))
        })
    }),
    (
        "a relay hears that what it holds is published",
        |_, state| {
            state.instances.iter().any(|instance| {
                let Relay::Ready(reading) = instance.relay else {
                    return false;
                };
                reading.held.without(state.checkpoint) != reading.held
            })
        },
    ),
    (
        "a crash comes between append and acknowledgement",
        |model, state| {
            let mut inputs = model.bounds.ids();
            inputs.any(|input| {
                state.log.knows(input) && !state.acknowledged.contains(&input) && !state.held(input)
            })
        },
    ),
    ("a refusal is recorded", |_, state| {
        state.log.entries().any(|entry| !entry.decided)
    }),
    (
        "one instance does all while the other is down",
        |model, state| {
            all_is_done(model, state) && state.instances.iter().any(|instance| !instance.up)
        },
    ),
];

/// All properties.
pub(crate) fn all() -> Vec<Property<ProtocolModel>> {
    let always = ALWAYS.map(|(name, holds)| Property::always(name, holds));
    let sometimes = SOMETIMES.map(|(name, holds)| Property::sometimes(name, holds));
    let mut all = Vec::from(always);
    // Once it holds it goes on holding, and no run goes round in circles: then this is exact.
    all.push(Property::eventually(ALL_GETS_DONE, all_is_done));
    all.extend(sometimes);
    all
}

/// Every input is stored and acknowledged, and the carrier has done what every decision says.
fn all_is_done(model: &ProtocolModel, state: &State) -> bool {
    let mut inputs = model.bounds.ids();
    inputs.all(|input| state.log.knows(input) && state.acknowledged.contains(&input))
        && state
            .log
            .entries()
            .all(|entry| !entry.decided || state.effects.contains(entry))
}

fn appending(state: &State) -> impl Iterator<Item = (Entry, bool)> {
    state.instances.iter().filter_map(|i| match i.hand {
        Hand::Appending { entry, unknown } => Some((entry, unknown)),
        Hand::Empty | Hand::Received(_) | Hand::Loaded(..) | Hand::Stored(_) => None,
    })
}

fn no_two<T>(items: &[T], alike: impl Fn(&T, &T) -> bool) -> bool {
    let mut places = items.iter().enumerate();
    places.all(|(place, item)| !items[place + 1..].iter().any(|other| alike(item, other)))
}
