//! What an author writes: a decider, and how its decisions take effect.

use jiff::{SignedDuration, Timestamp};

use crate::Refusal;

/// Why a process is asked to decide.
#[derive(Debug)]
pub enum Trigger<'a, I, E> {
    /// Something came in.
    Input(&'a I),
    /// The process itself has decided this, a moment ago.
    Own(&'a E),
    /// A deadline that the process has set is over, and was not cleared.
    DeadlinePassed(&'a str),
}

impl<I, E> Clone for Trigger<'_, I, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, E> Copy for Trigger<'_, I, E> {}

/// Decides, and remembers what it decided.
pub trait Decider {
    /// What it needs to know of its past to decide.
    type State: Clone;
    /// A decision.
    type Event;
    /// What comes in from outside.
    type Input;

    /// The state before the first decision.
    fn initial(&self) -> Self::State;

    /// The state after a decision: the same for the same arguments, always.
    fn evolve(&self, state: Self::State, event: &Self::Event) -> Self::State;

    /// What is decided because of a trigger.
    ///
    /// Nothing is a valid answer to an own event that leads to nothing further. To an input it is
    /// not: the kernel turns it into [`Refusal::NothingDecided`].
    ///
    /// # Errors
    /// A [`Refusal`] with its reason when the trigger does not apply to this state.
    fn decide(
        &self,
        state: &Self::State,
        trigger: Trigger<'_, Self::Input, Self::Event>,
        now: Timestamp,
    ) -> Result<Vec<Self::Event>, Refusal>;
}

/// A decider whose decisions have effects.
pub trait Process: Decider {
    /// What it asks others to do.
    type Command;

    /// The effects of a decision; `after` is the state that includes it.
    fn react(&self, after: &Self::State, event: &Self::Event) -> Vec<Effect<Self::Command>>;

    /// Whether nothing can happen any more: further inputs are refused without asking.
    fn is_finished(&self, state: &Self::State) -> bool;

    /// Whether an instance in this state, which has run under another category so far, can go on under
    /// this one; what will be otherwise from here on, in words for a person.
    ///
    /// # Errors
    /// A [`Refusal`] with the reason why it cannot.
    fn adopt(&self, _state: &Self::State) -> Result<Vec<String>, Refusal> {
        Ok(vec![])
    }

    /// Whether others may hear of a decision.
    fn is_public(&self, _event: &Self::Event) -> bool {
        true
    }
}

/// What follows from a decision; stored with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<C> {
    /// Send a command.
    Send(C),
    /// Be asked to decide once this time has come. A deadline of the same name is replaced.
    SetDeadline {
        /// Its name, unique within the instance.
        name: String,
        /// When.
        due: Due,
    },
    /// Forget a deadline, if there is one of this name.
    ClearDeadline {
        /// Its name.
        name: String,
    },
}

impl<C> Effect<C> {
    /// Sets a deadline.
    #[must_use]
    pub fn set_deadline(name: impl Into<String>, due: Due) -> Self {
        Self::SetDeadline {
            name: name.into(),
            due,
        }
    }

    /// Clears a deadline.
    #[must_use]
    pub fn clear_deadline(name: impl Into<String>) -> Self {
        Self::ClearDeadline { name: name.into() }
    }
}

/// When a deadline is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// This long after the decision.
    After(SignedDuration),
    /// At this time.
    At(Timestamp),
}

impl Due {
    /// The time, for a decision made at `now`. A time beyond what can be represented is the last
    /// one that can.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::After(duration) => now.checked_add(duration).unwrap_or(Timestamp::MAX),
        }
    }
}
