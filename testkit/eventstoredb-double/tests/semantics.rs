//! What the server promises, as tests that run on a real server too: `ESDB_TEST_URL` names one.
//!
//! A real server is shared and never empty, so every test has names of its own and says nothing of
//! absolute positions.

#![allow(clippy::unwrap_used, reason = "a test fails where it is wrong")]

mod support;

use eventstoredb_double::wire::Empty;
use eventstoredb_double::wire::streams::append_resp::wrong_expected_version::{
    CurrentRevisionOption, CurrentRevisionOption2060, ExpectedRevisionOption,
    ExpectedRevisionOption2060,
};
use eventstoredb_double::wire::streams::append_resp::{Result as AppendResult, success};
use eventstoredb_double::wire::streams::expectation::ExpectedStreamRevision;
use eventstoredb_double::wire::streams::read_req::Options;
use eventstoredb_double::wire::streams::read_req::options::CountOption;
use eventstoredb_double::wire::streams::read_req::stream_options::RevisionOption;
use eventstoredb_double::wire::streams::read_resp::Content;
use eventstoredb_double::wire::streams::streams_client::StreamsClient;
use eventstoredb_double::wire::streams::{AppendReq, DeleteReq, Expectation, ReadReq};
use eventstoredb_double::{TestServer, server};
use kurrentdb::{
    AppendToStreamOptions, Client, CurrentRevision, DeleteStreamOptions, Error, EventData,
    Position, ReadAllOptions, ReadStreamOptions, StreamMetadata, StreamMetadataBuilder,
    StreamPosition, StreamState, SubscribeToAllOptions, SubscribeToStreamOptions,
    SubscriptionEvent, SubscriptionFilter, TombstoneStreamOptions,
};
use support::*;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

/// Appended to a limit of 1 MiB.
const LIMIT: usize = 1024 * 1024;

struct Test {
    server: TestServer,
    client: Client,
}

impl Test {
    async fn begin() -> Self {
        let server = server().await;
        let client = client(&server.connection_string());
        Self { server, client }
    }

    fn stream(&self) -> String {
        self.server.unique("stream")
    }

    async fn raw(&self) -> StreamsClient<Channel> {
        raw(self.server.endpoint()).await
    }

    async fn raw_append(&self, messages: Vec<AppendReq>) -> Result<AppendResult, Status> {
        let mut raw = self.raw().await;
        let answer = soon(raw.append(requests(messages))).await?;
        Ok(answer.into_inner().result.unwrap())
    }

    /// All that a read answers.
    async fn raw_read(&self, options: Options) -> Result<Vec<Content>, Status> {
        let options = Some(options);
        let mut raw = self.raw().await;
        let mut answers = soon(raw.read(ReadReq { options })).await?.into_inner();
        let mut contents = Vec::new();
        while let Some(answer) = soon(answers.message()).await? {
            contents.push(answer.content.unwrap());
        }
        Ok(contents)
    }

    /// Three events, with the ids that they have.
    async fn three(&self, stream: &str) -> [Uuid; 3] {
        let ids = [(); 3].map(|()| Uuid::now_v7());
        let events = ids.map(with_id).to_vec();
        append(&self.client, stream, StreamState::NoStream, events)
            .await
            .unwrap();
        ids
    }

    async fn set_metadata(&self, stream: &str, metadata: StreamMetadata) {
        let options = AppendToStreamOptions::default();
        let set = self.client.set_stream_metadata(stream, &options, &metadata);
        soon(set).await.unwrap();
    }

    async fn delete(&self, stream: &str) {
        let options = DeleteStreamOptions::default();
        soon(self.client.delete_stream(stream, &options))
            .await
            .unwrap();
    }

    async fn tombstone(&self, stream: &str) {
        let options = TombstoneStreamOptions::default();
        soon(self.client.tombstone_stream(stream, &options))
            .await
            .unwrap();
    }

    /// A part of `$all`, forward from a position.
    async fn all_from(&self, position: Position, count: usize) -> Vec<kurrentdb::ResolvedEvent> {
        let options = ReadAllOptions::default()
            .position(StreamPosition::Position(position))
            .max_count(count);
        self.all(&options).await
    }

    async fn all(&self, options: &ReadAllOptions) -> Vec<kurrentdb::ResolvedEvent> {
        let mut reading = soon(self.client.read_all(options)).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = soon(reading.next()).await.unwrap() {
            events.push(event);
        }
        events
    }

    async fn subscribe(&self, stream: &str, from: StreamPosition<u64>) -> kurrentdb::Subscription {
        let options = SubscribeToStreamOptions::default().start_from(from);
        self.client.subscribe_to_stream(stream, &options).await
    }

    async fn subscribe_all(
        &self,
        after: Position,
        filter: SubscriptionFilter,
    ) -> kurrentdb::Subscription {
        let options = SubscribeToAllOptions::default()
            .position(StreamPosition::Position(after))
            .filter(filter);
        self.client.subscribe_to_all(&options).await
    }
}

fn assert_wrong_version(result: Result<kurrentdb::WriteResult, Error>, is: CurrentRevision) {
    match result {
        Err(Error::WrongExpectedVersion { current, .. }) => assert_eq!(current, is),
        other => panic!("not a wrong expected version: {other:?}"),
    }
}

fn revision(number: u64) -> StreamState {
    StreamState::StreamRevision(number)
}

fn exception(status: &Status) -> &str {
    let name = status.metadata().get("exception").unwrap();
    name.to_str().unwrap()
}

// Appending: what was written before.

