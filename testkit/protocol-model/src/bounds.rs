//! How much happens in a run, so that there is an end to what can happen.

use crate::log::{Input, Stream};

/// How many streams there may be.
pub const MAX_STREAMS: usize = 2;

/// What an input says to the business instance that it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Begins the instance; refused when it has begun.
    Start,
    /// Goes on with it; refused before it has begun.
    Continue,
}

impl Kind {
    /// What the process decides: whether it takes the input.
    #[must_use]
    pub fn applies(self, started: bool) -> bool {
        match self {
            Self::Start => !started,
            Self::Continue => started,
        }
    }
}

/// The inputs of a run, and how often what may go wrong goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For each input, the stream that it concerns and what it says.
    pub inputs: Vec<(Stream, Kind)>,
    /// How often an instance may crash.
    pub crashes: u8,
    /// How often the queue may deliver an input that is acknowledged, or that another instance holds.
    pub duplicates: u8,
    /// How often the answer to an append or to a publication may be lost.
    pub unknowns: u8,
    /// How often a relay may leave an entry to the other.
    pub holds: u8,
}

impl Bounds {
    /// So many inputs, dealt out to so many streams in turn. The first of a stream starts it, and the
    /// rest go on with it; nothing says that they come in this order.
    #[must_use]
    pub fn new(inputs: u8, streams: u8) -> Self {
        let streams = streams.clamp(1, MAX_STREAMS as u8);
        let input = |number: u8| {
            let kind = match number < streams {
                true => Kind::Start,
                false => Kind::Continue,
            };
            (Stream(number % streams), kind)
        };
        Self {
            inputs: (0..inputs).map(input).collect(),
            crashes: 0,
            duplicates: 0,
            unknowns: 0,
            holds: 0,
        }
    }

    /// With so many crashes.
    #[must_use]
    pub fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    /// With so many duplicates.
    #[must_use]
    pub fn duplicates(self, duplicates: u8) -> Self {
        Self { duplicates, ..self }
    }

    /// With so many lost answers.
    #[must_use]
    pub fn unknowns(self, unknowns: u8) -> Self {
        Self { unknowns, ..self }
    }

    /// With so many entries that are left to the other instance.
    #[must_use]
    pub fn holds(self, holds: u8) -> Self {
        Self { holds, ..self }
    }

    /// The ids of the inputs.
    pub fn ids(&self) -> impl Iterator<Item = Input> + use<> {
        (0..self.inputs.len() as u8).map(Input)
    }

    /// The stream that an input concerns.
    #[must_use]
    pub fn stream(&self, input: Input) -> Stream {
        self.inputs[usize::from(input.0)].0
    }

    /// What an input says.
    #[must_use]
    pub fn kind(&self, input: Input) -> Kind {
        self.inputs[usize::from(input.0)].1
    }
}
