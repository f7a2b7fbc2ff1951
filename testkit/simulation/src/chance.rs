//! Where decisions of the scheduler come from: a seed, or a list that can be made shorter.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Decides what happens. The first choice is always the most harmless one, so that what is found by a
/// list of choices gets simpler as the list gets shorter and its numbers smaller.
#[derive(Clone, Debug)]
pub enum Chance {
    /// Goes on for ever, the same for the same seed.
    Seeded(Box<SmallRng>),
    /// These, and the first choice from then on.
    Given(std::vec::IntoIter<u16>),
}

impl Chance {
    /// As a seed says.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Box::new(SmallRng::seed_from_u64(seed)))
    }

    /// As a list says.
    #[must_use]
    pub fn given(choices: Vec<u16>) -> Self {
        Self::Given(choices.into_iter())
    }

    /// Whether there is anything left to choose by.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        match self {
            Self::Seeded(_) => false,
            Self::Given(choices) => choices.as_slice().is_empty(),
        }
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match self {
            Self::Seeded(random) => random.random_range(0..bound),
            Self::Given(choices) => {
                let choice = usize::from(choices.next().unwrap_or_default());
                choice * bound / (usize::from(u16::MAX) + 1)
            }
        }
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    /// One of these, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(T, usize)]) -> T {
        let total: usize = choices.iter().map(|(_, weight)| weight).sum();
        let mut place = self.below(total.max(1));
        for (choice, weight) in choices {
            match place.checked_sub(*weight) {
                Some(left) => place = left,
                None => return *choice,
            }
        }
        choices[0].0
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_next_differs() {
        let numbers = |seed| {
            let mut chance = Chance::seeded(seed);
            [0; 20].map(|_| chance.below(1_000))
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn smaller_numbers_are_earlier_choices_and_none_is_the_first() {
        let mut chance = Chance::given(vec![u16::MAX, 0, 40_000]);
        assert_eq!([0; 3].map(|_| chance.below(10)), [9, 0, 6]);
        assert!(chance.is_used_up());
        assert_eq!(chance.weighted(&[("first", 1), ("second", 5)]), "first");
        assert!(!chance.one_in(2));
    }

    #[test]
    fn weights_are_kept_to() {
        let mut chance = Chance::seeded(1);
        let mut often = 0;
        for _ in 0..1_000 {
            often += usize::from(chance.weighted(&[(true, 3), (false, 1)]));
        }
        assert!((650..850).contains(&often), "{often}");
    }
}
