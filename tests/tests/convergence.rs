//! Whatever the order in which messages arrive, and however often: every shipment ends right.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contracts::{Envelope, Partitions, ServiceName, Topology, shipment_suite};
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use message_bus::{Delivery, Error, MessageBus, Publisher, Receipt, Subscription};
use system_tests::examples::{IDS, final_status};
use system_tests::expectation::Expectation;
use system_tests::suite::{BEGINNING, Suite, settings};
use system_tests::transcript::public_events;
use testkit::ShiftedClock;
use tokio::sync::Notify;

/// A bus that keeps each service's messages in a bag, out of which chance takes the next; one time in
/// three it leaves a copy, to come again.
#[derive(Clone)]
struct Bags {
    topology: Topology,
    bags: Arc<Mutex<HashMap<ServiceName, Vec<Envelope>>>>,
    chance: Arc<Mutex<u64>>,
    filled: Arc<Notify>,
}

impl Bags {
    fn seeded(seed: u64) -> Self {
        Self {
            topology: shipment_suite(),
            bags: Arc::default(),
            chance: Arc::new(Mutex::new(seed)),
            filled: Arc::default(),
        }
    }

    /// A number below `bound` that looks like chance (SplitMix64).
    fn below(&self, bound: usize) -> usize {
        let mut state = self.chance.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn draw(&self, service: &ServiceName) -> Option<Envelope> {
        let mut bags = self.bags.lock().unwrap();
        let bag = bags.get_mut(service).filter(|bag| !bag.is_empty())?;
        let at = self.below(bag.len());
        if self.below(3) == 0 {
            Some(bag[at].clone())
        } else {
            Some(bag.swap_remove(at))
        }
    }
}

#[async_trait]
impl MessageBus for Bags {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        Some(Arc::new(self.clone()))
    }

    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        Ok(Box::new(Drawing {
            bags: self.clone(),
            service: service.clone(),
        }))
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for Bags {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error> {
        for message in messages {
            for receiver in self.topology.receivers(message) {
                let mut bags = self.bags.lock().unwrap();
                bags.entry(receiver.name.clone())
                    .or_default()
                    .push(message.clone());
            }
        }
        self.filled.notify_waiters();
        Ok(())
    }
}

struct Drawing {
    bags: Bags,
    service: ServiceName,
}

#[async_trait]
impl Subscription for Drawing {
    async fn receive(&mut self, _max: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            let filled = self.bags.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            let count = 1 + self.bags.below(4);
            let drawn: Vec<_> = std::iter::from_fn(|| self.bags.draw(&self.service))
                .take(count)
                .collect();
            if !drawn.is_empty() {
                let receipt = Receipt {
                    session: 0,
                    number: 0,
                };
                let deliver = |message| Delivery {
                    receipt,
                    message: Ok(message),
                };
                return Ok(drawn.into_iter().map(deliver).collect());
            }
            filled.await;
        }
    }

    async fn acknowledge(&mut self, _receipts: &[Receipt]) -> Result<(), Error> {
        Ok(())
    }

    async fn reject(&mut self, _receipts: &[Receipt]) -> Result<(), Error> {
        panic!("nothing is handed back in this test")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_and_every_repetition_ends_right() {
    for seed in 0..20 {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
        let clock = Arc::new(ShiftedClock::beginning_at(BEGINNING.parse().unwrap()));
        let mut settings = settings();
        // Sooner than the messages of the first answer may come: the late booking overtakes.
        settings.carrier_stub.books_late_after_ms = 1;
        let suite = Suite::start(
            store.clone(),
            Arc::new(Bags::seeded(seed)),
            clock,
            &settings,
        );
        for id in IDS {
            suite.post(id).await;
        }
        for id in IDS {
            suite.wait_for(id, final_status(id)).await;
        }
        drop(suite);
        for id in IDS {
            for kind in ["Process", "Shipment", "Collection"] {
                let found = public_events(&*store, id, kind).await;
                let expectation = Expectation::of(id);
                let found: Vec<_> = found.iter().map(String::as_str).collect();
                assert!(
                    expectation.histories(kind).allow(kind, &found),
                    "{id}-{kind}, seed {seed}: {found:?}"
                );
            }
        }
    }
}
