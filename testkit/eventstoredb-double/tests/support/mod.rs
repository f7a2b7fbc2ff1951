//! What the tests of both files need: short words for long calls.

#![allow(dead_code, reason = "each file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails where it is wrong")]

use std::future::Future;
use std::time::Duration;

use eventstoredb_double::wire;
use eventstoredb_double::wire::streams::append_req::{Content, ProposedMessage};
use eventstoredb_double::wire::streams::expectation::ExpectedStreamRevision;
use eventstoredb_double::wire::streams::read_req::options::{
    CountOption, FilterOption, StreamOption,
};
use eventstoredb_double::wire::streams::read_req::stream_options::RevisionOption;
use eventstoredb_double::wire::streams::read_req::{
    AllOptions, ControlOption, Expression, FilterOptions, Options, StreamOptions,
    SubscriptionOptions, UuidOption, all_options, filter_options, uuid_option,
};
use eventstoredb_double::wire::streams::streams_client::StreamsClient;
use eventstoredb_double::wire::streams::{AppendReq, Expectation, Position as WirePosition};
use eventstoredb_double::wire::{Empty, StreamIdentifier};
use kurrentdb::{
    AppendToStreamOptions, Client, Error, EventData, Position, ReadStreamOptions, RecordedEvent,
    ResolvedEvent, StreamState, Subscription, SubscriptionEvent, WriteResult,
};
use tonic::transport::Channel;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(20);

/// What must happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it should have happened by now")
}

pub(crate) fn client(connection_string: &str) -> Client {
    Client::new(connection_string.parse().unwrap()).unwrap()
}

pub(crate) fn event() -> EventData {
    with_id(Uuid::now_v7())
}

pub(crate) fn with_id(id: Uuid) -> EventData {
    EventData::binary("Happened", b"data".to_vec().into()).id(id)
}

pub(crate) async fn append(
    client: &Client,
    stream: &str,
    state: StreamState,
    events: Vec<EventData>,
) -> Result<WriteResult, Error> {
    let options = AppendToStreamOptions::default().stream_state(state);
    soon(client.append_to_stream(stream, &options, events)).await
}

/// Appends one new event whatever the stream holds.
pub(crate) async fn append_one(client: &Client, stream: &str) -> WriteResult {
    append(client, stream, StreamState::Any, vec![event()])
        .await
        .unwrap()
}

pub(crate) async fn read(
    client: &Client,
    stream: &str,
    options: &ReadStreamOptions,
) -> Result<Vec<ResolvedEvent>, Error> {
    soon(async {
        let mut events = Vec::new();
        let mut reading = client.read_stream(stream, options).await?;
        while let Some(event) = reading.next().await? {
            events.push(event);
        }
        Ok(events)
    })
    .await
}

pub(crate) async fn read_stream(
    client: &Client,
    stream: &str,
) -> Result<Vec<ResolvedEvent>, Error> {
    read(
        client,
        stream,
        &ReadStreamOptions::default().max_count(1000),
    )
    .await
}

pub(crate) fn ids(events: &[ResolvedEvent]) -> Vec<Uuid> {
    let id = |event: &ResolvedEvent| event.get_original_event().id;
    events.iter().map(id).collect()
}

pub(crate) fn revisions(events: &[ResolvedEvent]) -> Vec<u64> {
    let revision = |event: &ResolvedEvent| event.get_original_event().revision;
    events.iter().map(revision).collect()
}

pub(crate) async fn next(subscription: &mut Subscription) -> SubscriptionEvent {
    soon(subscription.next_subscription_event()).await.unwrap()
}

pub(crate) async fn next_event(subscription: &mut Subscription) -> RecordedEvent {
    let event = soon(subscription.next()).await.unwrap();
    event.link.or(event.event).unwrap()
}

pub(crate) fn is_confirmation(event: &SubscriptionEvent) -> bool {
    matches!(event, SubscriptionEvent::Confirmed(_))
}

pub(crate) fn is_caught_up(event: &SubscriptionEvent) -> bool {
    matches!(event, SubscriptionEvent::CaughtUp(_))
}

// The generated client, for what the usual one hides.

pub(crate) async fn raw(endpoint: String) -> StreamsClient<Channel> {
    soon(StreamsClient::connect(endpoint)).await.unwrap()
}

pub(crate) fn identifier(stream: &str) -> Option<StreamIdentifier> {
    let stream_name = stream.as_bytes().to_vec();
    Some(StreamIdentifier { stream_name })
}

pub(crate) fn expectation(stream: &str, expected: ExpectedStreamRevision) -> AppendReq {
    let options = Expectation {
        stream_identifier: identifier(stream),
        expected_stream_revision: Some(expected),
    };
    AppendReq {
        content: Some(Content::Options(options)),
    }
}

pub(crate) fn proposed(id: Uuid, event_type: &str, size: usize) -> AppendReq {
    let metadata = [
        ("type", event_type),
        ("content-type", "application/octet-stream"),
    ];
    let message = ProposedMessage {
        id: Some(wire::Uuid {
            value: Some(wire::uuid::Value::String(id.to_string())),
        }),
        metadata: metadata
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        custom_metadata: Vec::new(),
        data: vec![7; size],
    };
    AppendReq {
        content: Some(Content::ProposedMessage(message)),
    }
}

pub(crate) fn requests(requests: Vec<AppendReq>) -> impl tokio_stream::Stream<Item = AppendReq> {
    tokio_stream::iter(requests)
}

fn options() -> Options {
    Options {
        read_direction: 0,
        resolve_links: false,
        uuid_option: Some(UuidOption {
            content: Some(uuid_option::Content::String(Empty {})),
        }),
        control_option: Some(ControlOption { compatibility: 1 }),
        stream_option: None,
        count_option: Some(CountOption::Count(1000)),
        filter_option: Some(FilterOption::NoFilter(Empty {})),
    }
}

pub(crate) fn of_stream(stream: &str, from: RevisionOption) -> Options {
    Options {
        stream_option: Some(StreamOption::Stream(StreamOptions {
            stream_identifier: identifier(stream),
            revision_option: Some(from),
        })),
        ..options()
    }
}

/// A subscription to the streams of `$all` whose names begin so, after a position.
pub(crate) fn filtered(prefix: &str, after: Position, window: u32, multiplier: u32) -> Options {
    let position = WirePosition {
        commit_position: after.commit,
        prepare_position: after.prepare,
    };
    let expression = Expression {
        regex: String::new(),
        prefix: vec![prefix.to_owned()],
    };
    Options {
        stream_option: Some(StreamOption::All(AllOptions {
            all_option: Some(all_options::AllOption::Position(position)),
        })),
        count_option: Some(CountOption::Subscription(SubscriptionOptions {})),
        filter_option: Some(FilterOption::Filter(FilterOptions {
            filter: Some(filter_options::Filter::StreamIdentifier(expression)),
            window: Some(filter_options::Window::Max(window)),
            checkpoint_interval_multiplier: multiplier,
        })),
        ..options()
    }
}
