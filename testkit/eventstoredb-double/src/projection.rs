//! The system projection that links every event into the stream of its category.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::commit_check::Expected;
use crate::core::Core;
use crate::log::{
    DELETED, LINK_TYPE, METADATA_TYPE, NewEvent, Record, TOMBSTONE_TYPE, original_of, system,
};
use crate::writing;

/// Follows the log from `next` on, which it keeps, until `process` ends.
pub(crate) async fn run(core: Arc<Core>, mut next: usize, process: CancellationToken) -> usize {
    let mut growth = core.growth();
    loop {
        tokio::select! {
            // The sender lives as long as the core.
            _ = growth.wait_for(|count| *count > next) => {}
            () = process.cancelled() => return next,
        }
        let more = core.log().records()[next..].to_vec();
        for record in more {
            if let Some((category, link)) = link(&record) {
                core.write(|log| {
                    writing::append(log, &category, Expected::Any, vec![link]);
                })
                .await;
            }
            next += 1;
        }
    }
}

/// The category's stream, and the link for it.
fn link(record: &Record) -> Option<(String, NewEvent)> {
    let deleted = deleted_stream(record);
    let origin = deleted.unwrap_or(&record.stream);
    let category = category(origin)?;
    let target = if record.is_link() {
        String::from_utf8_lossy(&record.event.data).into_owned()
    } else {
        format!("{}@{}", record.number, record.stream)
    };
    let mut metadata = json!({
        "$v": "1:-1:1:4",
        "$c": record.position,
        "$p": record.position,
        "$causedBy": record.event.id.to_string(),
        "$o": origin,
    });
    if deleted.is_some() {
        metadata["$deleted"] = json!(-1);
    }
    let mut link = system(LINK_TYPE, target.as_bytes());
    link.metadata = metadata.to_string().into_bytes();
    Some((format!("$ce-{category}"), link))
}

/// What comes before the first `-`. Streams of the system have no category.
fn category(stream: &str) -> Option<&str> {
    let (category, _) = stream.split_once('-')?;
    let has_one = !category.is_empty() && !stream.starts_with('$');
    has_one.then_some(category)
}

/// The stream that the record says is deleted.
fn deleted_stream(record: &Record) -> Option<&str> {
    if record.event.event_type == TOMBSTONE_TYPE {
        return Some(&record.stream);
    }
    let original = original_of(&record.stream)?;
    if record.event.event_type != METADATA_TYPE {
        return None;
    }
    let metadata: Value = serde_json::from_slice(&record.event.data).ok()?;
    (metadata["$tb"] == json!(DELETED)).then_some(original)
}
