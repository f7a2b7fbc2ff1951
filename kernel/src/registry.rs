//! The processes of a service, and the guards that stand before each of them.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use jiff::Timestamp;
use uuid::Uuid;

use crate::instance::{Instance, NewRecord, Parked, Record};
use crate::parking::PARKED_INPUT_RETRY;
use crate::{Backoff, Category, Decided, Fault, Process, Refusal, Trigger, Unsettled, settle};

/// Processes by category, and how the category of a new instance is found.
pub struct Registry<P: Process> {
    processes: BTreeMap<Category, P>,
    classify: Box<dyn Fn(&P::Input) -> Option<Category> + Send + Sync>,
}

/// Something that has come to an instance.
pub struct Arrival<'a, I> {
    /// Its id: each is handled once.
    pub id: Uuid,
    /// The name of its type, for the record of a refusal.
    pub name: &'a str,
    /// What it is.
    pub content: Content<I>,
    /// All of it as text, in case it has to be parked.
    pub whole: &'a dyn Fn() -> String,
    /// How it is tried again, in case it has to be parked.
    pub retries: Backoff,
}

/// What has come.
pub enum Content<I> {
    /// An input of the process.
    Input(I),
    /// A deadline may be over.
    DeadlinePassed(String),
    /// The instance shall run under another category.
    ChangeCategory(Category),
    /// It could not be read, for this reason.
    Unreadable(String),
}

/// What became of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<E, C> {
    /// It was handled before, and did nothing now.
    Duplicate,
    /// It was decided: these are to be stored.
    Decided(Vec<NewRecord<E, C>>),
    /// It was refused: this is to be stored.
    Refused(Refusal, Vec<NewRecord<E, C>>),
    /// It is parked: this is to be stored.
    Parked(Vec<NewRecord<E, C>>),
    /// It says that what is parked is to be tried again now, which
    /// [`retry_parked`](Registry::retry_parked) does.
    RetryDue,
}

impl<E, C> Outcome<E, C> {
    /// What is to be stored.
    pub fn into_records(self) -> Vec<NewRecord<E, C>> {
        match self {
            Self::Duplicate | Self::RetryDue => Vec::new(),
            Self::Decided(records) | Self::Refused(_, records) | Self::Parked(records) => records,
        }
    }
}

type Records<P> = Vec<NewRecord<<P as crate::Decider>::Event, <P as Process>::Command>>;

impl<P: Process> Registry<P> {
    /// A registry that finds the category of a new instance by `classify`; `None` says that the
    /// input starts nothing.
    pub fn new(
        classify: impl Fn(&P::Input) -> Option<Category> + Send + Sync + 'static,
        processes: impl IntoIterator<Item = (Category, P)>,
    ) -> Self {
        Self {
            processes: processes.into_iter().collect(),
            classify: Box::new(classify),
        }
    }

    /// A registry of one process.
    pub fn single(category: Category, process: P) -> Self {
        let only = category.clone();
        Self::new(move |_| Some(only.clone()), [(category, process)])
    }

    /// The process of a category.
    #[must_use]
    pub fn process(&self, category: &Category) -> Option<&P> {
        self.processes.get(category)
    }

    /// Takes one arrival to an instance. The instance is moved on as if what is to be stored were
    /// stored; when it cannot be, the instance must be loaded again.
    pub fn handle(
        &self,
        instance: &mut Instance<P::State>,
        arrival: Arrival<'_, P::Input>,
        now: Timestamp,
    ) -> Outcome<P::Event, P::Command> {
        if instance.has_recorded(arrival.id) {
            return Outcome::Duplicate;
        }
        if let Content::DeadlinePassed(name) = &arrival.content
            && name == PARKED_INPUT_RETRY
        {
            // It never queues behind what it is about, and no process hears of it.
            if is_over(instance, name, now) && !instance.parked.is_empty() {
                return Outcome::RetryDue;
            }
            return self.ignore(
                instance,
                &arrival,
                Refusal::DeadlineNotPending(name.clone()),
            );
        }
        if let Some(first) = instance.parked.front() {
            let reason = format!("it comes behind a parked input ({})", first.input_id);
            return self.park(instance, &arrival, &reason, now);
        }
        match self.decide(instance, &arrival, now) {
            Ok(outcome) => outcome,
            Err(reason) => self.park(instance, &arrival, &reason, now),
        }
    }

