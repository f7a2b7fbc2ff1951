//! The projection by category.

use super::*;

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
