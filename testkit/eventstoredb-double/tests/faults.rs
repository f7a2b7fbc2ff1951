//! Every fault that a test may choose, always on a double.

#![allow(clippy::unwrap_used, reason = "a test fails where it is wrong")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use eventstoredb_double::Double;
use eventstoredb_double::wire::streams::expectation::ExpectedStreamRevision;
use eventstoredb_double::wire::streams::read_req::options::CountOption;
use eventstoredb_double::wire::streams::read_req::stream_options::RevisionOption;
use eventstoredb_double::wire::streams::read_req::{Options, SubscriptionOptions};
use eventstoredb_double::wire::streams::read_resp::Content;
use eventstoredb_double::wire::streams::streams_client::StreamsClient;
use eventstoredb_double::wire::streams::{BatchAppendReq, ReadReq, ReadResp};
use eventstoredb_double::wire::{Empty, streams::AppendReq};
use kurrentdb::{Client, Error, ReadStreamOptions, StreamState};
use support::*;
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use uuid::Uuid;

/// Long enough to say that something does not happen.
const A_WHILE: Duration = Duration::from_millis(200);

async fn begin() -> (Double, Client) {
    let double = Double::start().await;
    let client = client(&double.connection_string());
    (double, client)
}

async fn raw_of(double: &Double) -> StreamsClient<Channel> {
    raw(format!("http://{}", double.address())).await
}

/// An append at no stream, whose repetition is recognised.
fn first_append(stream: &str, id: Uuid) -> Vec<AppendReq> {
    let no_stream = expectation(stream, ExpectedStreamRevision::NoStream(Empty {}));
    vec![no_stream, proposed(id, "Happened", 4)]
}

async fn raw_append(double: &Double, stream: &str) -> Result<(), Status> {
    let messages = first_append(stream, Uuid::now_v7());
    let mut raw = raw_of(double).await;
    soon(raw.append(requests(messages))).await.map(drop)
}

/// How many events a stream has, by a new connection.
async fn count(double: &Double, stream: &str) -> usize {
    let client = client(&double.connection_string());
    match read_stream(&client, stream).await {
        Ok(events) => events.len(),
        Err(Error::ResourceNotFound) => 0,
        Err(error) => panic!("{error}"),
    }
}

fn subscription(stream: &str) -> Options {
    Options {
        count_option: Some(CountOption::Subscription(SubscriptionOptions {})),
        ..of_stream(stream, RevisionOption::Start(Empty {}))
    }
}

async fn subscribe(double: &Double, stream: &str) -> Streaming<ReadResp> {
    let options = Some(subscription(stream));
    let mut raw = raw_of(double).await;
    let answers = soon(raw.read(ReadReq { options })).await.unwrap();
    let mut answers = answers.into_inner();
    assert!(matches!(
        content(&mut answers).await,
        Content::Confirmation(_)
    ));
    assert!(matches!(content(&mut answers).await, Content::CaughtUp(_)));
    answers
}

async fn content(answers: &mut Streaming<ReadResp>) -> Content {
    let answer = soon(answers.message()).await.unwrap().unwrap();
    answer.content.unwrap()
}

fn is_cut(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unknown | Code::Unavailable | Code::Internal | Code::Cancelled
    )
}

#[tokio::test]
async fn a_stop_cuts_every_connection_and_refuses_new_ones() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let mut answers = subscribe(&double, "other").await;

    double.stop().await;

    assert!(is_cut(&soon(answers.message()).await.unwrap_err()));
    assert!(TcpStream::connect(double.address()).await.is_err());
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_server_starts_again() {
    let (double, client) = begin().await;
    let written = append_one(&client, "stream").await;
    let connection_string = double.connection_string();

    double.stop().await;
    double.start_again().await;

    assert_eq!(double.connection_string(), connection_string);
    let client = self::client(&connection_string);
    let events = read_stream(&client, "stream").await.unwrap();
    assert_eq!(events[0].get_original_event().position, written.position);
    let more = append_one(&client, "stream").await;
    assert_eq!(more.next_expected_version, 1);
    assert!(more.position > written.position);
}

