//! An instance of a service: a handler, a relay, and indexes, each with its place in the log.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contracts::{Envelope, MessageId};
use event_store::{Cursor, EventStore};
use event_store_memory::MemoryEventStore;
use jiff::{SignedDuration, Timestamp};
use runtime::{Clock, Indexes, Input, PendingDeadline};
use testkit::ManualClock;

use crate::gate::{Gate, GatedStore};
use crate::worker::{Service, Worker, Working};

/// A message in a service's queue.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) message: Envelope,
    /// It is held up until this step.
    pub(crate) not_before: u64,
}

/// What an instance works on.
#[derive(Debug)]
pub(crate) enum Taken {
    Message(Queued),
    Deadline(PendingDeadline),
    /// A user's, by its number.
    Request(usize),
    Care(Care),
}

/// What a person does about an instance that is parked.
#[derive(Clone, Debug)]
pub(crate) struct Care {
    pub(crate) request_id: MessageId,
    pub(crate) instance: String,
    /// The input that is given up; else it is tried again.
    pub(crate) discards: Option<MessageId>,
}

impl Care {
    pub(crate) fn input(&self) -> Input {
        let (request_id, instance) = (self.request_id, self.instance.clone());
        match self.discards {
            Some(input_id) => Input::Discard {
                request_id,
                instance,
                input_id,
                actor: None,
            },
            None => Input::Redrive {
                request_id,
                instance,
                actor: None,
            },
        }
    }
}

pub(crate) struct Work {
    pub(crate) future: Working,
    pub(crate) taken: Vec<Taken>,
}

/// What an instance is doing.
pub(crate) enum Doing {
    Nothing(Box<dyn Worker>),
    Working(Work),
    /// Only while it passes from one to the other.
    Between,
}

pub(crate) struct Instance {
    /// Its name in traces: `manifestation/1`.
    pub(crate) name: String,
    /// The number of its service.
    pub(crate) service: usize,
    pub(crate) gate: Arc<Mutex<Gate>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) doing: Doing,
    /// How far its relay has published.
    pub(crate) relay: Cursor,
    pub(crate) indexes: Indexes,
    /// How far its indexes are read.
    pub(crate) read: Cursor,
    /// Deadlines that it has found to be over, and has not handled yet.
    pub(crate) due: Vec<PendingDeadline>,
}

/// The clock of the run, as a machine has it whose clock is not quite right.
struct SkewedClock {
    clock: Arc<ManualClock>,
    skew: SignedDuration,
}

#[async_trait]
impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.skew
    }

    async fn sleep_until(&self, time: Timestamp) {
        self.clock.sleep_until(time - self.skew).await;
    }
}

impl Instance {
    /// An instance that has never run.
    pub(crate) fn new(
        number: usize,
        service: (usize, &Service),
        store: &Arc<MemoryEventStore>,
        clock: &Arc<ManualClock>,
        skew: SignedDuration,
    ) -> Self {
        let clock = Arc::new(SkewedClock {
            clock: clock.clone(),
            skew,
        });
        let gate = Arc::default();
        let worker = hire(service.1, store, &gate, clock.clone());
        Self {
            name: format!("{}/{}", service.1.contract.name, number + 1),
            service: service.0,
            gate,
            clock,
            doing: Doing::Nothing(worker),
            relay: Cursor::start(store.partitions()),
            indexes: Indexes::default(),
            read: Cursor::start(store.partitions()),
            due: Vec::new(),
        }
    }

    /// Begins anew, with an empty cache.
    pub(crate) fn restart(&mut self, service: &Service, store: &Arc<MemoryEventStore>) {
        let worker = hire(service, store, &self.gate, self.clock.clone());
        self.doing = Doing::Nothing(worker);
        crate::gate::open(&self.gate).forget();
        self.due.clear();
    }

    pub(crate) fn is_working(&self) -> bool {
        matches!(self.doing, Doing::Working(_))
    }
}

fn hire(
    service: &Service,
    store: &Arc<MemoryEventStore>,
    gate: &Arc<Mutex<Gate>>,
    clock: Arc<dyn Clock>,
) -> Box<dyn Worker> {
    let store = GatedStore {
        inner: store.clone(),
        gate: gate.clone(),
    };
    (service.hire)(Arc::new(store), clock)
}
