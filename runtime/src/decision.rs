//! The inputs of one instance become entries, and the instance moves on as if they were stored.

use contracts::{Actor, Envelope, MessageId, MessageSet, TraceParent};
use event_store::{Entry, NewEntry, StreamName};
use jiff::{SignedDuration, Timestamp};
use kernel::{Arrival, Content, Instance, NewRecord, Outcome, Registry};
use tracing::{Span, debug, error, error_span, info};

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

/// What it takes to decide the inputs of one instance, and the entries so far.
pub(crate) struct Decision<'a, P: Runnable> {
    pub(crate) service: &'a str,
    pub(crate) registry: &'a Registry<P>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) stream: &'a StreamName,
    pub(crate) loaded: &'a mut Loaded<P::State>,
    pub(crate) entries: Vec<NewEntry>,
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
        let (content, not_before) = content(&message.type_name, &message.data);
        Self {
            id: message.id,
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

    fn arrival(self, whole: &'a dyn Fn() -> String) -> Arrival<'a, I> {
        Arrival {
            id: self.id.uuid(),
            name: self.name,
            content: self.content,
            whole,
        }
    }
}

impl<P: Runnable> Decision<'_, P> {
    /// Decides one input.
    pub(crate) fn decide(&mut self, input: &Input) -> Handled {
        let span = span(self.service, input);
        let _entered = span.enter();
        match input {
            Input::Message(message) => {
                let kept = || keep(&Kept::Message(message.clone()));
                self.take(Opened::message(message), &kept)
            }
            Input::Unreadable(found) => {
                let (reason, raw) = (found.reason.clone(), bounded(&found.raw));
                let kept = || {
                    keep(&Kept::Unreadable {
                        reason: reason.clone(),
                        raw: raw.clone(),
                    })
                };
                self.take(Opened::unreadable(found.id, &found.reason), &kept)
            }
            Input::Redrive {
                discard_first,
                actor,
                ..
            } => {
                let actor = actor.as_ref();
                if *discard_first {
                    self.discard_first_parked(actor);
                }
                self.redrive(actor)
            }
        }
    }

    fn take(&mut self, opened: Opened<'_, P::Input>, whole: &dyn Fn() -> String) -> Handled {
        let (now, cause) = (opened.now(self.clock), opened.cause());
        let outcome = self
            .registry
            .handle(&mut self.loaded.instance, opened.arrival(whole), now);
        let handled = match &outcome {
            Outcome::Duplicate => Handled::Duplicate,
            Outcome::Decided(_) => Handled::Decided,
            Outcome::Refused(refusal, _) => Handled::Refused(refusal.clone()),
            Outcome::Parked(_) => Handled::Parked,
        };
        let before = self.entries.len();
        self.encode(outcome.into_records(), &cause, now);
        match &handled {
            Handled::Duplicate => debug!("handled before"),
            Handled::Decided => {
                let names = self.entries[before..].iter().map(|e| e.type_name.as_str());
                info!(decided = names.collect::<Vec<_>>().join(", "), "decided");
            }
            Handled::Refused(refusal) => info!(%refusal, "refused"),
            Handled::Parked | Handled::Redriven { .. } => {
                let reason = self
                    .loaded
                    .instance
                    .parked()
                    .back()
                    .map(|p| p.reason.as_str());
                error!(reason, "parked: it waits until someone has it tried again");
            }
        }
        handled
    }

    /// Tries what is parked again, in order, until an input still cannot be decided.
    fn redrive(&mut self, actor: Option<&Actor>) -> Handled {
        let mut handled = 0;
        let mut reason = None;
        while let Some(parked) = self.loaded.instance.parked().front() {
            let (id, whole) = (MessageId::from(parked.input_id), parked.input.clone());
            let kept = serde_json::from_str(&whole);
            let opened = match &kept {
                Ok(Kept::Message(message)) => Opened::message(message),
                Ok(Kept::Unreadable { reason, .. }) => Opened::unreadable(id, reason),
                Err(_) => Opened::unreadable(id, "it was not kept as an input is"),
            };
            let (now, mut cause) = (opened.now(self.clock), opened.cause());
            // Whoever has it tried again is the one to ask about what follows.
            cause.actor = actor.or(cause.actor);
            let kept_as_it_is = || whole.clone();
            let arrival = opened.arrival(&kept_as_it_is);
            match self
                .registry
                .retry_parked(&mut self.loaded.instance, arrival, now)
            {
                Ok(records) => self.encode(records, &cause, now),
                Err(why) => {
                    reason = Some(why);
                    break;
                }
            }
            handled += 1;
        }
        let remaining = self.loaded.instance.parked().len();
        info!(handled, remaining, reason, "tried again what was parked");
        Handled::Redriven {
            handled,
            remaining,
            reason,
        }
    }

    fn discard_first_parked(&mut self, actor: Option<&Actor>) {
        let now = self.clock.now();
        if let Some(record) = self.registry.discard_parked(&mut self.loaded.instance) {
            info!(input_id = %record.input_id, "discarded a parked input");
            let correlation_id = MessageId::from(record.input_id);
            self.encode(
                vec![record],
                &Cause {
                    correlation_id,
                    traceparent: None,
                    actor,
                },
                now,
            );
        }
    }

    /// Turns records into entries. The instance has moved on by them already.
    fn encode(
        &mut self,
        records: Vec<NewRecord<P::Event, P::Command>>,
        cause: &Cause<'_>,
        now: Timestamp,
    ) {
        let mut version = self.loaded.instance.version() - records.len() as u64;
        for record in records {
            version += 1;
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
                Err(error) => error!(%error, "a decision cannot be written as JSON"),
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
        Input::Redrive { instance, .. } => {
            error_span!("redrive", service, instance_id = instance)
        }
    }
}

fn keep(kept: &Kept) -> String {
    serde_json::to_string(kept).unwrap_or_else(|error| format!("it cannot be kept: {error}"))
}

/// The most that is kept of what is no message: what can never be handled need not be kept whole.
const MOST_KEPT_BYTES: usize = 64 * 1024;

fn bounded(raw: &str) -> String {
    if raw.len() <= MOST_KEPT_BYTES {
        return raw.to_owned();
    }
    let end = raw.floor_char_boundary(MOST_KEPT_BYTES);
    format!("{}… (the first {end} of {} bytes)", &raw[..end], raw.len())
}
