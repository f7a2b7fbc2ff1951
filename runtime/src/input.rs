//! What comes to a service.

use contracts::{
    Actor, Command, DecodeError, Envelope, Kind, MessageId, MessageSet, ServiceContract,
    ServiceName, TraceParent,
};
use jiff::Timestamp;
use kernel::{Category, Content, Process};
use message_bus::Unreadable;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A process that can be run: its messages have names, and go over threads.
pub trait Runnable:
    Process<
        Event: MessageSet + Send + Sync,
        Input: MessageSet + Send + Sync,
        Command: Command + Send + Sync,
        State: Send + Sync,
    > + Send
    + Sync
    + 'static
{
}

impl<P> Runnable for P where
    P: Process<
            Event: MessageSet + Send + Sync,
            Input: MessageSet + Send + Sync,
            Command: Command + Send + Sync,
            State: Send + Sync,
        > + Send
        + Sync
        + 'static
{
}

/// Something that a service takes in, from the bus or from within.
#[derive(Debug)]
pub enum Input {
    /// A message.
    Message(Envelope),
    /// Something from the bus that is no message.
    Unreadable(Unreadable),
    /// A person wants what is parked to be tried again.
    Redrive {
        /// The wish, which is recorded with what it leads to.
        request_id: MessageId,
        /// The instance.
        instance: String,
        /// Who wants it.
        actor: Option<Actor>,
    },
    /// A person gives up the input that has been parked longest, and wants those behind it to be tried
    /// again.
    Discard {
        /// The wish, which is recorded with what it leads to.
        request_id: MessageId,
        /// The instance.
        instance: String,
        /// The input: nothing is given up unless it is the first.
        input_id: MessageId,
        /// Who wants it.
        actor: Option<Actor>,
    },
}

/// Where inputs go that name no instance.
pub(crate) const UNADDRESSED: &str = "~unaddressed";
/// Longer ids of instances than this are not used by anyone, and would not fit an index.
const MAX_INSTANCE_LENGTH: usize = 200;

/// The kernel's own inputs, which every process understands: wire and stored names.
const DEADLINE_PASSED: &str = "DeadlinePassed";
const CHANGE_CATEGORY: &str = "ChangeProcessCategory";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeadlinePassed {
    name: String,
    due: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeProcessCategory {
    to: String,
}

/// An input as it is kept while it is parked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kept {
    /// A message.
    Message(Envelope),
    /// Something that is no message, as it came.
    Unreadable {
        /// What is wrong with it.
        reason: String,
        /// All of it.
        raw: String,
    },
}

/// A deadline that is pending, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingDeadline {
    /// The instance that waits for it.
    pub instance: String,
    /// Its name, unique within the instance.
    pub name: String,
    /// When it is over.
    pub due: Timestamp,
    /// The entry that set it.
    pub set_by: MessageId,
    /// What that entry belongs to.
    pub correlation_id: MessageId,
    /// The trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

impl Input {
    /// Asks that an instance run under another category.
    ///
    /// # Errors
    /// None that can happen: a category is text.
    pub fn change_category(
        service: &ServiceName,
        instance: &str,
        to: &Category,
        actor: Option<Actor>,
        request_id: MessageId,
        now: Timestamp,
    ) -> Result<Envelope, serde_json::Error> {
        let data = to_raw_value(&ChangeProcessCategory {
            to: to.as_str().to_owned(),
        })?;
        Ok(Envelope {
            id: request_id,
            kind: Kind::Command {
                to: service.clone(),
            },
            source: service.clone(),
            type_name: CHANGE_CATEGORY.to_owned(),
            subject: instance.to_owned(),
            time: now,
            correlation_id: request_id,
            causation_id: request_id,
            traceparent: None,
            category: None,
            actor,
            data,
        })
    }

