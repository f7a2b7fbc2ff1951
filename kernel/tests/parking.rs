//! What cannot be decided: tried again after growing delays, then by a person, and always in order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use kernel::{
    Arrival, Backoff, Category, Content, Decider, Effect, Instance, NewRecord, NotDiscarded,
    Outcome, PARKED_INPUT_RETRY, Process, Record, Refusal, Registry, Retried, Trigger,
};
use uuid::Uuid;

/// Notes what it is told, once the bug in it is mended.
struct Notes {
    mended: bool,
}

impl Decider for Notes {
    type State = Vec<u32>;
    type Event = u32;
    type Input = u32;

    fn initial(&self) -> Vec<u32> {
        Vec::new()
    }

    fn evolve(&self, mut state: Vec<u32>, event: &u32) -> Vec<u32> {
        state.push(*event);
        state
    }

    fn decide(
        &self,
        _state: &Vec<u32>,
        trigger: Trigger<'_, u32, u32>,
        _now: Timestamp,
    ) -> Result<Vec<u32>, Refusal> {
        match trigger {
            Trigger::Input(1) if !self.mended => panic!("a bug of the author's"),
            Trigger::Input(number) => Ok(vec![*number]),
            Trigger::Own(_) | Trigger::DeadlinePassed(_) => Ok(vec![]),
        }
    }
}

impl Process for Notes {
    type Command = ();

    fn react(&self, _after: &Vec<u32>, _event: &u32) -> Vec<Effect<()>> {
        vec![]
    }

    fn is_finished(&self, _state: &Vec<u32>) -> bool {
        false
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Three retries, after 1, 2 and 3 seconds.
const RETRIES: Backoff = Backoff {
    retries: 3,
    first: SECOND,
    longest: SignedDuration::from_secs(3),
};

struct Run {
    registry: Registry<Notes>,
    instance: Instance<Vec<u32>>,
    now: Timestamp,
    ids: u128,
}

fn registry(mended: bool) -> Registry<Notes> {
    Registry::single(Category::parse("notes-1.0").unwrap(), Notes { mended })
}

fn arrival(id: u128, content: Content<u32>) -> Arrival<'static, u32> {
    Arrival {
        id: Uuid::from_u128(id),
        name: "Something",
        content,
        whole: &|| "whole".to_owned(),
        retries: RETRIES,
    }
}

fn retry_is_due() -> Content<u32> {
    Content::DeadlinePassed(PARKED_INPUT_RETRY.to_owned())
}

impl Run {
    /// Input 1 is parked, and 2 and 3 behind it.
    fn parked() -> Self {
        let mut run = Self {
            registry: registry(false),
            instance: Instance::default(),
            now: Timestamp::UNIX_EPOCH,
            ids: 100,
        };
        for number in [1, 2, 3] {
            let outcome = run.take(u128::from(number), Content::Input(number));
            assert!(matches!(outcome, Outcome::Parked(_)), "{outcome:?}");
        }
        run
    }

    fn take(&mut self, id: u128, content: Content<u32>) -> Outcome<u32, ()> {
        self.registry
            .handle(&mut self.instance, arrival(id, content), self.now)
    }

    /// The first parked input is taken once more, because of an arrival of its own.
    fn retry(&mut self) -> Retried<u32, ()> {
        self.ids += 1;
        let first = self.instance.parked()[0].input_id.as_u128();
        let content = Content::Input(u32::try_from(first).unwrap());
        let again = arrival(first, content);
        let retry_id = Uuid::from_u128(self.ids);
        self.registry
            .retry_parked(&mut self.instance, again, retry_id, self.now)
    }

    /// Seconds until the next retry.
    fn waits(&self) -> Option<i64> {
        let due = self.instance.deadlines().get(PARKED_INPUT_RETRY)?;
        Some(due.duration_since(self.now).as_secs())
    }

