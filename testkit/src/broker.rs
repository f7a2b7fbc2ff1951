//! A message broker in memory, which outlives the services that use it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use contracts::{Envelope, Partition, Partitions, ServiceName, Topology};
use message_bus::{Delivery, Error, MessageBus, Publisher, Receipt, Subscription, Unreadable};
use tokio::sync::watch;

type Message = Result<Envelope, Unreadable>;

/// A broker with a queue for each service and partition: at least once, in the order of publishing, to
/// one consumer at a time. A clone is the same broker.
#[derive(Clone)]
pub struct Broker {
    topology: Topology,
    partitions: Partitions,
    services: Arc<Mutex<BTreeMap<ServiceName, Service>>>,
    changed: Arc<watch::Sender<()>>,
}

/// What the broker has for a service.
#[derive(Default)]
struct Service {
    queues: BTreeMap<Partition, Queue>,
    /// The subscriptions, in the order in which they came; the first is the active one.
    consumers: VecDeque<u64>,
    last_consumer: u64,
    last_number: u64,
    chance: Option<Chance>,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Message>,
    /// What was delivered and is not answered yet, in the order in which it was queued.
    unanswered: BTreeMap<u64, Message>,
}

impl Broker {
    /// A broker that knows who hears what.
    #[must_use]
    pub fn new(topology: Topology, partitions: Partitions) -> Self {
        let services = topology.services.iter();
        let services = services.map(|service| (service.name.clone(), Service::default()));
        Self {
            services: Arc::new(Mutex::new(services.collect())),
            topology,
            partitions,
            changed: Arc::default(),
        }
    }

    /// A broker that delivers in any order, and one time in three leaves a copy that comes again. The
    /// same seed is the same chance.
    #[must_use]
    pub fn unordered(topology: Topology, partitions: Partitions, seed: u64) -> Self {
        let broker = Self::new(topology, partitions);
        for service in broker.services().values_mut() {
            service.chance = Some(Chance(seed));
        }
        broker
    }

    /// Brings something to the queue of a service and instance.
    pub fn put(&self, service: &ServiceName, instance: &str, message: Message) {
        let partition = self.partitions.of(instance);
        if let Some(service) = self.services().get_mut(service) {
            let queue = service.queues.entry(partition).or_default();
            queue.ready.push_back(message);
        }
        self.changed.send_replace(());
    }

    /// Whether everything was delivered and acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let services = self.services();
        let mut queues = services
            .values()
            .flat_map(|service| service.queues.values());
        queues.all(|queue| queue.ready.is_empty() && queue.unanswered.is_empty())
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MessageBus for Broker {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        Some(Arc::new(self.clone()))
    }

    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        let mut services = self.services();
        let known = services
            .get_mut(service)
            .ok_or_else(|| Error::Refused(format!("there is no service {service}").into()))?;
        known.last_consumer += 1;
        let consumer = known.last_consumer;
        known.consumers.push_back(consumer);
        Ok(Box::new(Consumer {
            broker: self.clone(),
            service: service.clone(),
            consumer,
        }))
    }

    async fn backlog(&self, _most: usize) -> Result<usize, Error> {
        let services = self.services();
        let queues = services
            .values()
            .flat_map(|service| service.queues.values());
        Ok(queues.map(|queue| queue.ready.len()).sum())
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for Broker {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error> {
        for message in messages {
            for receiver in self.topology.receivers(message) {
                self.put(&receiver.name, &message.subject, Ok(message.clone()));
            }
        }
        Ok(())
    }
}

impl Service {
    /// The next deliveries for a consumer: none while another is the active one.
    fn deliver(&mut self, consumer: u64, max: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        if self.consumers.front() != Some(&consumer) {
            return deliveries;
        }
        let max = match &mut self.chance {
            Some(chance) => max.min(1 + chance.below(4)),
            None => max,
        };
        for queue in self.queues.values_mut() {
            while deliveries.len() < max
                && let Some(message) = next(queue, self.chance.as_mut())
            {
                self.last_number += 1;
                let number = self.last_number;
                queue.unanswered.insert(number, message.clone());
                deliveries.push(Delivery {
                    receipt: Receipt {
                        session: consumer,
                        number,
                    },
                    message,
                });
            }
        }
        deliveries
    }

    fn acknowledge(&mut self, number: u64) {
        for queue in self.queues.values_mut() {
            queue.unanswered.remove(&number);
        }
    }

    /// Puts back where it was what is chosen of the unanswered.
    fn put_back(&mut self, chosen: impl Fn(u64) -> bool) {
        for queue in self.queues.values_mut() {
            let unanswered = std::mem::take(&mut queue.unanswered);
            for (number, message) in unanswered.into_iter().rev() {
                if chosen(number) {
                    queue.ready.push_front(message);
                } else {
                    queue.unanswered.insert(number, message);
                }
            }
        }
    }
}

fn next(queue: &mut Queue, chance: Option<&mut Chance>) -> Option<Message> {
    let Some(chance) = chance else {
        return queue.ready.pop_front();
    };
    if queue.ready.is_empty() {
        return None;
    }
    let at = chance.below(queue.ready.len());
    if chance.below(3) == 0 {
        queue.ready.get(at).cloned()
    } else {
        queue.ready.swap_remove_back(at)
    }
}

/// Numbers that look like chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap_or_default()
    }
}

/// A consumer of a service's queues. When it is dropped, what it had not answered comes again.
struct Consumer {
    broker: Broker,
    service: ServiceName,
    consumer: u64,
}

impl Consumer {
    fn with<T>(&self, change: impl FnOnce(&mut Service) -> T) -> Option<T> {
        self.broker.services().get_mut(&self.service).map(change)
    }

    /// The numbers of the receipts that this consumer was given.
    fn numbers<'a>(&self, receipts: &'a [Receipt]) -> impl Iterator<Item = u64> + use<'a> {
        let consumer = self.consumer;
        let of_this_one = receipts.iter().filter(move |r| r.session == consumer);
        of_this_one.map(|receipt| receipt.number)
    }
}

#[async_trait]
impl Subscription for Consumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let mut changed = self.broker.changed.subscribe();
        loop {
            let deliveries = self.with(|service| service.deliver(self.consumer, max));
            match deliveries {
                Some(deliveries) if !deliveries.is_empty() => return Ok(deliveries),
                Some(_) | None => {}
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        self.with(|service| {
            for number in self.numbers(receipts) {
                service.acknowledge(number);
            }
        });
        Ok(())
    }

    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        let numbers: Vec<u64> = self.numbers(receipts).collect();
        self.with(|service| service.put_back(|number| numbers.contains(&number)));
        self.broker.changed.send_replace(());
        Ok(())
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let consumer = self.consumer;
        self.with(|service| {
            // Only the active one was given anything.
            if service.consumers.front() == Some(&consumer) {
                service.put_back(|_| true);
            }
            service.consumers.retain(|other| *other != consumer);
        });
        self.broker.changed.send_replace(());
    }
}