    /// Moves an instance on by a record of its stream. A decision that was made under a category
    /// that is not here cannot be read: see [`Instance::unreadable`].
    pub fn apply<C>(&self, instance: &mut Instance<P::State>, record: &NewRecord<P::Event, C>) {
        instance.version += 1;
        if !matches!(record.record, Record::InputParked { .. }) {
            instance.handled.insert(record.input_id);
        }
        for name in &record.deadlines_cleared {
            instance.deadlines.remove(name);
        }
        for (name, due) in &record.deadlines_set {
            instance.deadlines.insert(name.clone(), *due);
        }
        match &record.record {
            Record::Event(event) => {
                let process = record.category.as_ref().and_then(|c| self.processes.get(c));
                let state = instance.state.take();
                let evolved = match process {
                    Some(process) => unless_it_panics(|| {
                        process.evolve(state.unwrap_or_else(|| process.initial()), event)
                    }),
                    None => {
                        let category = record.category.as_ref().map_or("none", Category::as_str);
                        Err(Fault::UnknownCategory(category.to_owned()))
                    }
                };
                match evolved {
                    Ok(state) => instance.state = Some(state),
                    Err(fault) => {
                        instance.unreadable.get_or_insert(fault.to_string());
                    }
                }
                instance.category.clone_from(&record.category);
            }
            Record::CategoryChanged { to, .. } => instance.category = Some(to.clone()),
            Record::TriggerIgnored { .. } => {}
            Record::InputParked {
                trigger,
                reason,
                input,
            } => {
                // What comes behind another has not been tried.
                let attempts = u32::from(instance.parked.is_empty());
                instance.parked.push_back(Parked {
                    input_id: record.input_id,
                    trigger: trigger.clone(),
                    reason: reason.clone(),
                    attempts,
                    input: input.clone(),
                });
            }
            Record::ParkedInputRetried { attempt, reason } => {
                if let Some(first) = instance.parked.front_mut() {
                    first.attempts = *attempt;
                    first.reason.clone_from(reason);
                }
            }
            Record::ParkedInputHandled | Record::ParkedInputDiscarded => {
                let first = instance.parked.pop_front();
                instance.handled.extend(first.map(|first| first.input_id));
            }
        }
    }

    fn known(&self, category: &Category) -> Result<&P, Fault> {
        self.processes
            .get(category)
            .ok_or_else(|| Fault::UnknownCategory(category.to_string()))
    }

    /// The outcome, or why the arrival cannot be decided; the instance moves on only with an outcome.
    pub(crate) fn decide(
        &self,
        instance: &mut Instance<P::State>,
        arrival: &Arrival<'_, P::Input>,
        now: Timestamp,
    ) -> Result<Outcome<P::Event, P::Command>, String> {
        if let Some(reason) = instance.unreadable() {
            return Err(format!("the instance's past cannot be read: {reason}"));
        }
        let decided = match &arrival.content {
            Content::Unreadable(reason) => return Err(reason.clone()),
            Content::ChangeCategory(to) => self.change_category(instance, arrival.id, to),
            Content::Input(input) => self.ask(instance, arrival.id, Trigger::Input(input), now),
            Content::DeadlinePassed(name) if is_over(instance, name, now) => {
                self.ask(instance, arrival.id, Trigger::DeadlinePassed(name), now)
            }
            Content::DeadlinePassed(name) => Err(Refusal::DeadlineNotPending(name.clone()).into()),
        };
        let (refusal, mut records) = match decided {
            Ok(records) => (None, records),
            Err(Unsettled::Refused(refusal)) => {
                let record = ignored(instance, arrival, &refusal);
                (Some(refusal), vec![record])
            }
            Err(Unsettled::Faulty(fault)) => return Err(fault.to_string()),
        };
        // A deadline that is over is no longer pending, whatever the process made of it; where the
        // process sets it again, setting wins.
        if let Content::DeadlinePassed(name) = &arrival.content
            && is_over(instance, name, now)
            && let Some(first) = records.first_mut()
        {
            first.deadlines_cleared.insert(0, name.clone());
        }
        for record in &records {
            self.apply(instance, record);
        }
        Ok(match refusal {
            None => Outcome::Decided(records),
            Some(refusal) => Outcome::Refused(refusal, records),
        })
    }

