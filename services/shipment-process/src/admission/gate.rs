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
/// When nobody was sent away for so long, there is room again for all who come.
const LULL: Duration = Duration::from_secs(2);

/// Knows what waited lately.
#[derive(Debug)]
pub(super) struct Gate {
    bound: usize,
    admitted: usize,
    seen: Option<Seen>,
    refusing: Option<Refusing>,
}

/// Some are sent away again and again.
#[derive(Debug)]
struct Refusing {
    since: Instant,
    last: Instant,
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
}

impl Gate {
    /// So much may wait.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            admitted: 0,
            seen: None,
            refusing: None,
        }
    }

    /// Lets one in, if there is room.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Full> {
        if let Some(Seen { waiting, look, .. }) = self.known(now) {
            let since = self.admitted - look.admitted_before;
            if sum(waiting) + since * EACH_START > self.bound {
                return Err(Full {
                    waiting: *waiting,
                    since,
                    bound: self.bound,
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
        self.seen = Some(Seen { waiting, look, at });
    }

    /// Somebody is sent away, and is to come again in so many seconds: as long again as that has been
    /// going on, within reason. The longer, the fewer knock.
    pub(super) fn refuse(&mut self, now: Instant) -> u64 {
        let since = match &self.refusing {
            Some(refusing) if refusing.goes_on(now) => refusing.since,
            Some(_) | None => now,
        };
        self.refusing = Some(Refusing { since, last: now });
        let lasted = now.saturating_duration_since(since).as_secs();
        lasted.clamp(1, LONGEST_S)
    }

    /// Whether somebody was sent away lately.
    pub(super) fn is_refusing(&self, now: Instant) -> bool {
        self.refusing
            .as_ref()
            .is_some_and(|refusing| refusing.goes_on(now))
    }

    fn known(&self, now: Instant) -> Option<&Seen> {
        let seen = self.seen.as_ref()?;
        (now.saturating_duration_since(seen.at) <= KNOWN_FOR).then_some(seen)
    }
}

impl Refusing {
    fn goes_on(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) <= LULL
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
        assert_eq!(gate.admit(now), Ok(()));
        saw(&mut gate, 41, 60, now);
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
        for _ in 0..1_000 {
            assert_eq!(gate.admit(later), Ok(()));
        }
    }

    #[test]
    fn the_longer_some_are_sent_away_the_later_they_are_to_come_again() {
        let (mut gate, begin) = (Gate::new(10), Instant::now());
        assert!(!gate.is_refusing(begin));
        let told: Vec<_> = (0..60)
            .map(|second| gate.refuse(begin + SECOND * second))
            .collect();
        assert_eq!(told[..3], [1, 1, 2]);
        assert_eq!(told[59], LONGEST_S);
        assert!(gate.is_refusing(begin + SECOND * 61));

        let later = begin + SECOND * 62;
        assert!(!gate.is_refusing(later));
        assert_eq!(gate.refuse(later), 1, "it begins anew");
    }
}
