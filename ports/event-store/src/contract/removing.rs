//! Removing: whole streams, at the version that was read, and nothing else.

use futures::future::join;

use super::*;
use crate::{Removal, RemoveStreams, Removed};

/// What the suite needs of a test of [`RemoveStreams`].
pub trait RemovalHarness: Harness {
    /// The store under test.
    fn removing(&self) -> Arc<dyn RemoveStreams>;
}

/// A removal of streams of one kind, at these versions.
fn removal(streams: &[(&str, u64)]) -> Removal {
    let at = |(instance, version): &(&str, u64)| (stream(instance), Version(*version));
    Removal {
        streams: streams.iter().map(at).collect(),
    }
}

async fn remove(harness: &impl RemovalHarness, removals: &[Removal]) -> Vec<Removed> {
    let removed = harness.removing().remove_streams(removals).await;
    removed.expect("the store answers")
}

pub async fn a_removal_takes_its_streams_whole_and_nothing_else(harness: &impl RemovalHarness) {
    let store = harness.store();
    let (home, neighbour, stranger) = neighbours_and_stranger(&*store);
    let other_kind = StreamName::new(&home, &StreamKind::new("Shipment"));
    let appends = [
        append(&home, 0, 3, "input"),
        append(&neighbour, 0, 2, "input"),
        append(&stranger, 0, 4, "input"),
        append_to(other_kind.clone(), 0, 5, "input"),
    ];
    store_all(&*store, &appends).await;
    let place = checkpoint_at(store.partitions(), 2);
    store
        .save_checkpoint("relay", &place)
        .await
        .expect("the store answers");

    assert_eq!(remove(harness, &[]).await, []);
    let both = [removal(&[(&home, 3)]), removal(&[(&stranger, 4)])];
    assert_eq!(remove(harness, &both).await, [Removed::Gone; 2]);
    let again = harness.open_again().await;
    for (instance, left) in [(&home, 0), (&stranger, 0), (&neighbour, 2)] {
        assert_eq!(versions(&*again, instance).await.len(), left, "{instance}");
    }
    let other = again.read_streams(&[other_kind]).await;
    assert_eq!(other.expect("the store answers")[0].len(), 5);
    let saved = again.load_checkpoint("relay").await;
    let saved = saved.expect("the store answers");
    let partitions = store.partitions();
    assert_eq!(saved.cursor(partitions), place.cursor(partitions));
}

fn checkpoint_at(partitions: Partitions, position: u64) -> Checkpoint {
    let places = partitions.all().map(|p| (p, Position(position)));
    Checkpoint::at(&places.collect())
}

pub async fn a_stream_at_another_version_keeps_all_of_its_removal(harness: &impl RemovalHarness) {
    let store = harness.store();
    let (home, neighbour, stranger) = neighbours_and_stranger(&*store);
    let appends = [
        append(&home, 0, 2, "input"),
        append(&neighbour, 0, 2, "input"),
        append(&stranger, 0, 2, "input"),
        append("alone", 0, 2, "input"),
    ];
    store_all(&*store, &appends).await;
    let outcomes = remove(
        harness,
        &[
            // One has grown, one has fewer, and one was not to exist.
            removal(&[(&home, 2), (&stranger, 1)]),
            removal(&[(&neighbour, 3), ("nobody", 0)]),
            removal(&[("alone", 2)]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        [Removed::Changed, Removed::Changed, Removed::Gone]
    );
    let outcomes = remove(harness, &[removal(&[(&home, 0), (&neighbour, 2)])]).await;
    assert_eq!(outcomes, [Removed::Changed]);
    for instance in [&home, &neighbour, &stranger] {
        assert_eq!(versions(&*store, instance).await, [1, 2], "{instance}");
    }
    assert!(versions(&*store, "alone").await.is_empty());
}

pub async fn a_removal_that_is_repeated_is_answered_the_same(harness: &impl RemovalHarness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 2, "input")]).await;
    let removal = [removal(&[("A", 2), ("nobody", 0)])];
    for _ in 0..2 {
        assert_eq!(remove(harness, &removal).await, [Removed::Gone]);
    }
    // What begins anew under the same name is not what was to be removed.
    store_all(&*store, &[append("A", 0, 1, "anew")]).await;
    assert_eq!(remove(harness, &removal).await, [Removed::Changed]);
    assert_eq!(versions(&*store, "A").await, [1]);
}