    /// What the process of the instance decides.
    fn ask(
        &self,
        instance: &Instance<P::State>,
        input_id: Uuid,
        trigger: Trigger<'_, P::Input, P::Event>,
        now: Timestamp,
    ) -> Result<Records<P>, Unsettled> {
        let category = match (&instance.category, trigger) {
            (Some(category), _) => category.clone(),
            (None, Trigger::Input(input)) => (self.classify)(input).ok_or(Refusal::NotStarted)?,
            (None, Trigger::Own(_) | Trigger::DeadlinePassed(_)) => {
                return Err(Refusal::NotStarted.into());
            }
        };
        let process = self.known(&category)?;
        let initial;
        let state = match &instance.state {
            Some(state) => state,
            None => {
                initial = process.initial();
                &initial
            }
        };
        if process.is_finished(state) {
            return Err(Refusal::Finished.into());
        }
        let record = |decided: Decided<P::Event, P::Command>| NewRecord {
            record: Record::Event(decided.event),
            category: Some(category.clone()),
            input_id,
            commands: decided.commands,
            deadlines_cleared: decided.deadlines_cleared,
            deadlines_set: decided.deadlines_set,
        };
        let settled = unless_it_panics(|| settle(process, state, trigger, now))??;
        if settled.iter().any(touches_the_retry) {
            return Err(Fault::ReservedDeadline(PARKED_INPUT_RETRY).into());
        }
        Ok(settled.into_iter().map(record).collect())
    }

    /// What would be otherwise if an instance ran under another category from here on. Nothing is
    /// changed.
    ///
    /// # Errors
    /// Why it cannot: the refusal that the switch itself would meet with.
    pub fn preview_category(
        &self,
        instance: &Instance<P::State>,
        to: &Category,
    ) -> Result<Vec<String>, Refusal> {
        let (Some(from), Some(state)) = (&instance.category, &instance.state) else {
            return Err(Refusal::NotStarted);
        };
        let Some(process) = self.processes.get(to) else {
            return Err(Refusal::UnknownCategory(to.clone()));
        };
        if self
            .known(from)
            .is_ok_and(|process| process.is_finished(state))
        {
            return Err(Refusal::Finished);
        }
        if from == to {
            return Err(Refusal::because(format!("it runs under {to} already")));
        }
        process.adopt(state)
    }

    fn change_category(
        &self,
        instance: &Instance<P::State>,
        input_id: Uuid,
        to: &Category,
    ) -> Result<Records<P>, Unsettled> {
        self.preview_category(instance, to)?;
        let from = instance.category.as_ref().ok_or(Refusal::NotStarted)?;
        let changed = Record::CategoryChanged {
            from: from.clone(),
            to: to.clone(),
        };
        let mut record = bookkeeping(instance, input_id, changed);
        record.category = Some(to.clone());
        Ok(vec![record])
    }

    /// Records that an arrival leads to nothing.
    fn ignore(
        &self,
        instance: &mut Instance<P::State>,
        arrival: &Arrival<'_, P::Input>,
        refusal: Refusal,
    ) -> Outcome<P::Event, P::Command> {
        let record = ignored(instance, arrival, &refusal);
        self.apply(instance, &record);
        Outcome::Refused(refusal, vec![record])
    }
}

/// Runs what an author has written: a panic there is a fault of one instance, and not the end of all.
fn unless_it_panics<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    // What was being changed when it panicked is a copy, and is dropped.
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Fault::Panicked(message.unwrap_or_else(|| "without a message".to_owned()))
    })
}

fn is_over<S>(instance: &Instance<S>, deadline: &str, now: Timestamp) -> bool {
    instance
        .deadlines
        .get(deadline)
        .is_some_and(|due| *due <= now)
}

/// Whether a decision sets or clears the deadline that is not the process's.
fn touches_the_retry<E, C>(decided: &Decided<E, C>) -> bool {
    let mut cleared = decided.deadlines_cleared.iter();
    decided.deadlines_set.contains_key(PARKED_INPUT_RETRY)
        || cleared.any(|name| name == PARKED_INPUT_RETRY)
}

/// The record of an arrival that leads to nothing.
fn ignored<S, I, E, C>(
    instance: &Instance<S>,
    arrival: &Arrival<'_, I>,
    refusal: &Refusal,
) -> NewRecord<E, C> {
    let ignored = Record::TriggerIgnored {
        trigger: arrival.name.to_owned(),
        code: refusal.code().to_owned(),
        reason: refusal.to_string(),
    };
    bookkeeping(instance, arrival.id, ignored)
}

/// A record without effects.
pub(crate) fn bookkeeping<S, E, C>(
    instance: &Instance<S>,
    input_id: Uuid,
    record: Record<E>,
) -> NewRecord<E, C> {
    NewRecord {
        record,
        category: instance.category.clone(),
        input_id,
        commands: Vec::new(),
        deadlines_cleared: Vec::new(),
        deadlines_set: BTreeMap::new(),
    }
}
