//! What the store refuses: taken more and more carefully, until what can be kept of it is kept.
//!
//! An append may be larger than the store takes, or its stream may be none that the store can have. No
//! repetition changes that, and nobody else should wait for it.

use std::sync::Arc;

use tracing::{error, warn};

use crate::handler::{Group, Results, chain};
use crate::input::UNADDRESSED;
use crate::{Failure, Handler, Input, Runnable};

/// How carefully inputs are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// All that there are.
    Usual,
    /// One at a time, also of those that are parked.
    OneByOne,
    /// It is not decided but parked, for this reason.
    Keep(String),
    /// The same, and only its beginning is kept.
    KeepBeginning(String),
    /// The same, and among those that name no instance: its own cannot keep it.
    Elsewhere(String),
}

impl Care {
    /// Why nothing is decided, where that is so.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Usual | Self::OneByOne => None,
            Self::Keep(reason) | Self::KeepBeginning(reason) | Self::Elsewhere(reason) => {
                Some(reason)
            }
        }
    }

    /// With more care, after the store has refused what this came to.
    fn more(self, refusal: &Refusal) -> Option<Self> {
        let reason = || format!("the event store refuses what it leads to: {refusal}");
        Some(match (self, refusal) {
            (Self::Elsewhere(_), _) => return None,
            (Self::Usual, Refusal::Unstored(_)) => Self::OneByOne,
            (Self::OneByOne, Refusal::Unstored(_)) => Self::Keep(reason()),
            (Self::Keep(reason), Refusal::Unstored(_)) => Self::KeepBeginning(reason),
            (Self::KeepBeginning(reason), Refusal::Unstored(_)) => Self::Elsewhere(reason),
            (
                Self::Usual | Self::OneByOne | Self::Keep(_) | Self::KeepBeginning(_),
                Refusal::Unread(_),
            ) => Self::Elsewhere(format!("its stream cannot be read: {refusal}")),
        })
    }
}

/// Inputs of which the store has taken nothing, and why.
pub(crate) struct Refused {
    group: Group,
    refusal: Refusal,
}

/// What the store has refused.
#[derive(Clone, Debug, thiserror::Error)]
enum Refusal {
    /// To read their stream.
    #[error("{}", chain(.0.as_ref()))]
    Unread(Arc<event_store::Error>),
    /// To store what they led to.
    #[error("{}", chain(.0.as_ref()))]
    Unstored(Arc<event_store::Error>),
}

impl Refused {
    pub(crate) fn unread(group: Group, error: Arc<event_store::Error>) -> Self {
        let refusal = Refusal::Unread(error);
        Self { group, refusal }
    }

    pub(crate) fn unstored(group: Group, error: Arc<event_store::Error>) -> Self {
        let refusal = Refusal::Unstored(error);
        Self { group, refusal }
    }

    /// As a failure, for whoever handed the inputs in.
    fn failure(self) -> Failure {
        match self.refusal {
            Refusal::Unread(error) | Refusal::Unstored(error) => Failure::Refused(error),
        }
    }
}

impl<P: Runnable> Handler<P> {
    /// Takes the inputs of one instance one after another, each with as much care as it needs.
    pub(crate) async fn take_carefully(&mut self, refused: Refused, results: &mut Results) {
        let Refused { group, refusal } = refused;
        warn!(stream = %group.stream, %refusal, "taking the inputs of this instance one by one");
        let mut inputs = group.inputs.into_iter();
        while let Some((place, input)) = inputs.next() {
            let may_go_elsewhere = match &input {
                Input::Message(_) | Input::Unreadable(_) => true,
                // These are about what is parked there, and nowhere else.
                Input::Redrive { .. } | Input::Discard { .. } => false,
            };
            let mut refused = Refused {
                group: Group {
                    stream: group.stream.clone(),
                    inputs: vec![(place, input)],
                    care: Care::Usual,
                },
                refusal: refusal.clone(),
            };
            let given_up = loop {
                let mut one = refused.group;
                match one.care.clone().more(&refused.refusal) {
                    Some(Care::Elsewhere(reason)) if may_go_elsewhere => {
                        one.stream = self.stream(UNADDRESSED);
                        one.care = Care::Elsewhere(reason);
                    }
                    Some(Care::Elsewhere(_)) | None => {
                        refused.group = one;
                        break Some(refused);
                    }
                    Some(care) => one.care = care,
                }
                match self.settle(vec![one], results).await.pop() {
                    Some(again) => refused = again,
                    None => break None,
                }
            };
            if let Some(refused) = given_up {
                error!(stream = %group.stream, refusal = %refused.refusal, "the store does not keep an input: a person should look");
                let failure = refused.failure();
                // What comes behind it must not be handled before it.
                for place in std::iter::once(place).chain(inputs.map(|(place, _)| place)) {
                    results[place] = Some(Err(failure.clone()));
                }
                return;
            }
        }
    }
}
