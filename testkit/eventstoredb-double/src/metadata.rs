//! Stream metadata: what of a stream its readers may see.

use serde_json::Value;

use crate::log::{DELETED, Record};

const TICKS_PER_SECOND: u128 = 10_000_000;

/// The part of a stream's metadata that reading depends on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Metadata {
    max_count: Option<i64>,
    max_age_seconds: Option<i64>,
    truncate_before: Option<i64>,
}

impl Metadata {
    /// Metastreams show their last event only.
    pub(crate) fn of_metastreams() -> Self {
        Self {
            max_count: Some(1),
            ..Self::default()
        }
    }

    /// What is no JSON, or holds a value out of range, counts as no metadata.
    pub(crate) fn parse(data: &[u8]) -> Self {
        let Ok(Value::Object(fields)) = serde_json::from_slice(data) else {
            return Self::default();
        };
        let number = |name: &str| fields.get(name).and_then(Value::as_i64);
        let parsed = Self {
            max_count: number("$maxCount"),
            max_age_seconds: number("$maxAge"),
            truncate_before: number("$tb"),
        };
        let valid = parsed.max_count.is_none_or(|count| count > 0)
            && parsed.max_age_seconds.is_none_or(|age| age > 0)
            && parsed.truncate_before.is_none_or(|number| number >= 0);
        if valid { parsed } else { Self::default() }
    }

    /// Deleted softly.
    pub(crate) fn is_deleted(&self) -> bool {
        self.truncate_before == Some(DELETED)
    }

    /// The first number that may be read when `last` is the stream's last.
    pub(crate) fn first_number(&self, last: i64) -> i64 {
        let by_count = self.max_count.map_or(0, |count| last - count + 1);
        by_count.max(self.truncate_before.unwrap_or(0)).max(0)
    }

    pub(crate) fn is_young(&self, record: &Record, now_ticks: u128) -> bool {
        self.max_age_seconds.is_none_or(|seconds| {
            let age = now_ticks.saturating_sub(record.created_ticks);
            age <= seconds.unsigned_abs() as u128 * TICKS_PER_SECOND
        })
    }
}
