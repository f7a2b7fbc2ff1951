//! What goes out together, as the suite packs it: messages to one queue, and events of one type.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use contracts::Partitions;

use crate::floor::How;
use crate::floor::course::{ATTRIBUTES, COURSE, Next, Service};
use crate::floor::log::instance;

/// Where messages to services go, and events to others. The names are not the suite's: it has another
/// virtual host.
pub(crate) const INPUTS: &str = "floor.inputs";
pub(crate) const EVENTS: &str = "floor.events";

/// How many bytes of data may go together, as in the suite.
const MOST_BYTES: usize = 64 * 1024;

/// Bytes of a message that say which it is: the shipment's number, the step, and how many bytes follow.
const HEAD: usize = 12;

/// An AMQP message.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: String,
    pub(crate) body: Vec<u8>,
    messages: usize,
    data: usize,
}

/// The queue of a service for one partition.
pub(crate) fn queue(service: Service, partition: u16) -> String {
    format!("{}.{partition}", service.name())
}

/// What these steps send, each of the shipment with this number.
pub(crate) fn pack(at: Service, steps: &[(u32, usize)], how: How) -> Vec<Parcel> {
    let mut all: Vec<Parcel> = Vec::new();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |exchange, key: String, data: usize, head: [u8; HEAD]| {
        let place = open.get(&key).copied().filter(|place| {
            let parcel = &all[*place];
            parcel.messages < how.together && parcel.data + data <= MOST_BYTES
        });
        let place = place.unwrap_or_else(|| {
            open.insert(key.clone(), all.len());
            all.push(Parcel {
                exchange,
                routing_key: key,
                body: Vec::new(),
                messages: 0,
                data: 0,
            });
            all.len() - 1
        });
        let parcel = &mut all[place];
        parcel.messages += 1;
        parcel.data += data;
        parcel.body.extend_from_slice(&head);
        let end = parcel.body.len() + data + ATTRIBUTES - HEAD;
        parcel.body.resize(end, b'x');
    };
    for &(shipment, step) in steps {
        let partition = Partitions::default().of(&instance(shipment)).0;
        for next in COURSE[step].then {
            if let Next::Message { step, data } = *next {
                let key = queue(COURSE[step].at, partition);
                add(INPUTS, key, data, head(shipment, step, data));
            }
        }
        if how.events {
            for entry in COURSE[step].entries {
                let key = format!("{}.{}", at.name(), entry.type_name);
                add(EVENTS, key, entry.data, head(shipment, step, entry.data));
            }
        }
    }
    all
}

fn head(shipment: u32, step: usize, data: usize) -> [u8; HEAD] {
    let follows = data + ATTRIBUTES - HEAD;
    let parts = [shipment, small(step), small(follows)].map(u32::to_le_bytes);
    parts.concat().try_into().unwrap_or_default()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The steps that a message to a service asks for.
pub(crate) fn unpack(mut body: &[u8]) -> Result<Vec<(u32, usize)>> {
    let mut steps = Vec::new();
    while !body.is_empty() {
        let (head, rest) = body
            .split_at_checked(HEAD)
            .context("a message without its head")?;
        let [shipment, step, follows] = [0, 4, 8]
            .map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        steps.push((shipment, usize::try_from(step)?));
        let follows = usize::try_from(follows)?;
        body = rest.get(follows..).context("a message without its end")?;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKED: How = How {
        together: 50,
        events: true,
    };

    fn to_services(parcels: &[Parcel]) -> Vec<&Parcel> {
        parcels.iter().filter(|it| it.exchange == INPUTS).collect()
    }

    #[test]
    fn what_goes_to_one_queue_goes_together_and_is_read_back() {
        let steps: Vec<_> = (0..20).map(|shipment| (shipment, 0)).collect();
        let parcels = pack(Service::Process, &steps, PACKED);
        let inputs = to_services(&parcels);
        assert_eq!(inputs.len(), 4, "a queue a partition");
        let mut read: Vec<_> = inputs
            .iter()
            .flat_map(|it| unpack(&it.body).unwrap())
            .collect();
        read.sort_unstable();
        let expected: Vec<_> = (0..20).flat_map(|n| [(n, 1), (n, 2)]).collect();
        assert_eq!(read, expected);
        let events = parcels.iter().filter(|it| it.exchange == EVENTS);
        let keys: Vec<_> = events.map(|it| it.routing_key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "shipment-process.ShipmentProcessStarted",
                "shipment-process.ManifestationAndDocumentsStarted",
                "shipment-process.CustomsInvoiceGenerationStarted"
            ]
        );
    }

    #[test]
    fn not_more_go_together_than_may() {
        let steps: Vec<_> = (0..400).map(|shipment| (shipment, 0)).collect();
        for together in [1, 50] {
            let how = How {
                together,
                events: false,
            };
            let parcels = pack(Service::Process, &steps, how);
            let counts: Vec<_> = parcels
                .iter()
                .map(|it| unpack(&it.body).unwrap().len())
                .collect();
            assert!(counts.iter().all(|count| *count <= together));
            assert_eq!(counts.iter().sum::<usize>(), 800);
            assert!(parcels.iter().all(|it| it.data <= MOST_BYTES));
        }
    }

    #[test]
    fn a_message_that_is_cut_off_is_no_message() {
        let parcels = pack(Service::Process, &[(7, 0)], PACKED);
        let body = &to_services(&parcels)[0].body;
        assert!(unpack(&body[..body.len() - 1]).is_err());
        assert!(unpack(&body[..5]).is_err());
    }
}