#[tokio::test]
async fn the_same_append_again_has_the_first_ones_revision_and_position() {
    let test = Test::begin().await;
    let stream = test.stream();
    let events = vec![event(), event()];
    let first = append(&test.client, &stream, StreamState::NoStream, events.clone()).await;
    append_one(&test.client, &stream).await;

    let again = append(&test.client, &stream, StreamState::NoStream, events).await;

    let (first, again) = (first.unwrap(), again.unwrap());
    assert_eq!(again.next_expected_version, 1);
    assert_eq!(again.next_expected_version, first.next_expected_version);
    assert_eq!(again.position, first.position);
    assert_eq!(read_stream(&test.client, &stream).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_same_append_again_at_a_revision_changes_nothing() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    let events = vec![event(), event()];
    let first = append(&test.client, &stream, revision(2), events.clone()).await;
    append_one(&test.client, &stream).await;

    let again = append(&test.client, &stream, revision(2), events).await;

    let (first, again) = (first.unwrap(), again.unwrap());
    assert_eq!(again.next_expected_version, 4);
    assert_eq!(again.position, first.position);
}

#[tokio::test]
async fn other_ids_below_the_current_revision_are_a_wrong_expected_version() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;

    let none = append(&test.client, &stream, StreamState::NoStream, vec![event()]).await;
    let zero = append(&test.client, &stream, revision(0), vec![event()]).await;

    assert_wrong_version(none, CurrentRevision::Current(2));
    assert_wrong_version(zero, CurrentRevision::Current(2));
}

#[tokio::test]
async fn an_append_that_agrees_in_part_only_is_a_wrong_expected_version() {
    let test = Test::begin().await;
    let stream = test.stream();
    let [first, second, third] = test.three(&stream).await;

    let differs = vec![with_id(first), event()];
    let differs = append(&test.client, &stream, StreamState::NoStream, differs).await;
    let longer = vec![with_id(second), with_id(third), event()];
    let longer = append(&test.client, &stream, revision(0), longer).await;
    let begins_later = vec![with_id(second)];
    let begins_later = append(&test.client, &stream, StreamState::NoStream, begins_later).await;

    assert_wrong_version(differs, CurrentRevision::Current(2));
    assert_wrong_version(longer, CurrentRevision::Current(2));
    assert_wrong_version(begins_later, CurrentRevision::Current(2));
}

#[tokio::test]
async fn a_part_of_what_follows_the_expected_revision_is_enough() {
    let test = Test::begin().await;
    let stream = test.stream();
    let [_, second, _] = test.three(&stream).await;
    let events = read_stream(&test.client, &stream).await.unwrap();

    let again = append(&test.client, &stream, revision(0), vec![with_id(second)]).await;

    let again = again.unwrap();
    assert_eq!(again.next_expected_version, 1);
    assert_eq!(again.position, events[1].get_original_event().position);
}

#[tokio::test]
async fn a_repeated_id_at_the_current_revision_is_stored_again() {
    let test = Test::begin().await;
    let stream = test.stream();
    let [.., third] = test.three(&stream).await;

    let again = append(&test.client, &stream, revision(2), vec![with_id(third)]).await;

    assert_eq!(again.unwrap().next_expected_version, 3);
    let events = read_stream(&test.client, &stream).await.unwrap();
    assert_eq!(ids(&events)[2..], [third, third]);
}

#[tokio::test]
async fn a_revision_above_the_current_is_a_wrong_expected_version() {
    let test = Test::begin().await;
    let (stream, missing) = (test.stream(), test.stream());
    test.three(&stream).await;

    let above = append(&test.client, &stream, revision(3), vec![event()]).await;
    let of_none = append(&test.client, &missing, revision(0), vec![event()]).await;

    assert_wrong_version(above, CurrentRevision::Current(2));
    assert_wrong_version(of_none, CurrentRevision::NoStream);
}

#[tokio::test]
async fn any_revision_recognises_ids_and_refuses_a_mixture() {
    let test = Test::begin().await;
    let stream = test.stream();
    let known = [(); 3].map(|()| Uuid::now_v7());
    let events = known.map(with_id).to_vec();
    let first = append(&test.client, &stream, StreamState::Any, events).await;
    append_one(&test.client, &stream).await;

    let all = known.map(with_id).to_vec();
    let all = append(&test.client, &stream, StreamState::Any, all).await;
    let mixture = vec![with_id(known[1]), event()];
    let mixture = append(&test.client, &stream, StreamState::Any, mixture).await;
    let new_first = vec![event(), with_id(known[1])];
    let new_first = append(&test.client, &stream, StreamState::Any, new_first).await;

    let (first, all) = (first.unwrap(), all.unwrap());
    assert_eq!(all.next_expected_version, 2);
    assert_eq!(all.position, first.position);
    assert_wrong_version(mixture, CurrentRevision::Current(3));
    assert_eq!(new_first.unwrap().next_expected_version, 5);
}

#[tokio::test]
async fn a_stream_that_must_exist_recognises_ids_too() {
    let test = Test::begin().await;
    let stream = test.stream();
    let missing = append(
        &test.client,
        &stream,
        StreamState::StreamExists,
        vec![event()],
    )
    .await;
    assert_wrong_version(missing, CurrentRevision::NoStream);
    let ids = test.three(&stream).await;

    let again = ids.map(with_id).to_vec();
    let again = append(&test.client, &stream, StreamState::StreamExists, again).await;
    let more = append(
        &test.client,
        &stream,
        StreamState::StreamExists,
        vec![event()],
    )
    .await;

    assert_eq!(again.unwrap().next_expected_version, 2);
    assert_eq!(more.unwrap().next_expected_version, 3);
}