pub async fn readers_go_on_over_what_was_removed(harness: &impl RemovalHarness) {
    let store = harness.store();
    let names: Vec<_> = (0..12).map(|n| format!("S{n}")).collect();
    let appends: Vec<_> = names.iter().map(|n| append(n, 0, 2, "input")).collect();
    store_all(&*store, &appends).await;
    let start = Cursor::start(store.partitions());
    let half = store.follow_log(&kind(), &start, 12).await;
    let half = half.expect("the store answers").cursor;

    // The first, the last, and one of the middle.
    let gone = ["S0", "S5", "S6", "S11"];
    let removals: Vec<_> = gone.iter().map(|name| removal(&[(name, 2)])).collect();
    assert_eq!(remove(harness, &removals).await, [Removed::Gone; 4]);
    store_all(&*store, &[append("later", 0, 1, "input")]).await;

    let again = harness.open_again().await;
    let left = |e: &&Arc<Entry>| !gone.contains(&e.stream.instance());
    for after in [&start, &half] {
        let mut cursor = after.clone();
        let read = follow(&*again, &mut cursor, 5).await;
        assert!(read.iter().all(|entry| left(&entry)));
        // Who follows in the same process may still meet what was removed, and skips nothing else.
        let mut followed = Vec::new();
        let mut cursor = after.clone();
        loop {
            let page = store.follow_log(&kind(), &cursor, 5).await;
            let page = page.expect("the store answers");
            cursor = page.cursor;
            if page.entries.is_empty() {
                break;
            }
            followed.extend(page.entries.iter().filter(left).cloned());
        }
        assert_eq!(super::names(&followed), super::names(&read));
        let count = again.count_log(&kind(), after, 100).await;
        assert_eq!(count.expect("the store answers"), read.len());
    }
}

pub async fn no_position_is_given_a_second_time(harness: &impl RemovalHarness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 3, "input")]).await;
    let last = read(&*store, "A").await[2].position;
    assert_eq!(
        remove(harness, &[removal(&[("A", 3)])]).await,
        [Removed::Gone]
    );
    let again = harness.open_again().await;
    store_all(&*again, &[append("A", 0, 1, "anew")]).await;
    let anew = read(&*again, "A").await;
    assert_eq!(anew[0].version, Version(1));
    assert!(anew[0].position > last, "{:?}", anew[0].position);
}

pub async fn an_append_that_is_under_way_is_kept(harness: &impl RemovalHarness) {
    let store = harness.store();
    store_all(&*store, &[append("A", 0, 2, "input")]).await;
    let held = harness.hold_append(append("A", 2, 1, "late")).await;
    let remover = harness.removing();
    let removals = [removal(&[("A", 2)])];
    let removed = tokio::spawn(async move { remover.remove_streams(&removals).await });
    let (released, removed) = join(held.release(), removed).await;
    assert_eq!(released, Appended::Stored);
    let removed = removed.expect("no panic").expect("the store answers");
    assert_eq!(removed, [Removed::Changed]);
    assert_eq!(versions(&*store, "A").await, [1, 2, 3]);
}

pub async fn removals_and_appends_at_once_leave_no_stream_without_its_beginning(
    harness: &impl RemovalHarness,
) {
    let store = harness.store();
    for round in 0..10 {
        let name = format!("S{round}");
        store_all(&*store, &[append(&name, 0, 1, "input")]).await;
        let (remover, again) = (harness.removing(), harness.open_again().await);
        let removals = [removal(&[(&name, 1)])];
        let late = [append(&name, 1, 1, "late")];
        let removed = tokio::spawn(async move { remover.remove_streams(&removals).await });
        let appended = tokio::spawn(async move { again.append(&late).await });
        let removed = removed.await.expect("no panic").expect("it answers")[0];
        let appended = appended.await.expect("no panic").expect("it answers")[0];
        let left = versions(&*store, &name).await;
        match removed {
            Removed::Gone => {
                let current = Version::NONE;
                assert_eq!(appended, Appended::Conflict { current });
                assert!(left.is_empty());
            }
            Removed::Changed => {
                assert_eq!(appended, Appended::Stored);
                assert_eq!(left, [1, 2]);
            }
        }
    }
}
