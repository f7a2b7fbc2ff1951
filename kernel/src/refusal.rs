//! Why nothing was decided.

use crate::Category;

/// Why an input leads to no decision. It is an answer, not a fault: it is recorded, and the input
/// counts as handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing has been started that it could apply to.
    #[error("nothing has been started yet")]
    NotStarted,
    /// What it would start has been started already.
    #[error("it has been started already")]
    AlreadyStarted,
    /// Everything is over.
    #[error("it is finished")]
    Finished,
    /// It says again what was decided already: nothing is left to do for it.
    #[error("{0}")]
    Repeated(String),
    /// It comes after what it belonged to was over: it is passed over.
    #[error("{0}")]
    Late(String),
    /// It does not apply to the present state, for this reason.
    #[error("{0}")]
    NotApplicable(String),
    /// The deadline was cleared, or moved, before it was over.
    #[error("the deadline {0:?} is not pending")]
    DeadlineNotPending(String),
    /// Nobody knows this category.
    #[error("there is no process category {0}")]
    UnknownCategory(Category),
    /// The process had nothing to say to it.
    #[error("it leads to no decision")]
    NothingDecided,
}

impl Refusal {
    /// A refusal for a reason of the process's own.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self::NotApplicable(reason.into())
    }

    /// What it says was decided already, for this reason.
    #[must_use]
    pub fn repeated(reason: impl Into<String>) -> Self {
        Self::Repeated(reason.into())
    }

    /// It comes too late, for this reason.
    #[must_use]
    pub fn late(reason: impl Into<String>) -> Self {
        Self::Late(reason.into())
    }

    /// The stored name of the kind of refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotStarted => "notStarted",
            Self::AlreadyStarted => "alreadyStarted",
            Self::Finished => "finished",
            Self::Repeated(_) => "repeated",
            Self::Late(_) => "late",
            Self::NotApplicable(_) => "notApplicable",
            Self::DeadlineNotPending(_) => "deadlineNotPending",
            Self::UnknownCategory(_) => "unknownCategory",
            Self::NothingDecided => "nothingDecided",
        }
    }
}

/// Why an input cannot be decided at all: something is wrong with the program, not with the input.
/// The instance is parked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The process goes on reacting to itself.
    #[error("the process has not come to rest after {cap} decisions")]
    Runaway {
        /// How many decisions one input may lead to.
        cap: usize,
    },
    /// The process refuses its own decision.
    #[error("the process refuses its own decision: {0}")]
    RefusesItself(#[source] Refusal),
    /// The process has panicked, with this message.
    #[error("the process has panicked: {0}")]
    Panicked(String),
    /// The process uses the name of a deadline that is not its own.
    #[error("the process may not use the deadline {0:?}")]
    ReservedDeadline(&'static str),
    /// The instance runs under a category that this program does not have.
    #[error("this program has no process category {0}")]
    UnknownCategory(String),
}

/// Why a trigger has led to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The process refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The process cannot decide it.
    #[error(transparent)]
    Faulty(#[from] Fault),
}
