//! Random shipment ids, and what becomes of a shipment according to its id.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::arguments::{Category, Outcomes};

const LENGTH: usize = 12;
const LAST: usize = LENGTH - 1;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const NOT_DOMESTIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ023456789";
const SUCCEEDING: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0456789";

/// The id of a shipment: twelve capital letters and digits, in as little memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id([u8; LENGTH]);

impl Id {
    /// Reads an id such as this program gives; that of any other shipment may be `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An endless supply of ids for one worker.
pub(crate) struct Ids {
    random: StdRng,
    outcomes: Outcomes,
    category: Category,
}

impl Ids {
    /// A supply for each worker; the same seed gives each of them the same ids again.
    pub(crate) fn for_workers(
        workers: u32,
        seed: u64,
        outcomes: Outcomes,
        category: Category,
    ) -> Vec<Self> {
        // Drawn from one generator, not `seed + worker`: neighbouring seeds must not share ids.
        let mut root = StdRng::seed_from_u64(seed);
        (0..workers)
            .map(|_| Self {
                random: StdRng::from_rng(&mut root),
                outcomes,
                category,
            })
            .collect()
    }

    /// The next id: twelve characters of `A-Z0-9`.
    pub(crate) fn next(&mut self) -> Id {
        let domestic = match self.category {
            Category::Domestic => true,
            Category::International => false,
            Category::Mixed => self.random.random(),
        };
        let last = match self.outcomes {
            Outcomes::Success => SUCCEEDING,
            Outcomes::Mixed => ALPHABET,
        };
        let first = match domestic {
            true => b"1",
            false => NOT_DOMESTIC,
        };
        Id(std::array::from_fn(|place| match place {
            0 => self.one_of(first),
            LAST => self.one_of(last),
            _ => self.one_of(ALPHABET),
        }))
    }

    fn one_of(&mut self, characters: &[u8]) -> u8 {
        characters[self.random.random_range(0..characters.len())]
    }
}

/// What becomes of a shipment according to its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Succeeds.
    Completed,
    /// Fails for good.
    Failed,
    /// Fails, and is completed a little later: a failure is not the end yet.
    CompletedAfterFailure,
}

impl Expected {
    /// Reads the last character, as the carrier stub does.
    pub(crate) fn of(id: Id) -> Self {
        match id.0[LAST] {
            b'1' | b'2' => Self::Failed,
            b'3' => Self::CompletedAfterFailure,
            _ => Self::Completed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(seed: u64, outcomes: Outcomes, category: Category) -> Vec<Id> {
        Ids::for_workers(2, seed, outcomes, category)
            .iter_mut()
            .flat_map(|worker| (0..2000).map(|_| worker.next()).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn an_id_is_twelve_capital_letters_and_digits_and_none_comes_twice() {
        let ids = ids(1, Outcomes::Mixed, Category::Mixed);
        for id in &ids {
            assert_eq!(id.as_str().len(), 12, "{id}");
            assert!(id.0.iter().all(|byte| ALPHABET.contains(byte)), "{id}");
            assert_eq!(Id::parse(id.as_str()), Some(*id));
        }
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn all_succeed_unless_mixed_outcomes_are_asked_for() {
        let expected = |outcomes| {
            ids(2, outcomes, Category::Mixed)
                .iter()
                .map(|id| Expected::of(*id))
                .collect::<Vec<_>>()
        };
        let success = expected(Outcomes::Success);
        assert!(success.iter().all(|&e| e == Expected::Completed));
        let mixed = expected(Outcomes::Mixed);
        assert!(mixed.contains(&Expected::Completed));
        assert!(mixed.contains(&Expected::Failed));
        assert!(mixed.contains(&Expected::CompletedAfterFailure));
    }

    #[test]
    fn the_first_character_says_the_category() {
        let domestic = |category| {
            ids(3, Outcomes::Success, category)
                .iter()
                .filter(|id| id.as_str().starts_with('1'))
                .count()
        };
        assert_eq!(domestic(Category::Domestic), 4000);
        assert_eq!(domestic(Category::International), 0);
        assert!((1500..2500).contains(&domestic(Category::Mixed)));
    }

    #[test]
    fn the_outcome_is_read_from_the_last_character() {
        for (last, expected) in [
            ('1', Expected::Failed),
            ('2', Expected::Failed),
            ('3', Expected::CompletedAfterFailure),
            ('4', Expected::Completed),
            ('A', Expected::Completed),
        ] {
            let id = Id::parse(&format!("12312312312{last}")).unwrap();
            assert_eq!(Expected::of(id), expected, "{id}");
        }
    }

    #[test]
    fn a_seed_repeats_its_ids_and_the_next_seed_shares_none() {
        let first = ids(7, Outcomes::Mixed, Category::Mixed);
        assert_eq!(first, ids(7, Outcomes::Mixed, Category::Mixed));
        let next = ids(8, Outcomes::Mixed, Category::Mixed);
        assert!(first.iter().all(|id| !next.contains(id)));
    }
}
