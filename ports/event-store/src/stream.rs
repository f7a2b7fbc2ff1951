//! Names and places in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a stream: the last part of its name. The streams of one kind form one log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamKind(String);

impl StreamKind {
    /// A kind of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a stream: `{instance}-{kind}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    full: String,
    instance_length: usize,
}

/// Why a text is no [`StreamName`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the name of a stream: it would be an instance, '-' and a kind")]
pub struct InvalidStreamName(String);

impl StreamName {
    /// The stream of an instance.
    #[must_use]
    pub fn new(instance: &str, kind: &StreamKind) -> Self {
        Self {
            full: format!("{instance}-{kind}"),
            instance_length: instance.len(),
        }
    }

    /// Reads a name as it is stored.
    ///
    /// # Errors
    /// [`InvalidStreamName`] when there is no `-`, or nothing before or after it.
    pub fn parse(full: String) -> Result<Self, InvalidStreamName> {
        match full.rfind('-') {
            Some(at) if at > 0 && at + 1 < full.len() => Ok(Self {
                full,
                instance_length: at,
            }),
            _ => Err(InvalidStreamName(full)),
        }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The part before the kind.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.full[..self.instance_length]
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.full[self.instance_length + 1..]
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// How many entries a stream has; also the version of its last entry. The first entry has 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// A stream that does not exist.
    pub const NONE: Self = Self(0);

    /// The version `count` entries later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the log of one kind and partition. Greater is later; there are gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_it_was_made() {
        let kind = StreamKind::new("Process");
        let name = StreamName::new("12EEQ9CS9K10", &kind);
        assert_eq!(name.as_str(), "12EEQ9CS9K10-Process");
        let parsed = StreamName::parse("12EEQ9CS9K10-Process".to_owned()).unwrap();
        assert_eq!(parsed, name);
        assert_eq!(
            (parsed.instance(), parsed.kind()),
            ("12EEQ9CS9K10", "Process")
        );
    }

    #[test]
    fn a_name_without_instance_or_kind_is_refused() {
        for name in ["", "Process", "-Process", "12EEQ9CS9K10-"] {
            assert!(StreamName::parse(name.to_owned()).is_err(), "{name}");
        }
    }
}
