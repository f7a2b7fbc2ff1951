//! The course that a shipment of the suite takes, held against the one that the floor knows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use contracts::{Envelope, Kind, MessageId};
use event_store::{Entry as Stored, EventStore, outgoing};
use event_store_memory::MemoryEventStore;
use serde_json::json;
use system_tests::suite::Suite;
use system_tests::transcript::stream;

use super::course::{ATTRIBUTES, COURSE, Next, Service, Step};

const ID: &str = "V74YCBYHC8A0";

/// By how many bytes sizes may differ: times are written with as many digits as they need.
const WITHIN: usize = 20;

/// A step as it was found.
#[derive(Debug)]
struct Found {
    at: Service,
    entries: Vec<(String, usize, usize)>,
    then: Vec<Next>,
}

/// Runs a shipment through the suite, and holds what it made of it against the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_the_course_of_a_shipment_of_the_suite() {
    let store: Arc<dyn EventStore> =
        Arc::new(MemoryEventStore::new(contracts::Partitions::default()));
    let suite = Suite::embedded(store.clone());
    suite.post(ID).await;
    suite.wait_for(ID, "completed").await;
    suite.stop().await;
    let (found, attributes) = course(&*store).await;
    let same = found.len() == COURSE.len() && found.iter().zip(COURSE).all(is_same);
    assert!(same, "the course is now: {found:#?}");
    assert!(attributes.abs_diff(ATTRIBUTES) <= WITHIN, "{attributes}");
}

fn is_same((found, step): (&Found, &Step)) -> bool {
    let near = |one: usize, other: usize| one.abs_diff(other) <= WITHIN;
    let mut entries = found.entries.iter().zip(step.entries);
    let mut then = found.then.iter().zip(step.then);
    found.at == step.at
        && found.entries.len() == step.entries.len()
        && found.then.len() == step.then.len()
        && entries.all(|((name, data, metadata), entry)| {
            name == entry.type_name && near(*data, entry.data) && near(*metadata, entry.metadata)
        })
        && then.all(|pair| match pair {
            (Next::Message { step, data }, Next::Message { step: to, data: of }) => {
                step == to && near(*data, *of)
            }
            (one, other) => one == other,
        })
}

/// What the streams of a shipment say of its course, and how many bytes the attributes of a message have.
/// Steps that wait side by side come one behind the other.
async fn course(store: &dyn EventStore) -> (Vec<Found>, usize) {
    let topology = contracts::shipment_suite();
    let mut by_input: BTreeMap<(MessageId, Service), Vec<Stored>> = BTreeMap::new();
    let mut first = None;
    for service in Service::ALL {
        for entry in stream(store, ID, service.kind()).await {
            let input = entry.content.metadata.input_id;
            first.get_or_insert((input, service));
            by_input.entry((input, service)).or_default().push(entry);
        }
    }
    let mut course = Vec::new();
    let mut waiting = VecDeque::from([first.unwrap()]);
    let mut known = 1;
    let (mut attributes, mut messages) = (0, 0);
    while let Some((input, at)) = waiting.pop_front() {
        let stored = by_input.remove(&(input, at)).unwrap();
        let mut then = Vec::new();
        for entry in &stored {
            for message in outgoing(&at.name().to_owned().into(), entry) {
                for receiver in topology.receivers(&message) {
                    let is_receiver = |it: &Service| it.name() == receiver.name.as_str();
                    let receiver = Service::ALL.into_iter().find(is_receiver);
                    let data = message.data.get().len();
                    then.push(Next::Message { step: known, data });
                    waiting.push_back((message.id, receiver.unwrap()));
                    known += 1;
                    attributes += wire(&message) - data;
                    messages += 1;
                }
            }
            for name in entry.content.metadata.deadlines_set.keys() {
                let id = entry.content.id.to_string();
                let over = MessageId::derive(&[&id, "deadline", name]);
                // Most are cleared before they are over.
                if by_input.contains_key(&(over, at)) {
                    then.push(Next::Deadline { step: known });
                    waiting.push_back((over, at));
                    known += 1;
                }
            }
        }
        let entry = |entry: &Stored| {
            let content = &entry.content;
            let metadata = serde_json::to_string(&content.metadata).unwrap();
            (
                content.type_name.clone(),
                content.data.get().len(),
                metadata.len(),
            )
        };
        course.push(Found {
            at,
            entries: stored.iter().map(entry).collect(),
            then,
        });
    }
    assert!(
        by_input.is_empty(),
        "inputs that nothing led to: {by_input:?}"
    );
    (course, attributes / messages)
}

/// Bytes of a message as it stands in a batch: ADR 20.
fn wire(message: &Envelope) -> usize {
    let (kind, target) = match &message.kind {
        Kind::Event => ("event", None),
        Kind::Command { to } => ("command", Some(to.as_str())),
    };
    let mut event = json!({
        "specversion": "1.0",
        "id": message.id.to_string(),
        "source": format!("/longhaul/{}", message.source),
        "type": message.type_name,
        "subject": message.subject,
        "time": message.time.to_string(),
        "datacontenttype": "application/json",
        "kind": kind,
        "correlationid": message.correlation_id.to_string(),
        "causationid": message.causation_id.to_string(),
        "category": message.category,
        "data": message.data,
    });
    if let Some(target) = target {
        event["target"] = target.into();
    }
    if let Some(trace) = &message.traceparent {
        event["traceparent"] = trace.as_str().into();
    }
    event.to_string().len()
}