#[tokio::test]
async fn a_new_process_recognises_ids_only_where_a_revision_says_where_to_look() {
    let (double, client) = begin().await;
    let known = with_id(Uuid::now_v7());
    append(
        &client,
        "stream",
        StreamState::NoStream,
        vec![known.clone()],
    )
    .await
    .unwrap();
    double.stop().await;
    double.start_again().await;
    let client = self::client(&double.connection_string());

    let exact = append(
        &client,
        "stream",
        StreamState::NoStream,
        vec![known.clone()],
    )
    .await;
    let any = append(&client, "stream", StreamState::Any, vec![known]).await;

    assert_eq!(exact.unwrap().next_expected_version, 0);
    assert_eq!(any.unwrap().next_expected_version, 1);
}

#[tokio::test]
async fn a_connection_cut_after_the_commit_leaves_the_append_written() {
    let (double, _) = begin().await;
    double.drop_after_commit(1);
    let id = Uuid::now_v7();

    let mut raw = raw_of(&double).await;
    let cut = soon(raw.append(requests(first_append("stream", id)))).await;
    let mut raw = raw_of(&double).await;
    let again = soon(raw.append(requests(first_append("stream", id)))).await;

    assert!(is_cut(&cut.unwrap_err()));
    assert!(again.is_ok());
    assert_eq!(count(&double, "stream").await, 1);
}

#[tokio::test]
async fn a_connection_cut_before_the_commit_leaves_nothing_written() {
    let (double, _) = begin().await;
    double.drop_before_commit(2);

    for _ in 0..2 {
        assert!(is_cut(&raw_append(&double, "stream").await.unwrap_err()));
        assert_eq!(count(&double, "stream").await, 0);
    }
    raw_append(&double, "stream").await.unwrap();
    assert_eq!(count(&double, "stream").await, 1);
}

#[tokio::test]
async fn the_usual_client_sees_a_cut_as_an_error_of_the_server_and_connects_again() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    double.drop_after_commit(1);

    let cut = append(&client, "stream", StreamState::Any, vec![event()]).await;

    assert!(matches!(cut, Err(Error::ServerError(_))), "{cut:?}");
    append_one(&client, "stream").await;
    assert_eq!(count(&double, "stream").await, 3);
}

#[tokio::test]
async fn an_append_that_times_out_is_committed_all_the_same() {
    let (double, client) = begin().await;
    double.time_out_after_commit(1);

    let timed_out = append(&client, "stream", StreamState::NoStream, vec![event()]).await;

    let Err(Error::Grpc { code, message }) = timed_out else {
        panic!("{timed_out:?}");
    };
    assert_eq!(code, Code::Aborted);
    assert!(message.starts_with("Operation timed out"));
    assert_eq!(count(&double, "stream").await, 1);
}

#[tokio::test]
async fn a_stalled_server_works_on_what_came_when_it_resumes() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let mut answers = subscribe(&double, "other").await;
    let waiting = self::client(&double.connection_string());
    append_one(&waiting, "third").await;

    double.stall();
    let appending = tokio::spawn(async move {
        let options = ReadStreamOptions::default();
        let appended = append(&waiting, "other", StreamState::Any, vec![event()]).await;
        appended.unwrap();
        read(&waiting, "other", &options).await
    });
    let silent = tokio::time::timeout(A_WHILE, answers.message()).await;
    assert!(silent.is_err());
    assert!(!appending.is_finished());
    assert!(TcpStream::connect(double.address()).await.is_ok());

    double.resume();
    assert_eq!(soon(appending).await.unwrap().unwrap().len(), 1);
    assert!(matches!(content(&mut answers).await, Content::Event(_)));
}

#[tokio::test]
async fn what_a_caller_gave_up_during_a_stall_is_not_written() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;

    double.stall();
    let mut raw = raw_of(&double).await;
    let messages = requests(first_append("other", Uuid::now_v7()));
    let given_up = tokio::time::timeout(A_WHILE, raw.append(messages)).await;
    assert!(given_up.is_err());
    // A second call on the same connection tells when the first has ended on the server, too.
    let other = subscription("other");
    let pending = raw.read(ReadReq {
        options: Some(other),
    });
    let given_up = tokio::time::timeout(A_WHILE, pending).await;
    assert!(given_up.is_err());
    double.resume();

    append_one(&client, "stream").await;
    assert_eq!(count(&double, "other").await, 0);
}

