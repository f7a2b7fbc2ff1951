//! Messages as CloudEvents 1.0 in AMQP binary mode: attributes as headers, the payload as the body.
//!
//! After <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md>,
//! with the prefix `cloudEvents_`, which no client mistakes for a separator.

use std::borrow::Cow;
use std::str;

use contracts::{Envelope, Kind, MessageId, ServiceName, TraceParent};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString, ShortStringError};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What stands before the names of attributes in headers.
pub(crate) const PREFIX: &str = "cloudEvents_";

const SPECVERSION: &str = "cloudEvents_specversion";
const ID: &str = "cloudEvents_id";
const SOURCE: &str = "cloudEvents_source";
const TYPE: &str = "cloudEvents_type";
const SUBJECT: &str = "cloudEvents_subject";
const TIME: &str = "cloudEvents_time";
// Extension attributes: lower-case letters only, as the specification asks.
const KIND: &str = "cloudEvents_kind";
const TARGET: &str = "cloudEvents_target";
const CORRELATION_ID: &str = "cloudEvents_correlationid";
const CAUSATION_ID: &str = "cloudEvents_causationid";
const CATEGORY: &str = "cloudEvents_category";
/// Under its own name, where every tracing library looks for it.
const TRACEPARENT: &str = "traceparent";

pub(crate) const VERSION: &str = "1.0";
const SOURCE_PREFIX: &str = "/longhaul/";
pub(crate) const EVENT: &str = "event";
pub(crate) const COMMAND: &str = "command";
pub(crate) const CONTENT_TYPE: &str = "application/json";
/// `delivery-mode` of a message that survives a restart of the broker.
pub(crate) const PERSISTENT: u8 = 2;

/// Why a delivery is no message of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{name} is {found}, not {expected}")]
    Wrong {
        name: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("the body is no JSON: {0}")]
    Body(String),
}

