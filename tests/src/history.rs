//! What stands in the log: read as the documentation tells people to, from the view `mt_events`, or from
//! the streams of EventStoreDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kurrentdb::{Client, ReadAllOptions, ReadStreamOptions, StreamPosition, SubscriptionFilter};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::examples::{self, Ending};

/// The kinds of a shipment's streams.
pub const KINDS: [&str; 4] = ["Process", "Shipment", "Collection", "Carrier"];

/// Where a log is.
#[derive(Clone, Debug)]
pub enum Log {
    /// A file of SQLite.
    File(PathBuf),
    /// The URL of a database of PostgreSQL.
    Database(String),
    /// A server of EventStoreDB.
    EventStoreDb {
        /// How to connect to it.
        connection_string: String,
        /// What the names of the log's streams begin with, and a dot.
        prefix: String,
    },
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its stream.
    pub stream: String,
    /// Its place in the stream, from 1.
    pub version: i64,
    /// Its id.
    pub id: String,
    /// Its type in snake case, as people read it.
    pub snake_type: String,
    /// Its type as it is stored.
    pub type_name: String,
    /// Its content.
    pub data: Value,
    /// What it belongs to.
    pub metadata: Value,
    /// When it was recorded.
    pub timestamp: String,
}

impl Stored {
    /// Whether others may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.metadata["visibility"] != "internal"
    }

    /// The shipment, and the kind of the stream.
    ///
    /// # Panics
    /// When the stream's name is not `{shipmentId}-{kind}`.
    #[must_use]
    pub fn shipment_and_kind(&self) -> (&str, &str) {
        self.stream.split_once('-').unwrap()
    }
}

type Row = (String, i64, String, String, String, String, String, String);

/// An expression that is the same text in both databases.
macro_rules! columns {
    () => {
        "select stream_id, version, cast(id as text), type, event_type, cast(data as text),
            cast(metadata as text), cast(timestamp as text)
         from mt_events "
    };
}

impl Log {
    /// All entries, stream by stream.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn entries(&self) -> Vec<Stored> {
        const ALL: &str = concat!(columns!(), "order by stream_id, version");
        let rows: Vec<Row> = match self {
            Self::EventStoreDb {
                connection_string,
                prefix,
            } => return events(connection_string, prefix).await,
            Self::File(path) => {
                let mut connection = open(path).await;
                let rows = sqlx::query_as(ALL).fetch_all(&mut connection).await;
                connection.close().await.unwrap();
                rows.unwrap()
            }
            Self::Database(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let rows = sqlx::query_as(ALL).fetch_all(&mut connection).await;
                connection.close().await.unwrap();
                rows.unwrap()
            }
        };
        rows.into_iter().map(stored).collect()
    }

    /// How many entries there are.
    ///
    /// # Panics
    /// When they cannot be counted.
    pub async fn count(&self) -> i64 {
        const COUNT: &str = "select count(*) from mt_events";
        match self {
            Self::EventStoreDb { .. } => i64::try_from(self.entries().await.len()).unwrap(),
            Self::File(path) => {
                let mut connection = open(path).await;
                let count = sqlx::query_scalar(COUNT).fetch_one(&mut connection).await;
                connection.close().await.unwrap();
                count.unwrap()
            }
            Self::Database(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let count = sqlx::query_scalar(COUNT).fetch_one(&mut connection).await;
                connection.close().await.unwrap();
                count.unwrap()
            }
        }
    }

    /// The log as a killed process has left it. To open the file itself would be to repair it; that is
    /// left to the process when it starts again.
    ///
    /// # Panics
    /// When the file cannot be copied.
    pub async fn as_left(&self) -> Vec<Stored> {
        let Self::File(path) = self else {
            return self.entries().await;
        };
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        fs::copy(path, &copy).unwrap();
        let journal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
        if journal(path).exists() {
            fs::copy(journal(path), journal(&copy)).unwrap();
        }
        Self::File(copy).entries().await
    }
}

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.busy_timeout(Duration::from_secs(10));
    options.connect().await.unwrap()
}

