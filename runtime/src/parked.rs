//! The index of the instances that are parked: since when, how many inputs wait, why the first of them
//! cannot be handled, and when it is tried again.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::{MessageId, Partition};
use event_store::Entry;
use jiff::Timestamp;
use kernel::PARKED_INPUT_RETRY;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::codec::{
    INPUT_PARKED, PARKED_INPUT_DISCARDED, PARKED_INPUT_HANDLED, PARKED_INPUT_RETRIED,
    ParkedInputRetried,
};
use crate::indexes::Indexes;

/// How long it may take to read what was left to other instances.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// An instance that is parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedInstance {
    /// Its name.
    pub instance: String,
    /// Since when.
    pub since: Timestamp,
    /// When the first input is tried again; where there is none, it waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// What waits, in the order in which it came.
    pub inputs: VecDeque<ParkedInput>,
}

/// An input that is parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedInput {
    /// Its id.
    pub id: MessageId,
    /// The name of its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Why it is parked, as it was last found.
    pub reason: String,
    /// How often it was tried; 0 while it waits behind another.
    pub attempts: u32,
    /// When it was parked.
    pub parked_at: Timestamp,
}

/// A parked instance in few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedSummary {
    /// The instance.
    pub instance: String,
    /// Since when it is parked.
    pub since: Timestamp,
    /// When the first input is tried again; where there is none, it waits for a person.
    pub next_try: Option<Timestamp>,
    /// How many inputs wait.
    pub waiting: usize,
    /// The first of them.
    pub first: ParkedInput,
}

/// What the index needs to know of a record; what the input was is not kept here.
#[derive(Deserialize)]
struct Parked {
    trigger: String,
    reason: String,
}

/// The parked instances of the streams of one kind, as their log tells of them.
#[derive(Debug, Default)]
pub struct ParkedIndex {
    instances: BTreeMap<String, (Partition, ParkedInstance)>,
}

impl ParkedIndex {
    /// Takes in the next entry of the log. One that cannot be read changes nothing.
    pub fn apply(&mut self, entry: &Entry) {
        let (content, name) = (&entry.content, entry.stream.instance());
        let at = content.recorded_at;
        let data = content.data.get();
        match content.type_name.as_str() {
            INPUT_PARKED => {
                let Ok(Parked { trigger, reason }) = serde_json::from_str(data) else {
                    return;
                };
                let (_, parked) = self.instances.entry(name.to_owned()).or_insert_with(|| {
                    let instance = ParkedInstance {
                        instance: name.to_owned(),
                        since: at,
                        next_try: None,
                        inputs: VecDeque::new(),
                    };
                    (entry.partition, instance)
                });
                // As the kernel counts: what comes behind another has not been tried.
                let attempts = u32::from(parked.inputs.is_empty());
                parked.inputs.push_back(ParkedInput {
                    id: content.metadata.input_id,
                    type_name: trigger,
                    reason,
                    attempts,
                    parked_at: at,
                });
            }
            PARKED_INPUT_RETRIED => {
                let first = self
                    .instances
                    .get_mut(name)
                    .and_then(|(_, parked)| parked.inputs.front_mut());
                let retried = serde_json::from_str::<ParkedInputRetried>(data);
                if let (Some(first), Ok(retried)) = (first, retried) {
                    first.attempts = retried.attempt;
                    first.reason = retried.reason;
                }
            }
            PARKED_INPUT_HANDLED | PARKED_INPUT_DISCARDED => {
                if let Some((_, parked)) = self.instances.get_mut(name) {
                    parked.inputs.pop_front();
                    if parked.inputs.is_empty() {
                        self.instances.remove(name);
                    }
                }
            }
            _ => {}
        }
        if let Some((_, parked)) = self.instances.get_mut(name) {
            let metadata = &content.metadata;
            let mut cleared = metadata.deadlines_cleared.iter();
            if cleared.any(|name| name == PARKED_INPUT_RETRY) {
                parked.next_try = None;
            }
            if let Some(next) = metadata.deadlines_set.get(PARKED_INPUT_RETRY) {
                parked.next_try = Some(*next);
            }
        }
    }

