//! The guards that stand before every process, on the smallest process that shows them.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

use jiff::{SignedDuration, Timestamp};
use kernel::{
    Arrival, Backoff, Category, Content, Decider, Due, Effect, Fault, Instance, Outcome,
    PARKED_INPUT_RETRY, Process, Record, Refusal, Registry, Trigger, Unsettled, settle,
};
use uuid::Uuid;

/// Counts what comes in; its parts show one guard each.
struct Counter {
    step: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Start,
    Add,
    Wait,
    Spin,
    Break,
    Panic,
    End,
    Meddle,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Started,
    Added(u32),
    Doubled,
    Waiting,
    TimedOut,
    Spun,
    Broken,
    Ended,
    Meddled,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    sum: u32,
    ended: bool,
}

impl Decider for Counter {
    type State = State;
    type Event = Event;
    type Input = Input;

    fn initial(&self) -> State {
        State::default()
    }

    fn evolve(&self, mut state: State, event: &Event) -> State {
        match event {
            Event::Added(n) => state.sum += n,
            Event::Doubled => state.sum *= 2,
            Event::Ended => state.ended = true,
            Event::Started
            | Event::Waiting
            | Event::TimedOut
            | Event::Spun
            | Event::Broken
            | Event::Meddled => {}
        }
        state
    }

    fn decide(
        &self,
        _state: &State,
        trigger: Trigger<'_, Input, Event>,
        _now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        Ok(match trigger {
            Trigger::Input(Input::Start) => vec![Event::Started],
            Trigger::Input(Input::Add) => vec![Event::Added(self.step), Event::Added(self.step)],
            Trigger::Own(Event::Added(_)) => vec![Event::Doubled],
            Trigger::Input(Input::Wait) => vec![Event::Waiting],
            Trigger::DeadlinePassed("silent") => vec![],
            Trigger::DeadlinePassed(_) => vec![Event::TimedOut],
            Trigger::Input(Input::Spin) | Trigger::Own(Event::Spun) => vec![Event::Spun],
            Trigger::Input(Input::Break) => vec![Event::Broken],
            Trigger::Own(Event::Broken) => return Err(Refusal::because("not me")),
            Trigger::Input(Input::Panic) => panic!("a bug of the author's"),
            Trigger::Input(Input::End) => vec![Event::Ended],
            Trigger::Input(Input::Meddle) => vec![Event::Meddled],
            Trigger::Own(_) => vec![],
        })
    }
}

impl Process for Counter {
    type Command = u32;

    fn react(&self, after: &State, event: &Event) -> Vec<Effect<u32>> {
        let minute = Due::After(SignedDuration::from_mins(1));
        match event {
            Event::Doubled => vec![Effect::Send(after.sum)],
            Event::Waiting => vec![
                Effect::set_deadline("patience", minute),
                Effect::set_deadline("silent", minute),
            ],
            Event::Meddled => vec![Effect::clear_deadline(PARKED_INPUT_RETRY)],
            _ => vec![],
        }
    }

    fn is_finished(&self, state: &State) -> bool {
        state.ended
    }
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn category(text: &str) -> Category {
    Category::parse(text).unwrap()
}

fn registry() -> Registry<Counter> {
    Registry::new(
        |input| (*input == Input::Start).then(|| category("one-1.0")),
        [
            (category("one-1.0"), Counter { step: 1 }),
            (category("ten-1.0"), Counter { step: 10 }),
        ],
    )
}

struct Run {
    registry: Registry<Counter>,
    instance: Instance<State>,
    next: u128,
    now: Timestamp,
}

impl Run {
    fn started() -> Self {
        let mut run = Self {
            registry: registry(),
            instance: Instance::default(),
            next: 0,
            now: NOW,
        };
        run.take(Content::Input(Input::Start));
        run
    }

    fn take(&mut self, content: Content<Input>) -> Outcome<Event, u32> {
        self.next += 1;
        self.registry
            .handle(&mut self.instance, arrival(self.next, content), self.now)
    }
}

fn arrival(id: u128, content: Content<Input>) -> Arrival<'static, Input> {
    Arrival {
        id: Uuid::from_u128(id),
        name: "Something",
        content,
        whole: &|| "whole".to_owned(),
        retries: Backoff::NONE,
    }
}

fn events(outcome: Outcome<Event, u32>) -> Vec<Event> {
    let event = |record| match record {
        Record::Event(event) => event,
        other => panic!("{other:?}"),
    };
    outcome
        .into_records()
        .into_iter()
        .map(|r| event(r.record))
        .collect()
}

#[test]
fn own_decisions_are_fed_back_in_order_and_see_the_state_after_them() {
    let settled = settle(
        &Counter { step: 1 },
        &State::default(),
        Trigger::Input(&Input::Add),
        NOW,
    );
    let settled = settled.unwrap();
    let events: Vec<_> = settled.iter().map(|d| d.event.clone()).collect();
    assert_eq!(
        events,
        [
            Event::Added(1),
            Event::Added(1),
            Event::Doubled,
            Event::Doubled
        ]
    );
    let commands: Vec<_> = settled.into_iter().flat_map(|d| d.commands).collect();
    assert_eq!(commands, [4, 8]);
}

#[test]
fn a_process_that_never_rests_is_a_fault() {
    let settled = settle(
        &Counter { step: 1 },
        &State::default(),
        Trigger::Input(&Input::Spin),
        NOW,
    );
    assert_eq!(
        settled,
        Err(Unsettled::Faulty(Fault::Runaway {
            cap: kernel::MAX_DECISIONS
        }))
    );
}

