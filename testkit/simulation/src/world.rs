//! Everything there is in a run, and what can be done to it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::task::Poll;

use contracts::{Envelope, MessageId, Partitions, Topology, shipment_suite};
use event_store::{Checkpoint, Checkpoints, Cursor, Entry, EventStore, outgoing};
use event_store_memory::MemoryEventStore;
use jiff::{SignedDuration, Timestamp};
use kernel::Refusal;
use runtime::{Clock, Failure, Handled, Indexes, Input, PendingDeadline};
use testkit::ManualClock;
use tokio::time::Duration;

use crate::gate::{Call, Verdict, open};
use crate::instance::{Care, Doing, Instance, Queued, Taken, Work};
use crate::tally::Tally;
use crate::trace::Trace;
use crate::users::{POISON, Users};
use crate::weather::Weather;
use crate::worker::{Service, services};
use crate::{Bounds, Chance};

/// When every run begins.
const BEGINNING: &str = "2024-05-26T10:00:00Z";
/// How many instances each service has.
const INSTANCES: usize = 2;
/// Longer than a handler waits before it tries again.
const A_WHILE: Duration = Duration::from_secs(3);

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    pub(crate) step: u64,
    pub(crate) services: Vec<Service>,
    pub(crate) instances: Vec<Instance>,
    /// What waits for each service.
    pub(crate) queues: Vec<Vec<Queued>>,
    pub(crate) users: Users,
    /// What people have done about parked instances, with the number of the service.
    pub(crate) cares: Vec<(usize, Care)>,
    pub(crate) store: Arc<MemoryEventStore>,
    pub(crate) clock: Arc<ManualClock>,
    /// What should not have happened.
    pub(crate) broken: Vec<String>,
    pub(crate) topology: Topology,
    /// The inputs that each service's log is known to have recorded, and how far it was looked.
    recorded: Vec<(HashSet<MessageId>, Cursor)>,
}

impl World {
    pub(crate) fn new(
        mut chance: Chance,
        weather: Weather,
        bounds: Bounds,
        traced: bool,
    ) -> anyhow::Result<Self> {
        let beginning = BEGINNING.parse()?;
        let users = Users::drawn(&mut chance, bounds, &weather, beginning)?;
        let topology = shipment_suite();
        let services = services(&topology, &weather.settings()?)?;
        let store = Arc::new(MemoryEventStore::new(Partitions::default()));
        let clock = Arc::new(ManualClock::at(beginning));
        let mut instances = Vec::new();
        for service in services.iter().enumerate() {
            for number in 0..INSTANCES {
                let skew = SignedDuration::from_millis(weather.skew_ms * number as i64);
                instances.push(Instance::new(number, service, &store, &clock, skew));
            }
        }
        let start = Cursor::start(store.partitions());
        let mut queues: Vec<Vec<Queued>> = services.iter().map(|_| Vec::new()).collect();
        for (service, message) in &users.poisons {
            queues[*service].push(Queued {
                message: message.clone(),
                not_before: chance.below(bounds.steps.max(1) as usize) as u64,
            });
        }
        let mut world = Self {
            chance,
            trace: Trace::new(traced),
            tally: Tally::default(),
            step: 0,
            queues,
            cares: Vec::new(),
            recorded: vec![(HashSet::new(), start); services.len()],
            services,
            instances,
            users,
            store,
            clock,
            broken: Vec::new(),
            topology,
            weather,
        };
        let weather = format!("{:?}", world.weather);
        world.say(|| weather);
        Ok(world)
    }