#[tokio::test]
async fn a_node_that_does_not_lead_names_the_leader_to_those_who_require_it() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let leader = SocketAddr::from(([127, 0, 0, 1], 9));
    double.not_leader(leader);

    let required = async |messages| {
        let mut request = Request::new(requests(messages));
        let metadata = request.metadata_mut();
        metadata.insert("requires-leader", "true".parse().unwrap());
        let mut raw = raw_of(&double).await;
        soon(raw.append(request)).await
    };
    let refused = required(first_append("other", Uuid::now_v7())).await;
    // Without the demand the node hands the append on.
    raw_append(&double, "third").await.unwrap();
    double.leader_again();
    let served = required(first_append("other", Uuid::now_v7())).await;

    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let trailer = |name| status.metadata().get(name).unwrap().to_str().unwrap();
    assert_eq!(trailer("exception"), "not-leader");
    assert_eq!(trailer("leader-endpoint-host"), "127.0.0.1");
    assert_eq!(trailer("leader-endpoint-port"), "9");
    assert!(served.is_ok());
    assert_eq!(count(&double, "third").await, 1);
}

#[tokio::test]
async fn the_usual_client_goes_to_the_leader_that_is_named() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let leader = Double::start().await;
    double.not_leader(leader.address());

    let refused = append(&client, "stream", StreamState::Any, vec![event()]).await;
    append_one(&client, "stream").await;

    assert!(
        matches!(refused, Err(Error::NotLeaderException(_))),
        "{refused:?}"
    );
    assert_eq!(count(&leader, "stream").await, 1);
}

#[tokio::test]
async fn access_may_be_denied() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;

    double.deny_access();
    let appended = append(&client, "stream", StreamState::Any, vec![event()]).await;
    let read = read_stream(&client, "stream").await;
    let status = raw_append(&double, "other").await.unwrap_err();
    double.allow_access();

    assert!(matches!(appended, Err(Error::AccessDenied)));
    assert!(matches!(read, Err(Error::AccessDenied)));
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(status.metadata().get("exception").unwrap(), "access-denied");
    append_one(&client, "stream").await;
}

#[tokio::test]
async fn a_held_append_holds_everything_behind_it() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let held = double.hold_next_append();

    let appending = |stream: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { append_one(&client, stream).await })
    };
    let first = appending("first");
    soon(held.reached()).await;
    let second = appending("second");
    soon(double.appends_have_come(3)).await;
    // Reading does not wait.
    assert_eq!(count(&double, "first").await, 0);
    assert_eq!(count(&double, "stream").await, 1);
    assert_eq!(count(&double, "second").await, 0);
    assert!(!first.is_finished() && !second.is_finished());

    held.release();
    let (first, second) = (soon(first).await.unwrap(), soon(second).await.unwrap());
    assert!(first.position < second.position);
}

#[tokio::test]
async fn a_held_append_is_committed_late_though_its_caller_has_gone() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let held = double.hold_next_append();
    let (caller, stream) = (client.clone(), "late");
    let call = tokio::spawn(async move { append_one(&caller, stream).await });
    soon(held.reached()).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    held.release();

    // The writer takes one after the other.
    append_one(&client, "stream").await;
    assert_eq!(count(&double, "late").await, 1);
}

#[tokio::test]
async fn a_held_append_dies_with_the_process() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let held = double.hold_next_append();
    let (caller, stream) = (client.clone(), "lost");
    let call =
        tokio::spawn(async move { append(&caller, stream, StreamState::Any, vec![event()]).await });
    soon(held.reached()).await;

    double.stop().await;
    held.release();
    assert!(soon(call).await.unwrap().is_err());
    double.start_again().await;

    assert_eq!(count(&double, "lost").await, 0);
}

#[tokio::test]
async fn subscriptions_may_end_without_an_error() {
    let (double, client) = begin().await;
    let mut answers = subscribe(&double, "stream").await;

    double.end_subscriptions_ok();

    assert!(soon(answers.message()).await.unwrap().is_none());
    // New ones are served.
    let mut answers = subscribe(&double, "stream").await;
    append_one(&client, "stream").await;
    assert!(matches!(content(&mut answers).await, Content::Event(_)));
}

#[tokio::test]
async fn calls_are_counted() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    append_one(&client, "stream").await;
    read_stream(&client, "stream").await.unwrap();
    let _answers = subscribe(&double, "other").await;

    assert_eq!(double.appends(), 2);
    assert_eq!(double.reads(), 1);
    assert_eq!(double.subscriptions(), 1);
}

