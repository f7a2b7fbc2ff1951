//! From a stream to an instance, and from an input to decisions.

use std::hint::black_box;
use std::sync::Arc;

use contracts::Partitions;
use contracts::process::{SERVICE, STREAM_KIND};
use criterion::{BatchSize, Criterion, Throughput};
use event_store::StreamKind;
use event_store_memory::MemoryEventStore;
use futures::executor::block_on;
use jiff::Timestamp;
use kernel::{Arrival, Backoff, Content, Instance, NewRecord, Registry};
use runtime::{Handled, Handler, Loaded, Settings};
use shipment_process::ShipmentProcess;
use testkit::ManualClock;
use tokio_util::sync::CancellationToken;

use crate::shipment::{Shipment, registry};

type Record = NewRecord<contracts::process::ProcessEvent, shipment_process::Command>;

/// How many starts come to the handler at once.
const STARTS: usize = 100;

/// A whole stream becomes an instance.
pub(crate) fn fold(criterion: &mut Criterion, shipment: &Shipment) {
    let registry = registry();
    let entries = &shipment.process;
    let decoded = entries.iter().map(runtime::decode_entry);
    let records: Vec<Record> = decoded.map(Result::unwrap).collect();

    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(entries.len() as u64));
    group.bench_function("entries", |b| {
        b.iter(|| Loaded::replay(&registry, black_box(entries)));
    });
    group.bench_function("records", |b| {
        b.iter(|| {
            let mut instance = Instance::default();
            for record in black_box(&records) {
                registry.apply(&mut instance, record);
            }
            instance
        });
    });
}

/// An instance that is loaded decides an input.
pub(crate) fn settle(criterion: &mut Criterion, shipment: &Shipment) {
    let registry = registry();
    let place = shipment.place("ShipmentManifestationCompleted");
    let (before, answered) = shipment.process.split_at(place);
    let waiting = Loaded::replay(&registry, before).instance;
    let start = shipment.start_of_another(0);
    let now = answered[0].content.recorded_at;

    let mut group = criterion.benchmark_group("settle");
    group.throughput(Throughput::Elements(1));
    for (name, instance, message, decisions) in [
        ("start", Instance::default(), &start, 3),
        ("answer", waiting, shipment.cause(&answered[0]), 2),
    ] {
        let input: shipment_process::Input = message.decode().unwrap();
        let ready = || (instance.clone(), Content::Input(input.clone()));
        let decide = |(mut instance, content)| {
            let arrival = Arrival {
                id: message.id.uuid(),
                name: &message.type_name,
                content,
                whole: &String::new,
                retries: Backoff::NONE,
            };
            let outcome = registry.handle(&mut instance, arrival, now);
            // What it has used is dropped when the time has been taken.
            (instance, outcome)
        };
        assert_eq!(decide(ready()).1.into_records().len(), decisions);
        group.bench_function(name, |b| {
            b.iter_batched(ready, decide, BatchSize::SmallInput);
        });
    }
}

/// Messages become entries of a store in memory, all in one append.
pub(crate) fn handle(criterion: &mut Criterion, shipment: &Shipment) {
    let registry = registry();
    let starts: Vec<_> = (0..STARTS).map(|n| shipment.start_of_another(n)).collect();
    let ready = || {
        let inputs = starts.iter().cloned().map(runtime::Input::Message);
        (handler(&registry, starts[0].time), inputs.collect())
    };
    let handle = |(mut handler, inputs): (Handler<ShipmentProcess>, _)| {
        let handled = block_on(handler.handle(inputs));
        (handler, handled)
    };
    let (_, handled) = handle(ready());
    assert!(handled.iter().all(|it| matches!(it, Ok(Handled::Decided))));

    let mut group = criterion.benchmark_group("handle");
    group.throughput(Throughput::Elements(STARTS as u64));
    group.bench_function("starts", |b| {
        b.iter_batched(ready, handle, BatchSize::PerIteration);
    });
}

/// A handler that has handled nothing yet.
fn handler(registry: &Arc<Registry<ShipmentProcess>>, now: Timestamp) -> Handler<ShipmentProcess> {
    Handler::new(
        SERVICE,
        StreamKind::new(STREAM_KIND),
        registry.clone(),
        Arc::new(MemoryEventStore::new(Partitions::default())),
        Arc::new(ManualClock::at(now)),
        &Settings::default(),
        CancellationToken::new(),
    )
}
