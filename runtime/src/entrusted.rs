//! Which partitions the reader of the indexes leaves to other instances, and whether they keep up with them.
//!
//! What others publish says that they are at work. That their indexes follow, too, is seen by what they save
//! of them: where that does not move, each would rely on the other.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::Partition;
use event_store::{Checkpoint, Cursor, Position};
use tokio::time::Instant;

use crate::share::Share;

/// For how long a partition is followed in which others have not kept up, and one that was left before: to leave it
/// and to take it in again costs as much as to follow it for a while.
const DISTRUST: Duration = Duration::from_secs(60);
const RETURNED: Duration = Duration::from_secs(10);

/// The partitions that others are trusted with.
#[derive(Debug)]
pub(crate) struct Entrusted {
    share: Share,
    /// How long others may take to save what they have followed.
    within: Duration,
    /// Where those stood that are left, when that was last looked at.
    seen: BTreeMap<Partition, (Instant, Position)>,
    followed_until: BTreeMap<Partition, Instant>,
}

impl Entrusted {
    /// Others save what they have followed about once in `save_every`.
    pub(crate) fn new(share: Share, save_every: Duration) -> Self {
        Self {
            share,
            within: save_every * 2,
            seen: BTreeMap::new(),
            followed_until: BTreeMap::new(),
        }
    }

    /// The partitions that need not be followed now, and up to where others have published them.
    pub(crate) fn left(&mut self) -> Cursor {
        let now = Instant::now();
        self.followed_until.retain(|_, until| now < *until);
        let left = self.share.left_to_receivers();
        left.iter()
            .filter(|(partition, _)| !self.followed_until.contains_key(partition))
            .collect()
    }

    /// These are followed no longer, from here on.
    pub(crate) fn leave(&mut self, places: &Cursor) {
        let now = Instant::now();
        let places = places.iter();
        self.seen
            .extend(places.map(|(partition, position)| (partition, (now, position))));
    }

    /// This one is followed again.
    pub(crate) fn resume(&mut self, partition: Partition) {
        self.seen.remove(&partition);
        let until = Instant::now() + RETURNED;
        let known = self.followed_until.entry(partition).or_insert(until);
        *known = until.max(*known);
    }

    /// Whether it is time to look at what others have saved.
    pub(crate) fn is_to_be_checked(&self) -> bool {
        let mut seen = self.seen.values();
        seen.any(|(at, _)| at.elapsed() >= self.within)
    }

    /// Looks at what others have saved.
    pub(crate) fn check(&mut self, saved: &Checkpoint) {
        let now = Instant::now();
        let due = self.seen.iter_mut();
        let due = due.filter(|(_, (at, _))| at.elapsed() >= self.within);
        for (partition, (at, seen)) in due {
            *at = now;
            let position = saved.partitions.get(partition).map(|saved| saved.0);
            match position.filter(|position| *position > *seen) {
                Some(position) => *seen = position,
                None => drop(self.followed_until.insert(*partition, now + DISTRUST)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::Partitions;
    use event_store::{Append, NewEntry, StreamKind, StreamName, Version};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(partition: u16, position: u64) -> Cursor {
        [(Partition(partition), Position(position))]
            .into_iter()
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_trusted_as_long_as_they_save_what_they_follow() {
        let share = Share::new(Partitions::default());
        share.met_all();
        let mut entrusted = Entrusted::new(share.clone(), SECOND * 5);
        assert!(entrusted.left().is_empty(), "nobody else is there");
        let publish = |position| {
            share.others_publish(Partition(1), Position(position));
            share.others_publish(Partition(2), Position(position));
        };
        publish(10);
        let left: Cursor = at(1, 10).iter().chain(at(2, 10).iter()).collect();
        assert_eq!(entrusted.left(), left);
        entrusted.leave(&at(1, 10));
        tokio::time::advance(SECOND * 9).await;
        entrusted.leave(&at(2, 10));
        assert!(!entrusted.is_to_be_checked());
        tokio::time::advance(SECOND).await;
        assert!(entrusted.is_to_be_checked());
        entrusted.check(&Checkpoint::at(&at(1, 15)));
        publish(20);
        assert_eq!(entrusted.left().position(Partition(1)), Position(20));
        assert!(entrusted.left().has(Partition(2)), "it was left just now");

        tokio::time::advance(SECOND * 10).await;
        entrusted.check(&Checkpoint::at(&at(1, 15)));
        publish(30);
        assert!(entrusted.left().is_empty(), "nobody has saved anything");
        entrusted.resume(Partition(1));
        entrusted.resume(Partition(2));
        assert!(!entrusted.is_to_be_checked());
        tokio::time::advance(DISTRUST).await;
        publish(40);
        assert!(entrusted.left().has(Partition(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_received_is_followed_and_what_is_only_stored_is_not() {
        let share = Share::new(Partitions::default());
        share.met_all();
        let entrusted = &mut Entrusted::new(share.clone(), SECOND);
        let partition = Partitions::default().of("A");
        share.others_publish(partition, Position(10));
        let content = NewEntry::unreadable(
            contracts::MessageId::derive(&["one"]),
            "Any",
            jiff::Timestamp::UNIX_EPOCH,
            "any",
        );
        share.stores(&[Append {
            stream: StreamName::new("A", &StreamKind::new("Process")),
            expected: Version(0),
            entries: vec![content],
        }]);
        assert!(entrusted.left().has(partition));
        assert!(
            share.left().is_empty(),
            "the relay publishes what is stored"
        );
        share.receives(["A"].into_iter());
        assert!(entrusted.left().is_empty());
    }
}