/// The properties of a message; its body is the payload as it stands.
///
/// # Errors
/// When the name of its type is longer than AMQP allows (255 bytes).
pub(crate) fn encode(message: &Envelope) -> Result<BasicProperties, ShortStringError> {
    let mut headers = FieldTable::default();
    let mut set = |name: &str, value: &str| {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    let id = message.id.to_string();
    let correlation_id = message.correlation_id.to_string();
    set(SPECVERSION, VERSION);
    set(ID, &id);
    set(SOURCE, &source(message));
    set(TYPE, &message.type_name);
    set(SUBJECT, &message.subject);
    set(TIME, &time(message));
    match &message.kind {
        Kind::Event => set(KIND, EVENT),
        Kind::Command { to } => {
            set(KIND, COMMAND);
            set(TARGET, to.as_str());
        }
    }
    set(CORRELATION_ID, &correlation_id);
    set(CAUSATION_ID, &message.causation_id.to_string());
    if let Some(category) = &message.category {
        set(CATEGORY, category);
    }
    if let Some(trace) = &message.traceparent {
        set(TRACEPARENT, trace.as_str());
    }
    Ok(BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(ShortString::try_new(id)?)
        .with_correlation_id(ShortString::try_new(correlation_id)?)
        .with_type(ShortString::try_new(message.type_name.as_str())?)
        .with_timestamp(u64::try_from(message.time.as_second()).unwrap_or_default())
        .with_headers(headers))
}

/// Where a message comes from, as its source says it.
pub(crate) fn source(message: &Envelope) -> String {
    format!("{SOURCE_PREFIX}{}", message.source)
}

/// When a message was decided, to the microsecond.
pub(crate) fn time(message: &Envelope) -> String {
    format!("{:.6}", message.time)
}

/// Whether a content type, whatever its parameters, is this one.
pub(crate) fn is_type(found: &str, expected: &str) -> bool {
    let bare = found.split(';').next().unwrap_or_default().trim();
    bare.eq_ignore_ascii_case(expected)
}

/// Reads back what [`encode`] wrote. The headers alone count: the properties that repeat them are
/// for people and tools.
pub(crate) fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Envelope, DecodeError> {
    if let Some(found) = properties.content_type()
        && !is_type(found.as_str(), CONTENT_TYPE)
    {
        return Err(wrong("content_type", found.as_str(), CONTENT_TYPE));
    }
    let data = str::from_utf8(body)
        .map_err(|error| DecodeError::Body(error.to_string()))
        .and_then(|body| {
            RawValue::from_string(body.to_owned())
                .map_err(|error| DecodeError::Body(error.to_string()))
        });
    let headers = Headers(properties.headers().as_ref());
    let read = read(&headers, RawValue::NULL.to_owned())?;
    Ok(Envelope {
        data: data?,
        ..read
    })
}

/// A message of these attributes.
pub(crate) fn read(
    attributes: &impl Attributes,
    data: Box<RawValue>,
) -> Result<Envelope, DecodeError> {
    match &*attributes.required(SPECVERSION)? {
        VERSION => {}
        found => return Err(wrong(SPECVERSION, found, VERSION)),
    }
    let source = attributes.required(SOURCE)?;
    let service = match source.strip_prefix(SOURCE_PREFIX) {
        Some(service) if !service.is_empty() => service,
        Some(_) | None => return Err(wrong(SOURCE, &source, "/longhaul/{service}")),
    };
    let kind = match &*attributes.required(KIND)? {
        EVENT => Kind::Event,
        COMMAND => Kind::Command {
            to: ServiceName::from(attributes.required(TARGET)?.into_owned()),
        },
        found => return Err(wrong(KIND, found, "event or command")),
    };
    let time = attributes.required(TIME)?;
    // An invalid trace context counts as absent; it must never stop a message.
    let trace = attributes.optional(TRACEPARENT).ok().flatten();
    Ok(Envelope {
        id: message_id(attributes, ID)?,
        kind,
        source: ServiceName::from(service.to_owned()),
        type_name: attributes.required(TYPE)?.into_owned(),
        subject: attributes.required(SUBJECT)?.into_owned(),
        time: time
            .parse()
            .map_err(|_| wrong(TIME, &time, "an RFC 3339 time"))?,
        correlation_id: message_id(attributes, CORRELATION_ID)?,
        causation_id: message_id(attributes, CAUSATION_ID)?,
        actor: None,
        traceparent: trace.and_then(|trace| TraceParent::parse(&trace)),
        category: attributes.optional(CATEGORY)?.map(Cow::into_owned),
        data,
    })
}

fn message_id(attributes: &impl Attributes, name: &'static str) -> Result<MessageId, DecodeError> {
    let found = attributes.required(name)?;
    let id = Uuid::parse_str(&found).map_err(|_| wrong(name, &found, "a UUID"))?;
    Ok(MessageId::from(id))
}

fn wrong(name: &'static str, found: &str, expected: &'static str) -> DecodeError {
    DecodeError::Wrong {
        name,
        found: format!("{found:?}"),
        expected,
    }
}

/// The instance that a delivery concerns, when that much can be read.
pub(crate) fn subject(properties: &BasicProperties) -> Option<String> {
    subject_of(&Headers(properties.headers().as_ref()))
}

/// The instance that these attributes name.
pub(crate) fn subject_of(attributes: &impl Attributes) -> Option<String> {
    attributes.required(SUBJECT).ok().map(Cow::into_owned)
}

/// The attributes of a message, by their names in headers.
pub(crate) trait Attributes {
    /// The value of one, where there is one.
    fn optional(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, DecodeError>;

    /// The value of one that must be there.
    fn required(&self, name: &'static str) -> Result<Cow<'_, str>, DecodeError> {
        match self.optional(name)? {
            Some(value) if !value.is_empty() => Ok(value),
            Some(_) | None => Err(DecodeError::Missing(name)),
        }
    }
}

struct Headers<'a>(Option<&'a FieldTable>);

impl Attributes for Headers<'_> {
    fn optional(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, DecodeError> {
        let Some(value) = self.0.and_then(|headers| headers.inner().get(name)) else {
            return Ok(None);
        };
        value
            .as_long_string()
            .map(LongString::as_bytes)
            .and_then(|bytes| str::from_utf8(bytes).ok())
            .map(|text| Some(Cow::Borrowed(text)))
            .ok_or_else(|| DecodeError::Wrong {
                name,
                found: format!("a {}", value.get_type()),
                expected: "UTF-8 text",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use message_bus::contract::{command, event};

    fn headers(properties: &BasicProperties) -> Vec<(String, String)> {
        let table = properties.headers().clone().unwrap();
        table
            .into_iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    value.as_long_string().unwrap().to_string(),
                )
            })
            .collect()
    }

    /// The properties of a message with one header changed, or taken away.
    fn with(message: &Envelope, name: &str, value: Option<AMQPValue>) -> BasicProperties {
        let properties = encode(message).unwrap();
        let mut table = properties.headers().clone().unwrap().inner().clone();
        match value {
            Some(value) => table.insert(name.into(), value),
            None => table.remove(name),
        };
        properties.with_headers(FieldTable::from(table))
    }

    fn text(value: &str) -> Option<AMQPValue> {
        Some(AMQPValue::LongString(value.into()))
    }

    #[test]
    fn encode_then_decode_is_identity() {
        let mut bare = event("Shared", "instance\u{e4}", 7);
        bare.category = None;
        bare.traceparent = None;
        bare.time = "1969-12-31T23:59:59.999999Z".parse().unwrap();
        for message in [command("A", 1), event("Shared", "A", 2), bare] {
            let properties = encode(&message).unwrap();
            let read = decode(&properties, message.data.get().as_bytes()).unwrap();
            assert_eq!(read, message);
        }
    }

    #[test]
    fn the_names_and_forms_on_the_wire_are_frozen() {
        let properties = encode(&command("A", 1)).unwrap();
        let found = headers(&properties);
        let found: Vec<_> = found
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("cloudEvents_category", "domestic-1.0"),
                (
                    "cloudEvents_causationid",
                    "1d23a6e2-efbd-5e61-8a7a-f7a09b5b46a7"
                ),
                (
                    "cloudEvents_correlationid",
                    "feaa1aab-6104-5214-80b6-c04429b0f4ff"
                ),
                ("cloudEvents_id", "a6a27709-820d-5d75-9ecd-d69f400eaaf0"),
                ("cloudEvents_kind", "command"),
                ("cloudEvents_source", "/longhaul/sender"),
                ("cloudEvents_specversion", "1.0"),
                ("cloudEvents_subject", "A"),
                ("cloudEvents_target", "worker"),
                ("cloudEvents_time", "2024-05-27T08:53:20.123457Z"),
                ("cloudEvents_type", "DoWork"),
                (
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-9ecdd69f400eaaf0-01"
                ),
            ]
        );
        assert_eq!(
            properties.content_type().clone().unwrap().as_str(),
            "application/json"
        );
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(*properties.timestamp(), Some(1_716_800_000));
        assert_eq!(properties.kind().clone().unwrap().as_str(), "DoWork");
        assert_eq!(
            properties.message_id().clone().unwrap().as_str(),
            "a6a27709-820d-5d75-9ecd-d69f400eaaf0"
        );
        assert_eq!(
            properties.correlation_id().clone().unwrap().as_str(),
            "feaa1aab-6104-5214-80b6-c04429b0f4ff"
        );
    }

    #[test]
    fn an_event_has_no_target() {
        let found = headers(&encode(&event("Shared", "A", 1)).unwrap());
        assert!(found.contains(&(KIND.to_owned(), EVENT.to_owned())));
        assert!(!found.iter().any(|(name, _)| name == TARGET));
    }

    #[test]
    fn each_missing_attribute_is_named() {
        let message = command("A", 1);
        for name in [
            SPECVERSION,
            ID,
            SOURCE,
            TYPE,
            SUBJECT,
            TIME,
            KIND,
            TARGET,
            CORRELATION_ID,
            CAUSATION_ID,
        ] {
            for missing in [None, text("")] {
                let properties = with(&message, name, missing);
                assert_eq!(decode(&properties, b"{}"), Err(DecodeError::Missing(name)));
            }
        }
        assert_eq!(
            decode(&BasicProperties::default(), b"{}"),
            Err(DecodeError::Missing(SPECVERSION))
        );
    }

    #[test]
    fn each_wrong_attribute_is_named() {
        let message = command("A", 1);
        for (name, value) in [
            (SPECVERSION, "0.3"),
            (ID, "seven"),
            (SOURCE, "/elsewhere/sender"),
            (SOURCE, "/longhaul/"),
            (TIME, "yesterday"),
            (KIND, "query"),
            (CORRELATION_ID, "seven"),
            (CAUSATION_ID, "seven"),
        ] {
            let refused = decode(&with(&message, name, text(value)), b"{}").unwrap_err();
            assert!(matches!(&refused, DecodeError::Wrong { name: n, .. } if *n == name));
            assert!(refused.to_string().contains(value), "{refused}");
        }
        for name in [
            SPECVERSION,
            ID,
            SOURCE,
            TYPE,
            SUBJECT,
            TIME,
            KIND,
            TARGET,
            CATEGORY,
        ] {
            let number = decode(&with(&message, name, Some(AMQPValue::LongInt(7))), b"{}");
            assert!(matches!(number, Err(DecodeError::Wrong { name: n, .. }) if n == name));
        }
    }

    #[test]
    fn a_body_that_is_no_json_is_refused() {
        let properties = encode(&command("A", 1)).unwrap();
        for body in [&b""[..], b"{", b"\xff\xfe", b"{} {}"] {
            assert!(
                matches!(decode(&properties, body), Err(DecodeError::Body(_))),
                "{body:?}"
            );
        }
        let xml = properties.with_content_type("text/xml".into());
        let refused = decode(&xml, b"{}").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "content_type is \"text/xml\", not application/json"
        );
    }

    #[test]
    fn an_invalid_trace_context_counts_as_absent() {
        let message = command("A", 1);
        for value in [text("nonsense"), Some(AMQPValue::Void)] {
            let read = decode(&with(&message, TRACEPARENT, value), b"{}").unwrap();
            assert_eq!(read.traceparent, None);
        }
    }

    #[test]
    fn a_type_name_too_long_for_amqp_is_refused() {
        let mut message = command("A", 1);
        message.type_name = "x".repeat(256);
        assert!(encode(&message).is_err());
    }
}