#[tokio::test]
async fn without_projections_there_are_no_links() {
    let without = Double::start_without_projections().await;
    let (with, _) = begin().await;
    for double in [&without, &with] {
        let client = client(&double.connection_string());
        append_one(&client, "category-1").await;
    }
    // Where they are on, the link is there by now.
    let linked = async { while count(&with, "$ce-category").await == 0 {} };
    soon(linked).await;

    assert_eq!(count(&without, "$ce-category").await, 0);
}

#[tokio::test]
async fn the_projection_goes_on_after_a_restart() {
    let (double, client) = begin().await;
    append_one(&client, "category-1").await;
    double.stop().await;
    double.start_again().await;
    let client = self::client(&double.connection_string());
    append_one(&client, "category-2").await;

    let mut links = subscribe_later(&double, "$ce-category").await;

    for expected in ["0@category-1", "0@category-2"] {
        let Content::Event(event) = content(&mut links).await else {
            panic!("a link is missing");
        };
        assert_eq!(event.event.unwrap().data, expected.as_bytes());
    }
}

/// A subscription past its confirmation, with or without having caught up.
async fn subscribe_later(double: &Double, stream: &str) -> Streaming<ReadResp> {
    // Both links are there when the second is.
    while count(double, stream).await < 2 {
        tokio::task::yield_now().await;
    }
    let options = Some(subscription(stream));
    let mut raw = raw_of(double).await;
    let mut answers = soon(raw.read(ReadReq { options }))
        .await
        .unwrap()
        .into_inner();
    assert!(matches!(
        content(&mut answers).await,
        Content::Confirmation(_)
    ));
    answers
}

#[tokio::test]
async fn appending_in_batches_is_not_done_here() {
    let (double, client) = begin().await;
    let mut raw = raw_of(&double).await;

    let batch = tokio_stream::iter([BatchAppendReq {}]);
    let answered = soon(raw.batch_append(batch)).await;

    assert_eq!(answered.unwrap_err().code(), Code::Unimplemented);
    let unsupported = soon(client.batch_append(&Default::default())).await;
    assert!(matches!(unsupported, Err(Error::UnsupportedFeature)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_on_a_runtime_with_two_workers_and_ends_when_dropped() {
    let (double, client) = begin().await;
    append_one(&client, "stream").await;
    let address = double.address();

    drop(double);

    soon(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_at_a_chosen_address_refuses_one_that_is_taken() {
    let double = Double::start().await;

    let taken = Double::start_at(double.address()).await;

    assert!(taken.is_err());
}

#[tokio::test]
async fn a_read_may_end_early_and_without_an_error() {
    let (double, client) = begin().await;
    for _ in 0..3 {
        append_one(&client, "a").await;
    }
    double.end_reads_early(1, 0);
    double.end_reads_early(1, 2);
    for count in [0, 2, 3] {
        let options = ReadStreamOptions::default();
        let mut reading = soon(client.read_stream("a", &options)).await.unwrap();
        let mut found = 0;
        while soon(reading.next()).await.unwrap().is_some() {
            found += 1;
        }
        // Of the first and last revision that are told as well, the client tells nothing.
        assert!(found <= count, "{found} of {count}");
    }
}

#[tokio::test]
async fn a_filtered_read_may_look_in_vain_while_others_find() {
    let (double, client) = begin().await;
    append_one(&client, "a").await;
    double.look_in_vain();
    let filter = kurrentdb::SubscriptionFilter::on_stream_name().add_prefix("a");
    let filtered = kurrentdb::ReadAllOptions::default().filter(filter);
    let look = async { client.read_all(&filtered).await.unwrap().next().await };
    let looked = tokio::time::timeout(A_WHILE, look).await;
    assert!(looked.is_err());
    let everything = kurrentdb::ReadAllOptions::default();
    let found = soon(client.read_all(&everything))
        .await
        .unwrap()
        .next()
        .await;
    assert!(found.unwrap().is_some());
    double.find_again();
    let found = soon(client.read_all(&filtered)).await.unwrap().next().await;
    assert!(found.unwrap().is_some());
}

#[tokio::test]
async fn a_repeated_append_may_be_ignored_and_the_next_is_answered() {
    let (double, _) = begin().await;
    let id = Uuid::now_v7();
    let append = || async {
        let messages = requests(first_append("a", id));
        raw_of(&double).await.append(messages).await
    };
    soon(append()).await.unwrap();
    double.ignore_repeats(1);
    assert!(tokio::time::timeout(A_WHILE, append()).await.is_err());
    soon(append()).await.unwrap();
    assert_eq!(count(&double, "a").await, 1);
}
