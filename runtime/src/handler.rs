//! The one place where inputs become decisions: load, fold, decide, append.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::ServiceName;
use event_store::{Append, Appended, Entry, EventStore, NewEntry, StreamKind, StreamName, Version};
use hashlink::LruCache;
use jiff::SignedDuration;
use kernel::{NotDiscarded, Refusal, Registry};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::care::{Care, Refused};
use crate::decision::{Decision, Loaded};
use crate::inbox::Failure;
use crate::share::Share;
use crate::{Backoff, Clock, Health, Input, Runnable, Settings};

/// What became of an input, now that it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was handled before.
    Duplicate,
    /// It led to decisions.
    Decided,
    /// It was refused, for this reason.
    Refused(Refusal),
    /// It is parked.
    Parked,
    /// What was parked was tried again: this many inputs are handled now, and why the next is not.
    Redriven {
        /// How many inputs are no longer parked.
        handled: usize,
        /// How many still are.
        remaining: usize,
        /// Why the first of these cannot be handled. Where there is none, and some remain, they were too
        /// many for once, and are tried by themselves at once.
        reason: Option<String>,
    },
    /// No parked input was given up, for this reason.
    NotDiscarded(NotDiscarded),
}

/// How long an instance of which nothing was recorded is taken to be as it was: then its stream is read
/// anew. What is older may be removed from the log while a service runs, and would else still be known
/// here: what comes a second time leads to no append, so that no conflict would tell.
pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How often an append that conflicts is decided anew before the input is handed back.
const CONFLICT_ATTEMPTS: u32 = 10;

/// Handles the inputs of one service, many at a time, with one append for all of them.
pub struct Handler<P: Runnable> {
    service: ServiceName,
    kind: StreamKind,
    registry: Arc<Registry<P>>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    /// The one that was needed longest ago goes first: an instance is needed again and again until it ends,
    /// and hardly ever afterwards.
    cache: LruCache<StreamName, Loaded<P::State>>,
    retries: kernel::Backoff,
    health: Health,
    share: Option<Share>,
    stop: CancellationToken,
}

/// The inputs of one stream, each with its place in the batch.
pub(crate) struct Group {
    pub(crate) stream: StreamName,
    pub(crate) inputs: Vec<(usize, Input)>,
    pub(crate) care: Care,
}

/// A group that has been decided, and what is to be stored of it.
struct Planned<S> {
    group: Group,
    loaded: Loaded<S>,
    entries: Vec<NewEntry>,
    handled: Vec<Handled>,
}

pub(crate) type Results = Vec<Option<Result<Handled, Failure>>>;

impl<P: Runnable> Handler<P> {
    /// A handler for the streams of `kind`. When `stop` is cancelled, it no longer waits for a store
    /// that is away.
    pub fn new(
        service: ServiceName,
        kind: StreamKind,
        registry: Arc<Registry<P>>,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        stop: CancellationToken,
    ) -> Self {
        let cache = LruCache::new(settings.cached_instances.max(1));
        Self {
            service,
            kind,
            registry,
            store,
            clock,
            cache,
            retries: settings.parking(),
            health: Health::default(),
            share: None,
            stop,
        }
    }

    /// Lets the other parts of its instance know what it stores.
    pub(crate) fn sharing(self, share: Share) -> Self {
        Self {
            share: Some(share),
            ..self
        }
    }

    /// Whether it gets on.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Handles a batch, in order within each instance, and answers for each input in the order given.
    /// While the store is away it waits.
    ///
    /// An input is answered with [`Failure`] when it could not be handled now and must come again;
    /// nothing of it is stored, or all of it, which its repetition will find.
    pub async fn handle(&mut self, inputs: Vec<Input>) -> Vec<Result<Handled, Failure>> {
        let mut results: Results = inputs.iter().map(|_| None).collect();
        let groups = self.group(inputs);
        for refused in self.settle(groups, &mut results).await {
            self.take_carefully(refused, &mut results).await;
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or(Err(Failure::Stopped)))
            .collect()
    }

