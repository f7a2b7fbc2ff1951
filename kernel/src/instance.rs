//! One run of a process, as its stream tells it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use jiff::Timestamp;
use uuid::Uuid;

use crate::Category;

/// What stands in the stream of an instance: the decisions of its process, and the kernel's own
/// bookkeeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<E> {
    /// The process has decided this.
    Event(E),
    /// From here on the instance runs under another category.
    CategoryChanged {
        /// The category so far.
        from: Category,
        /// The category from here on.
        to: Category,
    },
    /// An input led to no decision.
    TriggerIgnored {
        /// The name of the input's type.
        trigger: String,
        /// The kind of refusal ([`Refusal::code`](crate::Refusal::code)).
        code: String,
        /// Why, in words.
        reason: String,
    },
    /// An input could not be decided, or came behind one that could not; it is kept here.
    InputParked {
        /// The name of the input's type.
        trigger: String,
        /// Why, in words.
        reason: String,
        /// The input, whole.
        input: String,
    },
    /// The input that was parked longest was tried again, and stays parked.
    ParkedInputRetried {
        /// How often it has been tried by now; the first time was when it came, or when the input
        /// before it was no longer parked.
        attempt: u32,
        /// Why it stays, in words.
        reason: String,
    },
    /// The input that was parked longest is no longer parked: the records before this one are what
    /// it led to.
    ParkedInputHandled,
    /// A person has given up the input that was parked longest.
    ParkedInputDiscarded,
}

impl<E> Record<E> {
    /// Whether others may hear of it, given whether they may of the event.
    pub fn is_public(&self, event: impl FnOnce(&E) -> bool) -> bool {
        match self {
            Self::Event(e) => event(e),
            Self::CategoryChanged { .. } => true,
            Self::TriggerIgnored { .. }
            | Self::InputParked { .. }
            | Self::ParkedInputRetried { .. }
            | Self::ParkedInputHandled
            | Self::ParkedInputDiscarded => false,
        }
    }
}

/// A record that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord<E, C> {
    /// The record.
    pub record: Record<E>,
    /// The category it was made under, when there is one.
    pub category: Option<Category>,
    /// The input that it is due to.
    pub input_id: Uuid,
    /// The commands that leave with it, in order.
    pub commands: Vec<C>,
    /// The deadlines that it clears; cleared before any is set.
    pub deadlines_cleared: Vec<String>,
    /// The deadlines that it sets, by name.
    pub deadlines_set: BTreeMap<String, Timestamp>,
}

/// An input that waits to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The input's id.
    pub input_id: Uuid,
    /// The name of its type.
    pub trigger: String,
    /// Why it is parked, as it was last found.
    pub reason: String,
    /// How often it was tried; 0 while it waits behind another.
    pub attempts: u32,
    /// The input, whole.
    pub input: String,
}

/// The present of an instance: the fold of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<S> {
    pub(crate) version: u64,
    pub(crate) category: Option<Category>,
    pub(crate) state: Option<S>,
    /// The inputs that led to records, but for those that are parked.
    pub(crate) handled: HashSet<Uuid>,
    pub(crate) deadlines: BTreeMap<String, Timestamp>,
    pub(crate) parked: VecDeque<Parked>,
    pub(crate) unreadable: Option<String>,
}

impl<S> Default for Instance<S> {
    fn default() -> Self {
        Self {
            version: 0,
            category: None,
            state: None,
            handled: HashSet::new(),
            deadlines: BTreeMap::new(),
            parked: VecDeque::new(),
            unreadable: None,
        }
    }
}

impl<S> Instance<S> {
    /// How many records its stream has.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The category it runs under, once it has started.
    #[must_use]
    pub const fn category(&self) -> Option<&Category> {
        self.category.as_ref()
    }

    /// The state of the process, once it has started.
    #[must_use]
    pub const fn state(&self) -> Option<&S> {
        self.state.as_ref()
    }

    /// The deadlines that are pending.
    #[must_use]
    pub const fn deadlines(&self) -> &BTreeMap<String, Timestamp> {
        &self.deadlines
    }

    /// The inputs that are parked, in the order in which they came.
    #[must_use]
    pub const fn parked(&self) -> &VecDeque<Parked> {
        &self.parked
    }

    /// Passes over a record that cannot be read, for this reason. What it decided is unknown, so from
    /// here on every input is parked.
    pub fn skip_unreadable(&mut self, input_id: Uuid, reason: String) {
        self.version += 1;
        self.handled.insert(input_id);
        self.unreadable.get_or_insert(reason);
    }

    /// Why the past of the instance is not known in full, when it is not.
    #[must_use]
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Whether an input of this id has been recorded.
    #[must_use]
    pub fn has_recorded(&self, input_id: Uuid) -> bool {
        self.handled.contains(&input_id) || self.parked.iter().any(|p| p.input_id == input_id)
    }
}