    fn attempts(&self) -> Vec<u32> {
        self.instance.parked().iter().map(|p| p.attempts).collect()
    }
}

fn only(records: Vec<NewRecord<u32, ()>>) -> NewRecord<u32, ()> {
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap()
}

#[test]
fn what_fails_first_is_tried_again_after_a_delay_and_what_comes_behind_it_waits() {
    let run = Run::parked();
    assert_eq!(run.waits(), Some(1));
    assert_eq!(run.attempts(), [1, 0, 0]);
    assert!(run.instance.parked()[1].reason.contains("behind"));
}

#[test]
fn delays_double_until_no_attempt_is_left_and_then_it_waits_for_a_person() {
    let mut run = Run::parked();
    for (attempt, next) in [(2, Some(2)), (3, Some(3)), (4, None), (5, None)] {
        run.now += SignedDuration::from_secs(run.waits().unwrap_or(60));
        let Retried { records, failure } = run.retry();
        assert!(failure.unwrap().contains("panicked"));
        let record = only(records);
        assert!(
            matches!(record.record, Record::ParkedInputRetried { attempt: n, .. } if n == attempt),
            "{record:?}"
        );
        assert_eq!(record.input_id.as_u128(), run.ids);
        assert_eq!(run.waits(), next, "after attempt {attempt}");
        assert_eq!(run.attempts(), [attempt, 0, 0]);
    }
    assert_eq!(run.instance.parked().len(), 3, "nothing is given up");
}

#[test]
fn whoever_tries_in_between_counts_as_an_attempt_and_puts_nothing_off() {
    let mut run = Run::parked();
    run.now += SignedDuration::from_millis(100);
    run.retry();
    assert_eq!(run.attempts()[0], 2);
    assert_eq!(run.waits(), Some(0), "what was pending stays");
    run.now += SECOND;
    run.retry();
    assert_eq!(run.waits(), Some(3), "the third delay, not the second");
    run.retry();
    assert_eq!(run.waits(), None);
}

#[test]
fn the_retry_is_neither_parked_nor_given_to_the_process() {
    let mut run = Run::parked();
    // Before its time it does nothing, and is recorded.
    let early = run.take(50, retry_is_due());
    assert!(
        matches!(early, Outcome::Refused(Refusal::DeadlineNotPending(_), _)),
        "{early:?}"
    );
    assert_eq!(run.take(50, retry_is_due()), Outcome::Duplicate);
    run.now += SECOND;
    assert_eq!(run.take(51, retry_is_due()), Outcome::RetryDue);
    // Where nothing is parked, it says nothing to anybody.
    run.instance = Instance::default();
    let idle = run.take(52, retry_is_due());
    assert!(
        matches!(idle, Outcome::Refused(Refusal::DeadlineNotPending(_), _)),
        "{idle:?}"
    );
}

#[test]
fn once_it_can_be_decided_all_are_taken_in_order() {
    let mut run = Run::parked();
    run.registry = registry(true);
    run.now += SECOND;
    for rest in [2, 1, 0] {
        let Retried { records, failure } = run.retry();
        assert_eq!(failure, None);
        let done = records.last().unwrap();
        assert_eq!(done.record, Record::ParkedInputHandled);
        assert_eq!(done.input_id.as_u128(), run.ids, "the retry is recorded");
        // Were it to end here, those behind it would be due at once.
        assert_eq!(run.waits(), (rest > 0).then_some(0));
        assert_eq!(run.instance.parked().len(), rest);
    }
    assert_eq!(run.instance.state().unwrap(), &[1, 2, 3]);
    assert!(matches!(
        run.take(4, Content::Input(4)),
        Outcome::Decided(_)
    ));
}

#[test]
fn what_is_read_under_another_id_than_it_was_parked_under_is_handled_once() {
    // It comes again, and can be read by now: while it is parked as what cannot be read, or before.
    for again_first in [false, true] {
        let mut run = Run {
            registry: registry(false),
            instance: Instance::default(),
            now: Timestamp::UNIX_EPOCH,
            ids: 100,
        };
        let unreadable = || Content::Unreadable("no JSON".to_owned());
        if again_first {
            run.take(2, Content::Input(2));
            run.take(20, unreadable());
        } else {
            run.take(20, unreadable());
            run.take(2, Content::Input(2));
        }
        assert_eq!(run.take(2, Content::Input(2)), Outcome::Duplicate);
        assert_eq!(run.take(20, unreadable()), Outcome::Duplicate);
        let mut stream = Vec::new();
        while !run.instance.parked().is_empty() {
            run.ids += 1;
            let retry_id = Uuid::from_u128(run.ids);
            let readable = arrival(2, Content::Input(2));
            let retried = run
                .registry
                .retry_parked(&mut run.instance, readable, retry_id, run.now);
            assert_eq!(retried.failure, None);
            stream.extend(retried.records);
        }
        assert_eq!(run.instance.state().unwrap(), &[2], "{stream:?}");
        assert_eq!(run.take(2, Content::Input(2)), Outcome::Duplicate);
        assert_eq!(run.take(20, unreadable()), Outcome::Duplicate);
    }
}

#[test]
fn what_came_behind_and_fails_by_itself_has_a_schedule_of_its_own() {
    let mut run = Run::parked();
    for _ in 0..3 {
        run.retry();
    }
    assert_eq!(run.waits(), None);
    let first = Uuid::from_u128(1);
    run.registry
        .discard_parked(&mut run.instance, first, &Content::Input(1), run.now)
        .unwrap();
    assert_eq!(run.waits(), Some(0));
    let unreadable = arrival(2, Content::Unreadable("no JSON".to_owned()));
    let retried =
        run.registry
            .retry_parked(&mut run.instance, unreadable, Uuid::from_u128(99), run.now);
    let record = only(retried.records);
    assert_eq!(
        record.record,
        Record::ParkedInputRetried {
            attempt: 1,
            reason: "no JSON".to_owned()
        }
    );
    assert_eq!(run.waits(), Some(1));
    assert_eq!(run.instance.parked()[0].reason, "no JSON");
}

#[test]
fn only_the_first_parked_input_can_be_given_up() {
    let mut run = Run::parked();
    let mut discard = |id| {
        let (id, content) = (Uuid::from_u128(id), Content::Input(0));
        run.registry
            .discard_parked(&mut run.instance, id, &content, run.now)
    };
    let first = Uuid::from_u128(1);
    assert_eq!(discard(2), Err(NotDiscarded::NotFirst { first }));
    let records: Vec<_> = (1..=3).map(|id| discard(id).unwrap()).collect();
    assert!(
        records
            .iter()
            .all(|record| record.record == Record::ParkedInputDiscarded)
    );
    assert_eq!(discard(3), Err(NotDiscarded::NothingParked));
    assert_eq!(run.waits(), None, "nobody waits any more");
}

#[test]
fn the_past_tells_the_same_as_what_happened() {
    let mut run = Run::parked();
    let mut stream: Vec<NewRecord<u32, ()>> = Vec::new();
    let mut live = Instance::default();
    for number in [1, 2] {
        let outcome = run.registry.handle(
            &mut live,
            arrival(u128::from(number), Content::Input(number)),
            run.now,
        );
        stream.extend(outcome.into_records());
    }
    run.instance = live;
    stream.extend(run.retry().records);
    run.registry = registry(true);
    stream.extend(run.retry().records);
    let mut loaded = Instance::default();
    for record in &stream {
        run.registry.apply(&mut loaded, record);
    }
    assert_eq!(loaded, run.instance);
}

#[test]
fn of_a_long_reason_the_beginning_and_the_end_are_kept() {
    let mut run = Run::parked();
    run.instance = Instance::default();
    let reason = format!("not {} but a number", "ä".repeat(1 << 20));
    let Outcome::Parked(records) = run.take(9, Content::Unreadable(reason)) else {
        panic!("it cannot be read")
    };
    let Record::InputParked { reason, .. } = &records[0].record else {
        panic!("it is parked")
    };
    assert!(reason.len() < 2_100, "{} bytes", reason.len());
    assert!(reason.starts_with("not ää") && reason.ends_with("ää but a number"));
}
