//! Identities: parsed at the edge, trusted inside.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use uuid::Uuid;

/// A shipment's id: 1 to 64 of `A-Z a-z 0-9 _`.
///
/// No `-`: EventStoreDB ends a stream's category at the first one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ShipmentId(String);

/// Why a text is no [`ShipmentId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shipment id is 1 to 64 characters of A-Z, a-z, 0-9 and _")]
pub struct InvalidShipmentId;

impl ShipmentId {
    /// The most characters an id may have.
    pub const MAX_LENGTH: usize = 64;

    /// # Errors
    /// [`InvalidShipmentId`] for anything but 1 to 64 of the allowed characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidShipmentId> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidShipmentId)
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShipmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ShipmentId {
    type Error = InvalidShipmentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

/// Who asks for something: the name of a person or program, as its token or its request gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Actor(String);

/// Why a text is no [`Actor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("who asks is named by 1 to 128 characters, none of them a control character")]
pub struct InvalidActor;

impl Actor {
    /// The most characters a name may have.
    pub const MAX_LENGTH: usize = 128;

    /// # Errors
    /// [`InvalidActor`] for an empty text, one that is too long, or one with control characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidActor> {
        let text = text.into();
        let fits = (1..=Self::MAX_LENGTH).contains(&text.chars().count());
        if fits && !text.trim().is_empty() && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(InvalidActor)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidActor;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

/// The id of a message or of an entry in the log.
///
/// Ids of what leaves are derived from what caused it, never drawn, so that saying a thing twice
/// says it under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

/// The namespace of derived ids; frozen, since stored ids depend on it.
const NAMESPACE: Uuid = Uuid::from_u128(0x8b0c_91f4_5f0e_5a39_9d2f_6c1e_4a57_21d3);

impl MessageId {
    /// Derives an id from the parts that determine it (UUID version 5). A separator that no part
    /// holds keeps `("a", "bc")` and `("ab", "c")` apart.
    #[must_use]
    pub fn derive(parts: &[&str]) -> Self {
        // As `Uuid::new_v5` does, whose hash knows nothing of what processors can do for it: entries are
        // named by all that they say.
        let mut hash = Sha1::new_with_prefix(NAMESPACE);
        for (ordinal, part) in parts.iter().enumerate() {
            if ordinal > 0 {
                hash.update(b"\x1f");
            }
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Self(uuid::Builder::from_sha1_bytes(bytes).into_uuid())
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for MessageId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a service, as in queue names, routing keys and stored commands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(Cow<'static, str>);

impl ServiceName {
    /// A name known when the program is written.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ServiceName {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_specification_allows() {
        for id in ["1", "12EEQ9CS9K10", "a_b", &"x".repeat(64)] {
            assert_eq!(ShipmentId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for id in ["", "a-b", "ä", "a b", "a/b", "a\0", &"x".repeat(65)] {
            assert!(ShipmentId::parse(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn derived_ids_are_frozen_and_keep_their_parts_apart() {
        assert_eq!(
            MessageId::derive(&["12EEQ9CS9K10-Process", "1"]),
            MessageId::derive(&["12EEQ9CS9K10-Process", "1"])
        );
        assert_ne!(
            MessageId::derive(&["a", "bc"]),
            MessageId::derive(&["ab", "c"])
        );
        assert_eq!(
            MessageId::derive(&["frozen"]).to_string(),
            "8aacc203-3e32-5ca6-a375-68f975b03989"
        );
        let long = "x".repeat(1_000);
        for parts in [&[][..], &[""], &["a", "", "c"], &["ä", &long, &long]] {
            let expected = Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes());
            assert_eq!(MessageId::derive(parts).uuid(), expected);
        }
    }
}
