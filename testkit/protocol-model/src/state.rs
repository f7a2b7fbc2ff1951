//! What there is at a moment: what is kept, what two instances hold in memory, and what may go wrong yet.

use stateright::Representative;

use crate::bounds::{Bounds, MAX_STREAMS};
use crate::log::{Entry, Input, Log, Stream};

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The log.
    pub log: Log,
    /// What the relays of the service have saved that is published.
    pub checkpoint: Positions,
    /// The inputs that the queue need not deliver any more.
    pub acknowledged: Set<Input>,
    /// Appends that were sent, and that the store has not done yet; nobody waits for their answer.
    pub delayed: Set<Entry>,
    /// The commands that the bus keeps. It may deliver each at any time, and any number of times.
    pub bus: Set<Entry>,
    /// What the carrier did, by the command that it did it for, in the order of commands.
    pub effects: Vec<Entry>,
    /// The two instances of the service.
    pub instances: [Instance; 2],
    /// What may go wrong yet.
    pub left: Left,
}

/// One instance of the service. All of it is lost in a crash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// Whether it runs.
    pub up: bool,
    /// For each stream, the version at which its fold is cached. A version says what the fold is: what
    /// is stored below it never changes.
    pub cache: [Option<u8>; MAX_STREAMS],
    /// The handler.
    pub hand: Hand,
    /// The relay.
    pub relay: Relay,
}

/// How far the handler is with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hand {
    /// It has none.
    Empty,
    /// Delivered.
    Received(Input),
    /// The stream is folded up to a version.
    Loaded(Input, u8),
    /// Decided; the entry is to be appended.
    Appending {
        /// What is to be appended.
        entry: Entry,
        /// It was tried, and what became of it is unknown.
        unknown: bool,
    },
    /// Stored, now or before; to be acknowledged.
    Stored(Input),
}

/// How far the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relay {
    /// It has not loaded its checkpoint.
    Starting,
    /// It may take the next entry, or one that it holds.
    Ready(Reading),
    /// It has published the entry at this position, and waits for the confirmation.
    Unconfirmed(Reading, u8),
}

/// How far a relay has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reading {
    /// The position of the entry that it takes next.
    pub next: u8,
    /// What it has passed and left to the other.
    pub held: Positions,
}

/// Some positions in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Positions(u16);

/// What may go wrong yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// How many crashes.
    pub crashes: u8,
    /// How many duplicates.
    pub duplicates: u8,
    /// How many lost answers.
    pub unknowns: u8,
    /// How many entries that are left to the other.
    pub holds: u8,
}

impl State {
    /// Nothing has happened.
    #[must_use]
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            log: Log::default(),
            checkpoint: Positions::default(),
            acknowledged: Set::default(),
            delayed: Set::default(),
            bus: Set::default(),
            effects: Vec::new(),
            instances: [Instance::started(), Instance::started()],
            left: Left {
                crashes: bounds.crashes,
                duplicates: bounds.duplicates,
                unknowns: bounds.unknowns,
                holds: bounds.holds,
            },
        }
    }

    /// Whether an instance has this input in hand.
    #[must_use]
    pub fn held(&self, input: Input) -> bool {
        self.instances.iter().any(|i| i.hand.input() == Some(input))
    }
}

impl Instance {
    /// One that has just started.
    #[must_use]
    pub fn started() -> Self {
        Self {
            up: true,
            cache: [None; MAX_STREAMS],
            hand: Hand::Empty,
            relay: Relay::Starting,
        }
    }

    /// One that has crashed.
    #[must_use]
    pub fn crashed() -> Self {
        Self {
            up: false,
            ..Self::started()
        }
    }

    /// The version at which a stream is cached.
    pub fn cached(&mut self, stream: Stream) -> &mut Option<u8> {
        &mut self.cache[usize::from(stream.0)]
    }
}

impl Reading {
    /// Behind what was saved: what is missing in it is held.
    #[must_use]
    pub fn behind(checkpoint: Positions) -> Self {
        let next = checkpoint.end();
        Self {
            next,
            held: Positions::below(next).without(checkpoint),
        }
    }

    /// What it has passed and does not hold.
    #[must_use]
    pub fn published(self) -> Positions {
        Positions::below(self.next).without(self.held)
    }
}

impl Positions {
    /// Those before a position.
    #[must_use]
    pub fn below(position: u8) -> Self {
        Self((1 << position) - 1)
    }

    /// One behind the last of them.
    #[must_use]
    pub fn end(self) -> u8 {
        (u16::BITS - self.0.leading_zeros()) as u8
    }

    /// The first of them.
    #[must_use]
    pub fn first(self) -> Option<u8> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as u8)
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(self, position: u8) -> bool {
        self.0 & (1 << position) != 0
    }

    /// These and those.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These and one more.
    #[must_use]
    pub fn with_one(self, position: u8) -> Self {
        Self(self.0 | 1 << position)
    }

    /// These but for those.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..self.end()).filter(move |position| self.has(*position))
    }
}

impl Hand {
    /// The input in hand.
    #[must_use]
    pub fn input(self) -> Option<Input> {
        match self {
            Self::Empty => None,
            Self::Received(input) | Self::Loaded(input, _) | Self::Stored(input) => Some(input),
            Self::Appending { entry, .. } => Some(entry.input),
        }
    }
}

/// The two instances are alike: what holds with their places exchanged holds without.
impl Representative for State {
    fn representative(&self) -> Self {
        let mut state = self.clone();
        state.instances.sort();
        state
    }
}

/// A small set, the same whatever the order in which it was filled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Set<T>(Vec<T>);

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Set<T> {
    /// Adds one that may be there.
    pub fn insert(&mut self, item: T) {
        if let Err(place) = self.0.binary_search(&item) {
            self.0.insert(place, item);
        }
    }

    /// Takes one away.
    pub fn remove(&mut self, item: &T) {
        self.0.retain(|kept| kept != item);
    }

    /// Whether one is there.
    pub fn contains(&self, item: &T) -> bool {
        self.0.contains(item)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}
