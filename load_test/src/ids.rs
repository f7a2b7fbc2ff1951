//! Random shipment ids, and what becomes of a shipment according to its id.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::arguments::{Category, Outcomes};

const LENGTH: usize = 12;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const NOT_DOMESTIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ023456789";
const SUCCEEDING: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0456789";

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
    pub(crate) fn next(&mut self) -> String {
        let domestic = match self.category {
            Category::Domestic => true,
            Category::International => false,
            Category::Mixed => self.random.random(),
        };
        let last = match self.outcomes {
            Outcomes::Success => SUCCEEDING,
            Outcomes::Mixed => ALPHABET,
        };
        let mut id = String::with_capacity(LENGTH);
        id.push(if domestic {
            '1'
        } else {
            self.one_of(NOT_DOMESTIC)
        });
        while id.len() < LENGTH - 1 {
            id.push(self.one_of(ALPHABET));
        }
        id.push(self.one_of(last));
        id
    }

    fn one_of(&mut self, characters: &[u8]) -> char {
        char::from(characters[self.random.random_range(0..characters.len())])
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
    pub(crate) fn of(id: &str) -> Self {
        match id.as_bytes().last() {
            Some(b'1' | b'2') => Self::Failed,
            Some(b'3') => Self::CompletedAfterFailure,
            Some(_) | None => Self::Completed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(seed: u64, outcomes: Outcomes, category: Category) -> Vec<String> {
        Ids::for_workers(2, seed, outcomes, category)
            .iter_mut()
            .flat_map(|worker| (0..2000).map(|_| worker.next()).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn an_id_is_twelve_capital_letters_and_digits_and_none_comes_twice() {
        let ids = ids(1, Outcomes::Mixed, Category::Mixed);
        for id in &ids {
            assert_eq!(id.len(), 12, "{id}");
            assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
        }
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn all_succeed_unless_mixed_outcomes_are_asked_for() {
        let expected = |outcomes| {
            ids(2, outcomes, Category::Mixed)
                .iter()
                .map(|id| Expected::of(id))
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
                .filter(|id| id.starts_with('1'))
                .count()
        };
        assert_eq!(domestic(Category::Domestic), 4000);
        assert_eq!(domestic(Category::International), 0);
        assert!((1500..2500).contains(&domestic(Category::Mixed)));
    }

    #[test]
    fn the_outcome_is_read_from_the_last_character() {
        assert_eq!(Expected::of("AAAAAAAAAAA1"), Expected::Failed);
        assert_eq!(Expected::of("AAAAAAAAAAA2"), Expected::Failed);
        assert_eq!(
            Expected::of("AAAAAAAAAAA3"),
            Expected::CompletedAfterFailure
        );
        assert_eq!(Expected::of("123123123124"), Expected::Completed);
        assert_eq!(Expected::of("AAAAAAAAAAAA"), Expected::Completed);
    }

    #[test]
    fn a_seed_repeats_its_ids_and_the_next_seed_shares_none() {
        let first = ids(7, Outcomes::Mixed, Category::Mixed);
        assert_eq!(first, ids(7, Outcomes::Mixed, Category::Mixed));
        let next = ids(8, Outcomes::Mixed, Category::Mixed);
        assert!(first.iter().all(|id| !next.contains(id)));
    }
}