    /// At most `limit` parked instances, in the order of their names, behind this one.
    #[must_use]
    pub fn page(&self, after: Option<&str>, limit: usize) -> Vec<ParkedSummary> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.instances.range::<str, _>((from, Bound::Unbounded));
        let summary = |(_, parked): &(Partition, ParkedInstance)| {
            Some(ParkedSummary {
                instance: parked.instance.clone(),
                since: parked.since,
                next_try: parked.next_try,
                waiting: parked.inputs.len(),
                first: parked.inputs.front()?.clone(),
            })
        };
        behind
            .filter_map(|(_, parked)| summary(parked))
            .take(limit)
            .collect()
    }

    /// How many instances are parked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Takes in what was saved.
    pub(crate) fn insert(&mut self, partition: Partition, parked: ParkedInstance) {
        let name = parked.instance.clone();
        self.instances.insert(name, (partition, parked));
    }

    /// Takes out all of one partition.
    pub(crate) fn remove_all(&mut self, partition: Partition) {
        self.instances.retain(|_, (of, _)| *of != partition);
    }

    /// What to save of one partition.
    pub(crate) fn of(&self, partition: Partition) -> Vec<&ParkedInstance> {
        let all = self.instances.values();
        all.filter(|(of, _)| *of == partition)
            .map(|(_, parked)| parked)
            .collect()
    }
}

impl ParkedInstance {
    /// What is parked in a stream, if anything is: all of its entries tell it exactly.
    #[must_use]
    pub fn of(stream: &[Entry]) -> Option<Self> {
        let mut index = ParkedIndex::default();
        for entry in stream {
            index.apply(entry);
        }
        index.instances.into_values().next().map(|(_, only)| only)
    }
}

impl ParkedInput {
    /// What was kept of the input in its stream, as JSON: all of a message, or the beginning of what is
    /// none, with what is wrong with it.
    #[must_use]
    pub fn kept(&self, stream: &[Entry]) -> Option<Box<RawValue>> {
        #[derive(Deserialize)]
        struct Kept {
            input: String,
        }
        let entry = stream
            .iter()
            .rev()
            .map(|entry| &entry.content)
            .find(|content| {
                content.type_name == INPUT_PARKED && content.metadata.input_id == self.id
            })?;
        let kept: Kept = serde_json::from_str(entry.data.get()).ok()?;
        RawValue::from_string(kept.input).ok()
    }
}

/// The parked instances of a service that runs: what its index says at this moment.
#[derive(Clone, Debug, Default)]
pub struct ParkedInstances(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    indexes: Mutex<Indexes>,
    complete: AtomicBool,
    /// How often all partitions were asked for, and up to which of these times they were read.
    asked: watch::Sender<u64>,
    answered: watch::Sender<u64>,
}

impl ParkedInstances {
    /// At most `limit` of them, in the order of their names, behind this one; `None` while the log is not
    /// read to its end. What is left to other instances is read first.
    pub async fn page(&self, after: Option<&str>, limit: usize) -> Option<Vec<ParkedSummary>> {
        if !self.0.complete.load(Ordering::Acquire) {
            return None;
        }
        if !self.indexes().are_whole() {
            self.read_all().await?;
        }
        let indexes = self.indexes();
        let whole = indexes.are_whole();
        whole.then(|| indexes.parked.page(after, limit))
    }

    /// Waits until all partitions are read to the end; `None` where that takes too long.
    async fn read_all(&self) -> Option<()> {
        let mut answered = self.0.answered.subscribe();
        let mut nth = 0;
        self.0.asked.send_modify(|asked| {
            *asked += 1;
            nth = *asked;
        });
        let answer = answered.wait_for(|up_to| *up_to >= nth);
        timeout(READ_WITHIN, answer).await.ok()?.ok()?;
        Some(())
    }

    /// Tells the reader of the indexes when somebody asks for all partitions.
    pub(crate) fn asked(&self) -> watch::Receiver<u64> {
        self.0.asked.subscribe()
    }

    /// All partitions are read to the end, for whoever has asked up to this time.
    pub(crate) fn answer(&self, up_to: u64) {
        self.0.answered.send_if_modified(|answered| {
            let is_new = *answered < up_to;
            *answered = up_to.max(*answered);
            is_new
        });
    }

    /// The indexes, for their reader. Never to be held while waiting.
    pub(crate) fn indexes(&self) -> MutexGuard<'_, Indexes> {
        // An index that a panic has left half-way is rebuilt with the service.
        self.0
            .indexes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The log has been read to its end.
    pub(crate) fn complete(&self) {
        self.0.complete.store(true, Ordering::Release);
    }
}
