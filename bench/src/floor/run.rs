//! A run: which shipments there are, and how many of them have started and ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

/// How many are under way at once: enough that every batch is full, and few enough that queues stay short.
const UNDER_WAY: u32 = 1_000;

/// How many start at once: as many as the load generator has workers.
const AT_ONCE: u32 = 100;

/// Shared by all stations.
#[derive(Clone, Debug)]
pub(crate) struct Run(Arc<State>);

#[derive(Debug)]
struct State {
    first: u32,
    shipments: u32,
    started: AtomicU32,
    ended: AtomicU32,
    over: CancellationToken,
}

impl Run {
    /// So many shipments, with numbers from `first` on.
    pub(crate) fn of(first: u32, shipments: u32) -> Self {
        Self(Arc::new(State {
            first,
            shipments,
            started: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            over: CancellationToken::new(),
        }))
    }

    /// The numbers of those that start now, at most so many. Only one station starts any.
    pub(crate) fn start(&self, most: usize) -> impl Iterator<Item = u32> {
        let state = &self.0;
        let started = state.started.load(Ordering::Relaxed);
        let under_way = started - state.ended.load(Ordering::Relaxed);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let now = most
            .min(AT_ONCE)
            .min(state.shipments - started)
            .min(UNDER_WAY.saturating_sub(under_way));
        state.started.store(started + now, Ordering::Relaxed);
        let first = state.first + started;
        first..first + now
    }

    /// So many more have ended.
    pub(crate) fn end(&self, shipments: u32) {
        let ended = self.0.ended.fetch_add(shipments, Ordering::Relaxed) + shipments;
        if ended == self.0.shipments {
            self.0.over.cancel();
        }
    }

    /// Waits until all have ended.
    pub(crate) async fn over(&self) {
        self.0.over.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let run = Run::of(300, 1_020);
        assert_eq!(run.start(2).collect::<Vec<_>>(), [300, 301]);
        let mut under_way = 2;
        while under_way < 1_000 {
            let started = u32::try_from(run.start(usize::MAX).count()).unwrap();
            assert!((1..=AT_ONCE).contains(&started));
            under_way += started;
        }
        assert_eq!(under_way, 1_000);
        assert_eq!(run.start(10).count(), 0);
        run.end(30);
        assert_eq!(run.start(50).count(), 20, "there are no others");
    }

    #[tokio::test]
    async fn it_is_over_when_all_have_ended() {
        let run = Run::of(0, 2);
        assert_eq!(run.start(5).count(), 2);
        run.end(1);
        assert!(!run.0.over.is_cancelled());
        run.end(1);
        run.over().await;
    }
}