#[tokio::test]
async fn metadata_makes_a_stream_exist() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.set_metadata(&stream, StreamMetadataBuilder::new().max_count(3).build())
        .await;

    let appended = append(
        &test.client,
        &stream,
        StreamState::StreamExists,
        vec![event()],
    )
    .await;

    assert_eq!(appended.unwrap().next_expected_version, 0);
}

#[tokio::test]
async fn the_same_id_in_another_stream_is_another_event() {
    let test = Test::begin().await;
    let (stream, other) = (test.stream(), test.stream());
    let id = Uuid::now_v7();

    for stream in [&stream, &other] {
        let appended = append(&test.client, stream, StreamState::Any, vec![with_id(id)]).await;
        assert_eq!(appended.unwrap().next_expected_version, 0);
    }

    assert_eq!(read_stream(&test.client, &other).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_append_of_a_hidden_event_succeeds_without_a_position() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.set_metadata(&stream, StreamMetadataBuilder::new().max_count(1).build())
        .await;
    let [first, ..] = test.three(&stream).await;

    let no_stream = expectation(&stream, ExpectedStreamRevision::NoStream(Empty {}));
    let again = test
        .raw_append(vec![no_stream, proposed(first, "Happened", 4)])
        .await;

    let AppendResult::Success(success) = again.unwrap() else {
        panic!("the ids are the same");
    };
    assert_eq!(
        success.current_revision_option,
        Some(success::CurrentRevisionOption::CurrentRevision(0))
    );
    assert_eq!(
        success.position_option,
        Some(success::PositionOption::NoPosition(Empty {}))
    );
}

#[tokio::test]
async fn an_append_of_nothing_succeeds_and_writes_nothing() {
    let test = Test::begin().await;
    let (stream, missing) = (test.stream(), test.stream());
    test.three(&stream).await;

    let current = append(&test.client, &stream, revision(2), vec![]).await;
    let below = append(&test.client, &stream, revision(1), vec![]).await;
    let no_stream = expectation(&missing, ExpectedStreamRevision::NoStream(Empty {}));
    let of_none = test.raw_append(vec![no_stream]).await.unwrap();

    assert_eq!(current.unwrap().next_expected_version, 2);
    assert_wrong_version(below, CurrentRevision::Current(2));
    let AppendResult::Success(success) = of_none else {
        panic!("there is no such stream");
    };
    assert_eq!(
        success.current_revision_option,
        Some(success::CurrentRevisionOption::NoStream(Empty {}))
    );
    assert_eq!(read_stream(&test.client, &stream).await.unwrap().len(), 3);
    let missing = read_stream(&test.client, &missing).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)));
}

#[tokio::test]
async fn of_many_appends_at_one_revision_one_succeeds() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;

    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, stream) = (test.client.clone(), stream.clone());
        racing.spawn(async move { append(&client, &stream, revision(2), vec![event()]).await });
    }
    let results = racing.join_all().await;

    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for result in lost {
        assert_wrong_version(result, CurrentRevision::Current(3));
    }
}

#[tokio::test]
async fn a_wrong_expected_version_is_told_in_the_fields_of_old_and_new_clients() {
    let test = Test::begin().await;
    let (stream, missing) = (test.stream(), test.stream());
    test.three(&stream).await;
    let wrong = async |stream: &str, expected| {
        let messages = vec![
            expectation(stream, expected),
            proposed(Uuid::now_v7(), "Happened", 4),
        ];
        match test.raw_append(messages).await.unwrap() {
            AppendResult::WrongExpectedVersion(wrong) => wrong,
            AppendResult::Success(_) => panic!("not the current revision"),
        }
    };

    let no_stream = wrong(&stream, ExpectedStreamRevision::NoStream(Empty {})).await;
    let above = wrong(&stream, ExpectedStreamRevision::Revision(7)).await;
    let of_none = wrong(&missing, ExpectedStreamRevision::StreamExists(Empty {})).await;

    assert_eq!(
        no_stream.current_revision_option,
        Some(CurrentRevisionOption::CurrentRevision(2))
    );
    assert_eq!(
        no_stream.expected_revision_option,
        Some(ExpectedRevisionOption::ExpectedNoStream(Empty {}))
    );
    assert_eq!(
        no_stream.expected_revision_option_20_6_0,
        Some(ExpectedRevisionOption2060::ExpectedRevision2060(u64::MAX))
    );
    assert_eq!(
        above.current_revision_option_20_6_0,
        Some(CurrentRevisionOption2060::CurrentRevision2060(2))
    );
    assert_eq!(
        above.expected_revision_option,
        Some(ExpectedRevisionOption::ExpectedRevision(7))
    );
    assert_eq!(
        of_none.current_revision_option,
        Some(CurrentRevisionOption::CurrentNoStream(Empty {}))
    );
    assert_eq!(
        of_none.expected_revision_option,
        Some(ExpectedRevisionOption::ExpectedStreamExists(Empty {}))
    );
}

// Revisions and positions.

