//! The log, as whoever follows it is handed it.

use std::collections::HashMap;
use std::hint::black_box;

use contracts::{Partitions, process};
use criterion::{BatchSize, Criterion, Throughput};
use event_store::{Append, Appended, Cursor, Page, Place, Position, StreamKind, Tails, Version};
use futures::executor::block_on;

use crate::shipment::Shipment;

/// How many entries are stored at once.
const STORED: usize = 100;
/// How many entries the relay asks for.
const PAGE: usize = 256;

/// Entries become the messages that leave with them.
pub(crate) fn outgoing(criterion: &mut Criterion, shipment: &Shipment) {
    let mut group = criterion.benchmark_group("outgoing");
    group.throughput(Throughput::Elements(shipment.process.len() as u64));
    group.bench_function("entries", |b| {
        b.iter(|| {
            for entry in black_box(&shipment.process) {
                event_store::outgoing(&process::SERVICE, entry).for_each(|it| drop(black_box(it)));
            }
        });
    });
}

/// What was stored is handed on from memory.
pub(crate) fn follow(criterion: &mut Criterion, shipment: &Shipment) {
    let partitions = Partitions::default();
    let kind = StreamKind::new(process::STREAM_KIND);
    let start = Cursor::start(partitions);
    let appends = answers(shipment);
    let outcomes = vec![Appended::Stored; appends.len()];
    let places = places(partitions, &appends);
    let nothing = || Page::behind(&start, Vec::new(), PAGE);
    let ready = || {
        let tails = Tails::default();
        // What lies behind is known once the store has been read.
        let read = async |_, _| Ok(nothing());
        block_on(tails.follow(&kind, &start, PAGE, read)).unwrap();
        tails
    };
    let follow = |tails: Tails| {
        tails.stored(partitions, &appends, &outcomes, &places);
        // The store is not read here, unless this program was held up for a tenth of a second.
        let read = async |_, _| Ok(nothing());
        let page = block_on(tails.follow(&kind, &start, PAGE, read)).unwrap();
        // What it has used is dropped when the time has been taken.
        (tails, page)
    };
    assert_eq!(follow(ready()).1.entries.len(), STORED);

    let mut group = criterion.benchmark_group("follow");
    group.throughput(Throughput::Elements(STORED as u64));
    group.bench_function("stored", |b| {
        b.iter_batched(ready, follow, BatchSize::PerIteration);
    });
}

/// What many processes store because of one answer each.
fn answers(shipment: &Shipment) -> Vec<Append> {
    let place = shipment.place("ShipmentManifestationCompleted");
    let answered = &shipment.process[place..place + 2];
    let contents: Vec<_> = answered.iter().map(|entry| entry.content.clone()).collect();
    let append = |number| Append {
        stream: shipment.stream_of_another(number),
        expected: Version(place as u64),
        entries: contents.clone(),
    };
    (0..STORED / contents.len()).map(append).collect()
}

/// Where a store that was empty has put them.
fn places(partitions: Partitions, appends: &[Append]) -> Vec<Option<Place>> {
    let mut lasts = HashMap::new();
    let mut positions = (1..).map(Position);
    let place = |append: &Append| {
        let positions: Vec<_> = positions.by_ref().take(append.entries.len()).collect();
        let partition = partitions.of(append.stream.instance());
        let behind = lasts.insert(partition, positions[positions.len() - 1]);
        let behind = behind.unwrap_or(Position::START);
        Some(Place { behind, positions })
    };
    appends.iter().map(place).collect()
}
