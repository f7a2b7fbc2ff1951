//! The model: which steps are possible, and what each leads to.

use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::Bounds;
use crate::state::{Instance, State};
use crate::{Protocol, handling, properties, relaying};

/// A protocol within bounds.
#[derive(Clone, Debug)]
pub struct ProtocolModel {
    /// What the instances follow.
    pub protocol: Protocol,
    /// How much happens.
    pub bounds: Bounds,
}

impl ProtocolModel {
    /// The steps that are possible.
    #[must_use]
    pub fn possible(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        for (who, instance) in state.instances.iter().enumerate() {
            if !instance.up {
                actions.push(Action::Restart(who));
                continue;
            }
            handling::possible(self, state, who, &mut actions);
            relaying::possible(self, state, who, &mut actions);
            if state.left.crashes > 0 && *instance != Instance::started() {
                actions.push(Action::Crash(who));
            }
        }
        actions.extend(state.delayed.iter().map(|entry| Action::Land(*entry)));
        relaying::possible_at_the_carrier(self, state, &mut actions);
        actions
    }

    /// What a possible step leads to.
    #[must_use]
    pub fn next(&self, before: &State, action: Action) -> State {
        let mut state = before.clone();
        match action {
            Action::Receive(who, input) => handling::receive(self, &mut state, who, input),
            Action::ReceiveAgain(who, input) => {
                state.left.duplicates -= 1;
                handling::receive(self, &mut state, who, input);
            }
            Action::Load(who) => handling::load(self, &mut state, who),
            Action::UseCached(who) => handling::use_cached(self, &mut state, who),
            Action::Decide(who) => handling::decide(self, &mut state, who),
            Action::PublishDecision(who) => handling::publish_decision(&mut state, who),
            Action::Append(who) => handling::append(self, &mut state, who),
            Action::AppendUnanswered(who) => {
                state.left.unknowns -= 1;
                let entry = handling::lose_answer(&mut state, who);
                state.log.append(entry, self.protocol);
            }
            Action::AppendDelayed(who) => {
                state.left.unknowns -= 1;
                let entry = handling::lose_answer(&mut state, who);
                state.delayed.insert(entry);
            }
            Action::Land(entry) => {
                state.delayed.remove(&entry);
                state.log.append(entry, self.protocol);
            }
            Action::MoveAppend(who) => handling::move_append(&mut state, who),
            Action::Acknowledge(who) => handling::acknowledge(&mut state, who),
            Action::LoadCheckpoint(who) => relaying::load_checkpoint(&mut state, who),
            Action::Pass(who) | Action::Confirm(who) => relaying::move_on(&mut state, who),
            Action::Hold(who) => relaying::hold(&mut state, who),
            Action::Hear(who) => relaying::hear(&mut state, who),
            Action::PublishHeld(who) => relaying::publish_held(&mut state, who),
            Action::SaveAhead(who) => relaying::save_ahead(&mut state, who),
            Action::Publish(who) => relaying::publish(&mut state, who),
            Action::LoseConfirmation(who) => relaying::lose_confirmation(&mut state, who),
            Action::SaveCheckpoint(who) => relaying::save(self, &mut state, who),
            Action::Carry(command) => relaying::carry(&mut state, command),
            Action::Crash(who) => {
                state.left.crashes -= 1;
                state.instances[who] = Instance::crashed();
            }
            Action::Restart(who) => state.instances[who] = Instance::started(),
        }
        state
    }
}

impl Model for ProtocolModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.bounds)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.possible(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.next(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
