//! Rounds: how often a piece of work was begun anew.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often work was begun anew by a decision: 0 is the first time. Commands and answers carry it, so
/// that what belongs to an older round is known to be late, whenever it comes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Round(pub u32);

impl Round {
    /// The first time.
    pub const FIRST: Self = Self(0);

    /// Whether it is the first time, which messages do not mention.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.0 == 0
    }

    /// The round after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// A carrier's key for this round: rounds are told apart behind what is asked for.
    #[must_use]
    pub fn key(self, asked_for: &str) -> String {
        if self.is_first() {
            asked_for.to_owned()
        } else {
            format!("{asked_for}/round/{self}")
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_rounds_are_told_by_the_key() {
        assert_eq!(Round::FIRST.key("S1/leg/1"), "S1/leg/1");
        assert_eq!(Round::FIRST.next().key("S1/leg/1"), "S1/leg/1/round/1");
    }
}