    /// Says that a deadline is over. Its id is derived from the entry that set it, so that saying it
    /// twice says it once.
    ///
    /// # Errors
    /// None that can happen: a deadline is text and a time.
    pub fn deadline_passed(
        service: &ServiceName,
        deadline: &PendingDeadline,
    ) -> Result<Self, serde_json::Error> {
        let data = to_raw_value(&DeadlinePassed {
            name: deadline.name.clone(),
            due: deadline.due,
        })?;
        Ok(Self::Message(Envelope {
            id: MessageId::derive(&[&deadline.set_by.to_string(), "deadline", &deadline.name]),
            kind: Kind::Command {
                to: service.clone(),
            },
            source: service.clone(),
            type_name: DEADLINE_PASSED.to_owned(),
            subject: deadline.instance.clone(),
            time: deadline.due,
            correlation_id: deadline.correlation_id,
            causation_id: deadline.set_by,
            traceparent: deadline.traceparent.clone(),
            category: None,
            actor: None,
            data,
        }))
    }

    /// What came from the bus for the service of this contract. Only a service itself knows that one of
    /// its deadlines is over, what names no instance is decided for none, and what nobody sends it, it
    /// does not take.
    #[must_use]
    pub fn from_bus(contract: &ServiceContract, message: Result<Envelope, Unreadable>) -> Self {
        let message = match message {
            Ok(message) => message,
            Err(unreadable) => return Self::Unreadable(unreadable),
        };
        let reason = if message.type_name == DEADLINE_PASSED {
            format!("{DEADLINE_PASSED} may not come from another service")
        } else if !Self::names_an_instance(&message.subject) || message.subject == UNADDRESSED {
            "its subject is the name of no instance".to_owned()
        } else if !contract.receives(&message) {
            let (source, service) = (&message.source, &contract.name);
            match &message.kind {
                Kind::Command { to } => format!("it is for {to}, and came to {service}"),
                Kind::Event => format!("{service} hears no {} of {source}", message.type_name),
            }
        } else {
            return Self::Message(message);
        };
        Self::Unreadable(Unreadable {
            id: Self::unreadable_id(&message),
            reason,
            raw: serde_json::to_string(&message).unwrap_or_default(),
            subject: Some(message.subject),
        })
    }

    /// The id under which a message is recorded that cannot be read. It names the content: another that
    /// bears the same id, and perhaps can be read, is no repetition of it.
    #[must_use]
    pub fn unreadable_id(message: &Envelope) -> MessageId {
        let (id, data) = (message.id.to_string(), message.data.get());
        MessageId::derive(&[
            "unreadable",
            &id,
            &message.type_name,
            &message.subject,
            data,
        ])
    }

    /// Whether a text can be the name of an instance.
    #[must_use]
    pub fn names_an_instance(name: &str) -> bool {
        (1..=MAX_INSTANCE_LENGTH).contains(&name.len()) && !name.chars().any(char::is_control)
    }

    /// The instance that it goes to.
    pub(crate) fn instance(&self) -> &str {
        let named = match self {
            Self::Message(message) => Some(&message.subject),
            Self::Unreadable(found) => found.subject.as_ref(),
            Self::Redrive { instance, .. } | Self::Discard { instance, .. } => Some(instance),
        };
        match named {
            Some(name) if Self::names_an_instance(name) => name,
            _ => UNADDRESSED,
        }
    }
}

/// Reads what a message says to a process, and the time before which it cannot have been said.
pub(crate) fn content<I: MessageSet>(message: &Envelope) -> (Content<I>, Option<Timestamp>) {
    fn own<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, String> {
        serde_json::from_str(data.get()).map_err(|error| error.to_string())
    }
    let read = match message.type_name.as_str() {
        DEADLINE_PASSED => own(&message.data)
            .map(|passed: DeadlinePassed| (Content::DeadlinePassed(passed.name), Some(passed.due))),
        CHANGE_CATEGORY => own(&message.data).and_then(|change: ChangeProcessCategory| {
            let to = Category::parse(change.to).map_err(|error| error.to_string())?;
            Ok((Content::ChangeCategory(to), None))
        }),
        _ => message
            .decode()
            .map(|input| (Content::Input(input), None))
            .map_err(|error: DecodeError| error.to_string()),
    };
    read.unwrap_or_else(|reason| (Content::Unreadable(reason), None))
}
