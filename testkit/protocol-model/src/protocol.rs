//! The protocol, and the ways to get it wrong.

use std::str::FromStr;

/// Which protocol the instances follow: the real one, or one with a single fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// What the code does.
    Real,
    /// An input is acknowledged when it is received.
    AcknowledgeBeforeAppend,
    /// The relay saves its checkpoint behind an entry, and publishes the entry then.
    CheckpointBeforePublish,
    /// The relay saves that it has passed what it has left to the other.
    CheckpointPassesHeld,
    /// The handler publishes what it decided, and stores it then; the relay publishes nothing.
    PublishFromHandler,
    /// The handler does not look whether the id of an input is in the stream.
    NoInboxCheck,
    /// After an append whose outcome is unknown, the handler appends at the version the stream has now,
    /// without looking whether the input is there.
    ReappendAtReloadedVersion,
    /// The id of an entry is derived from stream and version only, so that rivals share it.
    IdsWithoutInput,
    /// The store appends to a stream whatever version it is at.
    NoExpectedVersion,
    /// An input that is refused is acknowledged, and not recorded.
    RefusalsForgotten,
    /// The carrier does not look whether it has seen the key of a command.
    NoCarrierCheck,
}

impl Protocol {
    /// All of them, the real one first.
    pub const ALL: [Self; 11] = [
        Self::Real,
        Self::AcknowledgeBeforeAppend,
        Self::CheckpointBeforePublish,
        Self::CheckpointPassesHeld,
        Self::PublishFromHandler,
        Self::NoInboxCheck,
        Self::ReappendAtReloadedVersion,
        Self::IdsWithoutInput,
        Self::NoExpectedVersion,
        Self::RefusalsForgotten,
        Self::NoCarrierCheck,
    ];
}

/// By its name in the code, as in `NoInboxCheck`.
impl FromStr for Protocol {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|protocol| format!("{protocol:?}"));
        let place = known.iter().position(|known| known == name);
        place
            .map(|place| Self::ALL[place])
            .ok_or_else(|| format!("there is no protocol {name}: {}", known.join(", ")))
    }
}
