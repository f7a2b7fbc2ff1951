//! Requests to start a process: read by hand and not by serde, so that every bad field is named at
//! once, and not the first one only.

use contracts::ShipmentId;
use contracts::process::ProcessShipment;
use contracts::shipment::Leg;
use host::FieldError;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use serde_json::{Map, Value};
use uuid::Uuid;

/// More legs than any journey has.
const MAX_LEGS: usize = 100;
/// The longest text of a field.
const MAX_TEXT: usize = 500;

/// A start as it was asked for; the id may be left to the service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StartRequest {
    pub(crate) shipment_id: Option<ShipmentId>,
    pub(crate) legs: Vec<Leg>,
    pub(crate) collection_date: Date,
    pub(crate) time_zone: String,
}

impl StartRequest {
    pub(crate) fn into_command(self, generated: impl FnOnce() -> ShipmentId) -> ProcessShipment {
        ProcessShipment {
            shipment_id: self.shipment_id.unwrap_or_else(generated),
            legs: self.legs,
            collection_date: self.collection_date,
            time_zone: self.time_zone,
        }
    }

    /// Reads a body; what is wrong with it, for each bad field.
    pub(crate) fn read(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = Errors::default();
        let Value::Object(fields) = body else {
            errors.add("", "the body must be a JSON object");
            return Err(errors.0);
        };
        errors.unknown(
            "",
            fields,
            &["shipmentId", "legs", "collectionDate", "timeZone"],
        );
        let shipment_id = match fields.get("shipmentId") {
            None | Some(Value::Null) => None,
            Some(_) => errors.text(fields, "", "shipmentId").and_then(|text| {
                ShipmentId::parse(text)
                    .map_err(|error| errors.add("shipmentId", &error.to_string()))
                    .ok()
            }),
        };
        let legs = errors.legs(fields);
        let collection_date = errors.collection_date(fields);
        let time_zone = errors.text(fields, "", "timeZone").and_then(|name| {
            // Under its canonical spelling, so that another spelling is the same request.
            let zone = TimeZoneDatabase::bundled().get(&name).ok();
            let canonical = zone.as_ref().and_then(|zone| zone.iana_name());
            if canonical.is_none() {
                errors.add(
                    "timeZone",
                    "must be the IANA name of a time zone, as Europe/Berlin",
                );
            }
            canonical.map(str::to_owned)
        });
        match (legs, collection_date, time_zone) {
            (Some(legs), Some(collection_date), Some(time_zone)) if errors.0.is_empty() => {
                Ok(Self {
                    shipment_id,
                    legs,
                    collection_date,
                    time_zone,
                })
            }
            _ => Err(errors.0),
        }
    }

    /// The demonstration for an id: one beginning with `1` is domestic, any other international.
    pub(crate) fn demonstration(id: ShipmentId, collection_date: Date) -> Self {
        let leg = |carrier: u128, sender: &str, receiver: &str, collection: &str| Leg {
            carrier_id: Uuid::from_u128(carrier),
            sender: sender.to_owned(),
            receiver: receiver.to_owned(),
            collection: collection.to_owned(),
        };
        const FIRST: u128 = 0xc62bee76_3e7a_4ce3_87dd_a5eb11678815;
        const SECOND: u128 = 0x9d6d28f2_fbee_4e53_aeac_2c3b3ba98d28;
        let (legs, time_zone) = if id.as_str().starts_with('1') {
            (
                vec![leg(FIRST, "GB-sender1", "GB-receiver1", "GB-collection1")],
                "Europe/London",
            )
        } else {
            let legs = vec![
                leg(FIRST, "DE-sender1", "DE-receiver1", "DE-collection1"),
                leg(SECOND, "DE-sender2", "GB-receiver2", "DE-collection2"),
            ];
            (legs, "Europe/Berlin")
        };
        Self {
            shipment_id: Some(id),
            legs,
            collection_date,
            time_zone: time_zone.to_owned(),
        }
    }
}

/// Reads the body of a cancellation: a reason, which may be left out.
pub(crate) fn read_reason(body: &Value) -> Result<Option<String>, Vec<FieldError>> {
    read(body, &["reason"], |errors, fields| {
        present(fields, "reason").then(|| errors.text(fields, "", "reason"))?
    })
}

