//! What is stored and what is sent, to JSON and back.

use std::hint::black_box;

use contracts::Envelope;
use criterion::{Criterion, Throughput};
use event_store::Metadata;
use message_bus_rabbitmq::bench_support::{decode_batch, encode_batch};
use serde_json::value::RawValue;

use crate::shipment::Shipment;

/// How many messages go to a queue at once.
const BATCH: usize = 50;

/// What is to be stored or sent is written.
pub(crate) fn encode(criterion: &mut Criterion, shipment: &Shipment) {
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(shipment.process.len() as u64));
    group.bench_function("metadata", |b| {
        b.iter(|| {
            for entry in black_box(&shipment.process) {
                black_box(serde_json::to_string(&entry.content.metadata).unwrap());
            }
        });
    });
    let messages = batch(shipment);
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batch", |b| {
        b.iter(|| encode_batch(black_box(&messages)).unwrap());
    });
}

/// What was stored or has come is read.
pub(crate) fn decode(criterion: &mut Criterion, shipment: &Shipment) {
    let stored: Vec<(String, String)> = shipment
        .process
        .iter()
        .map(|entry| {
            let metadata = serde_json::to_string(&entry.content.metadata).unwrap();
            (entry.content.data.get().to_owned(), metadata)
        })
        .collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(stored.len() as u64));
    group.bench_function("entries", |b| {
        b.iter(|| {
            // As a store does with the two columns of a row.
            for (data, metadata) in black_box(&stored) {
                let data = RawValue::from_string(data.clone()).unwrap();
                let metadata: Metadata = serde_json::from_str(metadata).unwrap();
                black_box((data, metadata));
            }
        });
    });
    let messages = batch(shipment);
    let body = encode_batch(&messages).unwrap();
    let read = decode_batch(&body).unwrap();
    assert!(
        read.iter()
            .zip(&messages)
            .all(|(it, sent)| it.as_ref() == Ok(sent))
    );
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batch", |b| {
        b.iter(|| decode_batch(black_box(&body)).unwrap());
    });
}

/// The messages of a shipment, over and over.
fn batch(shipment: &Shipment) -> Vec<&Envelope> {
    shipment.messages.iter().cycle().take(BATCH).collect()
}
