//! The smallest service that uses everything: tickets that are opened, noted on, reminded of and closed.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "test support, of which each test uses a part"
)]

pub mod odd_store;
pub mod warnings;

use std::sync::Arc;

use contracts::{
    Actor, Command, Envelope, Kind, MessageId, Partitions, ServiceContract, ServiceName,
    message_set,
};
use event_store::{Entry, EventStore, StreamKind, StreamName};
use event_store_memory::MemoryEventStore;
use jiff::{SignedDuration, Timestamp};
use kernel::{Category, Decider, Due, Effect, Process, Refusal, Registry, Trigger};
use message_bus::Unreadable;
use runtime::{Clock, Failure, Handled, Handler, Input as Arrived, Settings, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::sync::CancellationToken;

pub const TICKETS: ServiceName = ServiceName::new("tickets");
pub const MAILER: ServiceName = ServiceName::new("mailer");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    pub text: String,
}

macro_rules! texts {
    ($($name:ident),+) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Text);
    )+};
}

texts!(
    Open, Note, Close, Escalate, Opened, Noted, Reminded, Closed, Escalated
);

message_set! {
    /// What a program of the first version knows.
    pub enum Input {
        Open(Open) = "Open",
        Note(Note) = "Note",
        Close(Close) = "Close",
    }
}

message_set! {
    /// What a program of the second version knows.
    pub enum NewerInput {
        Open(Open) = "Open",
        Note(Note) = "Note",
        Close(Close) = "Close",
        Escalate(Escalate) = "Escalate",
    }
}

message_set! {
    /// What is decided.
    pub enum Event {
        Opened(Opened) = "Opened",
        Noted(Noted) = "Noted",
        Reminded(Reminded) = "Reminded",
        Closed(Closed) = "Closed",
        Escalated(Escalated) = "Escalated",
    }
}

/// A mail that is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail(pub String);

impl Command for Mail {
    fn to(&self) -> ServiceName {
        MAILER
    }

    fn type_name(&self) -> &'static str {
        "Mail"
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        to_raw_value(&self.0)
    }
}

/// Tickets; `I` is what the program's version can read.
pub struct Tickets<I>(pub fn(&I) -> Event);

pub fn older() -> Tickets<Input> {
    Tickets(|input| match input {
        Input::Open(open) => Opened(open.0.clone()).into(),
        Input::Note(note) => Noted(note.0.clone()).into(),
        Input::Close(close) => Closed(close.0.clone()).into(),
    })
}

pub fn newer() -> Tickets<NewerInput> {
    Tickets(|input| match input {
        NewerInput::Open(open) => Opened(open.0.clone()).into(),
        NewerInput::Note(note) => Noted(note.0.clone()).into(),
        NewerInput::Close(close) => Closed(close.0.clone()).into(),
        NewerInput::Escalate(escalate) => Escalated(escalate.0.clone()).into(),
    })
}

impl<I> Decider for Tickets<I> {
    /// Open, and then closed.
    type State = (bool, bool);
    type Event = Event;
    type Input = I;

    fn initial(&self) -> Self::State {
        (false, false)
    }

    fn evolve(&self, (open, closed): Self::State, event: &Event) -> Self::State {
        match event {
            Event::Opened(_) => (true, closed),
            Event::Closed(_) => (open, true),
            Event::Noted(_) | Event::Reminded(_) | Event::Escalated(_) => (open, closed),
        }
    }

    fn decide(
        &self,
        (open, _): &Self::State,
        trigger: Trigger<'_, I, Event>,
        _now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        match trigger {
            Trigger::Input(input) => {
                let event = (self.0)(input);
                match (&event, open) {
                    (Event::Opened(_), true) => Err(Refusal::AlreadyStarted),
                    (Event::Opened(_), false) | (_, true) => Ok(vec![event]),
                    (_, false) => Err(Refusal::NotStarted),
                }
            }
            Trigger::DeadlinePassed(name) => Ok(vec![
                Reminded(Text {
                    text: name.to_owned(),
                })
                .into(),
            ]),
            Trigger::Own(_) => Ok(vec![]),
        }
    }
}

impl<I> Process for Tickets<I> {
    type Command = Mail;

    fn react(&self, _after: &Self::State, event: &Event) -> Vec<Effect<Mail>> {
        let in_ten_minutes = Due::After(SignedDuration::from_mins(10));
        match event {
            Event::Opened(_) => vec![Effect::set_deadline("reminder", in_ten_minutes)],
            Event::Reminded(_) => vec![Effect::Send(Mail("remember".to_owned()))],
            Event::Closed(_) => vec![Effect::clear_deadline("reminder")],
            Event::Noted(_) | Event::Escalated(_) => vec![],
        }
    }

