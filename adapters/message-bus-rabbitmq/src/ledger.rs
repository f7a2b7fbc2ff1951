//! Which deliveries of a channel are settled, so that a cumulative acknowledgement never covers
//! unfinished work.

use std::collections::BTreeSet;

/// The delivery tags of one channel. The broker numbers them 1, 2, 3, … over all consumers of the
/// channel, so a tag that was never seen here stands for a delivery that is still unfinished.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Everything up to here is settled.
    floor: u64,
    /// What is settled beyond it.
    ahead: BTreeSet<u64>,
}

/// How to tell the broker of finished work in as few frames as may be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// Acknowledge this delivery and all before it.
    pub(crate) through: Option<u64>,
    /// Acknowledge each of these alone, since something before it is unfinished.
    pub(crate) single: Vec<u64>,
}

impl Ledger {
    /// Marks deliveries as finished. Tags that are settled already are left out.
    pub(crate) fn finish(&mut self, tags: impl IntoIterator<Item = u64>) -> Acknowledgement {
        let fresh = self.settle(tags);
        // The cumulative tag must be one that the broker still holds: it closes the channel over a
        // tag that was acknowledged before, even when others below it were not.
        let (below, single): (Vec<u64>, Vec<u64>) =
            fresh.into_iter().partition(|tag| *tag <= self.floor);
        Acknowledgement {
            through: below.into_iter().max(),
            single,
        }
    }

    /// Marks deliveries as given back. Returns those to give back, each alone.
    pub(crate) fn give_back(&mut self, tags: impl IntoIterator<Item = u64>) -> Vec<u64> {
        self.settle(tags)
    }

    fn settle(&mut self, tags: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let fresh = tags
            .into_iter()
            .filter(|tag| *tag > self.floor && self.ahead.insert(*tag))
            .collect();
        while self.ahead.first() == Some(&(self.floor + 1)) {
            self.ahead.pop_first();
            self.floor += 1;
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(tag: u64) -> Acknowledgement {
        Acknowledgement {
            through: Some(tag),
            single: vec![],
        }
    }

    fn single(tags: &[u64]) -> Acknowledgement {
        Acknowledgement {
            through: None,
            single: tags.to_vec(),
        }
    }

    #[test]
    fn a_whole_prefix_is_acknowledged_at_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([1, 2, 3]), through(3));
        assert_eq!(ledger.finish([5, 4]), through(5));
    }

    #[test]
    fn what_lies_beyond_unfinished_work_is_acknowledged_alone() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([3, 4]), single(&[3, 4]));
        assert_eq!(
            ledger.finish([1, 6]),
            Acknowledgement {
                through: Some(1),
                single: vec![6]
            }
        );
    }

    #[test]
    fn closing_a_gap_names_a_tag_that_the_broker_still_holds() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([2, 3]), single(&[2, 3]));
        // 3 is settled, but was acknowledged before: 1 is what closes the gap.
        assert_eq!(ledger.finish([1]), through(1));
        assert_eq!(ledger.finish([4]), through(4));
    }

    #[test]
    fn a_repetition_is_left_out() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.finish([1, 1, 3]),
            Acknowledgement {
                through: Some(1),
                single: vec![3]
            }
        );
        assert_eq!(ledger.finish([1, 3]), Acknowledgement::default());
        assert!(ledger.give_back([1, 3]).is_empty());
    }

    #[test]
    fn what_was_given_back_holds_up_nothing() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.give_back([1, 3]), [1, 3]);
        assert_eq!(ledger.finish([2]), through(2));
        assert_eq!(ledger.finish([5, 4]), through(5));
    }

    #[test]
    fn in_any_order_nothing_unfinished_is_covered_and_nothing_is_acknowledged_twice() {
        for seed in 0..200u64 {
            let mut ledger = Ledger::default();
            let mut held: BTreeSet<u64> = (1..=40).collect();
            let mut order: Vec<u64> = (1..=40).collect();
            order.sort_by_key(|tag| (tag ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7);
            let mut finished = BTreeSet::new();
            for batch in order.chunks(1 + (seed % 7) as usize) {
                finished.extend(batch.iter().copied());
                let told = ledger.finish(batch.iter().copied());
                if let Some(tag) = told.through {
                    assert!(held.contains(&tag), "{tag} is unknown to the broker");
                    let covered: Vec<u64> = held.range(..=tag).copied().collect();
                    for tag in covered {
                        assert!(finished.contains(&tag), "{tag} is unfinished");
                        held.remove(&tag);
                    }
                }
                for tag in told.single {
                    assert!(held.remove(&tag), "{tag} is acknowledged twice");
                }
                assert!(held.is_disjoint(&finished));
            }
            assert!(held.is_empty() && ledger.ahead.is_empty());
        }
    }
}
