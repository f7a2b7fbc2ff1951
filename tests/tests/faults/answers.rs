//! What must be so in the end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use system_tests::transcript::transcript;

use crate::course::Course;
use crate::history::History;

/// Whether messages came in the order in which they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Kept,
    Lost,
}

/// Checks the end of a run: the streams, and the carriers' ledger; nothing parked, and nothing waited for
/// but what must be.
pub(crate) async fn check(course: &Course, order: Order, context: &str) {
    let history = &course.history;
    let waits_for = course.cases().flat_map(|case| {
        let waits_for = case.waits_for.iter();
        waits_for.map(|(kind, name)| (format!("{}-{kind}", case.id), (*name).to_owned()))
    });
    assert_eq!(history.waits_for(), waits_for.collect(), "{context}");
    check_streams(history, context);
    for case in course.cases() {
        let id = &case.id;
        for (kind, right) in &case.streams {
            let found = history.public_events(id, kind);
            let is_right = match order {
                Order::Kept => found == right[0],
                Order::Lost => right.contains(&found),
            };
            assert!(
                is_right,
                "{context}: {id}-{kind}: {found:#?}, not {right:#?}"
            );
        }
        let (mut found, mut expected) = (ledger(history, id), case.ledger.clone());
        if order == Order::Lost {
            found.sort();
            expected.sort();
        }
        let found: Vec<_> = found.iter().map(|(key, event)| (&**key, *event)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, event)| (&**key, *event))
            .collect();
        assert_eq!(found, expected, "{context}: {id}");
        if order == Order::Kept && case.is_golden {
            let found = transcript(course.log(), id).await;
            assert_eq!(found, golden(id), "{context}: {id}");
        }
    }
}

/// Versions without gaps, nothing twice, nothing parked.
fn check_streams(history: &History, context: &str) {
    let mut ids = BTreeSet::new();
    for (stream, entries) in history.streams() {
        for (version, entry) in (1..).zip(entries) {
            let content = &entry.content;
            assert_eq!(entry.version.0, version, "{context}: {stream}");
            assert!(ids.insert(content.id), "{context}: {stream}: twice there");
            let (name, data) = (&*content.type_name, &content.data);
            assert_ne!(name, "InputParked", "{context}: {stream}: {data}");
        }
    }
}

/// What the carriers hold: the keys of requests, and the events under them.
fn ledger<'a>(history: &'a History, id: &str) -> Vec<(String, &'a str)> {
    let public = history.public(id, "Carrier");
    let entries = public.map(|entry| {
        let data: Value = serde_json::from_str(entry.content.data.get()).unwrap();
        let key = data["idempotencyKey"].as_str().unwrap();
        (key.to_owned(), entry.content.type_name.as_str())
    });
    entries.collect()
}

/// The whole course of an example that nothing has disturbed, with all ids.
fn golden(id: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    std::fs::read_to_string(folder.join(format!("{id}.txt"))).unwrap()
}
