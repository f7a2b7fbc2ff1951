//! The log is the outbox: what an entry says to other services.

use contracts::{Envelope, Kind, MessageId, ServiceName};

use crate::{Entry, Visibility};

/// Whether anything leaves with an entry.
#[must_use]
pub fn speaks(entry: &Entry) -> bool {
    let metadata = &entry.content.metadata;
    metadata.visibility == Visibility::Public || !metadata.commands.is_empty()
}

/// The messages that leave with an entry: the event itself when it is public, then its commands, in
/// order. Their ids are stored, so that sending them twice says the same thing.
pub fn outgoing<'a>(
    source: &'a ServiceName,
    entry: &'a Entry,
) -> impl Iterator<Item = Envelope> + 'a {
    let content = &entry.content;
    let metadata = &content.metadata;
    let envelope = move |id: MessageId, kind, causation_id, type_name: &str, data| Envelope {
        id,
        kind,
        source: source.clone(),
        type_name: type_name.to_owned(),
        subject: entry.stream.instance().to_owned(),
        time: content.recorded_at,
        correlation_id: metadata.correlation_id,
        causation_id,
        actor: None,
        traceparent: metadata
            .traceparent
            .as_ref()
            .map(|trace| trace.continued_by(id.uuid())),
        category: metadata.category.clone(),
        data,
    };
    let event = (metadata.visibility == Visibility::Public).then(|| {
        envelope(
            content.id,
            Kind::Event,
            metadata.input_id,
            &content.type_name,
            content.data.clone(),
        )
    });
    let commands = metadata.commands.iter().map(move |command| {
        envelope(
            command.id,
            Kind::Command {
                to: command.to.clone(),
            },
            content.id,
            &command.type_name,
            command.data.clone(),
        )
    });
    event.into_iter().chain(commands)
}
