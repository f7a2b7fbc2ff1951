//! What there is at a moment: what is kept, what two instances hold in memory, and what may go wrong yet.

use stateright::Representative;

use crate::bounds::{Bounds, MAX_STREAMS};
use crate::log::{Entry, Input, Log, Stream};

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The log.
    pub log: Log,
    /// Up to which position the relay of the service has saved that it came.
    pub checkpoint: u8,
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
    /// The next entry that it takes is the one at this position.
    Ready(u8),
    /// It has published the entry at this position, and waits for the confirmation.
    Unconfirmed(u8),
}

/// What may go wrong yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// How many crashes.
    pub crashes: u8,
    /// How many duplicates.
    pub duplicates: u8,
    /// How many lost answers.
    pub unknowns: u8,
}

impl State {
    /// Nothing has happened.
    #[must_use]
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            log: Log::default(),
            checkpoint: 0,
            acknowledged: Set::default(),
            delayed: Set::default(),
            bus: Set::default(),
            effects: Vec::new(),
            instances: [Instance::started(), Instance::started()],
            left: Left {
                crashes: bounds.crashes,
                duplicates: bounds.duplicates,
                unknowns: bounds.unknowns,
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
