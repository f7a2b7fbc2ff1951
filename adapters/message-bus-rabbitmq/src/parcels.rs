//! What goes out together: messages to the same place, in one AMQP message.

use std::collections::{HashMap, HashSet};

use contracts::{Envelope, Kind, Partitions, Topology};
use lapin::BasicProperties;
use lapin::types::{ShortString, ShortStringError};

use crate::declaration::{EVENTS, INPUTS, queue_name};
use crate::{batch, cloud_event};

/// How many bytes the payloads of one AMQP message may have together: what is larger goes alone.
const MAX_BYTES: usize = 64 * 1024;

/// Why a message can never be published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpublishable {
    #[error("nobody receives the command {0}")]
    NoReceiver(String),
    #[error("a name is too long for AMQP")]
    TooLong(#[from] ShortStringError),
    #[error("a message cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// One AMQP message on its way to one exchange.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: ShortString,
    /// How many messages are in it.
    pub(crate) messages: usize,
    /// Whether it must find a queue.
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

/// Who gets what, and how much of it at once.
#[derive(Debug)]
pub(crate) struct Packing {
    pub(crate) topology: Topology,
    pub(crate) partitions: Partitions,
    pub(crate) publish_events: bool,
    /// To a service at once.
    pub(crate) most_messages: usize,
    /// To others at once.
    pub(crate) most_events: usize,
}

/// Messages that go to the same place, in their order.
struct Together<'a> {
    exchange: &'static str,
    routing_key: String,
    messages: Vec<&'a Envelope>,
    bytes: usize,
}

impl Packing {
    /// Packs messages for each of their receivers. Each receiver gets those of an instance in their
    /// order.
    pub(crate) fn pack(&self, messages: &[Envelope]) -> Result<Vec<Parcel>, Unpublishable> {
        let mut all = self.to_services(messages)?;
        if self.publish_events {
            all.extend(self.to_others(messages));
        }
        all.into_iter().map(parcel).collect()
    }

    /// Everything for a queue of a service, as it comes.
    fn to_services<'a>(
        &self,
        messages: &'a [Envelope],
    ) -> Result<Vec<Together<'a>>, Unpublishable> {
        let mut all: Vec<Together<'a>> = Vec::new();
        // For each queue, what still takes some.
        let mut open: HashMap<String, usize> = HashMap::new();
        for message in messages {
            let partition = self.partitions.of(&message.subject);
            let mut is_received = false;
            for receiver in self.topology.receivers(message) {
                is_received = true;
                let queue = queue_name(&receiver.name, partition);
                match open.get(&queue) {
                    Some(place) if all[*place].has_room(message, self.most_messages) => {
                        all[*place].add(message);
                    }
                    Some(_) | None => {
                        open.insert(queue.clone(), all.len());
                        all.push(Together::beginning_with(message, INPUTS, queue));
                    }
                }
            }
            if let (Kind::Command { .. }, false) = (&message.kind, is_received) {
                return Err(Unpublishable::NoReceiver(message.type_name.clone()));
            }
        }
        Ok(all)
    }

    /// Events of one type for whoever binds a queue to the exchange for others: the routing key is that
    /// of all of them. None overtakes another of its instance, which may have another type.
    fn to_others<'a>(&self, messages: &'a [Envelope]) -> Vec<Together<'a>> {
        let events = messages
            .iter()
            .filter(|message| message.kind == Kind::Event);
        let mut rest: Vec<&Envelope> = events.collect();
        let mut all = Vec::new();
        while let Some((first, others)) = rest.split_first() {
            let key = format!("{}.{}", first.source, first.type_name);
            let mut together = Together::beginning_with(first, EVENTS, key);
            let mut left = Vec::new();
            // Whoever is left behind is waited for by what comes later of its instance.
            let mut waiting: HashSet<&str> = HashSet::new();
            for event in others {
                let is_same = event.type_name == first.type_name && event.source == first.source;
                let is_next = is_same && !waiting.contains(&*event.subject);
                if is_next && together.has_room(event, self.most_events) {
                    together.add(event);
                } else {
                    waiting.insert(&event.subject);
                    left.push(*event);
                }
            }
            all.push(together);
            rest = left;
        }
        all
    }
}

impl<'a> Together<'a> {
    fn beginning_with(message: &'a Envelope, exchange: &'static str, routing_key: String) -> Self {
        let mut together = Self {
            exchange,
            routing_key,
            messages: Vec::new(),
            bytes: 0,
        };
        together.add(message);
        together
    }

    fn has_room(&self, message: &Envelope, most: usize) -> bool {
        self.messages.len() < most && self.bytes + message.data.get().len() <= MAX_BYTES
    }