#[test]
fn an_input_before_the_start_is_refused() {
    let mut instance = Instance::default();
    let outcome = registry().handle(&mut instance, arrival(1, Content::Input(Input::Add)), NOW);
    assert!(matches!(outcome, Outcome::Refused(Refusal::NotStarted, _)));
    assert_eq!(instance.category(), None);
}

#[test]
fn an_input_after_the_end_is_refused_without_asking() {
    let mut run = Run::started();
    run.take(Content::Input(Input::End));
    let outcome = run.take(Content::Input(Input::Add));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Finished, _)));
    let outcome = run.take(Content::ChangeCategory(category("ten-1.0")));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Finished, _)));
}

#[test]
fn a_category_is_kept_until_it_is_changed() {
    let mut run = Run::started();
    run.take(Content::Input(Input::Add));
    assert_eq!(run.instance.category(), Some(&category("one-1.0")));
    let outcome = run.take(Content::ChangeCategory(category("ten-1.0")));
    let Outcome::Decided(records) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        records[0].record,
        Record::CategoryChanged {
            from: category("one-1.0"),
            to: category("ten-1.0")
        }
    );
    assert_eq!(records[0].category, Some(category("ten-1.0")));
    let decided = run.take(Content::Input(Input::Add));
    assert_eq!(events(decided)[0], Event::Added(10));
    for (to, code) in [
        ("ten-1.0", "notApplicable"),
        ("none-1.0", "unknownCategory"),
    ] {
        let outcome = run.take(Content::ChangeCategory(category(to)));
        assert!(
            matches!(outcome, Outcome::Refused(ref r, _) if r.code() == code),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_deadline_that_is_over_asks_the_process_once() {
    let mut run = Run::started();
    run.take(Content::Input(Input::Wait));
    assert!(matches!(
        run.take(Content::DeadlinePassed("patience".to_owned())),
        Outcome::Refused(Refusal::DeadlineNotPending(_), _)
    ));
    assert_eq!(
        run.instance.deadlines().len(),
        2,
        "an early call changes nothing"
    );
    run.now = NOW + SignedDuration::from_mins(1);
    let outcome = run.take(Content::DeadlinePassed("patience".to_owned()));
    assert_eq!(
        outcome.clone().into_records()[0].deadlines_cleared,
        ["patience"]
    );
    assert_eq!(events(outcome), [Event::TimedOut]);
    assert!(matches!(
        run.take(Content::DeadlinePassed("patience".to_owned())),
        Outcome::Refused(Refusal::DeadlineNotPending(_), _)
    ));
    // A deadline to which the process says nothing is over as well.
    let outcome = run.take(Content::DeadlinePassed("silent".to_owned()));
    assert!(matches!(
        outcome,
        Outcome::Refused(Refusal::NothingDecided, _)
    ));
    assert!(run.instance.deadlines().is_empty());
}

#[test]
fn what_cannot_be_decided_is_parked_with_all_that_comes_behind_it() {
    let mut run = Run::started();
    let before = run.instance.state().cloned();
    for content in [Content::Input(Input::Break), Content::Input(Input::Add)] {
        assert!(matches!(run.take(content), Outcome::Parked(_)));
    }
    assert_eq!(run.instance.state().cloned(), before);
    let parked: Vec<_> = run
        .instance
        .parked()
        .iter()
        .map(|p| p.input_id.as_u128())
        .collect();
    assert_eq!(parked, [2, 3]);
    assert!(run.instance.parked()[0].reason.contains("not me"));
    // A repetition of a parked input is a duplicate.
    let again = arrival(2, Content::Input(Input::Break));
    assert_eq!(
        run.registry.handle(&mut run.instance, again, NOW),
        Outcome::Duplicate
    );
}

#[test]
fn an_instance_of_an_unknown_category_is_parked_not_lost() {
    let mut run = Run::started();
    run.take(Content::ChangeCategory(category("ten-1.0")));
    let older = Registry::new(|_| None, [(category("one-1.0"), Counter { step: 1 })]);
    let outcome = older.handle(
        &mut run.instance,
        arrival(9, Content::Input(Input::Add)),
        NOW,
    );
    let Outcome::Parked(records) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        matches!(&records[0].record, Record::InputParked { reason, .. } if reason.contains("ten-1.0"))
    );
}

#[test]
fn a_stream_with_an_unknown_category_is_loaded_and_its_inputs_are_parked() {
    let mut run = Run::started();
    let stream = run.take(Content::Input(Input::Add)).into_records();
    let other = Registry::new(|_| None, [(category("two-1.0"), Counter { step: 1 })]);
    let mut loaded = Instance::default();
    for record in &stream {
        other.apply(&mut loaded, record);
    }
    assert_eq!(loaded.version(), stream.len() as u64);
    assert!(loaded.unreadable().unwrap().contains("one-1.0"));
    let outcome = other.handle(&mut loaded, arrival(9, Content::Input(Input::Add)), NOW);
    assert!(matches!(outcome, Outcome::Parked(_)));
}

#[test]
fn a_process_that_panics_parks_its_instance() {
    let mut run = Run::started();
    let before = run.instance.state().cloned();
    let Outcome::Parked(records) = run.take(Content::Input(Input::Panic)) else {
        panic!("a panic is a fault")
    };
    assert!(
        matches!(&records[0].record, Record::InputParked { reason, .. } if reason.contains("author's"))
    );
    assert_eq!(run.instance.state().cloned(), before);
}

#[test]
fn a_process_that_meddles_with_the_retry_of_what_is_parked_is_a_fault() {
    let mut run = Run::started();
    let Outcome::Parked(records) = run.take(Content::Input(Input::Meddle)) else {
        panic!("the deadline is not the process's")
    };
    assert!(
        matches!(&records[0].record, Record::InputParked { reason, .. } if reason.contains(PARKED_INPUT_RETRY))
    );
}
