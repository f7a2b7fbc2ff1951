//! One receiver: reads the logs of those who send to its service.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Envelope, ServiceContract, ServiceName, Topology};
use event_store::{Checkpoint, Cursor, EventStore, StreamKind, WakeUp, outgoing, readers};
use futures::future::select_all;
use message_bus::{Delivery, Error, Receipt, Subscription};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use tracing::warn;

use crate::Intervals;
use crate::progress::{Outstanding, Progress};

/// A log that is followed.
struct Log {
    source: ServiceName,
    kind: StreamKind,
    /// The name under which progress is saved.
    reader: String,
    /// Up to where it was read.
    cursor: Cursor,
    wake_up: WakeUp,
}

/// A log that a service has to follow.
pub(crate) struct Source {
    /// Whose log it is.
    pub(crate) name: ServiceName,
    pub(crate) kind: StreamKind,
    /// The name under which progress is saved.
    pub(crate) reader: String,
}

/// The logs of those who send to a service.
pub(crate) fn sources(
    topology: &Topology,
    receiver: &ServiceContract,
) -> impl Iterator<Item = Source> {
    receiver.sources().filter_map(|name| {
        let kind = StreamKind::new(topology.service(name)?.stream_kind);
        Some(Source {
            name: name.clone(),
            reader: readers::receiver(&receiver.name, &kind),
            kind,
        })
    })
}

pub(crate) struct EmbeddedSubscription {
    store: Arc<dyn EventStore>,
    contract: ServiceContract,
    logs: Vec<Log>,
    progress: Arc<Progress>,
    /// Held from the first receive on: it makes this the one that receives.
    turn: Option<OwnedMutexGuard<()>>,
    outstanding: Outstanding,
    buffer: VecDeque<(u64, Envelope)>,
    session: u64,
    unsaved: bool,
    saved_at: Instant,
    intervals: Intervals,
}

impl EmbeddedSubscription {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        topology: &Topology,
        contract: &ServiceContract,
        progress: Arc<Progress>,
        intervals: Intervals,
    ) -> Self {
        let log = |Source { name, kind, reader }| Log {
            source: name,
            reader,
            cursor: Cursor::start(store.partitions()),
            wake_up: store.wake_ups(&kind),
            kind,
        };
        Self {
            logs: sources(topology, contract).map(log).collect(),
            store,
            contract: contract.clone(),
            progress,
            turn: None,
            outstanding: Outstanding::default(),
            buffer: VecDeque::new(),
            session: 0,
            unsaved: false,
            saved_at: Instant::now(),
            intervals,
        }
    }

    /// Waits until no other subscription receives for this service, and goes on where it stopped.
    async fn take_turn(&mut self) -> Result<(), Error> {
        if self.turn.is_some() {
            return Ok(());
        }
        let turn = self.progress.turn.clone().lock_owned().await;
        for log in &self.logs {
            let done = self.progress.load(&*self.store, &log.reader).await;
            done.map_err(away)?;
        }
        self.turn = Some(turn);
        self.read_again();
        Ok(())
    }

    /// Forgets what was delivered and not acknowledged, so that it is read again.
    fn read_again(&mut self) {
        self.session += 1;
        self.outstanding = Outstanding::default();
        self.buffer.clear();
        for log in &mut self.logs {
            if let Some(done) = self.progress.done(&log.reader) {
                log.cursor = done;
            }
        }
    }

    /// Reads on in every log; whether there was anything, for this service or not.
    async fn read(&mut self, limit: usize) -> Result<bool, Error> {
        let mut any = false;
        for (at, log) in self.logs.iter_mut().enumerate() {
            let page = self
                .store
                .follow_log(&log.kind, &log.cursor, limit)
                .await
                .map_err(away)?;
            any |= !page.entries.is_empty();
            for entry in &page.entries {
                let messages: Vec<_> = outgoing(&log.source, entry)
                    .filter(|message| self.contract.receives(message))
                    .collect();
                let place = (at, entry.partition, entry.position);
                let numbers = self.outstanding.read(place, messages.len());
                self.buffer.extend(numbers.into_iter().zip(messages));
            }
            // What was passed over behind the entries has nothing to be acknowledged.
            for (partition, position) in page.cursor.iter() {
                self.outstanding.passed((at, partition, position));
            }
            log.cursor = page.cursor;
        }
        // What was passed over alone is not worth a checkpoint: where that is stored in the same log,
        // each would be passed over again, and be followed by another.
        self.unsaved |= any;
        self.note_progress();
        Ok(any)
    }

    fn note_progress(&mut self) {
        for (at, partition, position) in self.outstanding.advanced() {
            let reader = &self.logs[at].reader;
            self.progress.advance(reader, partition, position);
        }
    }

    async fn save_if_time(&mut self) {
        if !self.unsaved || self.saved_at.elapsed() < self.intervals.checkpoint {
            return;
        }
        for log in &self.logs {
            let Some(done) = self.progress.done(&log.reader) else {
                continue;
            };
            let checkpoint = Checkpoint::at(&done);
            if let Err(error) = self.store.save_checkpoint(&log.reader, &checkpoint).await {
                warn!(reader = log.reader, %error, "cannot save progress now");
                return;
            }
        }
        self.unsaved = false;
        self.saved_at = Instant::now();
    }
}

pub(crate) fn away(error: event_store::Error) -> Error {
    Error::Unavailable(Box::new(error))
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        self.take_turn().await?;
        loop {
            if self.buffer.is_empty() && self.read(max).await? {
                continue;
            }
            if !self.buffer.is_empty() {
                let count = self.buffer.len().min(max);
                let session = self.session;
                let deliver = |(number, message)| Delivery {
                    receipt: Receipt { session, number },
                    message: Ok(message),
                };
                return Ok(self.buffer.drain(..count).map(deliver).collect());
            }
            self.save_if_time().await;
            let Intervals { poll, checkpoint } = self.intervals;
            // With something unsaved, the next look is when it is time to save.
            let patience = if self.unsaved {
                checkpoint.min(poll)
            } else {
                poll
            };
            if self.logs.is_empty() {
                tokio::time::sleep(patience).await;
                continue;
            }
            let woken = select_all(
                self.logs
                    .iter_mut()
                    .map(|log| Box::pin(log.wake_up.woken())),
            );
            tokio::select! {
                _ = woken => {}
                () = tokio::time::sleep(patience) => {}
            }
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        let session = self.session;
        let of_this_session = receipts.iter().filter(|receipt| receipt.session == session);
        self.outstanding
            .finish(of_this_session.map(|receipt| receipt.number));
        self.unsaved = true;
        self.note_progress();
        self.save_if_time().await;
        Ok(())
    }

    async fn reject(&mut self, receipts: &[Receipt]) -> Result<(), Error> {
        if receipts
            .iter()
            .any(|receipt| receipt.session == self.session)
        {
            self.read_again();
        }
        Ok(())
    }
}
