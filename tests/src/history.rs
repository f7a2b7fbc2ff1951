//! What stands in the log: read as the documentation tells people to, from the view `mt_events`, or from
//! the streams of EventStoreDB. Whether it is as it must be, [`crate::completeness`] tells.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kurrentdb::{Client, ReadAllOptions, ReadStreamOptions, StreamPosition, SubscriptionFilter};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::expectation::Expectation;

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

/// How many shipments have come to their end.
#[must_use]
pub fn ended(entries: &[Stored]) -> usize {
    let ended = entries.iter().filter(|entry| {
        let (shipment, _) = entry.shipment_and_kind();
        entry.type_name == Expectation::of(shipment).last_event
    });
    ended.count()
}
