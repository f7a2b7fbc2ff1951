//! What is injured, when, and for how long: chance from a seed, and nothing of what happens.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

/// A kind of injury.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// `kill -9` of services.
    Killed,
    /// Services are asked to stop.
    Stopped,
    /// Services stand still, for longer than the broker waits for a sign of life of them.
    Paused,
    /// RabbitMQ is killed.
    BrokerKilled,
    /// PostgreSQL is ended without finishing anything.
    DatabaseKilled,
}

/// Which instances of the services there are.
pub(crate) const INSTANCES: usize = 8;

impl Kind {
    /// Those that befall services.
    const OF_SERVICES: [Self; 4] = [Self::Killed, Self::Stopped, Self::Paused, Self::Killed];
    /// Those that befall servers.
    const OF_SERVERS: [Self; 2] = [Self::DatabaseKilled, Self::BrokerKilled];

    /// For how long, in milliseconds.
    fn lasts_ms(self) -> (u64, u64) {
        match self {
            Self::Killed => (300, 4_000),
            Self::Stopped => (100, 3_000),
            // The broker waits for 6 s at most: three times the heartbeat.
            Self::Paused => (6_500, 10_000),
            Self::BrokerKilled => (300, 5_000),
            Self::DatabaseKilled => (300, 6_000),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "service killed",
            Self::Stopped => "service stopped",
            Self::Paused => "service paused",
            Self::BrokerKilled => "RabbitMQ killed",
            Self::DatabaseKilled => "PostgreSQL killed",
        })
    }
}

/// An injury that is to be inflicted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Injury {
    /// How long after the end of the one before it.
    pub(crate) after: Duration,
    pub(crate) kind: Kind,
    /// The instances that it befalls, by number; none for a server.
    pub(crate) victims: Vec<usize>,
    /// How long until it is made good.
    pub(crate) lasts: Duration,
}

/// Injuries without end, one after another. Of each kind there is one in each round, so that a short
/// run has all of them.
pub(crate) struct Plan {
    random: StdRng,
    kinds: &'static [Kind],
    after_ms: (u64, u64),
    round: Vec<Kind>,
}

impl Plan {
    /// What befalls services.
    pub(crate) fn of_services(seed: u64) -> Self {
        Self::new(seed, 0, &Kind::OF_SERVICES, (200, 2_500))
    }

    /// What befalls servers.
    pub(crate) fn of_servers(seed: u64) -> Self {
        Self::new(seed, 1, &Kind::OF_SERVERS, (1_000, 6_000))
    }

    fn new(seed: u64, lane: u64, kinds: &'static [Kind], after_ms: (u64, u64)) -> Self {
        // Drawn from one generator: neighbouring seeds must not share anything.
        let mut root = StdRng::seed_from_u64(seed);
        let mut seeds = (0..=lane).map(|_| root.random());
        let seed = seeds.next_back().unwrap_or(seed);
        Self {
            random: StdRng::seed_from_u64(seed),
            kinds,
            after_ms,
            round: Vec::new(),
        }
    }

    fn between_ms(&mut self, (from, to): (u64, u64)) -> Duration {
        Duration::from_millis(self.random.random_range(from..=to))
    }

    /// One mostly; now and then several at once, which may be both of a service.
    fn victims(&mut self) -> Vec<usize> {
        let count = match self.random.random_range(0..10) {
            0..6 => 1,
            6..8 => 2,
            8 => 4,
            _ => INSTANCES,
        };
        let mut all: Vec<_> = (0..INSTANCES).collect();
        all.shuffle(&mut self.random);
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

impl Iterator for Plan {
    type Item = Injury;

    fn next(&mut self) -> Option<Injury> {
        if self.round.is_empty() {
            self.round = self.kinds.to_vec();
            self.round.shuffle(&mut self.random);
        }
        let kind = self.round.pop()?;
        let victims = match kind {
            Kind::Killed | Kind::Stopped | Kind::Paused => self.victims(),
            Kind::BrokerKilled | Kind::DatabaseKilled => Vec::new(),
        };
        Some(Injury {
            after: self.between_ms(self.after_ms),
            kind,
            victims,
            lasts: self.between_ms(kind.lasts_ms()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_repeats_its_injuries_and_another_has_others() {
        let services = |seed| Plan::of_services(seed).take(20).collect::<Vec<_>>();
        assert_eq!(services(1), services(1));
        assert_ne!(services(1), services(2));
        let pauses = |plan: Plan| plan.take(20).map(|i| i.after).collect::<Vec<_>>();
        assert_ne!(pauses(Plan::of_services(1)), pauses(Plan::of_servers(1)));
    }

    #[test]
    fn every_kind_comes_in_each_round() {
        for seed in 0..50 {
            let of_services = Plan::of_services(seed).take(Kind::OF_SERVICES.len());
            let of_servers = Plan::of_servers(seed).take(Kind::OF_SERVERS.len());
            let kinds: BTreeSet<_> = of_services.chain(of_servers).map(|i| i.kind).collect();
            assert_eq!(kinds.len(), 5, "seed {seed}: {kinds:?}");
        }
    }

    #[test]
    fn services_have_victims_that_differ_and_servers_have_none() {
        for injury in Plan::of_services(3).take(200) {
            let victims: BTreeSet<_> = injury.victims.iter().collect();
            assert_eq!(victims.len(), injury.victims.len());
            assert!(!victims.is_empty() && victims.iter().all(|v| **v < INSTANCES));
        }
        assert!(Plan::of_servers(3).take(20).all(|i| i.victims.is_empty()));
    }
}
