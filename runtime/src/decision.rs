//! The inputs of one instance become entries, and the instance moves on as if they were stored.

use contracts::{Actor, Envelope, MessageId, MessageSet, TraceParent};
use event_store::{Entry, NewEntry, StreamName};
use jiff::{SignedDuration, Timestamp};
use kernel::{
    Arrival, Backoff, Content, Instance, NewRecord, Outcome, PARKED_INPUT_RETRY, Registry,
};
use tracing::{Level, Span, debug, enabled, error, error_span, info, warn};

use crate::care::Care;
use crate::codec::{self, Cause};
use crate::input::{Kept, content};
use crate::{Clock, Handled, Input, Runnable};

/// An instance, and when its last record was made.
pub struct Loaded<S> {
    /// The instance.
    pub instance: Instance<S>,
    last: Timestamp,
}

impl<S: Clone> Loaded<S> {
    /// The instance that these entries tell of.
    pub fn replay<P: Runnable<State = S>>(registry: &Registry<P>, entries: &[Entry]) -> Self {
        let mut instance = Instance::default();
        for entry in entries {
            match codec::decode::<P::Event, P::Command>(entry) {
                Ok(record) => registry.apply(&mut instance, &record),
                Err(error) => {
                    let input_id = entry.content.metadata.input_id.uuid();
                    instance.skip_unreadable(input_id, error.to_string());
                }
            }
        }
        let last = entries
            .last()
            .map_or(Timestamp::MIN, |entry| entry.content.recorded_at);
        Self { instance, last }
    }
}

impl<S> Loaded<S> {
    /// How long ago its last record was made.
    pub(crate) fn quiet_for(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.last)
    }
}

/// What it takes to decide an input of an instance, and the entries of those before it.
pub(crate) struct Decision<'a, P: Runnable> {
    pub(crate) service: &'a str,
    pub(crate) registry: &'a Registry<P>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) stream: &'a StreamName,
    pub(crate) retries: Backoff,
    pub(crate) care: &'a Care,
    pub(crate) input: &'a Input,
    /// How many entries the stream has.
    pub(crate) stored: u64,
    pub(crate) loaded: &'a mut Loaded<P::State>,
    pub(crate) entries: &'a mut Vec<NewEntry>,
}

/// An input, opened: what the kernel is asked, and what its records have in common.
struct Opened<'a, I> {
    id: MessageId,
    name: &'a str,
    content: Content<I>,
    /// It cannot have been said earlier, whatever the clock here shows.
    not_before: Option<Timestamp>,
    correlation_id: MessageId,
    traceparent: Option<&'a TraceParent>,
    actor: Option<&'a Actor>,
}

impl<'a, I: MessageSet> Opened<'a, I> {
    fn message(message: &'a Envelope) -> Self {
        let (content, not_before) = content(message);
        let id = match &content {
            Content::Unreadable(_) => Input::unreadable_id(message),
            Content::Input(_) | Content::DeadlinePassed(_) | Content::ChangeCategory(_) => {
                message.id
            }
        };
        Self {
            id,
            name: &message.type_name,
            content,
            not_before,
            correlation_id: message.correlation_id,
            traceparent: message.traceparent.as_ref(),
            actor: message.actor.as_ref(),
        }
    }

    fn unreadable(id: MessageId, reason: &str) -> Self {
        Self {
            id,
            name: "unreadable",
            content: Content::Unreadable(reason.to_owned()),
            not_before: None,
            correlation_id: id,
            traceparent: None,
            actor: None,
        }
    }

    /// What was parked under this id.
    fn kept(id: MessageId, kept: &'a serde_json::Result<Kept>) -> Self {
        match kept {
            Ok(Kept::Message(message)) => Self::message(message),
            Ok(Kept::Unreadable { reason, .. }) => Self::unreadable(id, reason),
            Err(_) => Self::unreadable(id, "it was not kept as an input is"),
        }
    }

    fn cause(&self) -> Cause<'a> {
        Cause {
            correlation_id: self.correlation_id,
            traceparent: self.traceparent,
            actor: self.actor,
        }
    }

    fn now(&self, clock: &dyn Clock) -> Timestamp {
        clock.now().max(self.not_before.unwrap_or(Timestamp::MIN))
    }

    fn is_retry(&self) -> bool {
        matches!(&self.content, Content::DeadlinePassed(name) if name == PARKED_INPUT_RETRY)
    }

    /// It is not decided, for this reason.
    fn undecided(&mut self, reason: &str) {
        self.content = Content::Unreadable(reason.to_owned());
    }

    fn arrival(self, whole: &'a dyn Fn() -> String, retries: Backoff) -> Arrival<'a, I> {
        Arrival {
            id: self.id.uuid(),
            name: self.name,
            content: self.content,
            whole,
            retries,
        }
    }
}

/// When a re-drive has come to so many bytes of entries, the rest is left to the next: every store takes
/// an append of half a MiB.
const MOST_AT_ONCE_BYTES: usize = 128 * 1024;

