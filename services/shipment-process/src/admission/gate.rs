//! The decision, of what was seen, what was admitted since, and the time.

use std::time::Duration;

use runtime::Waiting;
use tokio::time::Instant;

/// In how many entries a start is stored; from there on, it is seen.
const EACH_START: usize = 3;
/// What was seen longer ago says nothing. Nobody looked, since nobody came; or broker or database are away,
/// which is no reason to refuse what can be stored.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// The longest that somebody is sent away for, in seconds.
const LONGEST_S: u64 = 10;

/// Knows what waited lately.
#[derive(Debug)]
pub(super) struct Gate {
    bound: usize,
    admitted: usize,
    seen: Option<Seen>,
    /// Since when every look has found too much.
    full_since: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    waiting: Waiting,
    look: Look,
    at: Instant,
}

/// A look that has begun. What is admitted from then on may be missing in it.
#[derive(Debug)]
pub(super) struct Look {
    admitted_before: usize,
}

/// Why there is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) waiting: Waiting,
    /// How many were admitted since that was seen.
    pub(super) since: usize,
    pub(super) bound: usize,
    /// As long again as it has lasted, within reason: the longer, the fewer knock.
    pub(super) retry_after_s: u64,
}

impl Gate {
    /// So much may wait.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            admitted: 0,
            seen: None,
            full_since: None,
        }
    }

    /// Lets one in, if there is room.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Full> {
        if let Some(Seen { waiting, look, .. }) = self.known(now) {
            let since = self.admitted - look.admitted_before;
            if sum(waiting) + since * EACH_START > self.bound {
                let lasted = self.full_since.map_or(0, |since| (now - since).as_secs());
                return Err(Full {
                    waiting: *waiting,
                    since,
                    bound: self.bound,
                    retry_after_s: lasted.clamp(1, LONGEST_S),
                });
            }
        }
        self.admitted += 1;
        Ok(())
    }

    pub(super) fn begin_look(&self) -> Look {
        Look {
            admitted_before: self.admitted,
        }
    }

    /// A look has ended.
    pub(super) fn saw(&mut self, look: Look, waiting: Waiting, at: Instant) {
        self.full_since = match sum(&waiting) > self.bound {
            true => self.full_since.or(Some(at)),
            false => None,
        };
        self.seen = Some(Seen { waiting, look, at });
    }

    /// Whether too much was seen lately.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        let waiting = self.known(now).map(|seen| sum(&seen.waiting));
        waiting.is_some_and(|waiting| waiting > self.bound)
    }

    fn known(&self, now: Instant) -> Option<&Seen> {
        let seen = self.seen.as_ref()?;
        (now.saturating_duration_since(seen.at) <= KNOWN_FOR).then_some(seen)
    }
}

fn sum(waiting: &Waiting) -> usize {
    waiting.unpublished.saturating_add(waiting.unhandled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waiting(unpublished: usize, unhandled: usize) -> Waiting {
        Waiting {
            unpublished,
            unhandled,
        }
    }

    fn saw(gate: &mut Gate, unpublished: usize, unhandled: usize, at: Instant) {
        let look = gate.begin_look();
        gate.saw(look, waiting(unpublished, unhandled), at);
    }

    #[test]
    fn there_is_room_until_more_is_seen_than_may_wait() {
        let (mut gate, now) = (Gate::new(100), Instant::now());
        saw(&mut gate, 40, 60, now);
        assert!(!gate.is_full(now));
        assert_eq!(gate.admit(now), Ok(()));
        saw(&mut gate, 41, 60, now);
        assert!(gate.is_full(now));
        let full = gate.admit(now).unwrap_err();
        assert_eq!(full.waiting, waiting(41, 60));
        assert_eq!((full.since, full.bound), (0, 100));
        saw(&mut gate, 0, 0, now);
        assert_eq!(gate.admit(now), Ok(()));
    }

    #[test]
    fn what_was_admitted_since_counts_until_it_is_seen() {
        let (mut gate, now) = (Gate::new(100), Instant::now());
        saw(&mut gate, 0, 90, now);
        for _ in 0..4 {
            assert_eq!(gate.admit(now), Ok(()));
        }
        assert_eq!(gate.admit(now).unwrap_err().since, 4);
        assert!(!gate.is_full(now), "more may be seen to have been handled");

        // What comes during a look counts behind it, too.
        let mut gate = Gate::new(100);
        saw(&mut gate, 0, 94, now);
        let look = gate.begin_look();
        assert_eq!(gate.admit(now), Ok(()));
        gate.saw(look, waiting(0, 97), now);
        assert_eq!(gate.admit(now), Ok(()));
        assert_eq!(gate.admit(now).unwrap_err().since, 2);
    }

    #[test]
    fn what_is_not_known_refuses_nobody() {
        let (mut gate, now) = (Gate::new(1), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(gate.admit(now), Ok(()));
        }
        saw(&mut gate, 0, 50, now);
        assert!(gate.admit(now + KNOWN_FOR).is_err());
        let later = now + KNOWN_FOR + SECOND;
        assert!(!gate.is_full(later));
        for _ in 0..1_000 {
            assert_eq!(gate.admit(later), Ok(()));
        }
    }

    #[test]
    fn the_longer_there_is_no_room_the_later_somebody_is_to_come_again() {
        let (mut gate, begin) = (Gate::new(10), Instant::now());
        let mut at = |second: u32| {
            let now = begin + SECOND * second;
            saw(&mut gate, 0, 50, now);
            gate.admit(now).unwrap_err().retry_after_s
        };
        assert_eq!([at(0), at(1), at(4), at(60)], [1, 1, 4, LONGEST_S]);
        saw(&mut gate, 0, 0, begin + SECOND * 61);
        saw(&mut gate, 0, 50, begin + SECOND * 62);
        let full = gate.admit(begin + SECOND * 62).unwrap_err();
        assert_eq!(full.retry_after_s, 1);
    }
}
