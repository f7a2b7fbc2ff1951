//! Partitions: how instances of a process are spread over readers, locks and queues.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// One part of a log or of a service's input; what concerns one instance is always in the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many partitions there are. Fixed once something is stored: store and bus must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partitions(NonZeroU16);

impl Partitions {
    /// `None` for zero.
    #[must_use]
    pub fn new(count: u16) -> Option<Self> {
        NonZeroU16::new(count).map(Self)
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> u16 {
        self.0.get()
    }

    /// Where an instance belongs: XXH3-64 of its id, modulo the count. The algorithm is pinned,
    /// because stored entries and declared queues depend on it.
    #[must_use]
    pub fn of(self, instance: &str) -> Partition {
        let slot = xxh3_64(instance.as_bytes()) % u64::from(self.0.get());
        Partition(u16::try_from(slot).unwrap_or_default())
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.0.get()).map(Partition)
    }
}

impl Default for Partitions {
    fn default() -> Self {
        Self(NonZeroU16::MIN.saturating_add(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_frozen() {
        let four = Partitions::default();
        assert_eq!(four.count(), 4);
        let found: Vec<u16> = [
            "12EEQ9CS9K10",
            "12EEQ9CS9K11",
            "V74YCBYHC8A0",
            "V74YCBYHC8A3",
        ]
        .iter()
        .map(|id| four.of(id).0)
        .collect();
        assert_eq!(found, [3, 3, 2, 2]);
    }

    #[test]
    fn ids_spread_evenly() {
        let partitions = Partitions::new(8).unwrap();
        let mut counts = [0; 8];
        for n in 0..8_000 {
            counts[usize::from(partitions.of(&format!("shipment{n}")).0)] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
    }
}
