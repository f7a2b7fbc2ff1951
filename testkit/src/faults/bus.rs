//! A bus with faults.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Envelope, MessageId, ServiceName};
use message_bus::{Delivery, Error, MessageBus, Publisher, Receipt, Subscription};

use super::{Faults, Handover, Kind};

pub(super) struct FaultyBus {
    pub(super) faults: Arc<Faults>,
    pub(super) inner: Arc<dyn MessageBus>,
}

#[async_trait]
impl MessageBus for FaultyBus {
    fn publisher(&self) -> Option<Arc<dyn Publisher>> {
        let inner = self.inner.publisher()?;
        Some(Arc::new(FaultyPublisher {
            faults: self.faults.clone(),
            inner,
        }))
    }

    async fn subscribe(&self, service: &ServiceName) -> Result<Box<dyn Subscription>, Error> {
        let inner = self.faults.read(self.inner.subscribe(service)).await?;
        Ok(Box::new(FaultySubscription {
            faults: self.faults.clone(),
            inner,
            ids: HashMap::new(),
            next: Vec::new(),
            held: Vec::new(),
            copies: 0,
        }))
    }

    async fn backlog(&self, most: usize) -> Result<usize, Error> {
        self.faults.read(self.inner.backlog(most)).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.faults.read(self.inner.ping()).await
    }
}

struct FaultyPublisher {
    faults: Arc<Faults>,
    inner: Arc<dyn Publisher>,
}

#[async_trait]
impl Publisher for FaultyPublisher {
    async fn publish(&self, messages: &[Envelope]) -> Result<(), Error> {
        let identity = messages.last().map(|last| last.id.to_string());
        let publish = self.inner.publish(messages);
        self.faults
            .perform(
                Kind::Publish,
                identity.unwrap_or_default(),
                Error::Unavailable,
                publish,
            )
            .await
    }
}

struct FaultySubscription {
    faults: Arc<Faults>,
    inner: Box<dyn Subscription>,
    /// What was handed over and is not answered yet.
    ids: HashMap<Receipt, MessageId>,
    /// What is handed over next.
    next: Vec<Delivery>,
    /// What is handed over when it is released.
    held: Vec<Delivery>,
    copies: u64,
}

/// The session of copies, which no bus has.
const COPIES: u64 = u64::MAX;

impl FaultySubscription {
    /// What arrived, as it is to be handed over.
    fn arrange(&mut self, batch: Vec<Delivery>) {
        let mut again = Vec::new();
        for delivery in batch {
            let Ok(message) = &delivery.message else {
                self.next.push(delivery);
                continue;
            };
            let handover = self.faults.hand_over(message.id);
            self.copies += 1;
            let copy = Delivery {
                receipt: Receipt {
                    session: COPIES,
                    number: self.copies,
                },
                message: Ok(message.clone()),
            };
            match handover {
                Handover::Once => self.next.push(delivery),
                Handover::Twice => self.next.extend([delivery, copy]),
                Handover::Again => {
                    self.next.push(delivery);
                    again.push(copy);
                }
                Handover::AgainLate => {
                    self.next.push(delivery);
                    self.held.push(copy);
                }
                Handover::Late => self.held.extend([delivery, copy]),
            }
        }
        self.next.append(&mut again);
    }

    /// Waits until what is held back may be handed over; for ever where there is nothing.
    async fn released(faults: &Faults, held: &[Delivery]) {
        if held.is_empty() {
            return std::future::pending().await;
        }
        let mut released = faults.released.subscribe();
        let _ = released.wait_for(|released| *released).await;
    }
}

#[async_trait]
impl Subscription for FaultySubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        while self.next.is_empty() {
            tokio::select! {
                biased;
                () = Self::released(&self.faults, &self.held) => self.next.append(&mut self.held),
                batch = self.faults.read(self.inner.receive(max)) => self.arrange(batch?),
            }
        }
        self.faults.looked(true);
        let count = self.next.len().min(max);
        let batch: Vec<_> = self.next.drain(..count).collect();
        for delivery in &batch {
            let id = match &delivery.message {
                Ok(message) => message.id,
                Err(unreadable) => unreadable.id,
            };
            self.ids.insert(delivery.receipt, id);
        }
        Ok(batch)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        let last = receipts.last().and_then(|last| self.ids.get(last));
        let identity = last.map(ToString::to_string).unwrap_or_default();
        for receipt in receipts {
            self.ids.remove(receipt);
        }
        let known = known(receipts);
        let inner = &mut self.inner;
        let acknowledged = self
            .faults
            .perform(
                Kind::Acknowledge,
                identity,
                Error::Unavailable,
                inner.acknowledge(&known),
            )
            .await;
        if acknowledged.is_err() {
            // As after a lost connection: what was not acknowledged comes again.
            self.inner.reject(&known).await?;
        }
        acknowledged
    }

    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        let known = known(receipts);
        self.faults.read(self.inner.reject(&known)).await
    }
}

/// The receipts of which the bus knows.
fn known(receipts: &[Receipt]) -> Vec<Receipt> {
    let known = receipts.iter().filter(|receipt| receipt.session != COPIES);
    known.copied().collect()
}