#[tokio::test]
async fn revisions_start_at_0_and_positions_increase_with_gaps() {
    let test = Test::begin().await;
    let stream = test.stream();

    let appended = append(
        &test.client,
        &stream,
        StreamState::NoStream,
        vec![event(), event()],
    )
    .await
    .unwrap();
    let events = read_stream(&test.client, &stream).await.unwrap();

    assert_eq!(revisions(&events), [0, 1]);
    let [first, second] = [&events[0], &events[1]].map(|event| event.get_original_event().position);
    assert_eq!(first.commit, first.prepare);
    assert!(first.commit > 0);
    assert!(second.commit > first.commit + 1);
    assert_eq!(appended.position, second);
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_written() {
    let test = Test::begin().await;
    let stream = test.stream();
    let id = Uuid::now_v7();
    let written = EventData::json("Written", &serde_json::json!({"a": 1}))
        .unwrap()
        .metadata(b"metadata".to_vec().into())
        .id(id);

    append(
        &test.client,
        &stream,
        StreamState::NoStream,
        vec![written, event()],
    )
    .await
    .unwrap();
    let events = read_stream(&test.client, &stream).await.unwrap();

    let [json, binary] = [&events[0], &events[1]].map(|event| event.get_original_event());
    assert_eq!((json.id, json.event_type.as_str()), (id, "Written"));
    assert_eq!(&json.data[..], br#"{"a":1}"#);
    assert_eq!(&json.custom_metadata[..], b"metadata");
    assert_eq!(json.metadata["content-type"], "application/json");
    assert_eq!(binary.metadata["content-type"], "application/octet-stream");
    // 100 ns since 1970: more than in 2020, less than in 2100.
    let ticks: u64 = json.metadata["created"].parse().unwrap();
    assert!((15_000_000_000_000_000..42_000_000_000_000_000).contains(&ticks));
    assert_eq!(events[0].commit_position, Some(json.position.commit));
}

// Deleting.

#[tokio::test]
async fn a_deleted_stream_is_not_found_and_goes_on_with_its_revisions() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;

    test.delete(&stream).await;
    let deleted = read_stream(&test.client, &stream).await;
    let must_exist = append(
        &test.client,
        &stream,
        StreamState::StreamExists,
        vec![event()],
    )
    .await;
    let again = append(&test.client, &stream, StreamState::NoStream, vec![event()]).await;

    assert!(matches!(deleted, Err(Error::ResourceNotFound)));
    assert!(matches!(must_exist, Err(Error::ResourceDeleted)));
    assert_eq!(again.unwrap().next_expected_version, 3);
    let events = read_stream(&test.client, &stream).await.unwrap();
    assert_eq!(revisions(&events), [3]);
}

#[tokio::test]
async fn a_deleted_stream_goes_on_at_its_last_revision_too() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    test.delete(&stream).await;

    let wrong = append(&test.client, &stream, revision(1), vec![event()]).await;
    let again = append(&test.client, &stream, revision(2), vec![event()]).await;

    assert_wrong_version(wrong, CurrentRevision::Current(2));
    assert_eq!(again.unwrap().next_expected_version, 3);
    let events = read_stream(&test.client, &stream).await.unwrap();
    assert_eq!(revisions(&events), [3]);
}

#[tokio::test]
async fn the_first_append_again_is_recognised_in_a_deleted_stream() {
    let test = Test::begin().await;
    let stream = test.stream();
    let ids = test.three(&stream).await;
    test.delete(&stream).await;

    let again = append(
        &test.client,
        &stream,
        StreamState::NoStream,
        ids.map(with_id).to_vec(),
    )
    .await;

    assert_eq!(again.unwrap().next_expected_version, 2);
    let deleted = read_stream(&test.client, &stream).await;
    assert!(matches!(deleted, Err(Error::ResourceNotFound)));
}

#[tokio::test]
async fn only_a_stream_that_exists_is_deleted() {
    let test = Test::begin().await;
    let stream = test.stream();
    let options = Some(Expectation {
        stream_identifier: identifier(&stream),
        expected_stream_revision: Some(ExpectedStreamRevision::Any(Empty {})),
    });

    let deleted = soon(test.raw().await.delete(DeleteReq { options })).await;

    let status = deleted.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(exception(&status), "wrong-expected-version");
}

#[tokio::test]
async fn a_tombstone_ends_a_stream_for_good() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;

    test.tombstone(&stream).await;

    let read = read_stream(&test.client, &stream).await;
    assert!(matches!(read, Err(Error::ResourceDeleted)));
    for state in [StreamState::Any, StreamState::NoStream, revision(2)] {
        let appended = append(&test.client, &stream, state, vec![event()]).await;
        assert!(matches!(appended, Err(Error::ResourceDeleted)));
    }
    let mut subscription = test.subscribe(&stream, StreamPosition::Start).await;
    assert!(is_confirmation(&next(&mut subscription).await));
    let ended = soon(subscription.next_subscription_event()).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)));
}

#[tokio::test]
async fn the_error_of_a_tombstone_names_itself_and_the_stream() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    test.tombstone(&stream).await;

    let read = test
        .raw_read(of_stream(&stream, RevisionOption::Start(Empty {})))
        .await;

    let status = read.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(exception(&status), "stream-deleted");
    assert_eq!(
        status.metadata().get("stream-name").unwrap(),
        stream.as_str()
    );
}

// Limits and refusals.

#[tokio::test]
async fn an_append_counts_data_metadata_and_its_types_twice() {
    let test = Test::begin().await;
    let stream = test.stream();
    let of_size = async |size| {
        let any = expectation(&stream, ExpectedStreamRevision::Any(Empty {}));
        let event = proposed(Uuid::now_v7(), "Happened", size - 2 * "Happened".len());
        test.raw_append(vec![any, event]).await
    };

    let fits = of_size(LIMIT).await;
    let is_too_large = of_size(LIMIT + 1).await;

    assert!(matches!(fits, Ok(AppendResult::Success(_))));
    let status = is_too_large.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(exception(&status), "maximum-append-size-exceeded");
    let maximum = status.metadata().get("maximum-append-size").unwrap();
    assert_eq!(maximum, &LIMIT.to_string());
}

