//! The log: entries in streams, appended at an expected version.

use crate::Protocol;

/// A stream, which is a business instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream(pub u8);

/// An input, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input(pub u8);

/// An entry, stored or to be stored. The append of an entry expects the version before it.
///
/// A decision carries one command to the carrier, so that the entry also stands for the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Where it stands.
    pub stream: Stream,
    /// Its version there; the first is 1.
    pub version: u8,
    /// The input that led to it.
    pub input: Input,
    /// A decision; otherwise the record of a refusal (`TriggerIgnored`), which nobody else hears of.
    pub decided: bool,
}

/// The id of an entry, and the key of its command at the carrier.
pub type Id = (Stream, u8, Option<Input>);

impl Entry {
    /// Derived from stream, version and input.
    #[must_use]
    pub fn id(&self, protocol: Protocol) -> Id {
        let named = protocol != Protocol::IdsWithoutInput;
        (self.stream, self.version, named.then_some(self.input))
    }
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored, by this call or by an identical one before.
    Stored,
    /// The stream is not at the expected version.
    Conflict,
}

/// The entries of all streams, in the order in which they were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log(Vec<Entry>);

impl Log {
    /// Where the log ends.
    #[must_use]
    pub fn end(&self) -> u8 {
        self.0.len() as u8
    }

    /// The entry at a position; the first is 0.
    #[must_use]
    pub fn at(&self, position: u8) -> Option<Entry> {
        self.0.get(usize::from(position)).copied()
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// The version that a stream is at.
    #[must_use]
    pub fn version(&self, stream: Stream) -> u8 {
        self.0.iter().filter(|e| e.stream == stream).count() as u8
    }

    /// The fold of a stream at a version, as far as a process asks: whether it has started.
    #[must_use]
    pub fn started(&self, stream: Stream, version: u8) -> bool {
        self.up_to(stream, version).any(|e| e.decided)
    }

    /// The fold of a stream at a version, as far as the inbox asks: whether an input was handled.
    #[must_use]
    pub fn handled(&self, stream: Stream, version: u8, input: Input) -> bool {
        self.up_to(stream, version).any(|e| e.input == input)
    }

    /// Whether an entry for this input is anywhere in the log.
    #[must_use]
    pub fn knows(&self, input: Input) -> bool {
        self.0.iter().any(|e| e.input == input)
    }

    /// Whether just this is in the log.
    #[must_use]
    pub fn contains(&self, entry: &Entry) -> bool {
        self.0.contains(entry)
    }

    /// Whether an append of this entry would find its stream at the version that it expects.
    #[must_use]
    pub fn expects(&self, entry: &Entry) -> bool {
        self.version(entry.stream) + 1 == entry.version
    }

    /// Stores an entry, or finds it stored by its id.
    pub fn append(&mut self, entry: Entry, protocol: Protocol) -> Appended {
        let id = entry.id(protocol);
        let is_there = self.0.iter().any(|stored| stored.id(protocol) == id);
        let fits = self.expects(&entry) || protocol == Protocol::NoExpectedVersion;
        match (is_there, fits) {
            (true, _) => Appended::Stored,
            (false, true) => {
                self.0.push(entry);
                Appended::Stored
            }
            (false, false) => Appended::Conflict,
        }
    }

    fn up_to(&self, stream: Stream, version: u8) -> impl Iterator<Item = &Entry> {
        let in_stream = move |e: &&Entry| e.stream == stream && e.version <= version;
        self.0.iter().filter(in_stream)
    }
}
