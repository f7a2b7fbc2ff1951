//! Faults at the ports, planned by a test: where a process dies, what is not answered, what is handed
//! over twice or late.

mod bus;
mod handover;
mod operation;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::MessageId;
use event_store::{Checkpoints, EventStore};
use message_bus::MessageBus;
use tokio::sync::watch;

pub use handover::{Arrived, Handover};
pub use operation::{Fault, Kind, Operation};

use self::bus::FaultyBus;
use self::store::{FaultyIndexes, FaultyStore};

/// The cause that is given where a fault answers that a port is unavailable.
#[derive(Debug, thiserror::Error)]
#[error("this is a fault that the test has planned")]
struct Planned;

type Plan = Box<dyn FnMut(&Operation) -> Option<Fault> + Send>;
type Hands = Box<dyn FnMut(&Arrived) -> Handover + Send>;

/// The faults of one life of a process: shared by everything that wraps its ports.
///
/// Every operation whose effect outlives the process is numbered and asked about. Once it has stopped,
/// as `kill -9` stops it, nothing at any of its ports is answered any more.
pub struct Faults {
    planned: Mutex<State>,
    stopped: watch::Sender<bool>,
    released: watch::Sender<bool>,
    quiet: watch::Sender<Quiet>,
}

struct State {
    plan: Plan,
    hands: Hands,
    counts: BTreeMap<Kind, usize>,
    /// Whether an operation was told to stop everything: none is begun from then on.
    stops: bool,
    arrived: Vec<MessageId>,
    /// What is held back, and whether that is the message itself, or a copy.
    held: Vec<(MessageId, Handover)>,
}

/// How long nothing has happened, by what was looked for in vain.
#[derive(Clone, Copy, Debug, Default)]
struct Quiet {
    in_flight: usize,
    looks: usize,
}