#[tokio::test]
async fn the_limit_is_for_all_events_of_an_append() {
    let test = Test::begin().await;
    let stream = test.stream();
    let half = || EventData::binary("Large", vec![7; LIMIT / 2].into()).id(Uuid::now_v7());

    let one = append(&test.client, &stream, StreamState::NoStream, vec![half()]).await;
    let two = append(&test.client, &stream, revision(0), vec![half(), half()]).await;

    assert!(one.is_ok());
    assert!(matches!(two, Err(Error::Grpc { code, .. }) if code == Code::InvalidArgument));
    assert_eq!(read_stream(&test.client, &stream).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_of_many_megabytes_exceeds_the_limit_and_nothing_else() {
    let test = Test::begin().await;
    let any = expectation(&test.stream(), ExpectedStreamRevision::Any(Empty {}));
    let event = proposed(Uuid::now_v7(), "Happened", 6 * LIMIT);

    let appended = test.raw_append(vec![any, event]).await;

    assert_eq!(
        exception(&appended.unwrap_err()),
        "maximum-append-size-exceeded"
    );
}

#[tokio::test]
async fn an_event_without_a_type_is_refused() {
    let test = Test::begin().await;
    let any = expectation(&test.stream(), ExpectedStreamRevision::Any(Empty {}));
    let mut event = proposed(Uuid::now_v7(), "Happened", 4);
    if let Some(eventstoredb_double::wire::streams::append_req::Content::ProposedMessage(message)) =
        event.content.as_mut()
    {
        message.metadata.remove("type");
    }

    let appended = test.raw_append(vec![any, event]).await;

    let status = appended.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(exception(&status), "missing-required-metadata-property");
}

#[tokio::test]
async fn a_stream_without_a_name_is_refused() {
    let test = Test::begin().await;
    let any = expectation("", ExpectedStreamRevision::Any(Empty {}));
    let event = proposed(Uuid::now_v7(), "Happened", 4);

    let appended = test.raw_append(vec![any, event]).await;

    assert_eq!(appended.unwrap_err().code(), Code::Unknown);
}

#[tokio::test]
async fn the_server_tells_its_version() {
    let test = Test::begin().await;

    let info = soon(test.client.server_info()).await.unwrap();

    assert!(info.version().major() >= 21);
}

// Reading a stream.

#[tokio::test]
async fn a_stream_is_read_from_its_start_and_from_its_end() {
    let test = Test::begin().await;
    let stream = test.stream();
    for _ in 0..70 {
        append_one(&test.client, &stream).await;
    }
    let options = || ReadStreamOptions::default().max_count(1000);
    let numbers = async |options| revisions(&read(&test.client, &stream, &options).await.unwrap());

    let forward: Vec<u64> = (0..70).collect();
    let backward: Vec<u64> = (0..70).rev().collect();
    assert_eq!(numbers(options()).await, forward);
    let from_end = options().backwards().position(StreamPosition::End);
    assert_eq!(numbers(from_end).await, backward);
    let from = options()
        .position(StreamPosition::Position(68))
        .max_count(5);
    assert_eq!(numbers(from).await, [68, 69]);
    let back_from = options().backwards().position(StreamPosition::Position(2));
    assert_eq!(numbers(back_from).await, [2, 1, 0]);
    let some = options().max_count(40);
    assert_eq!(numbers(some).await, forward[..40]);
    let past = options().position(StreamPosition::Position(70));
    assert!(numbers(past).await.is_empty());
    // Past the end counts for nothing.
    let far_past = options().backwards().position(StreamPosition::Position(99));
    assert_eq!(numbers(far_past.max_count(31)).await, backward[..31]);
}

#[tokio::test]
async fn a_read_ends_with_the_last_revision() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    let read = async |from| test.raw_read(of_stream(&stream, from)).await.unwrap();

    let from_start = read(RevisionOption::Start(Empty {})).await;
    let past = read(RevisionOption::Revision(3)).await;
    let far_past = read(RevisionOption::Revision(9)).await;

    assert!(matches!(
        from_start[..],
        [
            Content::Event(_),
            Content::Event(_),
            Content::Event(_),
            Content::LastStreamPosition(2)
        ]
    ));
    assert_eq!(past, [Content::LastStreamPosition(2)]);
    assert_eq!(
        far_past,
        [
            Content::FirstStreamPosition(3),
            Content::LastStreamPosition(2)
        ]
    );
}

#[tokio::test]
async fn a_read_that_begins_before_the_first_event_tells_the_first_revision() {
    let test = Test::begin().await;
    let stream = test.stream();
    for _ in 0..40 {
        append_one(&test.client, &stream).await;
    }
    let metadata = StreamMetadataBuilder::new().truncate_before(35).build();
    test.set_metadata(&stream, metadata).await;

    let mut options = of_stream(&stream, RevisionOption::Start(Empty {}));
    options.count_option = Some(CountOption::Count(1));
    let answers = test.raw_read(options).await.unwrap();

    assert!(matches!(
        answers[..],
        [
            Content::FirstStreamPosition(35),
            Content::Event(_),
            Content::LastStreamPosition(39)
        ]
    ));
}

#[tokio::test]
async fn a_missing_stream_is_not_found() {
    let test = Test::begin().await;

    let read = read_stream(&test.client, &test.stream()).await;

    assert!(matches!(read, Err(Error::ResourceNotFound)));
}

// Stream metadata.

#[tokio::test]
async fn a_maximum_count_hides_from_readers_of_the_stream_only() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.set_metadata(&stream, StreamMetadataBuilder::new().max_count(2).build())
        .await;
    let first = append_one(&test.client, &stream).await;
    for _ in 0..3 {
        append_one(&test.client, &stream).await;
    }

    let events = read_stream(&test.client, &stream).await.unwrap();
    assert_eq!(revisions(&events), [2, 3]);
    let backward = ReadStreamOptions::default().backwards();
    let backward = backward.position(StreamPosition::End);
    let events = read(&test.client, &stream, &backward).await.unwrap();
    assert_eq!(revisions(&events), [3, 2]);
    let all = test.all_from(first.position, 1).await;
    assert_eq!(all[0].get_original_event().revision, 0);
    assert_eq!(all[0].get_original_event().stream_id(), stream);
}

