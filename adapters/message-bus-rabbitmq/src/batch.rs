//! Several messages in one AMQP message: the batch format of CloudEvents 1.0.
//!
//! After <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#4-json-batch-format>.
//! The attributes are those of [`cloud_event`](crate::cloud_event), without the prefix that AMQP needs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use contracts::{Envelope, Kind, MessageId};
use lapin::BasicProperties;
use message_bus::Unreadable;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cloud_event::{self, Attributes, DecodeError};
use crate::parts::MAX_PARTS;

const CONTENT_TYPE: &str = "application/cloudevents-batch+json";
const DATA: &str = "data";

/// A message as it stands in a batch.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'a str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    type_name: &'a str,
    subject: &'a str,
    time: String,
    datacontenttype: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    correlationid: String,
    causationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: &'a RawValue,
}

impl<'a> From<&'a Envelope> for Event<'a> {
    fn from(message: &'a Envelope) -> Self {
        let (kind, target) = match &message.kind {
            Kind::Event => (cloud_event::EVENT, None),
            Kind::Command { to } => (cloud_event::COMMAND, Some(to.as_str())),
        };
        Self {
            specversion: cloud_event::VERSION,
            id: message.id.to_string(),
            source: cloud_event::source(message),
            type_name: &message.type_name,
            subject: &message.subject,
            time: cloud_event::time(message),
            datacontenttype: cloud_event::CONTENT_TYPE,
            kind,
            target,
            correlationid: message.correlation_id.to_string(),
            causationid: message.causation_id.to_string(),
            category: message.category.as_deref(),
            traceparent: message.traceparent.as_ref().map(|trace| trace.as_str()),
            data: &message.data,
        }
    }
}

/// The properties and the body of an AMQP message that holds these messages, in their order.
///
/// # Errors
/// Never with messages as they are: their parts are text, and JSON already.
pub(crate) fn encode(messages: &[&Envelope]) -> serde_json::Result<(BasicProperties, Vec<u8>)> {
    let events: Vec<Event<'_>> = messages.iter().map(|message| (*message).into()).collect();
    let properties = BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(cloud_event::PERSISTENT);
    Ok((properties, serde_json::to_vec(&events)?))
}

/// Whether it is in the batch format.
pub(crate) fn is_batch(properties: &BasicProperties) -> bool {
    let content_type = properties.content_type().as_ref();
    content_type.is_some_and(|found| cloud_event::is_type(found.as_str(), CONTENT_TYPE))
}

/// Reads back what [`encode`] wrote: each message, or what was found in its place.
///
/// # Errors
/// When it is no list of JSON objects at all.
pub(crate) fn decode(body: &[u8]) -> Result<Vec<Result<Envelope, Unreadable>>, DecodeError> {
    let events: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| DecodeError::Body(error.to_string()))?;
    if events.is_empty() || events.len() > MAX_PARTS {
        let reason = format!("a batch of {} messages", events.len());
        return Err(DecodeError::Body(reason));
    }
    Ok(events.into_iter().map(message).collect())
}

fn message(event: &RawValue) -> Result<Envelope, Unreadable> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(event.get()).map_err(|error| {
            let reason = DecodeError::Body(error.to_string());
            unreadable(event, None, &reason)
        })?;
    let members = Members(members);
    let data = members.0.get(DATA).ok_or(DecodeError::Missing(DATA));
    data.and_then(|data| cloud_event::read(&members, (*data).to_owned()))
        .map_err(|reason| unreadable(event, cloud_event::subject_of(&members), &reason))
}

fn unreadable(event: &RawValue, subject: Option<String>, reason: &DecodeError) -> Unreadable {
    let raw = json!({ "event": event }).to_string();
    Unreadable {
        id: MessageId::derive(&["rabbitmq-unreadable", &raw]),
        subject,
        reason: reason.to_string(),
        raw,
    }
}

/// The members of a JSON object.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl Attributes for Members<'_> {
    fn optional(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, DecodeError> {
        let bare = name.strip_prefix(cloud_event::PREFIX).unwrap_or(name);
        let Some(value) = self.0.get(bare) else {
            return Ok(None);
        };
        serde_json::from_str(value.get())
            .map(|Text(text)| Some(text))
            .map_err(|_| DecodeError::Wrong {
                name,
                found: value.get().to_owned(),
                expected: "text",
            })
    }
}

/// Text that is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    use message_bus::contract::{command, event};
    use serde_json::Value;

    fn encoded(messages: &[&Envelope]) -> Vec<Value> {
        let (_, body) = encode(messages).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn encode_then_decode_is_identity() {
        let mut bare = event("Shared", "instance\u{e4}\n\"", 7);
        bare.category = None;
        bare.traceparent = None;
        let all = [command("A", 1), event("Shared", "A", 2), bare];
        let (properties, body) = encode(&all.iter().collect::<Vec<_>>()).unwrap();
        assert!(is_batch(&properties));
        assert!(!is_batch(&cloud_event::encode(&all[0]).unwrap()));
        let read: Result<Vec<_>, _> = decode(&body).unwrap().into_iter().collect();
        assert_eq!(read.unwrap(), all);
    }

    #[test]
    fn the_names_and_forms_on_the_wire_are_frozen() {
        let message = command("A", 1);
        let data: Value = serde_json::from_str(message.data.get()).unwrap();
        assert_eq!(
            encoded(&[&message])[0],
            json!({
                "specversion": "1.0",
                "id": "a6a27709-820d-5d75-9ecd-d69f400eaaf0",
                "source": "/longhaul/sender",
                "type": "DoWork",
                "subject": "A",
                "time": "2024-05-27T08:53:20.123457Z",
                "datacontenttype": "application/json",
                "kind": "command",
                "target": "worker",
                "correlationid": "feaa1aab-6104-5214-80b6-c04429b0f4ff",
                "causationid": "1d23a6e2-efbd-5e61-8a7a-f7a09b5b46a7",
                "category": "domestic-1.0",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-9ecdd69f400eaaf0-01",
                "data": data,
            })
        );
    }

    #[test]
    fn what_is_broken_in_a_batch_breaks_nothing_else() {
        let mut events = encoded(&[&command("A", 1), &command("B", 2), &command("C", 3)]);
        events[1].as_object_mut().unwrap().remove("id");
        events.push(json!(7));
        let body = serde_json::to_vec(&events).unwrap();
        let read = decode(&body).unwrap();
        assert_eq!(read[0], Ok(command("A", 1)));
        assert_eq!(read[2], Ok(command("C", 3)));
        let broken = read[1].as_ref().unwrap_err();
        assert_eq!(broken.subject.as_deref(), Some("B"));
        assert_eq!(broken.reason, "cloudEvents_id is missing");
        assert!(serde_json::from_str::<Value>(&broken.raw).is_ok());
        let number = read[3].as_ref().unwrap_err();
        assert_eq!(number.subject, None);
        assert_ne!(number.id, broken.id);
        assert_eq!(
            decode(&body).unwrap()[1],
            read[1],
            "the same each time it comes"
        );
    }

    #[test]
    fn what_is_no_batch_is_refused_whole() {
        for body in [&b""[..], b"{}", b"[", b"[]", b"\xff"] {
            assert!(
                matches!(decode(body), Err(DecodeError::Body(_))),
                "{body:?}"
            );
        }
    }
}