/// The events of all streams that begin with a prefix, stream by stream.
async fn events(connection_string: &str, prefix: &str) -> Vec<Stored> {
    let client = Client::new(connection_string.parse().unwrap()).unwrap();
    let begun = format!("{prefix}.longhaul/log");
    let whole = ReadStreamOptions::default();
    let first = client.read_stream(begun, &whole);
    // The server may hold very much before that.
    let Ok(Some(first)) = first.await.unwrap().next().await else {
        return Vec::new();
    };
    let filter = SubscriptionFilter::on_stream_name().regex(format!(r"^{prefix}\.[^./]+$"));
    let options = ReadAllOptions::default()
        .position(StreamPosition::Position(first.event.unwrap().position))
        .filter(filter);
    let mut reading = client.read_all(&options).await.unwrap();
    let mut entries = Vec::new();
    while let Some(event) = reading.next().await.unwrap() {
        let event = event.event.unwrap();
        let metadata: Value = serde_json::from_slice(&event.custom_metadata).unwrap();
        entries.push(Stored {
            stream: event.stream_id()[prefix.len() + 1..].to_owned(),
            version: i64::try_from(event.revision).unwrap() + 1,
            id: event.id.to_string(),
            snake_type: snake_case(&event.event_type),
            data: serde_json::from_slice(&event.data).unwrap(),
            timestamp: metadata["recordedAt"].as_str().unwrap().to_owned(),
            metadata,
            type_name: event.event_type,
        });
    }
    entries.sort_by(|one, other| (&one.stream, one.version).cmp(&(&other.stream, other.version)));
    entries
}

fn stored(row: Row) -> Stored {
    let (stream, version, id, snake_type, type_name, data, metadata, timestamp) = row;
    Stored {
        stream,
        version,
        id,
        snake_type,
        type_name,
        data: serde_json::from_str(&data).unwrap(),
        metadata: serde_json::from_str(&metadata).unwrap(),
        timestamp,
    }
}

/// `ShipmentProcessStarted` as `shipment_process_started`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// How many shipments have come to an end that may be their last.
#[must_use]
pub fn ended(entries: &[Stored]) -> usize {
    let ended = entries.iter().filter(|entry| {
        let (shipment, _) = entry.shipment_and_kind();
        match entry.type_name.as_str() {
            "ShipmentProcessCompleted" => true,
            "ShipmentProcessFailed" => examples::final_status(shipment) == "failed",
            _ => false,
        }
    });
    ended.count()
}

/// Checks that the log holds exactly what these shipments must have led to: each stream's public
/// events, nothing twice, nothing parked, and one answer to each request of a carrier.
///
/// # Panics
/// When it does not.
pub fn assert_complete<'a>(entries: &[Stored], ids: impl IntoIterator<Item = &'a str>) {
    let mut streams: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    for entry in entries {
        streams.entry(&entry.stream).or_default().push(entry);
    }
    let unique: BTreeSet<_> = entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(
        unique.len(),
        entries.len(),
        "an id of an entry is there twice"
    );
    for (stream, entries) in &streams {
        assert_sound(stream, entries);
    }
    for id in ids {
        for kind in KINDS {
            let entries = streams.remove(format!("{id}-{kind}").as_str());
            let entries = entries.unwrap_or_default();
            let public: Vec<_> = entries
                .iter()
                .filter(|entry| entry.is_public())
                .map(|entry| entry.type_name.as_str())
                .collect();
            let all: Vec<_> = entries.iter().map(|e| (&e.type_name, &e.data)).collect();
            assert_eq!(public, expected(id, kind), "{id}-{kind}: {all:#?}");
        }
    }
    let more: Vec<_> = streams.keys().collect();
    assert!(more.is_empty(), "nobody asked for {more:?}");
    assert_one_answer(entries);
}

fn assert_sound(stream: &str, entries: &[&Stored]) {
    let versions: Vec<_> = entries.iter().map(|entry| entry.version).collect();
    let all: Vec<_> = (1..).take(entries.len()).collect();
    assert_eq!(versions, all, "{stream}");
    for entry in entries {
        assert_eq!(entry.snake_type, snake_case(&entry.type_name), "{stream}");
        assert_ne!(entry.type_name, "InputParked", "{stream}: {}", entry.data);
    }
}

/// The public events of a stream; of the carriers too, of which the examples do not tell.
#[must_use]
pub fn expected(id: &str, kind: &str) -> Vec<&'static str> {
    if kind != "Carrier" {
        return examples::expected_stream(id, kind);
    }
    const ASKED: &str = "CarrierRequestReceived";
    let ending = examples::ending(id);
    if ending == Ending::ManifestationFails {
        return vec![ASKED, "LegManifestationRejectedByCarrier"];
    }
    let legs = if examples::is_domestic(id) { 1 } else { 2 };
    let mut events = [ASKED, "LegManifestedByCarrier"].repeat(legs);
    events.push(ASKED);
    if ending != Ending::Success {
        events.push("CollectionBookingRejectedByCarrier");
    }
    if ending != Ending::BookingFails {
        events.push("CollectionBookedByCarrier");
    }
    events
}