#[tokio::test]
async fn a_maximum_count_does_not_change_the_current_revision() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.set_metadata(&stream, StreamMetadataBuilder::new().max_count(1).build())
        .await;

    for number in 0..3 {
        let state = match number {
            0 => StreamState::NoStream,
            number => revision(number - 1),
        };
        let appended = append(&test.client, &stream, state, vec![event()]).await;
        assert_eq!(appended.unwrap().next_expected_version, number);
    }
    let fenced = append(&test.client, &stream, revision(1), vec![event()]).await;

    assert_wrong_version(fenced, CurrentRevision::Current(2));
}

#[tokio::test]
async fn a_metastream_shows_its_last_event_only() {
    let test = Test::begin().await;
    let stream = test.stream();
    for count in 1..4 {
        let metadata = StreamMetadataBuilder::new().max_count(count).build();
        test.set_metadata(&stream, metadata).await;
    }

    let events = read_stream(&test.client, &format!("$${stream}"))
        .await
        .unwrap();

    assert_eq!(revisions(&events), [2]);
    assert_eq!(events[0].get_original_event().event_type, "$metadata");
}

// Reading $all.

#[tokio::test]
async fn all_is_read_forward_with_and_backward_without_the_position() {
    let test = Test::begin().await;
    let stream = test.stream();
    let first = append_one(&test.client, &stream).await;
    let second = append_one(&test.client, &stream).await;
    let name = SubscriptionFilter::on_stream_name().add_prefix(&stream);

    let from_first = ReadAllOptions::default()
        .position(StreamPosition::Position(first.position))
        .filter(name.clone());
    let forward = test.all(&from_first.max_count(2)).await;
    let from_second = ReadAllOptions::default()
        .backwards()
        .position(StreamPosition::Position(second.position))
        .filter(name);
    let backward = test.all(&from_second.max_count(1)).await;

    assert_eq!(revisions(&forward), [0, 1]);
    assert_eq!(forward[0].get_original_event().position, first.position);
    assert_eq!(revisions(&backward), [0]);
}

#[tokio::test]
async fn all_is_read_backward_from_its_end() {
    let test = Test::begin().await;
    let stream = test.stream();
    append_one(&test.client, &stream).await;
    let options = ReadAllOptions::default()
        .backwards()
        .position(StreamPosition::End)
        .filter(SubscriptionFilter::on_stream_name().add_prefix(&stream))
        .max_count(1);

    let events = test.all(&options).await;

    assert_eq!(events[0].get_original_event().stream_id(), stream);
}

#[tokio::test]
async fn a_position_inside_an_event_is_none() {
    let test = Test::begin().await;
    let written = append_one(&test.client, &test.stream()).await.position;
    append_one(&test.client, &test.stream()).await;
    let inside = Position {
        commit: written.commit + 1,
        prepare: written.prepare + 1,
    };
    let mut subscription = test
        .subscribe_all(inside, SubscriptionFilter::on_stream_name().regex("."))
        .await;

    assert!(is_confirmation(&next(&mut subscription).await));
    let ended = soon(subscription.next_subscription_event()).await;

    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn all_holds_events_of_the_system() {
    let test = Test::begin().await;
    let stream = test.stream();
    let before = append_one(&test.client, &stream).await;
    test.set_metadata(&stream, StreamMetadataBuilder::new().max_count(9).build())
        .await;
    let options = ReadAllOptions::default()
        .position(StreamPosition::Position(before.position))
        .filter(SubscriptionFilter::on_stream_name().add_prefix(format!("$${stream}")))
        .max_count(1);

    let events = test.all(&options).await;

    assert_eq!(events[0].get_original_event().event_type, "$metadata");
}

#[tokio::test]
async fn the_log_never_shows_epochs() {
    let test = Test::begin().await;
    let options = ReadAllOptions::default()
        .position(StreamPosition::Start)
        .max_count(50);

    let events = test.all(&options).await;

    assert!(!events.is_empty());
    let is_epoch = |stream: &str| stream == "$epoch-information";
    assert!(
        !events
            .iter()
            .any(|event| is_epoch(event.get_original_stream_id()))
    );
}

// Subscriptions.

#[tokio::test]
async fn a_subscription_to_a_missing_stream_is_confirmed_and_caught_up() {
    let test = Test::begin().await;
    let stream = test.stream();
    let mut subscription = test.subscribe(&stream, StreamPosition::Start).await;

    assert!(is_confirmation(&next(&mut subscription).await));
    assert!(is_caught_up(&next(&mut subscription).await));
    append_one(&test.client, &stream).await;
    assert_eq!(next_event(&mut subscription).await.revision, 0);
}

#[tokio::test]
async fn a_subscription_begins_with_what_is_there_and_goes_on_with_what_comes() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    let mut subscription = test.subscribe(&stream, StreamPosition::Start).await;

    assert!(is_confirmation(&next(&mut subscription).await));
    for revision in 0..3 {
        let SubscriptionEvent::EventAppeared(event) = next(&mut subscription).await else {
            panic!("the stream has three events");
        };
        assert_eq!(event.get_original_event().revision, revision);
    }
    assert!(is_caught_up(&next(&mut subscription).await));
    for revision in 3..5 {
        append_one(&test.client, &stream).await;
        assert_eq!(next_event(&mut subscription).await.revision, revision);
    }
}