    fn is_finished(&self, (_, closed): &Self::State) -> bool {
        *closed
    }

    fn is_public(&self, event: &Event) -> bool {
        !matches!(event, Event::Noted(_))
    }
}

pub fn registry<I: 'static>(tickets: Tickets<I>) -> Arc<Registry<Tickets<I>>> {
    Arc::new(Registry::single(
        Category::parse("tickets-1.0").unwrap(),
        tickets,
    ))
}

pub fn contract() -> ServiceContract {
    ServiceContract {
        name: TICKETS,
        stream_kind: "Ticket",
        commands_from: vec![TICKETS],
        hears: vec![],
    }
}

pub fn kind() -> StreamKind {
    StreamKind::new("Ticket")
}

pub fn memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryEventStore::new(Partitions::default()))
}

pub fn settings() -> Settings {
    Settings {
        poll_interval_ms: 20,
        checkpoint_interval_ms: 5,
        ..Settings::default()
    }
}

pub fn handler<I>(
    tickets: Tickets<I>,
    store: &Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Handler<Tickets<I>>
where
    I: contracts::MessageSet + Send + Sync + 'static,
{
    let registry = registry(tickets);
    Handler::new(
        TICKETS,
        kind(),
        registry,
        store.clone(),
        clock,
        &settings(),
        stop.clone(),
    )
}

/// A message to a ticket; `n` tells repetitions from others.
pub fn envelope(type_name: &str, ticket: &str, n: u32) -> Envelope {
    let id = MessageId::derive(&[ticket, type_name, &n.to_string()]);
    Envelope {
        id,
        kind: Kind::Command { to: TICKETS },
        source: TICKETS,
        type_name: type_name.to_owned(),
        subject: ticket.to_owned(),
        time: Timestamp::UNIX_EPOCH,
        correlation_id: MessageId::derive(&["correlation", ticket]),
        causation_id: id,
        traceparent: None,
        actor: None,
        category: None,
        data: to_raw_value(&Text {
            text: n.to_string(),
        })
        .unwrap(),
    }
}

pub fn message(type_name: &str, ticket: &str, n: u32) -> Arrived {
    Arrived::Message(envelope(type_name, ticket, n))
}

/// What is no message, for this instance if it names one; `n` tells repetitions from others.
pub fn garbage(subject: Option<&str>, n: &str) -> Arrived {
    Arrived::Unreadable(Unreadable {
        id: MessageId::derive(&["garbage", n]),
        subject: subject.map(str::to_owned),
        reason: "no JSON".to_owned(),
        raw: format!("raw {n}"),
    })
}

/// Ada wants what is parked to be tried again.
pub fn redrive(ticket: &str) -> Arrived {
    Arrived::Redrive {
        request_id: MessageId::from(uuid::Uuid::now_v7()),
        instance: ticket.to_owned(),
        actor: Actor::parse("ada").ok(),
    }
}

/// Ada gives up a parked input.
pub fn discard(ticket: &str, input_id: MessageId) -> Arrived {
    Arrived::Discard {
        request_id: MessageId::from(uuid::Uuid::now_v7()),
        instance: ticket.to_owned(),
        input_id,
        actor: Actor::parse("ada").ok(),
    }
}

pub fn handled(results: Vec<Result<Handled, Failure>>) -> Vec<Handled> {
    results.into_iter().map(|result| result.unwrap()).collect()
}

pub fn system_clock() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}

pub async fn stream(store: &Arc<dyn EventStore>, ticket: &str) -> Vec<Entry> {
    store
        .read_streams(&[StreamName::new(ticket, &kind())])
        .await
        .unwrap()
        .remove(0)
}

/// The names of a ticket's entries.
pub async fn names(store: &Arc<dyn EventStore>, ticket: &str) -> Vec<String> {
    let entries = stream(store, ticket).await;
    entries
        .into_iter()
        .map(|entry| entry.content.type_name)
        .collect()
}

/// Waits until a condition holds, looking again each time the log has grown.
pub async fn until(store: &Arc<dyn EventStore>, holds: impl AsyncFn() -> bool) {
    let mut wake_up = store.wake_ups(&kind());
    let patient = async {
        while !holds().await {
            wake_up.woken().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), patient)
        .await
        .expect("in time");
}