    /// Writes a line of the trace.
    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        self.trace.line(self.step, self.clock.now(), line);
    }

    /// Gives an instance a batch, and lets it work up to the first thing that it waits for.
    pub(crate) async fn begin(&mut self, at: usize, taken: Vec<Taken>) {
        let instance = &mut self.instances[at];
        let worker = match std::mem::replace(&mut instance.doing, Doing::Between) {
            Doing::Nothing(worker) => worker,
            busy @ (Doing::Working(_) | Doing::Between) => {
                instance.doing = busy;
                return;
            }
        };
        let service = &self.services[instance.service].contract.name;
        let mut inputs = Vec::with_capacity(taken.len());
        let mut named = Vec::new();
        for taken in &taken {
            let input = match taken {
                Taken::Message(queued) => {
                    let contract = &self.services[instance.service].contract;
                    Input::from_bus(contract, Ok(queued.message.clone()))
                }
                Taken::Request(number) => {
                    Input::Message(self.users.requests[*number].message.clone())
                }
                Taken::Care(care) => care.input(),
                // A deadline is text and a time, and can always be written as JSON.
                Taken::Deadline(deadline) => match Input::deadline_passed(service, deadline) {
                    Ok(input) => input,
                    Err(error) => panic!("{error}"),
                },
            };
            named.push(name(&input));
            inputs.push(input);
        }
        self.instances[at].doing = Doing::Working(Work {
            future: worker.handle(inputs),
            taken,
        });
        let name = self.instances[at].name.clone();
        self.say(|| format!("{name} takes {}", named.join(", ")));
        self.poll(at).await;
    }

    /// Lets the call of the store through that an instance waits for; one that waits by the clock finds
    /// that it has waited long enough.
    pub(crate) async fn go_on(
        &mut self,
        at: usize,
        verdict: impl FnOnce(&mut Self, Call) -> Verdict,
    ) {
        if !self.instances[at].is_working() {
            return;
        }
        let waits = open(&self.instances[at].gate).waits();
        match waits {
            Some(call) => {
                let verdict = verdict(self, call);
                self.tally.unanswered += u64::from(verdict != Verdict::Done);
                open(&self.instances[at].gate).let_through(verdict);
                let name = self.instances[at].name.clone();
                self.say(|| format!("{name}: {call:?} {verdict:?}"));
            }
            None => tokio::time::sleep(A_WHILE).await,
        }
        self.poll(at).await;
    }

    async fn poll(&mut self, at: usize) {
        let instance = &mut self.instances[at];
        let Doing::Working(work) = &mut instance.doing else {
            return;
        };
        let future = &mut work.future;
        let polled = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        let Poll::Ready((worker, results)) = polled.await else {
            return;
        };
        let done = std::mem::replace(&mut instance.doing, Doing::Nothing(worker));
        if let Doing::Working(work) = done {
            self.finish(at, work.taken, results).await;
        }
    }

    /// Acknowledges what is handled, and takes back what is not.
    async fn finish(
        &mut self,
        at: usize,
        taken: Vec<Taken>,
        results: Vec<Result<Handled, Failure>>,
    ) {
        self.look_at_the_log(self.instances[at].service).await;
        for (taken, result) in taken.into_iter().zip(results) {
            match result {
                Ok(handled) => self.handled(at, taken, &handled),
                Err(failure) => {
                    self.tally.handed_back += 1;
                    let name = self.instances[at].name.clone();
                    self.say(|| format!("{name} hands back an input: {failure}"));
                    self.hand_back(at, taken);
                }
            }
        }
    }

    fn handled(&mut self, at: usize, taken: Taken, handled: &Handled) {
        let service = self.instances[at].service;
        let id = match &taken {
            Taken::Message(queued) if queued.message.type_name == POISON => {
                Some(Input::unreadable_id(&queued.message))
            }
            Taken::Message(queued) => Some(queued.message.id),
            Taken::Request(number) => Some(self.users.requests[*number].message.id),
            Taken::Deadline(_) | Taken::Care(_) => None,
        };
        if let Some(id) = id
            && !self.recorded[service].0.contains(&id)
        {
            let name = &self.instances[at].name;
            let what = format!("{name} answered input {id} ({handled:?}), which is not stored");
            self.broken.push(what);
        }
        self.tally.inputs += 1;
        match handled {
            Handled::Decided => {}
            Handled::Duplicate => self.tally.duplicates += 1,
            Handled::Refused(refusal) => {
                self.tally.refusals += 1;
                self.tally.deadline_races +=
                    u64::from(matches!(refusal, Refusal::DeadlineNotPending(_)));
            }
            Handled::Parked => self.tally.parked += 1,
            Handled::Redriven { handled, .. } => self.tally.unparked += *handled as u64,
            Handled::NotDiscarded(_) => {}
        }
        if let Taken::Request(number) = taken {
            let request = &mut self.users.requests[number];
            (request.answered, request.under_way) = (true, false);
        } else if let Taken::Message(queued) = taken
            && self.chance.one_in(self.weather.copies_one_in * 4)
        {
            // The acknowledgement is lost on the way.
            self.queues[service].push(queued);
        }
    }

    fn hand_back(&mut self, at: usize, taken: Taken) {
        let instance = &mut self.instances[at];
        match taken {
            Taken::Message(queued) => self.queues[instance.service].push(queued),
            Taken::Deadline(deadline) => {
                let partition = self.store.partitions().of(&deadline.instance);
                instance.indexes.deadlines.put_back(partition, deadline);
            }
            Taken::Request(number) => self.users.requests[number].under_way = false,
            // Whoever is not answered looks again.
            Taken::Care(_) => {}
        }
    }

    /// Ends an instance as `kill -9` does, and starts it again.
    pub(crate) async fn crash(&mut self, at: usize) {
        self.tally.crashes += 1;
        let instance = &mut self.instances[at];
        let doing = std::mem::replace(&mut instance.doing, Doing::Between);
        instance.restart(&self.services[instance.service], &self.store);
        if let Doing::Working(work) = doing {
            drop(work.future);
            for taken in work.taken {
                match taken {
                    Taken::Deadline(_) | Taken::Care(_) => {}
                    taken @ (Taken::Message(_) | Taken::Request(_)) => self.hand_back(at, taken),
                }
            }
        }
        let partitions = self.store.partitions();
        let relay = self.checkpoint(at, "relay").await.cursor(partitions);
        let indexes = self.checkpoint(at, "indexes").await;
        let instance = &mut self.instances[at];
        instance.relay = relay;
        (instance.indexes, instance.read) = Indexes::restore(indexes, partitions);
        let name = instance.name.clone();
        self.say(|| format!("{name} crashes"));
    }

    fn reader(&self, at: usize, what: &str) -> String {
        let service = self.instances[at].service;
        format!("{what}/{}", self.services[service].contract.name)
    }

    async fn checkpoint(&self, at: usize, what: &str) -> Checkpoint {
        let loaded = self.store.load_checkpoint(&self.reader(at, what)).await;
        // The store in memory does not fail.
        loaded.unwrap_or_default()
    }

    /// Saves how far the relay of an instance has published.
    pub(crate) async fn save_relay(&mut self, at: usize) {
        let checkpoint = Checkpoint::at(&self.instances[at].relay);
        self.save(at, "relay", &checkpoint).await;
    }

    /// Saves the indexes of an instance.
    pub(crate) async fn save_deadlines(&mut self, at: usize) {
        let instance = &self.instances[at];
        let checkpoint = instance.indexes.checkpoint(&instance.read);
        self.save(at, "indexes", &checkpoint).await;
    }

    async fn save(&mut self, at: usize, what: &str, checkpoint: &Checkpoint) {
        let reader = self.reader(at, what);
        if let Err(error) = self.store.save_checkpoint(&reader, checkpoint).await {
            self.broken.push(format!("{reader} is not saved: {error}"));
        }
        let name = self.instances[at].name.clone();
        self.say(|| format!("{name} saves its {what}"));
    }

    /// Lets the relay of an instance publish the next page; whether there was any. When the bus `breaks`
    /// behind so many messages, it stays where it was.
    pub(crate) async fn relay(&mut self, at: usize, limit: usize, breaks: Option<usize>) -> bool {
        let instance = &self.instances[at];
        let service = &self.services[instance.service];
        let page = self
            .read(&service.kind, &instance.relay.clone(), limit)
            .await;
        let name = &self.services[self.instances[at].service].contract.name;
        let messages: Vec<Envelope> = page
            .0
            .iter()
            .flat_map(|entry| outgoing(name, entry))
            .collect();
        let published = breaks.unwrap_or(messages.len()).min(messages.len());
        if !page.0.is_empty() {
            let name = self.instances[at].name.clone();
            let (entries, all) = (page.0.len(), messages.len());
            self.say(|| {
                format!("{name} publishes {published} of {all} messages of {entries} entries")
            });
        }
        for message in messages.into_iter().take(published) {
            self.publish(&message);
        }
        if breaks.is_none() {
            self.instances[at].relay = page.1;
        }
        !page.0.is_empty()
    }

    fn publish(&mut self, message: &Envelope) {
        for (number, service) in self.topology.services.iter().enumerate() {
            if service.receives(message) {
                let held_up = self.chance.one_in(self.weather.holds_up_one_in);
                let by = if held_up { self.chance.below(1_500) } else { 0 };
                self.queues[number].push(Queued {
                    message: message.clone(),
                    not_before: self.step + by as u64,
                });
            }
        }
    }

    /// Lets an instance read its log on for deadlines; whether there was anything.
    pub(crate) async fn read_deadlines(&mut self, at: usize, limit: usize) -> bool {
        let instance = &self.instances[at];
        let kind = &self.services[instance.service].kind;
        let (entries, cursor) = self.read(kind, &instance.read.clone(), limit).await;
        let instance = &mut self.instances[at];
        for entry in &entries {
            instance.indexes.apply(entry);
        }
        instance.read = cursor;
        !entries.is_empty()
    }

    /// Lets an instance find out which deadlines are over; whether there was any.
    pub(crate) fn find_due(&mut self, at: usize, limit: usize) -> bool {
        let instance = &mut self.instances[at];
        let due = instance
            .indexes
            .deadlines
            .take_due(instance.clock.now(), limit, |_| SignedDuration::ZERO);
        let found = !due.is_empty();
        self.tally.deadlines += due.len() as u64;
        let name = |due: &PendingDeadline| format!("{} of {}", due.name, due.instance);
        let names: Vec<_> = due.iter().map(name).collect();
        instance.due.extend(due);
        if found {
            let name = instance.name.clone();
            self.say(|| format!("{name} finds that these are over: {}", names.join(", ")));
        }
        found
    }

    async fn look_at_the_log(&mut self, service: usize) {
        let (entries, cursor) = {
            let after = self.recorded[service].1.clone();
            self.read(&self.services[service].kind, &after, usize::MAX)
                .await
        };
        let (recorded, place) = &mut self.recorded[service];
        recorded.extend(entries.iter().map(|e| e.content.metadata.input_id));
        *place = cursor;
    }

    async fn read(
        &self,
        kind: &event_store::StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> (Vec<Arc<Entry>>, Cursor) {
        match self.store.read_log(kind, after, limit).await {
            Ok(page) => (page.entries, page.cursor),
            // The store in memory does not fail.
            Err(error) => panic!("{error}"),
        }
    }

    /// The whole log of each kind of streams.
    pub(crate) async fn logs(&self) -> BTreeMap<&'static str, Vec<Entry>> {
        let mut logs = BTreeMap::new();
        for service in &self.services {
            let start = Cursor::start(self.store.partitions());
            let (entries, _) = self.read(&service.kind, &start, usize::MAX).await;
            let entries = entries.into_iter().map(Arc::unwrap_or_clone);
            logs.insert(service.contract.stream_kind, entries.collect());
        }
        logs
    }

    /// Lets an append arrive that was given up.
    pub(crate) async fn arrive_late(&mut self, at: usize) {
        let late = {
            let mut gate = open(&self.instances[at].gate);
            if gate.late.is_empty() {
                return;
            }
            gate.late.remove(0)
        };
        self.tally.late_appends += 1;
        let outcome = self.store.append(&late).await;
        let name = self.instances[at].name.clone();
        self.say(|| format!("an append of {name} arrives late: {outcome:?}"));
    }

    /// What a person does who looks at what an instance of a service says is parked, and chooses by `nth`:
    /// what nobody can read is given up, anything else is tried again.
    pub(crate) fn care(
        &mut self,
        at: usize,
        nth: impl FnOnce(&mut Chance, usize) -> usize,
    ) -> Option<Care> {
        let instance = &self.instances[at];
        let parked = instance.indexes.parked.page(None, usize::MAX);
        if parked.is_empty() {
            return None;
        }
        let summary = &parked[nth(&mut self.chance, parked.len())];
        let first = summary.first.id;
        let is_poison = self.users.poison_ids().any(|poison| poison == first);
        let told = [first.to_string(), self.cares.len().to_string()];
        let care = Care {
            request_id: MessageId::derive(&["care", &told[0], &told[1]]),
            instance: summary.instance.clone(),
            discards: is_poison.then_some(first),
        };
        self.cares.push((instance.service, care.clone()));
        Some(care)
    }

    /// When the next deadline is over that some instance knows of.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let next = |instance: &Instance| {
            instance
                .indexes
                .deadlines
                .next_due(|_| SignedDuration::ZERO)
        };
        self.instances.iter().filter_map(next).min()
    }

    /// How many appends have met a conflict.
    pub(crate) fn conflicts(&self) -> u64 {
        let of = |instance: &Instance| open(&instance.gate).conflicts;
        self.instances.iter().map(of).sum()
    }
}

fn name(input: &Input) -> String {
    match input {
        Input::Message(message) => {
            let id = message.id.to_string();
            format!(
                "{} of {} ({})",
                message.type_name,
                message.subject,
                &id[..8]
            )
        }
        Input::Unreadable(found) => format!("what cannot be read: {}", found.reason),
        Input::Redrive { instance, .. } => format!("redrive of {instance}"),
        Input::Discard { instance, .. } => format!("discard at {instance}"),
    }
}