#[tokio::test]
async fn a_subscription_does_not_deliver_where_it_starts() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;

    let mut after = test.subscribe(&stream, StreamPosition::Position(1)).await;
    assert_eq!(next_event(&mut after).await.revision, 2);
    let mut at_end = test.subscribe(&stream, StreamPosition::End).await;
    assert!(is_confirmation(&next(&mut at_end).await));
    assert!(is_caught_up(&next(&mut at_end).await));
    append_one(&test.client, &stream).await;
    assert_eq!(next_event(&mut at_end).await.revision, 3);
}

#[tokio::test]
async fn a_subscription_to_a_deleted_stream_waits_for_more() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    test.delete(&stream).await;
    let mut subscription = test.subscribe(&stream, StreamPosition::Start).await;

    assert!(is_confirmation(&next(&mut subscription).await));
    assert!(is_caught_up(&next(&mut subscription).await));
    append_one(&test.client, &stream).await;
    assert_eq!(next_event(&mut subscription).await.revision, 3);
}

#[tokio::test]
async fn a_tombstone_ends_the_subscriptions_to_its_stream() {
    let test = Test::begin().await;
    let stream = test.stream();
    test.three(&stream).await;
    let mut subscription = test.subscribe(&stream, StreamPosition::End).await;
    assert!(is_confirmation(&next(&mut subscription).await));
    assert!(is_caught_up(&next(&mut subscription).await));

    test.tombstone(&stream).await;

    assert_eq!(
        next_event(&mut subscription).await.event_type,
        "$streamDeleted"
    );
    let ended = soon(subscription.next_subscription_event()).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)));
}

#[tokio::test]
async fn a_subscription_to_all_starts_after_its_position() {
    let test = Test::begin().await;
    let stream = test.stream();
    let first = append_one(&test.client, &stream).await;
    append_one(&test.client, &stream).await;
    let name = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let mut subscription = test.subscribe_all(first.position, name).await;

    assert_eq!(next_event(&mut subscription).await.revision, 1);
    append_one(&test.client, &stream).await;
    assert_eq!(next_event(&mut subscription).await.revision, 2);
}

#[tokio::test]
async fn a_subscription_to_all_sees_many_events_in_order_once() {
    let test = Test::begin().await;
    let stream = test.stream();
    let before = append_one(&test.client, &stream).await;
    let name = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let mut subscription = test.subscribe_all(before.position, name).await;

    let appending = {
        let (client, stream) = (test.client.clone(), stream.clone());
        tokio::spawn(async move {
            for _ in 0..40 {
                let events = (0..10).map(|_| event()).collect();
                append(&client, &stream, StreamState::Any, events)
                    .await
                    .unwrap();
            }
        })
    };
    let mut last = before.position;
    for revision in 1..=400 {
        let event = next_event(&mut subscription).await;
        assert_eq!(event.revision, revision);
        assert!(event.position > last);
        last = event.position;
    }
    appending.await.unwrap();
}

#[tokio::test]
async fn filters_take_names_or_types_and_prefixes_count_only_without_an_expression() {
    let test = Test::begin().await;
    let (stream, other) = (test.stream(), test.stream());
    let before = append_one(&test.client, &other).await.position;
    let event_type = test.server.unique("Type");
    let of_type = EventData::binary(&event_type, b"data".to_vec().into()).id(Uuid::now_v7());
    append(
        &test.client,
        &stream,
        StreamState::Any,
        vec![event(), of_type],
    )
    .await
    .unwrap();
    let first = async |filter| {
        let mut subscription = test.subscribe_all(before, filter).await;
        let event = next_event(&mut subscription).await;
        (event.stream_id().to_owned(), event.revision)
    };

    let names = SubscriptionFilter::on_stream_name();
    let types = SubscriptionFilter::on_event_type();
    let is_first = (stream.clone(), 0);
    let is_second = (stream.clone(), 1);
    assert_eq!(first(names.clone().add_prefix(&stream)).await, is_first);
    assert_eq!(
        first(names.clone().regex(format!("^{stream}$"))).await,
        is_first
    );
    let several = names.clone().add_prefix(&event_type).add_prefix(&stream);
    assert_eq!(first(several).await, is_first);
    assert_eq!(
        first(types.clone().add_prefix(&event_type)).await,
        is_second
    );
    assert_eq!(
        first(types.clone().regex(format!("{event_type}$"))).await,
        is_second
    );
    let both = types.regex(&event_type).add_prefix("Happened");
    assert_eq!(first(both).await, is_second);
}