    fn add(&mut self, message: &'a Envelope) {
        self.bytes += message.data.get().len();
        self.messages.push(message);
    }
}

/// A message alone has its attributes as headers, where tools see them.
fn parcel(together: Together<'_>) -> Result<Parcel, Unpublishable> {
    let (properties, body) = match &*together.messages {
        [alone] => (
            cloud_event::encode(alone)?,
            alone.data.get().as_bytes().to_vec(),
        ),
        several => {
            for message in several {
                // What cannot go alone, cannot go with others.
                ShortString::try_new(message.type_name.as_str())?;
            }
            batch::encode(several)?
        }
    };
    Ok(Parcel {
        messages: together.messages.len(),
        exchange: together.exchange,
        routing_key: ShortString::try_new(together.routing_key)?,
        mandatory: together.exchange == INPUTS,
        properties,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use message_bus::contract::{command, event, topology};

    fn packing(most_together: usize) -> Packing {
        Packing {
            topology: topology(),
            partitions: Partitions::default(),
            publish_events: true,
            most_messages: most_together,
            most_events: most_together,
        }
    }

    /// The messages of a parcel.
    fn unpack(parcel: &Parcel) -> Vec<Envelope> {
        if batch::is_batch(&parcel.properties) {
            let messages = batch::decode(&parcel.body).unwrap();
            return messages.into_iter().map(Result::unwrap).collect();
        }
        vec![cloud_event::decode(&parcel.properties, &parcel.body).unwrap()]
    }

    fn to<'a>(parcels: &'a [Parcel], exchange: &str) -> Vec<(&'a str, Vec<Envelope>)> {
        let parcels = parcels.iter().filter(|parcel| parcel.exchange == exchange);
        let key = |parcel: &'a Parcel| (parcel.routing_key.as_str(), unpack(parcel));
        parcels.map(key).collect()
    }

    #[test]
    fn what_goes_to_the_same_queue_goes_together_in_its_order() {
        let sent = [command("A", 1), event("Unheard", "A", 2), command("A", 3)];
        let parcels = packing(50).pack(&sent).unwrap();
        let inputs = to(&parcels, INPUTS);
        assert_eq!(inputs.len(), 1);
        assert_eq!(inputs[0].1, [sent[0].clone(), sent[2].clone()]);
        assert!(
            parcels
                .iter()
                .all(|one| one.mandatory == (one.exchange == INPUTS))
        );
    }

    #[test]
    fn what_is_alone_goes_as_it_always_does() {
        let parcels = packing(50).pack(&[command("A", 1)]).unwrap();
        assert!(!batch::is_batch(&parcels[0].properties));
    }

    #[test]
    fn a_parcel_is_bounded_in_number_and_in_bytes() {
        let sent: Vec<_> = (1..=5).map(|n| command("A", n)).collect();
        let numbers = |most, sent: &[Envelope]| -> Vec<usize> {
            let parcels = packing(most).pack(sent).unwrap();
            let inputs = to(&parcels, INPUTS);
            inputs.iter().map(|(_, messages)| messages.len()).collect()
        };
        assert_eq!(numbers(2, &sent), [2, 2, 1]);
        assert_eq!(numbers(1, &sent), [1; 5]);
        let mut large = sent;
        let text = format!("\"{}\"", "x".repeat(MAX_BYTES));
        large[2].data = serde_json::value::RawValue::from_string(text).unwrap();
        assert_eq!(numbers(50, &large), [2, 1, 2]);
    }

    #[test]
    fn events_of_one_type_go_together_and_none_overtakes_another_of_its_instance() {
        let sent = [
            event("Own", "A", 1),
            event("Shared", "B", 1),
            event("Own", "B", 2),
            event("Own", "C", 1),
            event("Shared", "A", 2),
        ];
        let parcels = packing(50).pack(&sent).unwrap();
        let others = to(&parcels, EVENTS);
        let found: Vec<(&str, Vec<&str>)> = others
            .iter()
            .map(|(key, events)| {
                let subjects = events.iter().map(|event| &*event.subject);
                (*key, subjects.collect())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("sender.Own", vec!["A", "C"]),
                ("sender.Shared", vec!["B", "A"]),
                ("sender.Own", vec!["B"]),
            ]
        );
    }

    #[test]
    fn a_command_for_nobody_is_refused() {
        let mut nobody = command("A", 1);
        nobody.kind = Kind::Command {
            to: contracts::ServiceName::from("nobody".to_owned()),
        };
        let refused = packing(50).pack(&[nobody]).unwrap_err();
        assert!(matches!(refused, Unpublishable::NoReceiver(_)));
    }
}
