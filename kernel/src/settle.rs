//! From one trigger to rest.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Effect, Fault, Process, Refusal, Trigger, Unsettled};

/// How many decisions one input may lead to. Far beyond any process that means to come to rest.
pub const MAX_DECISIONS: usize = 1_000;

/// A decision with its effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided<E, C> {
    /// What was decided.
    pub event: E,
    /// The commands that it sends, in order.
    pub commands: Vec<C>,
    /// The deadlines that it clears; cleared before any is set.
    pub deadlines_cleared: Vec<String>,
    /// The deadlines that it sets, by name.
    pub deadlines_set: BTreeMap<String, Timestamp>,
}

/// What a process decides because of `trigger`, and because of its own decisions, in the order in
/// which they are made.
///
/// Decisions made together stand together; what follows from the first of them comes before what
/// follows from the second.
///
/// # Errors
/// [`Unsettled::Refused`] when the process refuses the trigger; [`Unsettled::Faulty`] when it does
/// not come to rest within [`MAX_DECISIONS`], or refuses a decision of its own.
pub fn settle<P: Process>(
    process: &P,
    state: &P::State,
    trigger: Trigger<'_, P::Input, P::Event>,
    now: Timestamp,
) -> Result<Vec<Decided<P::Event, P::Command>>, Unsettled> {
    let mut fresh = process.decide(state, trigger, now)?;
    if fresh.is_empty() {
        return Err(Refusal::NothingDecided.into());
    }
    let mut state = state.clone();
    let mut settled: Vec<Decided<P::Event, P::Command>> = Vec::new();
    let mut answered = 0;
    loop {
        for event in fresh {
            if settled.len() == MAX_DECISIONS {
                return Err(Fault::Runaway { cap: MAX_DECISIONS }.into());
            }
            state = process.evolve(state, &event);
            let effects = process.react(&state, &event);
            settled.push(with_effects(event, effects, now));
        }
        let Some(own) = settled.get(answered) else {
            return Ok(settled);
        };
        answered += 1;
        fresh = process
            .decide(&state, Trigger::Own(&own.event), now)
            .map_err(Fault::RefusesItself)?;
    }
}

fn with_effects<E, C>(event: E, effects: Vec<Effect<C>>, now: Timestamp) -> Decided<E, C> {
    let mut decided = Decided {
        event,
        commands: Vec::new(),
        deadlines_cleared: Vec::new(),
        deadlines_set: BTreeMap::new(),
    };
    for effect in effects {
        match effect {
            Effect::Send(command) => decided.commands.push(command),
            Effect::SetDeadline { name, due } => {
                decided.deadlines_set.insert(name, due.from(now));
            }
            Effect::ClearDeadline { name } => decided.deadlines_cleared.push(name),
        }
    }
    decided
}
