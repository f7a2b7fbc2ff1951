//! Between the streams: what was sent was handled, what was handled was sent, and nothing is pending.

use std::collections::{HashMap, HashSet};

use contracts::{MessageId, ServiceName, Topology};
use event_store::outgoing;

use super::{History, deadline_input};
use crate::users::Users;
use crate::world::World;

/// An input of a stream: the kind of the stream, its instance, and the id.
type Input<'a> = (&'a str, String, MessageId);

pub(super) fn is_complete(history: &History<'_>, world: &World, broken: &mut Vec<String>) {
    let (users, topology) = (&world.users, &world.topology);
    let handled: HashSet<Input<'_>> = history
        .entries()
        .map(|entry| {
            let instance = entry.stream.instance().to_owned();
            (
                entry.stream.kind(),
                instance,
                entry.content.metadata.input_id,
            )
        })
        .collect();
    let sent = sent(history, users, topology);
    for (input, what) in &sent {
        if !handled.contains(input) {
            let (kind, instance, id) = input;
            broken.push(format!("{instance}-{kind} never heard {what} ({id})"));
        }
    }
    let mut known: HashSet<Input<'_>> = sent.into_keys().collect();
    for entry in history.entries() {
        for name in entry.content.metadata.deadlines_set.keys() {
            let id = deadline_input(entry.content.id, name);
            known.insert((entry.stream.kind(), entry.stream.instance().to_owned(), id));
        }
    }
    let kind = |service: usize| world.services[service].contract.stream_kind;
    for (service, care) in &world.cares {
        known.insert((kind(*service), care.instance.clone(), care.request_id));
    }
    for ((service, poison), id) in users.poisons.iter().zip(users.poison_ids()) {
        known.insert((kind(*service), poison.subject.clone(), id));
    }
    for (kind, instance, id) in handled.difference(&known) {
        broken.push(format!("{instance}-{kind} handled {id}, which nobody sent"));
    }
    nothing_is_pending(history, broken);
}

/// Everything that must be heard, and what it is.
fn sent<'a>(
    history: &History<'_>,
    users: &Users,
    topology: &'a Topology,
) -> HashMap<Input<'a>, String> {
    let mut sent = HashMap::new();
    let source = |kind: &str| -> Option<&ServiceName> {
        let service = topology.services.iter().find(|s| s.stream_kind == kind);
        service.map(|service| &service.name)
    };
    for entry in history.entries() {
        let Some(source) = source(entry.stream.kind()) else {
            continue;
        };
        for message in outgoing(source, entry) {
            for receiver in topology.receivers(&message) {
                let input = (receiver.stream_kind, message.subject.clone(), message.id);
                sent.insert(input, message.type_name.clone());
            }
        }
    }
    for request in &users.requests {
        let message = &request.message;
        let input = (
            contracts::process::STREAM_KIND,
            message.subject.clone(),
            message.id,
        );
        sent.insert(input, message.type_name.clone());
    }
    sent
}

fn nothing_is_pending(history: &History<'_>, broken: &mut Vec<String>) {
    for (kind, streams) in &history.kinds {
        for (instance, stream) in streams {
            let mut pending = HashSet::new();
            for entry in stream {
                let metadata = &entry.content.metadata;
                for name in &metadata.deadlines_cleared {
                    pending.remove(name);
                }
                pending.extend(metadata.deadlines_set.keys());
            }
            for name in pending {
                broken.push(format!("{instance}-{kind} still waits for {name}"));
            }
        }
    }
}
