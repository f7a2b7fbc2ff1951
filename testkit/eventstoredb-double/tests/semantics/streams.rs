//! Revisions and positions, and what becomes of a stream that is deleted.

use super::*;

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
