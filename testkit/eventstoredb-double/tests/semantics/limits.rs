//! Limits and refusals.

use super::*;

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
