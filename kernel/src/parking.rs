//! What becomes of inputs that cannot be decided: they are kept in the order in which they came, tried
//! again after longer and longer delays, and then wait for a person.
//!
//! Everything about it is a record: how often the first was tried, when it is tried next, and that it
//! was. So it survives whatever the program does not.

use jiff::Timestamp;
use uuid::Uuid;

use crate::instance::{Instance, NewRecord, Record};
use crate::registry::{Arrival, Content, Outcome, bookkeeping};
use crate::{Backoff, Process, Registry};

/// The most of a reason that is kept, in bytes: it may tell all of what it is about.
const MOST_OF_A_REASON: usize = 2_000;
/// The most of the name of a type that is kept, in bytes.
const MOST_OF_A_NAME: usize = 200;

/// The deadline at which the input that was parked longest is tried again: a stored name, which no
/// process may use.
pub const PARKED_INPUT_RETRY: &str = "ParkedInputRetry";

/// What became of a parked input that was taken once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried<E, C> {
    /// These are to be stored.
    pub records: Vec<NewRecord<E, C>>,
    /// Why it stays parked, when it does.
    pub failure: Option<String>,
}

/// Why a parked input cannot be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDiscarded {
    /// There is none.
    #[error("nothing is parked")]
    NothingParked,
    /// Only the one that was parked longest can be.
    #[error("the first parked input is {first}, and no other can be given up before it")]
    NotFirst {
        /// The one that was parked longest.
        first: Uuid,
    },
}

impl<P: Process> Registry<P> {
    /// Takes the input that was parked longest once more, because of the arrival `retry_id`: the deadline
    /// [`PARKED_INPUT_RETRY`], or a person's wish. Those behind it are then due at once.
    ///
    /// A failure counts as an attempt, whoever wanted it, and never puts off a retry that is pending.
    ///
    /// The arrival has another id than the parked input where it was parked because it could not be read,
    /// and now can be. It may have come again meanwhile, and is handled once all the same.
    pub fn retry_parked(
        &self,
        instance: &mut Instance<P::State>,
        arrival: Arrival<'_, P::Input>,
        retry_id: Uuid,
        now: Timestamp,
    ) -> Retried<P::Event, P::Command> {
        let decided = if instance.handled.contains(&arrival.id) {
            Ok(Outcome::Duplicate)
        } else {
            self.decide(instance, &arrival, now)
        };
        match decided {
            Ok(outcome) => {
                let mut records = outcome.into_records();
                let behind = instance.parked.len() > 1;
                let done = bookkeeping(instance, retry_id, Record::ParkedInputHandled);
                records.push(self.apply_waiting(instance, done, behind.then_some(now)));
                Retried {
                    records,
                    failure: None,
                }
            }
            Err(reason) => {
                let reason = shortened(&reason, MOST_OF_A_REASON);
                let attempts = instance.parked.front().map_or(0, |first| first.attempts);
                let attempt = attempts.saturating_add(1);
                let next = next_try(instance, &arrival.retries, attempt, now);
                let failed = Record::ParkedInputRetried {
                    attempt,
                    reason: reason.clone(),
                };
                let record = bookkeeping(instance, retry_id, failed);
                Retried {
                    records: vec![self.apply_waiting(instance, record, next)],
                    failure: Some(reason),
                }
            }
        }
    }

    /// Gives up the input that was parked longest, which is to be this one: it can never be decided, and
    /// those behind it should not wait any longer. They are due at once.
    ///
    /// Where it says that a deadline is over, and that is still pending, the deadline is set anew: nobody
    /// else would ever say so again, and the process would wait for it for ever. So it only loses its place.
    ///
    /// # Errors
    /// [`NotDiscarded`] when it is not the first; nothing changes.
    pub fn discard_parked(
        &self,
        instance: &mut Instance<P::State>,
        input_id: Uuid,
        content: &Content<P::Input>,
        now: Timestamp,
    ) -> Result<NewRecord<P::Event, P::Command>, NotDiscarded> {
        let first = instance.parked.front().map(|first| first.input_id);
        let first = first.ok_or(NotDiscarded::NothingParked)?;
        if first != input_id {
            return Err(NotDiscarded::NotFirst { first });
        }
        let behind = instance.parked.len() > 1;
        let mut record = bookkeeping(instance, input_id, Record::ParkedInputDiscarded);
        if let Content::DeadlinePassed(name) = content
            && let Some(due) = instance.deadlines.get(name)
        {
            record.deadlines_set.insert(name.clone(), *due);
        }
        Ok(self.apply_waiting(instance, record, behind.then_some(now)))
    }

    pub(crate) fn park(
        &self,
        instance: &mut Instance<P::State>,
        arrival: &Arrival<'_, P::Input>,
        reason: &str,
        now: Timestamp,
    ) -> Outcome<P::Event, P::Command> {
        let parked = Record::InputParked {
            trigger: shortened(arrival.name, MOST_OF_A_NAME),
            reason: shortened(reason, MOST_OF_A_REASON),
            input: (arrival.whole)(),
        };
        let record = bookkeeping(instance, arrival.id, parked);
        if instance.parked.is_empty() {
            let next = next_try(instance, &arrival.retries, 1, now);
            return Outcome::Parked(vec![self.apply_waiting(instance, record, next)]);
        }
        self.apply(instance, &record);
        Outcome::Parked(vec![record])
    }

    /// Moves an instance on by a record after which the first parked input is tried again at `next`.
    fn apply_waiting(
        &self,
        instance: &mut Instance<P::State>,
        mut record: NewRecord<P::Event, P::Command>,
        next: Option<Timestamp>,
    ) -> NewRecord<P::Event, P::Command> {
        let name = PARKED_INPUT_RETRY.to_owned();
        if let Some(next) = next {
            record.deadlines_set.insert(name, next);
        } else if instance.deadlines.contains_key(PARKED_INPUT_RETRY) {
            record.deadlines_cleared.push(name);
        }
        self.apply(instance, &record);
        record
    }
}

/// When what has failed for this many times is tried again: no later than is pending already.
fn next_try<S>(
    instance: &Instance<S>,
    retries: &Backoff,
    attempts: u32,
    now: Timestamp,
) -> Option<Timestamp> {
    let delay = retries.delay_before_retry(attempts)?;
    let next = now.checked_add(delay).unwrap_or(Timestamp::MAX);
    let pending = instance.deadlines.get(PARKED_INPUT_RETRY);
    let pending = pending.filter(|pending| **pending > now);
    Some(pending.map_or(next, |pending| next.min(*pending)))
}

/// The beginning and the end: what is wrong stands before or behind what it is wrong with.
fn shortened(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let tail = most_bytes / 4;
    let beginning = &text[..text.floor_char_boundary(most_bytes - tail)];
    let end = &text[text.ceil_char_boundary(text.len() - tail)..];
    format!("{beginning}…{end}")
}