#[tokio::test]
async fn a_filtered_subscription_tells_a_checkpoint_before_it_is_caught_up() {
    let test = Test::begin().await;
    let stream = test.stream();
    let before = append_one(&test.client, &stream).await;
    let last = append_one(&test.client, &stream).await;

    let options = filtered(&stream, before.position, 32, 1);
    let mut raw = test.raw().await;
    let read = ReadReq {
        options: Some(options),
    };
    let mut answers = soon(raw.read(read)).await.unwrap().into_inner();
    let mut next = async || {
        let answer = soon(answers.message()).await.unwrap().unwrap();
        answer.content.unwrap()
    };

    assert!(matches!(next().await, Content::Confirmation(_)));
    // Others write to a shared server too, so there may be checkpoints on the way.
    let mut checkpoint = None;
    let mut events = 0;
    loop {
        let content = next().await;
        if let Content::Checkpoint(position) = content {
            checkpoint = Some(position.commit_position);
        } else if let Content::Event(_) = content {
            events += 1;
            checkpoint = None;
        } else {
            assert!(matches!(content, Content::CaughtUp(_)), "{content:?}");
            break;
        }
    }
    assert_eq!(events, 1);
    assert!(checkpoint.unwrap() >= last.position.commit);
}

#[tokio::test]
async fn a_live_subscription_tells_a_checkpoint_after_every_interval() {
    let test = Test::begin().await;
    let (stream, other) = (test.stream(), test.stream());
    let before = append_one(&test.client, &stream).await;
    // Two windows of five: a checkpoint after ten events of whatever stream.
    let options = filtered(&stream, before.position, 5, 2);
    let mut raw = test.raw().await;
    let read = ReadReq {
        options: Some(options),
    };
    let mut answers = soon(raw.read(read)).await.unwrap().into_inner();
    let mut next = async || {
        let answer = soon(answers.message()).await.unwrap().unwrap();
        answer.content.unwrap()
    };
    while !matches!(next().await, Content::CaughtUp(_)) {}

    let mut last = before.position;
    for _ in 0..10 {
        last = append_one(&test.client, &other).await.position;
    }

    let first_of_ten = loop {
        if let Content::Checkpoint(checkpoint) = next().await {
            break checkpoint;
        }
    };
    assert!(first_of_ten.commit_position > before.position.commit);
    if test.server.double().is_some() {
        // Nobody else wrote: it is the tenth.
        assert!(first_of_ten.commit_position <= last.commit);
    }
    assert_eq!(first_of_ten.commit_position, first_of_ten.prepare_position);
}

#[tokio::test]
async fn a_subscription_goes_on_after_a_checkpoint_without_loss() {
    let test = Test::begin().await;
    let (stream, other) = (test.stream(), test.stream());
    let before = append_one(&test.client, &stream).await;
    for _ in 0..70 {
        append_one(&test.client, &other).await;
    }
    let name = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let mut subscription = test.subscribe_all(before.position, name.clone()).await;
    // The first may be the start itself.
    let mut checkpoint = before.position;
    loop {
        let event = next(&mut subscription).await;
        if is_caught_up(&event) {
            break;
        }
        if let SubscriptionEvent::Checkpoint(position) = event {
            checkpoint = position;
        }
    }
    append_one(&test.client, &stream).await;

    let mut again = test.subscribe_all(checkpoint, name).await;

    assert!(checkpoint > before.position);
    assert_eq!(next_event(&mut again).await.revision, 1);
}

// The projection by category.

#[tokio::test]
async fn events_are_linked_into_the_stream_of_their_category() {
    let test = Test::begin().await;
    let category = test.server.unique("category");
    let (stream, other) = (format!("{category}-a-1"), format!("{category}-b"));
    append_one(&test.client, &stream).await;
    append_one(&test.client, &other).await;
    append_one(&test.client, &stream).await;

    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let links = format!("$ce-{category}");
    let mut plain = test
        .client
        .subscribe_to_stream(links.as_str(), &options)
        .await;
    let resolving = options.resolve_link_tos();
    let mut resolved = test
        .client
        .subscribe_to_stream(links.as_str(), &resolving)
        .await;

    for (revision, of, number) in [(0, &stream, 0), (1, &other, 0), (2, &stream, 1)] {
        let link = next_event(&mut plain).await;
        assert_eq!(link.event_type, "$>");
        assert_eq!(link.revision, revision);
        assert_eq!(link.data, format!("{number}@{of}").as_bytes());
        let metadata: serde_json::Value = serde_json::from_slice(&link.custom_metadata).unwrap();
        assert_eq!(metadata["$o"], of.as_str());

        let both = soon(resolved.next()).await.unwrap();
        let (event, link) = (both.event.unwrap(), both.link.unwrap());
        assert_eq!((event.stream_id(), event.revision), (of.as_str(), number));
        assert_eq!(link.stream_id(), links);
    }
}

#[tokio::test]
async fn a_link_to_what_is_gone_stays_a_link_without_an_event() {
    let test = Test::begin().await;
    let (stream, links) = (test.stream(), test.server.unique("links"));
    append_one(&test.client, &stream).await;
    let data = format!("0@{stream}").into_bytes();
    let link = EventData::binary("$>", data.into()).id(Uuid::now_v7());
    append(&test.client, &links, StreamState::NoStream, vec![link])
        .await
        .unwrap();
    let options = ReadStreamOptions::default().resolve_link_tos();

    let there = read(&test.client, &links, &options).await.unwrap();
    test.delete(&stream).await;
    let gone = read(&test.client, &links, &options).await.unwrap();

    assert_eq!(there[0].event.as_ref().unwrap().stream_id(), stream);
    assert!(gone[0].event.is_none());
    assert_eq!(gone[0].link.as_ref().unwrap().stream_id(), links);
}
