//! Where readers stand.

use super::*;

pub async fn a_new_reader_stands_at_the_start(harness: &impl CheckpointsHarness) {
    let checkpoint = harness
        .checkpoints()
        .load_checkpoint("relay/manifestation")
        .await
        .expect("it answers");
    assert!(checkpoint.partitions.is_empty());
    let partitions = Partitions::default();
    assert_eq!(checkpoint.cursor(partitions), Cursor::start(partitions));
}

fn checkpoint(positions: &[(u16, u64, &str)]) -> Checkpoint {
    let state = |text: &str| {
        (!text.is_empty())
            .then(|| RawValue::from_string(text.to_owned()).expect("the suite writes valid JSON"))
    };
    Checkpoint {
        partitions: positions
            .iter()
            .map(|(partition, position, text)| {
                (Partition(*partition), (Position(*position), state(text)))
            })
            .collect(),
    }
}

async fn saved(store: &dyn Checkpoints, reader: &str) -> Vec<(u16, u64, String)> {
    let checkpoint = store
        .load_checkpoint(reader)
        .await
        .expect("the store answers");
    let text = |state: Option<Box<RawValue>>| state.map_or(String::new(), |s| s.get().to_owned());
    checkpoint
        .partitions
        .into_iter()
        .map(|(partition, (position, state))| (partition.0, position.0, text(state)))
        .collect()
}

pub async fn a_checkpoint_is_read_back_with_its_state(harness: &impl CheckpointsHarness) {
    let store = harness.checkpoints();
    let first = checkpoint(&[(0, 5, r#"{"open":["a"]}"#), (1, 7, "")]);
    store
        .save_checkpoint("deadlines", &first)
        .await
        .expect("the store answers");
    store
        .save_checkpoint("relay", &checkpoint(&[(0, 1, "")]))
        .await
        .expect("it answers");
    let again = harness.open_checkpoints_again().await;
    assert_eq!(
        saved(&*again, "deadlines").await,
        [
            (0, 5, r#"{"open":["a"]}"#.to_owned()),
            (1, 7, String::new())
        ]
    );
    assert_eq!(saved(&*again, "relay").await, [(0, 1, String::new())]);
}

pub async fn a_checkpoint_never_goes_back(harness: &impl CheckpointsHarness) {
    let store = harness.checkpoints();
    let save = async |positions| {
        store
            .save_checkpoint("relay", &checkpoint(positions))
            .await
            .expect("the store answers");
    };
    save(&[(0, 5, r#""five""#), (1, 5, r#""five""#)]).await;
    save(&[(0, 3, r#""three""#), (1, 9, r#""nine""#)]).await;
    assert_eq!(
        saved(&*store, "relay").await,
        [
            (0, 5, r#""five""#.to_owned()),
            (1, 9, r#""nine""#.to_owned())
        ]
    );
    // Relays tell each other more while they stand at one place.
    save(&[(0, 5, r#""more""#), (1, 9, "")]).await;
    assert_eq!(
        saved(&*store, "relay").await,
        [(0, 5, r#""more""#.to_owned()), (1, 9, String::new())]
    );
}

pub async fn instances_that_save_at_once_keep_the_furthest(harness: &impl CheckpointsHarness) {
    let instances = [
        harness.checkpoints(),
        harness.open_checkpoints_again().await,
    ];
    // Both know what is saved, before either saves again.
    for instance in &instances {
        saved(&**instance, "relay").await;
    }
    for round in 0..10 {
        let saves = (1..=4).map(|n| {
            let store = instances[n as usize % 2].clone();
            let position = round * 10 + n;
            let state = position.to_string();
            tokio::spawn(async move {
                let place = checkpoint(&[(n as u16 % 2, position, &state)]);
                store.save_checkpoint("relay", &place).await
            })
        });
        for save in join_all(saves.collect::<Vec<_>>()).await {
            save.expect("no panic").expect("the store answers");
        }
        let furthest = [(0, round * 10 + 4), (1, round * 10 + 3)];
        for instance in &instances {
            assert_eq!(
                saved(&**instance, "relay").await,
                furthest.map(|(partition, position)| (partition, position, position.to_string()))
            );
        }
    }
}