impl<P: Runnable> Decision<'_, P> {
    pub(crate) fn decide(mut self) -> Handled {
        match self.input {
            Input::Message(message) => {
                let mut opened = Opened::message(message);
                match self.care {
                    Care::Usual | Care::OneByOne => {}
                    Care::Keep(reason) | Care::KeepBeginning(reason) => {
                        if !opened.is_retry() {
                            opened.undecided(reason);
                        }
                    }
                    Care::Elsewhere(reason) => opened.undecided(reason),
                }
                let kept = || match self.care {
                    Care::Usual | Care::OneByOne | Care::Keep(_) => {
                        keep(&Kept::Message(message.clone()))
                    }
                    Care::KeepBeginning(reason) | Care::Elsewhere(reason) => {
                        let raw = serde_json::to_string(message).unwrap_or_default();
                        keep_beginning(reason, &raw)
                    }
                };
                self.take(opened, &kept)
            }
            Input::Unreadable(found) => {
                let kept = || keep_beginning(&found.reason, &found.raw);
                self.take(Opened::unreadable(found.id, &found.reason), &kept)
            }
            Input::Redrive {
                request_id, actor, ..
            } => self.redrive(*request_id, actor.as_ref()),
            Input::Discard {
                request_id,
                input_id,
                actor,
                ..
            } => self.discard(*request_id, *input_id, actor.as_ref()),
        }
    }

    fn take(&mut self, opened: Opened<'_, P::Input>, whole: &dyn Fn() -> String) -> Handled {
        let (now, cause, id) = (opened.now(self.clock), opened.cause(), opened.id);
        let arrival = opened.arrival(whole, self.retries);
        let outcome = self
            .registry
            .handle(&mut self.loaded.instance, arrival, now);
        let handled = match &outcome {
            Outcome::Duplicate => Handled::Duplicate,
            Outcome::Decided(_) => Handled::Decided,
            Outcome::Refused(refusal, _) => Handled::Refused(refusal.clone()),
            Outcome::Parked(_) => Handled::Parked,
            Outcome::RetryDue => return self.redrive(id, None),
        };
        let before = self.entries.len();
        self.encode(outcome.into_records(), &cause, now);
        match &handled {
            Handled::Decided if enabled!(Level::DEBUG) => {
                let names = self.entries[before..].iter().map(|e| e.type_name.as_str());
                let names = names.collect::<Vec<_>>().join(", ");
                self.tell(|| debug!(decided = names, "decided"));
            }
            Handled::Duplicate if enabled!(Level::DEBUG) => self.tell(|| debug!("handled before")),
            Handled::Refused(refusal) => self.tell(|| info!(%refusal, "refused")),
            Handled::Parked => self.tell_parked(),
            Handled::Decided
            | Handled::Duplicate
            | Handled::Redriven { .. }
            | Handled::NotDiscarded(_) => {}
        }
        handled
    }

    /// Tries what is parked again, in order, until an input still cannot be decided.
    fn redrive(&mut self, retry_id: MessageId, actor: Option<&Actor>) -> Handled {
        let began = self.entries.len();
        let mut handled = 0;
        let mut reason = None;
        while let Some(parked) = self.loaded.instance.parked().front() {
            let (id, whole) = (MessageId::from(parked.input_id), parked.input.clone());
            let kept = serde_json::from_str(&whole);
            let mut opened = Opened::kept(id, &kept);
            if let Some(reason) = self.care.reason() {
                opened.undecided(reason);
            }
            let (now, mut cause) = (opened.now(self.clock), opened.cause());
            // Whoever has it tried again is the one to ask about what follows.
            cause.actor = actor.or(cause.actor);
            let kept_as_it_is = || whole.clone();
            let arrival = opened.arrival(&kept_as_it_is, self.retries);
            let automatic = self.next_retry().is_some();
            let instance = &mut self.loaded.instance;
            let mut retried = self
                .registry
                .retry_parked(instance, arrival, retry_id.uuid(), now);
            // That it was tried again is nobody's wish but theirs who had it tried.
            let told = retried.records.pop();
            self.encode(retried.records, &cause, now);
            cause.actor = actor;
            self.encode(told.into_iter().collect(), &cause, now);
            if let Some(why) = retried.failure {
                self.tell_retried(id, &why, automatic);
                reason = Some(why);
                break;
            }
            handled += 1;
            let bytes: usize = self.entries[began..].iter().map(size_bytes).sum();
            if *self.care == Care::OneByOne || bytes > MOST_AT_ONCE_BYTES {
                break;
            }
        }
        let remaining = self.loaded.instance.parked().len();
        self.tell(|| info!(handled, remaining, "tried again what was parked"));
        Handled::Redriven {
            handled,
            remaining,
            reason,
        }
    }

    fn discard(
        &mut self,
        request_id: MessageId,
        input_id: MessageId,
        actor: Option<&Actor>,
    ) -> Handled {
        let now = self.clock.now();
        let instance = &mut self.loaded.instance;
        let whole = instance.parked().front().map(|first| first.input.as_str());
        let kept = serde_json::from_str(whole.unwrap_or_default());
        let first = Opened::<P::Input>::kept(input_id, &kept);
        let mut cause = first.cause();
        let discarded =
            self.registry
                .discard_parked(instance, input_id.uuid(), &first.content, now);
        match discarded {
            Ok(record) => {
                let by = actor.map(Actor::as_str);
                self.tell(|| warn!(%input_id, actor = by, "given up by a person"));
                cause.actor = actor;
                self.encode(vec![record], &cause, now);
                self.redrive(request_id, actor)
            }
            Err(refused) => {
                self.tell(|| info!(%input_id, %refused, "not given up"));
                Handled::NotDiscarded(refused)
            }
        }
    }

    fn next_retry(&self) -> Option<Timestamp> {
        let deadlines = self.loaded.instance.deadlines();
        deadlines.get(PARKED_INPUT_RETRY).copied()
    }

    /// Says that the input which came last is parked.
    fn tell_parked(&self) {
        let parked = self.loaded.instance.parked();
        let reason = parked.back().map(|parked| parked.reason.as_str());
        self.tell(|| match self.next_retry() {
            _ if parked.len() > 1 => info!(reason, "parked behind another"),
            Some(next) => warn!(reason, %next, "parked: it is tried again"),
            None => error!(reason, "parked: it waits for a person"),
        });
    }

    /// Says that a parked input still cannot be decided: as an error once, when nothing but a person will
    /// have it tried again.
    fn tell_retried(&self, input_id: MessageId, reason: &str, automatic: bool) {
        self.tell(|| match self.next_retry() {
            Some(next) => warn!(%input_id, reason, %next, "still parked: it is tried again"),
            None if automatic => error!(%input_id, reason, "still parked: it waits for a person"),
            None => warn!(%input_id, reason, "still parked: it waits for a person"),
        });
    }

    /// Logs with what the input is. Most have nothing to tell unless everything is told, and to write down what
    /// an input is would take a thirtieth of all that is done for it.
    fn tell(&self, what: impl FnOnce()) {
        span(self.service, self.input).in_scope(what);
    }

    /// Turns records into entries. The instance has moved on by them already.
    fn encode(
        &mut self,
        records: Vec<NewRecord<P::Event, P::Command>>,
        cause: &Cause<'_>,
        now: Timestamp,
    ) {
        for record in records {
            let version = self.stored + self.entries.len() as u64 + 1;
            // Times increase strictly within a stream, so that ordering by time is ordering by version.
            let next = self.loaded.last.checked_add(SignedDuration::from_micros(1));
            self.loaded.last = now.max(next.unwrap_or(self.loaded.last));
            let process = record
                .category
                .as_ref()
                .and_then(|c| self.registry.process(c));
            let is_public = |event: &P::Event| process.is_none_or(|p| p.is_public(event));
            let last = self.loaded.last;
            match codec::encode(self.stream, version, record, is_public, cause, last) {
                Ok(entry) => self.entries.push(entry),
                // No message of ours fails to be written as JSON; were it to, the append would be
                // short, its expected version wrong, and nothing would be stored.
                Err(error) => self.tell(|| error!(%error, "a decision cannot be written as JSON")),
            }
        }
    }
}