/// Reads the body of a settlement: a reason.
pub(crate) fn read_settlement(body: &Value) -> Result<String, Vec<FieldError>> {
    read(body, &["reason"], |errors, fields| {
        errors.text(fields, "", "reason")
    })
    .map(Option::unwrap_or_default)
}

/// Reads the body of an amendment.
pub(crate) fn read_legs(body: &Value) -> Result<Vec<Leg>, Vec<FieldError>> {
    read(body, &["legs"], |errors, fields| errors.legs(fields)).map(Option::unwrap_or_default)
}

/// Reads the body of a rebooking: another day, which may be left out.
pub(crate) fn read_collection_date(body: &Value) -> Result<Option<Date>, Vec<FieldError>> {
    read(body, &["collectionDate"], |errors, fields| {
        present(fields, "collectionDate").then(|| errors.collection_date(fields))?
    })
}

/// Reads the body of what needs to be told nothing.
pub(crate) fn read_nothing(body: &Value) -> Result<(), Vec<FieldError>> {
    read(body, &[], |_, _| Some(())).map(drop)
}

fn present(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

/// Reads an object of these fields; what is wrong with it, for each bad field.
fn read<T>(
    body: &Value,
    known: &[&str],
    content: impl FnOnce(&mut Errors, &Map<String, Value>) -> Option<T>,
) -> Result<Option<T>, Vec<FieldError>> {
    let mut errors = Errors::default();
    let Value::Object(fields) = body else {
        errors.add("", "the body must be a JSON object");
        return Err(errors.0);
    };
    errors.unknown("", fields, known);
    let content = content(&mut errors, fields);
    if errors.0.is_empty() {
        Ok(content)
    } else {
        Err(errors.0)
    }
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn collection_date(&mut self, fields: &Map<String, Value>) -> Option<Date> {
        self.text(fields, "", "collectionDate").and_then(|text| {
            Some(text.as_str())
                .filter(|text| text.len() == "2024-05-27".len())
                .and_then(|text| text.parse::<Date>().ok())
                .or_else(|| {
                    self.add("collectionDate", "must be a date, as 2024-05-27");
                    None
                })
        })
    }

    fn add(&mut self, field: &str, detail: &str) {
        self.0.push(FieldError {
            field: field.to_owned(),
            detail: detail.to_owned(),
        });
    }

    fn unknown(&mut self, path: &str, fields: &Map<String, Value>, known: &[&str]) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let detail = match known {
                [] => "is unknown; none is needed".to_owned(),
                known => format!("is unknown; known are {}", known.join(", ")),
            };
            self.add(&format!("{path}{name}"), &detail);
        }
    }

    /// A text that is not empty, not too long, and has no control characters.
    fn text(&mut self, fields: &Map<String, Value>, path: &str, name: &str) -> Option<String> {
        let field = format!("{path}{name}");
        match fields.get(name) {
            None | Some(Value::Null) => self.add(&field, "is missing"),
            Some(Value::String(text)) if text.trim().is_empty() => {
                self.add(&field, "must not be empty");
            }
            Some(Value::String(text)) if text.chars().count() > MAX_TEXT => {
                self.add(
                    &field,
                    &format!("must not be longer than {MAX_TEXT} characters"),
                );
            }
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                self.add(&field, "must not hold control characters");
            }
            Some(Value::String(text)) => return Some(text.clone()),
            Some(_) => self.add(&field, "must be text"),
        }
        None
    }

    fn legs(&mut self, fields: &Map<String, Value>) -> Option<Vec<Leg>> {
        match fields.get("legs") {
            None | Some(Value::Null) => self.add("legs", "is missing"),
            Some(Value::Array(legs)) if legs.is_empty() => {
                self.add("legs", "must hold at least one leg");
            }
            Some(Value::Array(legs)) if legs.len() > MAX_LEGS => {
                self.add("legs", &format!("must not hold more than {MAX_LEGS} legs"));
            }
            Some(Value::Array(legs)) => {
                let read: Vec<_> = legs
                    .iter()
                    .enumerate()
                    .map(|(at, leg)| self.leg(at, leg))
                    .collect();
                return read.into_iter().collect();
            }
            Some(_) => self.add("legs", "must be a list of legs"),
        }
        None
    }

    fn leg(&mut self, at: usize, leg: &Value) -> Option<Leg> {
        let path = format!("legs[{at}].");
        let Value::Object(fields) = leg else {
            self.add(path.trim_end_matches('.'), "must be an object");
            return None;
        };
        self.unknown(
            &path,
            fields,
            &["carrierId", "sender", "receiver", "collection"],
        );
        let carrier_id = self.text(fields, &path, "carrierId").and_then(|text| {
            Uuid::parse_str(&text)
                .map_err(|_| self.add(&format!("{path}carrierId"), "must be a UUID"))
                .ok()
        });
        let sender = self.text(fields, &path, "sender");
        let receiver = self.text(fields, &path, "receiver");
        let collection = self.text(fields, &path, "collection");
        Some(Leg {
            carrier_id: carrier_id?,
            sender: sender?,
            receiver: receiver?,
            collection: collection?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        json!({
            "shipmentId": "S1",
            "legs": [{
                "carrierId": "c62bee76-3e7a-4ce3-87dd-a5eb11678815",
                "sender": "a", "receiver": "b", "collection": "c",
            }],
            "collectionDate": "2024-05-27",
            "timeZone": "Europe/Berlin",
        })
    }

    fn request_of(body: &Value) -> StartRequest {
        StartRequest::read(body).unwrap()
    }

    fn bad_fields(body: &Value) -> Vec<String> {
        StartRequest::read(body)
            .unwrap_err()
            .into_iter()
            .map(|error| error.field)
            .collect()
    }

    #[test]
    fn a_valid_body_is_read() {
        let request = StartRequest::read(&valid()).unwrap();
        assert_eq!(request.shipment_id.unwrap().as_str(), "S1");
        assert_eq!(request.collection_date.to_string(), "2024-05-27");
        let mut spelled = valid();
        spelled["timeZone"] = json!("europe/BERLIN");
        assert_eq!(StartRequest::read(&spelled).unwrap(), request_of(&valid()));
        let mut without = valid();
        without.as_object_mut().unwrap().remove("shipmentId");
        assert_eq!(StartRequest::read(&without).unwrap().shipment_id, None);
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let body = json!({
            "shipmentId": "a-b",
            "legs": [
                { "carrierId": "x", "sender": "", "receiver": 7, "colection": "c" },
                "no leg",
            ],
            "collectionDate": "27.05.2024",
            "timeZone": "Mars/Olympus",
            "colour": "red",
        });
        assert_eq!(
            bad_fields(&body),
            [
                "colour",
                "shipmentId",
                "legs[0].colection",
                "legs[0].carrierId",
                "legs[0].sender",
                "legs[0].receiver",
                "legs[0].collection",
                "legs[1]",
                "collectionDate",
                "timeZone",
            ]
        );
        assert_eq!(
            bad_fields(&json!({})),
            ["legs", "collectionDate", "timeZone"]
        );
        assert_eq!(bad_fields(&json!([])), [""]);
    }

    #[test]
    fn texts_and_lists_have_bounds() {
        for (pointer, value) in [
            ("/legs", json!([])),
            ("/legs", json!(vec![valid()["legs"][0].clone(); 101])),
            ("/legs", json!("x")),
            ("/legs/0/sender", json!("x".repeat(501))),
            ("/legs/0/sender", json!("a\u{0}b")),
            ("/collectionDate", json!("2024-02-30")),
            ("/collectionDate", json!("2024-05-27T10:00:00")),
        ] {
            let mut body = valid();
            *body.pointer_mut(pointer).unwrap() = value;
            assert_eq!(bad_fields(&body).len(), 1, "{pointer}");
        }
    }

    #[test]
    fn demonstrations_are_those_of_the_specification() {
        let date = "2024-05-27".parse().unwrap();
        let domestic = StartRequest::demonstration(ShipmentId::parse("12E").unwrap(), date);
        assert_eq!(
            (domestic.legs.len(), domestic.time_zone.as_str()),
            (1, "Europe/London")
        );
        assert_eq!(
            domestic.legs[0].carrier_id.to_string(),
            "c62bee76-3e7a-4ce3-87dd-a5eb11678815"
        );
        let international = StartRequest::demonstration(ShipmentId::parse("V74").unwrap(), date);
        assert_eq!(international.legs.len(), 2);
        assert_eq!(international.time_zone, "Europe/Berlin");
        assert_eq!(
            international.legs[1].carrier_id.to_string(),
            "9d6d28f2-fbee-4e53-aeac-2c3b3ba98d28"
        );
    }
}
