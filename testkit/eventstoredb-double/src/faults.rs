//! Faults that tests choose.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Where another node leads, as this one would say.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl From<SocketAddr> for Leader {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

/// What happens to one append, after its commit unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppendFault {
    CutUncommitted,
    Cut,
    TimeOut,
}

#[derive(Debug, Default)]
struct Plan {
    appends: VecDeque<AppendFault>,
    holds: VecDeque<Hold>,
    /// For each read, after how many events it ends.
    short_reads: VecDeque<usize>,
    /// How many repeated appends are not answered.
    silences: usize,
    leader: Option<Leader>,
    denies_access: bool,
    subscriptions: CancellationToken,
}

/// The writer's half of a [`Held`].
#[derive(Debug)]
pub(crate) struct Hold {
    reached: watch::Sender<bool>,
    released: oneshot::Receiver<()>,
}

impl Hold {
    /// Waits for the release.
    pub(crate) async fn wait(self) {
        self.reached.send_replace(true);
        // A `Held` that was dropped holds nothing any more.
        let _ = self.released.await;
    }
}

/// An append that waits in the single writer, before its commit.
///
/// Dropping it releases the append.
#[derive(Debug)]
pub struct Held {
    reached: watch::Receiver<bool>,
    release: oneshot::Sender<()>,
}

impl Held {
    /// Waits until an append is in the writer. Every write behind it waits.
    pub async fn reached(&self) {
        let mut reached = self.reached.clone();
        // An error means that the server ended.
        let _ = reached.wait_for(|reached| *reached).await;
    }

    /// Lets the append be committed, also when its caller has gone meanwhile.
    pub fn release(self) {
        let _ = self.release.send(());
    }
}

/// The faults that are on, and how often the server was called.
#[derive(Debug)]
pub(crate) struct Faults {
    plan: Mutex<Plan>,
    is_stalled: watch::Sender<bool>,
    looks_in_vain: watch::Sender<bool>,
    pub(crate) appends: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) subscriptions: AtomicU64,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            plan: Mutex::default(),
            is_stalled: watch::Sender::new(false),
            looks_in_vain: watch::Sender::new(false),
            appends: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
        }
    }

    pub(crate) fn plan_appends(&self, count: usize, fault: AppendFault) {
        self.change(|plan| plan.appends.extend(std::iter::repeat_n(fault, count)));
    }

    pub(crate) fn next_append(&self) -> Option<AppendFault> {
        self.change(|plan| plan.appends.pop_front())
    }

    pub(crate) fn hold_next(&self) -> Held {
        let (reached, is_reached) = watch::channel(false);
        let (release, released) = oneshot::channel();
        self.change(|plan| plan.holds.push_back(Hold { reached, released }));
        Held {
            reached: is_reached,
            release,
        }
    }

    pub(crate) fn next_hold(&self) -> Option<Hold> {
        self.change(|plan| plan.holds.pop_front())
    }

    pub(crate) fn set_leader(&self, leader: Option<Leader>) {
        self.change(|plan| plan.leader = leader);
    }

    pub(crate) fn leader(&self) -> Option<Leader> {
        self.change(|plan| plan.leader.clone())
    }

    pub(crate) fn set_denies_access(&self, denies: bool) {
        self.change(|plan| plan.denies_access = denies);
    }

    pub(crate) fn denies_access(&self) -> bool {
        self.change(|plan| plan.denies_access)
    }

    pub(crate) fn end_subscriptions(&self) {
        let running = self.change(|plan| std::mem::take(&mut plan.subscriptions));
        running.cancel();
    }

    /// Cancelled when the subscriptions of now are to end.
    pub(crate) fn subscriptions_end(&self) -> CancellationToken {
        self.change(|plan| plan.subscriptions.clone())
    }

    pub(crate) fn plan_short_reads(&self, count: usize, events: usize) {
        self.change(|plan| plan.short_reads.extend(std::iter::repeat_n(events, count)));
    }

    pub(crate) fn next_short_read(&self) -> Option<usize> {
        self.change(|plan| plan.short_reads.pop_front())
    }

    pub(crate) fn plan_silences(&self, count: usize) {
        self.change(|plan| plan.silences += count);
    }

    pub(crate) fn next_silence(&self) -> bool {
        self.change(|plan| {
            let left = plan.silences.checked_sub(1);
            plan.silences = left.unwrap_or(0);
            left.is_some()
        })
    }

    pub(crate) fn set_looks_in_vain(&self, looks_in_vain: bool) {
        self.looks_in_vain.send_replace(looks_in_vain);
    }

    /// Waits while filtered reads find nothing.
    pub(crate) async fn look(&self) {
        let mut looks_in_vain = self.looks_in_vain.subscribe();
        // The sender lives as long as `self`.
        let _ = looks_in_vain.wait_for(|looks_in_vain| !looks_in_vain).await;
    }

    pub(crate) fn set_stalled(&self, is_stalled: bool) {
        self.is_stalled.send_replace(is_stalled);
    }

    /// Waits while the server is stalled.
    pub(crate) async fn pass(&self) {
        let mut is_stalled = self.is_stalled.subscribe();
        // The sender lives as long as `self`.
        let _ = is_stalled.wait_for(|is_stalled| !is_stalled).await;
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
