//! Deliveries that hold several messages: answered only when each of them is.

use std::collections::{BTreeSet, HashMap};

/// The deliveries of one session of which some messages are not handled yet.
///
/// A message is numbered by its delivery and its place in it, so that nothing has to be remembered of
/// deliveries that hold one message.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    unfinished: HashMap<u64, BTreeSet<u64>>,
}

/// How many bits of a number say which message of a delivery it is.
const PLACE_BITS: u32 = 16;

/// How many messages of one delivery can be told apart.
pub(crate) const MAX_PARTS: usize = 1 << PLACE_BITS;

impl Parts {
    /// The numbers of the messages of a delivery.
    pub(crate) fn begin(&mut self, tag: u64, parts: usize) -> impl Iterator<Item = u64> + use<> {
        let places = 0..parts as u64;
        if parts > 1 {
            self.unfinished.insert(tag, places.clone().collect());
        }
        places.map(move |place| tag << PLACE_BITS | place)
    }

    /// These messages are handled: the deliveries of which nothing is left.
    pub(crate) fn finish(&mut self, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let tags = numbers.into_iter().filter_map(|number| {
            let (tag, place) = (number >> PLACE_BITS, number & (MAX_PARTS as u64 - 1));
            if let Some(unfinished) = self.unfinished.get_mut(&tag) {
                unfinished.remove(&place);
                if !unfinished.is_empty() {
                    return None;
                }
                self.unfinished.remove(&tag);
            }
            Some(tag)
        });
        tags.collect()
    }

    /// These messages must come again, and the others of their deliveries with them.
    pub(crate) fn give_back(&mut self, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let tags = numbers.into_iter().map(|number| number >> PLACE_BITS);
        tags.inspect(|tag| {
            self.unfinished.remove(tag);
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_finished_when_each_of_its_messages_is() {
        let mut parts = Parts::default();
        let three: Vec<u64> = parts.begin(7, 3).collect();
        let one: Vec<u64> = parts.begin(8, 1).collect();
        assert_eq!(parts.finish([three[0], one[0]]), [8]);
        assert_eq!(parts.finish([three[0]]), [0; 0], "said twice");
        assert_eq!(parts.finish([three[2], three[1]]), [7]);
    }

    #[test]
    fn what_is_given_back_comes_again_as_a_whole() {
        let mut parts = Parts::default();
        let two: Vec<u64> = parts.begin(7, 2).collect();
        assert_eq!(parts.give_back([two[1]]), [7]);
        // The ledger of deliveries knows that it was given back.
        assert_eq!(parts.finish([two[0]]), [7]);
        assert!(parts.unfinished.is_empty());
    }
}
