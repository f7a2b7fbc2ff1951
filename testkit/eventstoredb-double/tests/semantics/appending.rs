//! Appending: what was written before.

use super::*;

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
