//! Subscriptions.

use super::*;

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