/// At the level of errors, so that it is there for them whatever else is logged.
fn span(service: &str, input: &Input) -> Span {
    match input {
        Input::Message(message) => error_span!(
            "handle",
            service,
            instance_id = message.subject,
            message_type = message.type_name,
            message_id = %message.id,
            correlation_id = %message.correlation_id,
            causation_id = %message.causation_id,
        ),
        Input::Unreadable(found) => error_span!(
            "handle",
            service,
            instance_id = found.subject,
            message_type = "unreadable",
            message_id = %found.id,
        ),
        Input::Redrive {
            request_id,
            instance,
            ..
        } => {
            error_span!("redrive", service, instance_id = instance, message_id = %request_id)
        }
        Input::Discard {
            request_id,
            instance,
            ..
        } => {
            error_span!("discard", service, instance_id = instance, message_id = %request_id)
        }
    }
}

fn keep(kept: &Kept) -> String {
    serde_json::to_string(kept).unwrap_or_else(|error| format!("it cannot be kept: {error}"))
}

/// What is kept of something that can never be handled as it is.
fn keep_beginning(reason: &str, raw: &str) -> String {
    keep(&Kept::Unreadable {
        reason: bounded(reason, MOST_OF_A_REASON_BYTES),
        raw: bounded(raw, MOST_KEPT_BYTES),
    })
}

/// About what an entry takes in a store.
fn size_bytes(entry: &NewEntry) -> usize {
    let commands = entry.metadata.commands.iter();
    entry.data.get().len() + commands.map(|c| c.data.get().len()).sum::<usize>() + 512
}

/// The most that is kept of what is no message: what can never be handled need not be kept whole.
const MOST_KEPT_BYTES: usize = 64 * 1024;

/// The most that is kept of what is wrong with it, which may tell all of it once more.
const MOST_OF_A_REASON_BYTES: usize = 2 * 1024;

fn bounded(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most_bytes);
    format!(
        "{}… (the first {end} of {} bytes)",
        &text[..end],
        text.len()
    )
}