impl Faults {
    /// No faults: operations are counted, and everything goes its way.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Self::new(|_| None, |_| Handover::Once)
    }

    /// The fault, if any, of each operation; and how each message is handed over when it arrives for the
    /// first time.
    #[must_use]
    pub fn new(
        plan: impl FnMut(&Operation) -> Option<Fault> + Send + 'static,
        hands: impl FnMut(&Arrived) -> Handover + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            planned: Mutex::new(State {
                plan: Box::new(plan),
                hands: Box::new(hands),
                counts: BTreeMap::new(),
                stops: false,
                arrived: Vec::new(),
                held: Vec::new(),
            }),
            stopped: watch::Sender::new(false),
            released: watch::Sender::new(false),
            quiet: watch::Sender::default(),
        })
    }

    /// One fault: that of the n-th operation of a kind, from 0.
    #[must_use]
    pub fn at(kind: Kind, nth: usize, fault: Fault) -> Arc<Self> {
        let is_it = move |operation: &Operation| operation.kind == kind && operation.nth == nth;
        Self::new(
            move |operation| is_it(operation).then_some(fault),
            |_| Handover::Once,
        )
    }

    /// The same fault at every operation of a kind.
    #[must_use]
    pub fn always(kind: Kind, fault: Fault) -> Arc<Self> {
        Self::new(
            move |operation| (operation.kind == kind).then_some(fault),
            |_| Handover::Once,
        )
    }

    /// A store with these faults.
    #[must_use]
    pub fn store(self: &Arc<Self>, inner: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        Arc::new(FaultyStore {
            faults: self.clone(),
            inner,
        })
    }

    /// A place for indexes with these faults.
    #[must_use]
    pub fn indexes(self: &Arc<Self>, inner: Arc<dyn Checkpoints>) -> Arc<dyn Checkpoints> {
        Arc::new(FaultyIndexes {
            faults: self.clone(),
            inner,
        })
    }

    /// A bus with these faults.
    #[must_use]
    pub fn bus(self: &Arc<Self>, inner: Arc<dyn MessageBus>) -> Arc<dyn MessageBus> {
        Arc::new(FaultyBus {
            faults: self.clone(),
            inner,
        })
    }

    /// Returns once everything has stopped.
    pub async fn stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        // The sender lives as long as `self`.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// The messages that are held back, and were not handed over before.
    #[must_use]
    pub fn held_back(&self) -> Vec<MessageId> {
        let state = self.state();
        let held = state.held.iter();
        let late = held.filter(|(_, handover)| *handover == Handover::Late);
        late.map(|(id, _)| *id).collect()
    }

    /// Hands over what is held back, and holds nothing back any more. How many messages that were.
    pub fn release(&self) -> usize {
        let held = std::mem::take(&mut self.state().held);
        self.looked(true);
        self.released.send_replace(true);
        held.len()
    }

    /// How many operations of each kind there have been.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        self.state().counts.clone()
    }

    /// How many different messages have arrived.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.state().arrived.len()
    }

    /// Returns once readers have looked so often, in a row, and found nothing, while nothing else
    /// happened at any port.
    pub async fn quiet(&self, looks: usize) {
        let mut quiet = self.quiet.subscribe();
        let _ = quiet
            .wait_for(|quiet| quiet.in_flight == 0 && quiet.looks >= looks)
            .await;
    }

    /// Lets an operation be done, unless a fault is planned for it.
    async fn perform<T, E>(
        &self,
        kind: Kind,
        identity: String,
        unavailable: fn(Box<dyn std::error::Error + Send + Sync>) -> E,
        inner: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if self.state().stops {
            // What is part of the last operation is still done, or it would not come to its end.
            if !is_part_of_another() {
                return std::future::pending().await;
            }
            return inner.await;
        }
        let inner = WITHIN.scope((), inner);
        let _busy = self.busy();
        let done = match self.next(kind, identity) {
            None => inner.await,
            Some(Fault::StopBefore) => self.stop().await,
            Some(Fault::StopAfter) => {
                // Also when whoever asked for it does not wait for the end.
                let stopping = Stopping(self);
                // Whatever came of it is never told.
                drop(inner.await);
                drop(stopping);
                std::future::pending().await
            }
            Some(Fault::LoseAnswer) => {
                inner.await?;
                Err(unavailable(Planned.into()))
            }
            Some(Fault::Fail) => Err(unavailable(Planned.into())),
        };
        self.unless_stopped().await;
        done
    }

    /// What is only read is answered as well, until everything has stopped.
    async fn read<T>(&self, inner: impl Future<Output = T>) -> T {
        self.unless_stopped().await;
        let read = inner.await;
        self.unless_stopped().await;
        read
    }

    fn next(&self, kind: Kind, identity: String) -> Option<Fault> {
        let mut state = self.state();
        let count = state.counts.entry(kind).or_default();
        let operation = Operation {
            kind,
            nth: *count,
            identity,
        };
        *count += 1;
        let fault = (state.plan)(&operation);
        state.stops = matches!(fault, Some(Fault::StopBefore | Fault::StopAfter));
        fault
    }

    /// How a message is handed over; once where it has arrived before.
    fn hand_over(&self, id: MessageId) -> Handover {
        let mut state = self.state();
        if state.arrived.contains(&id) {
            return Handover::Once;
        }
        state.arrived.push(id);
        let arrived = Arrived {
            nth: state.arrived.len() - 1,
            id,
        };
        let handover = (state.hands)(&arrived);
        match handover {
            Handover::Late | Handover::AgainLate => state.held.push((id, handover)),
            Handover::Once | Handover::Twice | Handover::Again => {}
        }
        handover
    }

    /// A reader has looked.
    fn looked(&self, found: bool) {
        self.quiet.send_modify(|quiet| {
            quiet.looks = if found { 0 } else { quiet.looks + 1 };
        });
    }

    fn busy(&self) -> Busy<'_> {
        self.quiet.send_modify(|quiet| {
            quiet.in_flight += 1;
            quiet.looks = 0;
        });
        Busy(self)
    }

    async fn unless_stopped(&self) {
        if *self.stopped.borrow() {
            std::future::pending::<()>().await;
        }
    }

    async fn stop<T>(&self) -> T {
        self.stopped.send_replace(true);
        std::future::pending().await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

tokio::task_local! {
    /// There while an operation is done: an embedded bus saves a checkpoint of its own where it
    /// acknowledges.
    static WITHIN: ();
}

fn is_part_of_another() -> bool {
    WITHIN.try_with(|()| ()).is_ok()
}

/// An operation after which everything stops.
struct Stopping<'a>(&'a Faults);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.stopped.send_replace(true);
    }
}

/// An operation that is under way.
struct Busy<'a>(&'a Faults);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.quiet.send_modify(|quiet| {
            quiet.in_flight -= 1;
            quiet.looks = 0;
        });
    }
}
