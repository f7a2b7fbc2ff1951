//! A delivery that is no message of ours, kept whole as JSON.

use std::str;

use contracts::MessageId;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use message_bus::Unreadable;
use serde_json::{Map, Value, json};

use crate::cloud_event::{self, DecodeError};

/// What is known of a delivery that cannot be read.
///
/// Its id is derived from all of it rather than from its message id alone: two different things may
/// bear the same message id, and none of them may pass for a repetition of the other.
pub(crate) fn unreadable(
    properties: &BasicProperties,
    body: &[u8],
    reason: &DecodeError,
) -> Unreadable {
    let raw = json!({
        "properties": properties_json(properties),
        "headers": properties.headers().as_ref().map(headers_json).unwrap_or_default(),
        "body": body_json(body),
    })
    .to_string();
    Unreadable {
        id: MessageId::derive(&["rabbitmq-unreadable", &raw]),
        subject: cloud_event::subject(properties),
        reason: reason.to_string(),
        raw,
    }
}

fn properties_json(properties: &BasicProperties) -> Value {
    let texts = [
        ("contentType", properties.content_type()),
        ("contentEncoding", properties.content_encoding()),
        ("correlationId", properties.correlation_id()),
        ("replyTo", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("messageId", properties.message_id()),
        ("type", properties.kind()),
        ("userId", properties.user_id()),
        ("appId", properties.app_id()),
        ("clusterId", properties.cluster_id()),
    ];
    let numbers = [
        ("deliveryMode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
        ("timestamp", *properties.timestamp()),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?.as_str()))));
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(texts.chain(numbers).collect())
}

/// The headers, without those by which the broker counts deliveries (`x-delivery-count`,
/// `x-acquired-count`): the same thing must look the same each time it comes.
fn headers_json(headers: &FieldTable) -> Map<String, Value> {
    headers
        .into_iter()
        .filter(|(name, _)| !name.as_str().starts_with("x-"))
        .map(|(name, value)| (name.to_string(), value_json(value)))
        .collect()
}

fn value_json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::DecimalValue(value) => json!({"scale": value.scale, "value": value.value}),
        AMQPValue::ShortString(value) => json!(value.as_str()),
        AMQPValue::LongString(value) => body_json(value.as_bytes()),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(value_json).collect(),
        AMQPValue::Timestamp(value) => json!(value),
        AMQPValue::FieldTable(table) => table
            .into_iter()
            .map(|(name, value)| (name.to_string(), value_json(value)))
            .collect(),
        AMQPValue::ByteArray(value) => body_json(value.as_slice()),
        AMQPValue::Void => Value::Null,
    }
}

/// Text as it stands; other bytes escaped, as in a Rust byte string.
fn body_json(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"escaped": bytes.escape_ascii().to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: DecodeError = DecodeError::Missing("cloudEvents_id");

    fn properties(headers: &[(&str, AMQPValue)]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        BasicProperties::default()
            .with_message_id("m1".into())
            .with_headers(table)
    }

    #[test]
    fn all_of_it_is_kept() {
        let headers = [
            ("cloudEvents_subject", AMQPValue::LongString("A".into())),
            (
                "list",
                AMQPValue::FieldArray(vec![AMQPValue::Void, AMQPValue::LongInt(7)].into()),
            ),
        ];
        let found = unreadable(&properties(&headers), b"<xml/>", &REASON);
        assert_eq!(found.subject.as_deref(), Some("A"));
        assert_eq!(found.reason, "cloudEvents_id is missing");
        assert_eq!(
            serde_json::from_str::<Value>(&found.raw).unwrap(),
            json!({
                "properties": {"messageId": "m1"},
                "headers": {"cloudEvents_subject": "A", "list": [null, 7]},
                "body": "<xml/>",
            })
        );
        let binary = unreadable(&properties(&[]), b"a\xff", &REASON);
        assert!(
            binary.raw.contains(r#"{"escaped":"a\\xff"}"#),
            "{}",
            binary.raw
        );
    }

    #[test]
    fn the_id_is_the_same_for_each_delivery_and_for_nothing_else() {
        let count = |n| [("x-delivery-count", AMQPValue::LongLongInt(n))];
        let first = unreadable(&properties(&count(1)), b"a", &REASON);
        assert_eq!(unreadable(&properties(&count(2)), b"a", &REASON), first);
        assert_ne!(
            unreadable(&properties(&count(1)), b"b", &REASON).id,
            first.id
        );
    }
}