    /// Decides and stores, and decides anew where others were faster; returns what the store refuses.
    pub(crate) async fn settle(
        &mut self,
        mut groups: Vec<Group>,
        results: &mut Results,
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut contention = Backoff::new(Duration::from_millis(2), Duration::from_millis(200));
        for attempt in 1.. {
            groups = self.attempt(groups, results, &mut refused).await;
            if groups.is_empty() {
                break;
            }
            if attempt == CONFLICT_ATTEMPTS {
                for group in &groups {
                    warn!(stream = %group.stream, "other instances keep being faster: handing back");
                    fail(results, group, &Failure::Contended);
                }
                break;
            }
            contention.wait().await;
        }
        refused
    }

    /// The stream of an instance.
    pub(crate) fn stream(&self, instance: &str) -> StreamName {
        StreamName::new(instance, &self.kind)
    }

    fn group(&self, inputs: Vec<Input>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, input) in inputs.into_iter().enumerate() {
            let instance = input.instance();
            let at = places.get(instance).copied().unwrap_or_else(|| {
                places.insert(instance.to_owned(), groups.len());
                groups.push(Group {
                    stream: self.stream(instance),
                    inputs: Vec::new(),
                    care: Care::Usual,
                });
                groups.len() - 1
            });
            groups[at].inputs.push((place, input));
        }
        groups
    }

    /// Decides and stores; returns the groups that conflicted.
    async fn attempt(
        &mut self,
        groups: Vec<Group>,
        results: &mut Results,
        refused: &mut Vec<Refused>,
    ) -> Vec<Group> {
        let mut planned = Vec::with_capacity(groups.len());
        let loaded = self.load(&groups).await;
        for (group, loaded) in groups.into_iter().zip(loaded) {
            match loaded {
                Ok(loaded) => planned.push(self.plan(group, loaded)),
                Err(Failure::Refused(error)) => refused.push(Refused::unread(group, error)),
                Err(failure) => fail(results, &group, &failure),
            }
        }
        // What is to be stored moves into the call; what is needed afterwards stays.
        let mut appends = Vec::new();
        for plan in &mut planned {
            if !plan.entries.is_empty() {
                let stored_so_far = plan.loaded.instance.version() - plan.entries.len() as u64;
                appends.push(Append {
                    stream: plan.group.stream.clone(),
                    expected: Version(stored_so_far),
                    entries: std::mem::take(&mut plan.entries),
                });
            }
        }
        let outcomes = self.append(&appends).await;
        let mut stored = appends
            .iter()
            .zip(outcomes)
            .map(|(append, o)| (&append.stream, o));
        let mut next = stored.next();
        let mut conflicts = Vec::new();
        for plan in planned {
            let outcome = match next.take() {
                Some((stream, outcome)) if *stream == plan.group.stream => {
                    next = stored.next();
                    outcome
                }
                other => {
                    next = other;
                    Ok(Appended::Stored)
                }
            };
            match outcome {
                Ok(Appended::Stored) => {
                    for ((place, _), handled) in plan.group.inputs.iter().zip(plan.handled) {
                        results[*place] = Some(Ok(handled));
                    }
                    self.cache.insert(plan.group.stream, plan.loaded);
                }
                Ok(Appended::Conflict { current }) => {
                    debug!(stream = %plan.group.stream, %current, "another instance was faster: deciding anew");
                    conflicts.push(plan.group);
                }
                Err(Failure::Refused(error)) => refused.push(Refused::unstored(plan.group, error)),
                Err(failure) => fail(results, &plan.group, &failure),
            }
        }
        conflicts
    }

    /// The instances of these groups, out of the cache or from the store. Each is taken out of the
    /// cache: only what is stored may go back.
    async fn load(&mut self, groups: &[Group]) -> Vec<Result<Loaded<P::State>, Failure>> {
        let now = self.clock.now();
        let cached: Vec<Option<Loaded<P::State>>> = groups
            .iter()
            .map(|group| {
                let loaded = self.cache.remove(&group.stream)?;
                // What a person asks of parked inputs may come to nothing, and then no conflict would tell
                // that another instance of the service has parked them since.
                let asked = |(_, input): &(usize, Input)| {
                    matches!(input, Input::Redrive { .. } | Input::Discard { .. })
                };
                let known = loaded.quiet_for(now) <= REMEMBERED_FOR;
                (known && !group.inputs.iter().any(asked)).then_some(loaded)
            })
            .collect();
        let missing: Vec<StreamName> = groups
            .iter()
            .zip(&cached)
            .filter(|(_, cached)| cached.is_none())
            .map(|(group, _)| group.stream.clone())
            .collect();
        let mut streams = self.read(&missing).await.into_iter();
        let loaded = cached.into_iter().map(|cached| match cached {
            Some(loaded) => Ok(loaded),
            None => {
                let entries = streams.next().unwrap_or(Err(Failure::Stopped))?;
                Ok(Loaded::replay(&self.registry, &entries))
            }
        });
        loaded.collect()
    }

    /// Reads whole streams. Where one cannot be read, each is tried by itself, so that it holds up
    /// nobody else.
    async fn read(&self, streams: &[StreamName]) -> Vec<Result<Vec<Entry>, Failure>> {
        if streams.is_empty() {
            return Vec::new();
        }
        let read = async |streams: &[StreamName]| {
            let read = || self.store.read_streams(streams);
            self.persist("read", read).await
        };
        match read(streams).await {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(Failure::Refused(_)) if streams.len() > 1 => {
                let mut outcomes = Vec::with_capacity(streams.len());
                for stream in streams {
                    let alone = read(std::slice::from_ref(stream)).await;
                    outcomes.push(alone.map(|mut entries| entries.pop().unwrap_or_default()));
                }
                outcomes
            }
            Err(failure) => vec![Err(failure); streams.len()],
        }
    }

    /// Decides the inputs of one instance.
    fn plan(&self, group: Group, mut loaded: Loaded<P::State>) -> Planned<P::State> {
        let stored = loaded.instance.version();
        let mut entries = Vec::new();
        let mut decide = |input| {
            let decision = Decision {
                service: self.service.as_str(),
                registry: &self.registry,
                clock: &*self.clock,
                stream: &group.stream,
                retries: self.retries,
                care: &group.care,
                input,
                stored,
                loaded: &mut loaded,
                entries: &mut entries,
            };
            decision.decide()
        };
        let handled = group.inputs.iter().map(|(_, input)| decide(input));
        let handled = handled.collect();
        Planned {
            group,
            loaded,
            entries,
            handled,
        }
    }

    /// Appends, and answers for each, and lets the relay know which entries are of this instance.
    async fn append(&self, appends: &[Append]) -> Vec<Result<Appended, Failure>> {
        let Some(share) = &self.share else {
            return self.append_each(appends).await;
        };
        share.stores(appends);
        let outcomes = self.append_each(appends).await;
        for (append, outcome) in appends.iter().zip(&outcomes) {
            if !matches!(outcome, Ok(Appended::Stored)) {
                share.did_not_store(append);
            }
        }
        outcomes
    }

    /// Appends, and answers for each. What the store refuses in a batch is tried by itself, so that it
    /// holds up nobody else.
    async fn append_each(&self, appends: &[Append]) -> Vec<Result<Appended, Failure>> {
        if appends.is_empty() {
            return Vec::new();
        }
        match self.persist("append", || self.store.append(appends)).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(Failure::Refused(_)) if appends.len() > 1 => {
                let mut outcomes = Vec::with_capacity(appends.len());
                for append in appends {
                    let alone = std::slice::from_ref(append);
                    let outcome = self.persist("append", || self.store.append(alone)).await;
                    outcomes.push(outcome.map(|outcomes| outcomes[0]));
                }
                outcomes
            }
            Err(failure) => vec![Err(failure); appends.len()],
        }
    }

    /// Repeats the identical call until its outcome is known.
    async fn persist<T, F>(&self, what: &str, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, event_store::Error>>,
    {
        let mut backoff = Backoff::for_servers();
        loop {
            let error = match call().await {
                Ok(done) => {
                    self.health.set_blocked(false);
                    return Ok(done);
                }
                Err(error @ event_store::Error::Unavailable(_)) => error,
                Err(error) => {
                    warn!(service = %self.service, error = chain(&error), "the store refused to {what}");
                    return Err(Failure::Refused(Arc::new(error)));
                }
            };
            warn!(service = %self.service, error = chain(&error), "cannot {what} now: trying again");
            self.health.set_blocked(true);
            tokio::select! {
                () = self.stop.cancelled() => return Err(Failure::Stopped),
                () = backoff.wait() => {}
            }
        }
    }
}

fn fail(results: &mut Results, group: &Group, failure: &Failure) {
    for (place, _) in &group.inputs {
        results[*place] = Some(Err(failure.clone()));
    }
}

/// An error with all its causes, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
