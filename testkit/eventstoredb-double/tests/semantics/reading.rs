//! Reading a stream, its metadata, and `$all`.

use super::*;

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