/// Each carrier was asked once for each thing, and what it answered is what the other services know.
fn assert_one_answer(entries: &[Stored]) {
    let mut asked = BTreeSet::new();
    let mut commands = BTreeSet::new();
    let mut numbers = BTreeMap::new();
    for entry in entries {
        let (shipment, _) = entry.shipment_and_kind();
        let key = || entry.data["idempotencyKey"].as_str().unwrap().to_owned();
        for command in entry.metadata["commands"].as_array().into_iter().flatten() {
            assert!(
                commands.insert(command["id"].to_string()),
                "sent twice: {command}"
            );
        }
        match entry.type_name.as_str() {
            "CarrierRequestReceived" => {
                assert!(asked.insert(key()), "{} was taken in twice", key());
            }
            "LegManifestedByCarrier" => {
                let position = &entry.data["position"];
                assert_eq!(key(), format!("{shipment}/leg/{position}"));
                let number = entry.data["trackingNumber"].clone();
                assert!(asked.contains(&key()), "{} was not asked for", key());
                assert_eq!(numbers.insert(key(), number), None, "answered twice");
            }
            "CollectionBookedByCarrier" => {
                assert_eq!(key(), format!("{shipment}/collection"));
                let number = entry.data["bookingReference"].clone();
                assert_eq!(numbers.insert(key(), number), None, "answered twice");
            }
            _ => {}
        }
    }
    let given: BTreeSet<_> = numbers.values().map(Value::to_string).collect();
    assert_eq!(given.len(), numbers.len(), "a number was given twice");
    for entry in entries {
        let (shipment, _) = entry.shipment_and_kind();
        let number = |what: &str| numbers.get(&format!("{shipment}/{what}"));
        match entry.type_name.as_str() {
            "ShipmentLegManifested" => {
                let leg = format!("leg/{}", entry.data["position"]);
                assert_eq!(Some(&entry.data["trackingNumber"]), number(&leg));
            }
            "ShipmentManifested" | "ShipmentManifestationCompleted" => {
                for leg in entry.data["manifestedLegs"].as_array().unwrap() {
                    let position = format!("leg/{}", leg["position"]);
                    assert_eq!(Some(&leg["trackingNumber"]), number(&position));
                }
            }
            "CollectionBooked" | "CollectionBookingCompleted" => {
                assert_eq!(Some(&entry.data["bookingReference"]), number("collection"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::json;

    use super::*;

    const ID: &str = "12EEQ9CS9K10";

    /// The public events of an undisturbed shipment.
    fn undisturbed() -> Vec<Stored> {
        let streams = KINDS.map(|kind| (kind, expected(ID, kind)));
        let mut keys = ["leg/1", "leg/1", "collection", "collection"].iter();
        let mut entries = Vec::new();
        for (kind, types) in streams {
            for (version, name) in (1..).zip(types) {
                let key = match kind {
                    "Carrier" => keys.next().unwrap(),
                    _ => "",
                };
                let leg = json!({ "position": 1, "trackingNumber": "number of leg/1" });
                entries.push(Stored {
                    stream: format!("{ID}-{kind}"),
                    version,
                    id: format!("{kind}/{version}"),
                    snake_type: snake_case(name),
                    type_name: name.to_owned(),
                    data: json!({
                        "idempotencyKey": format!("{ID}/{key}"),
                        "position": 1,
                        "trackingNumber": "number of leg/1",
                        "bookingReference": "reference",
                        "manifestedLegs": [leg],
                    }),
                    metadata: json!({}),
                    timestamp: String::new(),
                });
            }
        }
        entries
    }

    fn is_complete(change: impl FnOnce(&mut Vec<Stored>)) -> bool {
        let mut entries = undisturbed();
        change(&mut entries);
        catch_unwind(|| assert_complete(&entries, [ID])).is_ok()
    }

    fn internal(entries: &mut Vec<Stored>, type_name: &str) {
        let mut entry = entries[0].clone();
        entry.version = 16;
        entry.id = "internal".to_owned();
        entry.type_name = type_name.to_owned();
        entry.snake_type = snake_case(type_name);
        entry.metadata = json!({ "visibility": "internal" });
        entries.insert(15, entry);
    }

    #[test]
    fn what_must_be_there_is_complete_whatever_internal_stands_between() {
        assert!(is_complete(|_| {}));
        assert!(is_complete(|entries| internal(entries, "TriggerIgnored")));
    }

    #[test]
    fn what_is_missing_twice_parked_or_unasked_for_is_found() {
        assert!(!is_complete(|entries| drop(entries.pop())));
        assert!(!is_complete(|entries| drop(entries.remove(3))));
        assert!(!is_complete(|entries| entries.push(entries[0].clone())));
        assert!(!is_complete(|entries| {
            let mut twice = entries[14].clone();
            (twice.version, twice.id) = (16, "another".to_owned());
            entries.insert(15, twice);
        }));
        assert!(!is_complete(|entries| internal(entries, "InputParked")));
        assert!(!is_complete(
            |entries| entries[0].stream = "other-Process".to_owned()
        ));
        let number = json!("another number");
        assert!(!is_complete(|entries| {
            let given = entries
                .iter_mut()
                .find(|e| e.type_name == "LegManifestedByCarrier");
            given.unwrap().data["trackingNumber"] = number;
        }));
    }
}
