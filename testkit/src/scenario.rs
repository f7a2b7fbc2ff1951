//! Given a history, when something comes in, then this is decided.

use std::fmt::Debug;

use jiff::Timestamp;
use kernel::{
    Arrival, Backoff, Category, Content, Instance, NewRecord, Outcome, Process, Record, Registry,
};
use uuid::Uuid;

/// A process and its history.
pub struct Given<P: Process> {
    registry: Registry<P>,
    instance: Instance<P::State>,
    now: Timestamp,
}

/// What was decided.
pub struct Then<P: Process> {
    given: Given<P>,
    outcome: Outcome<P::Event, P::Command>,
}

fn category() -> Category {
    Category::parse("under-test-1.0").unwrap_or_else(|error| panic!("{error}"))
}

/// A process that has decided `history`, through the guards that stand before it in production.
pub fn given<P: Process>(process: P, history: impl IntoIterator<Item = P::Event>) -> Given<P>
where
    P::State: 'static,
{
    let registry = Registry::single(category(), process);
    let mut instance = Instance::default();
    for (at, event) in history.into_iter().enumerate() {
        let record: NewRecord<P::Event, P::Command> = NewRecord {
            record: Record::Event(event),
            category: Some(category()),
            input_id: Uuid::from_u128(1_000_000 + at as u128),
            commands: Vec::new(),
            deadlines_cleared: Vec::new(),
            deadlines_set: Default::default(),
        };
        registry.apply(&mut instance, &record);
    }
    Given {
        registry,
        instance,
        now: Timestamp::UNIX_EPOCH,
    }
}

impl<P: Process> Given<P> {
    /// The time at which things come in; midnight of 1 January 1970 unless it is set.
    #[must_use]
    pub fn at(mut self, now: &str) -> Self {
        self.now = now.parse().unwrap_or_else(|error| panic!("{now}: {error}"));
        self
    }

    /// An input comes in.
    pub fn when(self, input: impl Into<P::Input>) -> Then<P> {
        self.arrive(Content::Input(input.into()))
    }

    /// A deadline is over: one that the history would have set.
    pub fn when_deadline_passes(mut self, name: &str) -> Then<P> {
        let set: NewRecord<P::Event, P::Command> = NewRecord {
            record: Record::ParkedInputHandled,
            category: Some(category()),
            input_id: Uuid::from_u128(2_000_000),
            commands: Vec::new(),
            deadlines_cleared: Vec::new(),
            deadlines_set: [(name.to_owned(), self.now)].into(),
        };
        self.registry.apply(&mut self.instance, &set);
        self.arrive(Content::DeadlinePassed(name.to_owned()))
    }

    fn arrive(mut self, content: Content<P::Input>) -> Then<P> {
        let arrival = Arrival {
            // Another for each version, so that what comes next is not a repetition.
            id: Uuid::from_u128(u128::from(self.instance.version()) + 1),
            name: "input",
            content,
            whole: &String::new,
            retries: Backoff::NONE,
        };
        let outcome = self.registry.handle(&mut self.instance, arrival, self.now);
        Then {
            given: self,
            outcome,
        }
    }
}

impl<P: Process> Then<P>
where
    P::Event: Debug + PartialEq + Clone,
    P::Command: Debug + PartialEq + Clone,
{
    fn records(&self) -> &[NewRecord<P::Event, P::Command>] {
        let Outcome::Decided(records) = &self.outcome else {
            panic!("it was not decided: {:?}", self.outcome)
        };
        records
    }

    /// Exactly these decisions were made, in this order.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = P::Event>) -> Self {
        assert_eq!(self.events(), expected.into_iter().collect::<Vec<_>>());
        self
    }

    /// Exactly these commands are sent, in this order.
    #[track_caller]
    pub fn sends(self, expected: impl IntoIterator<Item = P::Command>) -> Self {
        let commands: Vec<_> = self
            .records()
            .iter()
            .flat_map(|record| record.commands.clone())
            .collect();
        assert_eq!(commands, expected.into_iter().collect::<Vec<_>>());
        self
    }

    /// Exactly these deadlines are pending now, in the order of their names, at these times.
    #[track_caller]
    pub fn waits_until(self, expected: &[(&str, &str)]) -> Self {
        let pending: Vec<_> = self
            .given
            .instance
            .deadlines()
            .iter()
            .map(|(name, due)| (name.clone(), due.to_string()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, due)| ((*name).to_owned(), (*due).to_owned()))
            .collect();
        assert_eq!(pending, expected);
        self
    }

    /// What it led to, in a line: the events, or why there are none.
    pub fn in_words(&self) -> String
    where
        P::Event: contracts::MessageSet,
    {
        match &self.outcome {
            Outcome::Decided(_) => {
                let events = self.events();
                let names = events.iter().map(contracts::MessageSet::type_name);
                format!("→ {}", names.collect::<Vec<_>>().join(", "))
            }
            Outcome::Refused(refusal, _) => format!("{}: {refusal}", refusal.code()),
            Outcome::Duplicate | Outcome::Parked(_) | Outcome::RetryDue => {
                panic!("{:?}", self.outcome)
            }
        }
    }

    /// It was refused, for a reason that holds this text.
    #[track_caller]
    pub fn is_refused(self, reason: &str) -> Self {
        let Outcome::Refused(refusal, _) = &self.outcome else {
            panic!("it was not refused: {:?}", self.outcome)
        };
        assert!(refusal.to_string().contains(reason), "refused: {refusal}");
        self
    }

    /// What comes in next is refused, for a reason that holds this text, and changes nothing.
    #[track_caller]
    pub fn and_refused(self, input: impl Into<P::Input>, reason: &str) -> Self {
        self.and_when(input).is_refused(reason)
    }

    /// What comes in next, after this was decided.
    pub fn and_when(self, input: impl Into<P::Input>) -> Self {
        self.given.when(input)
    }

    /// The decisions, in order.
    pub fn events(&self) -> Vec<P::Event> {
        let event = |record: &NewRecord<P::Event, P::Command>| match &record.record {
            Record::Event(event) => Some(event.clone()),
            Record::CategoryChanged { .. }
            | Record::TriggerIgnored { .. }
            | Record::InputParked { .. }
            | Record::ParkedInputRetried { .. }
            | Record::ParkedInputHandled
            | Record::ParkedInputDiscarded => None,
        };
        self.records().iter().filter_map(event).collect()
    }
}
