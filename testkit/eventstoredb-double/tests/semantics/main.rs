//! What the server promises, as tests that run on a real server too: `ESDB_TEST_URL` names one.
//!
//! A real server is shared and never empty, so every test has names of its own and says nothing of
//! absolute positions.

#![allow(clippy::unwrap_used, reason = "a test fails where it is wrong")]

#[path = "../support/mod.rs"]
mod support;

mod appending;
mod categories;
mod limits;
mod reading;
mod streams;
mod subscriptions;

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
