//! What has ended, as the list of the API tells it: in memory, in PostgreSQL and in EventStoreDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use contracts::Partitions;
use event_store::{
    EventStore, Removal, RemoveStreams as _, Removed, StreamKind, StreamName, Version,
};
use event_store_eventstoredb::EventStoreDb;
use event_store_memory::MemoryEventStore;
use event_store_postgres::PostgresEventStore;
use eventstoredb_double::server;
use futures::future::join_all;
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, eventually};
use system_tests::examples::{IDS, final_status};
use system_tests::suite::{Suite, embedded, settings_with};
use test_servers::postgres::database;
use tokio::time::{Instant, timeout};
use tower::ServiceExt as _;

fn in_memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryEventStore::new(Partitions::default()))
}

async fn get(suite: &Suite, query: &str) -> Value {
    let (status, page) = suite
        .request("GET", &format!("/shipments/endings{query}"))
        .await;
    assert_eq!(status, 200, "{query}: {page}");
    page
}

fn next(page: &Value) -> &str {
    page["next"].as_str().unwrap()
}

fn told(page: &Value) -> &[Value] {
    page["endings"].as_array().unwrap()
}

/// What was told of one shipment.
fn of<'a>(told: &'a [Value], id: &str) -> Vec<&'a Value> {
    told.iter().filter(|it| it["shipmentId"] == id).collect()
}

/// Follows from a place on until each shipment has ended as its id says; all that was told.
async fn follow(suite: &Suite, from: &str, ids: &[&str]) -> Vec<Value> {
    let following = async {
        let mut after = from.to_owned();
        let (mut all, mut last) = (Vec::new(), BTreeMap::new());
        while ids
            .iter()
            .any(|id| last.get(*id).map(String::as_str) != Some(final_status(id)))
        {
            let page = get(suite, &format!("?after={after}&limit=3&waitMs=30000")).await;
            assert!(told(&page).len() <= 3, "{page}");
            for ending in told(&page) {
                let text = |name: &str| ending[name].as_str().unwrap().to_owned();
                last.insert(text("shipmentId"), text("status"));
            }
            all.extend(told(&page).iter().cloned());
            after = next(&page).to_owned();
        }
        all
    };
    timeout(PATIENCE, following).await.expect("all are told")
}

#[tokio::test]
async fn who_follows_is_told_from_memory() {
    let store = Arc::new(MemoryEventStore::new(Partitions::default()));
    let suite = Suite::embedded(store.clone());
    let now = eventually("the log is read", PATIENCE, async || {
        let (status, page) = suite.request("GET", "/shipments/endings?after=now").await;
        (status == 200).then(|| next(&page).to_owned())
    });
    let now = now.await;
    suite.post(IDS[0]).await;
    follow(&suite, &now, &IDS[..1]).await;
    let stream = StreamName::new(IDS[0], &StreamKind::new("Process"));
    let entries = store.read_streams(std::slice::from_ref(&stream)).await;
    let version = Version(entries.unwrap()[0].len() as u64);
    let removal = Removal {
        streams: vec![(stream, version)],
    };
    let removed = store.remove_streams(&[removal]).await.unwrap();
    assert_eq!(removed, [Removed::Gone]);
    let followed = get(&suite, &format!("?after={now}")).await;
    assert_eq!(of(told(&followed), IDS[0]).len(), 1, "{followed}");
}

/// The same on every store: each shipment is told as it ends, and told again to whoever asks again.
async fn tells_how_each_has_ended(store: Arc<dyn EventStore>) {
    let suite = Suite::embedded(store);
    let now = eventually("the log is read", PATIENCE, async || {
        let (status, page) = suite.request("GET", "/shipments/endings?after=now").await;
        (status == 200).then(|| next(&page).to_owned())
    });
    let now = now.await;
    for id in IDS {
        suite.post(id).await;
    }
    let live = follow(&suite, &now, &IDS).await;
    for id in IDS {
        let of_one = of(&live, id);
        let expected: &[&str] = match id.ends_with('3') {
            true => &["failed", "completed"],
            false => &[final_status(id)],
        };
        // One that fails is told again when all that was done is undone.
        let mut statuses: Vec<_> = of_one
            .iter()
            .map(|it| it["status"].as_str().unwrap())
            .collect();
        statuses.dedup();
        assert_eq!(statuses, expected, "{id}");
        let times: Vec<jiff::Timestamp> = of_one
            .iter()
            .map(|it| it["endedAt"].as_str().unwrap().parse().unwrap())
            .collect();
        assert!(times.is_sorted(), "{times:?}");
        let outcome = suite.request("GET", &format!("/{id}")).await.1;
        assert_eq!(outcome["status"], *statuses.last().unwrap(), "{id}");
    }

    let mut again = Vec::new();
    let mut page = get(&suite, "?limit=2").await;
    loop {
        again.extend(told(&page).iter().cloned());
        if page["more"] == false {
            break;
        }
        page = get(&suite, &format!("?limit=2&after={}", next(&page))).await;
    }
    // What was done for those that have failed may have been undone since.
    for id in IDS {
        let (before, now) = (of(&live, id), of(&again, id));
        assert!(now.starts_with(&before), "{id}: {before:?}, then {now:?}");
    }
    let nothing = get(&suite, &format!("?after={}", next(&page))).await;
    assert_eq!((told(&nothing).len(), &nothing["more"]), (0, &json!(false)));
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_each_ending_is_told_in_order_page_by_page() {
    tells_how_each_has_ended(in_memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql_each_ending_is_told_in_order_page_by_page() {
    let database = database().await;
    let settings = event_store_postgres::Settings::at(database.url());
    let store = PostgresEventStore::connect(&settings, Partitions::default()).await;
    tells_how_each_has_ended(Arc::new(store.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_eventstoredb_each_ending_is_told_in_order_page_by_page() {
    let server = server().await;
    let mut settings = event_store_eventstoredb::Settings::at(server.connection_string());
    settings.stream_prefix = server.unique("endings");
    let store = EventStoreDb::connect(&settings, Partitions::default()).await;
    tells_how_each_has_ended(Arc::new(store.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_begins_now_is_not_told_what_ended_before_and_is_woken_by_what_ends() {
    // Nobody looks by himself within the time of this test.
    let settings = settings_with(&[("runtime.poll_interval_ms", "60000")]);
    let suite = Suite::start(&embedded(&in_memory(), &settings), &settings);
    suite.post("12EEQ9CS9K10").await;
    suite.wait_for("12EEQ9CS9K10", "completed").await;
    let now = eventually("what has ended is left out", PATIENCE, async || {
        let (status, page) = suite.request("GET", "/shipments/endings?after=now").await;
        (status == 200 && told(&page).is_empty()).then(|| next(&page).to_owned())
    });
    let path = format!("?waitMs=30000&after={}", now.await);
    let waiting = get(&suite, &path);
    let begun = Instant::now();
    let (page, ()) = tokio::join!(waiting, suite.post("12EEQ9CS9K11"));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(told(&page)[0]["shipmentId"], "12EEQ9CS9K11", "{page}");
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_in_vain_is_answered_when_the_time_is_over_or_the_service_stops() {
    let suite = Suite::embedded(in_memory());
    let begun = Instant::now();
    let page = get(&suite, "?waitMs=50").await;
    assert_eq!((told(&page).len(), &page["more"]), (0, &json!(false)));
    assert!(begun.elapsed() >= Duration::from_millis(50));

    let request = Request::get("/shipments/endings?waitMs=30000").body(Body::empty());
    let waiting = suite.routes().oneshot(request.unwrap());
    let begun = Instant::now();
    // It waits before the suite is told to stop.
    let (answer, ()) = tokio::join!(waiting, suite.stop());
    assert_eq!(answer.unwrap().status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_longer_than_half_of_what_a_request_may_take() {
    let store = in_memory();
    let settings = settings_with(&[
        ("http.request_timeout_ms", "100"),
        ("http.longest_request_ms", "200"),
    ]);
    let suite = Suite::start(&embedded(&store, &settings), &settings);
    let begun = Instant::now();
    get(&suite, "?waitMs=30000").await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_64_wait_at_once() {
    let suite = Suite::embedded(in_memory());
    let waiting = join_all((0..64).map(|_| get(&suite, "?waitMs=300")));
    let one_more = async {
        let (status, problem) = suite.request("GET", "/shipments/endings?waitMs=300").await;
        assert_eq!(status, 429, "{problem}");
        get(&suite, "").await;
    };
    // Those who wait come first.
    tokio::join!(waiting, one_more);
    get(&suite, "?waitMs=1").await;
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_question_is_answered_with_what_is_wrong_with_it() {
    let suite = Suite::embedded(in_memory());
    let given = get(&suite, "").await;
    let cut = &next(&given)[1..];
    for (query, says) in [
        ("after=", "after is neither"),
        ("after=12", "after is neither"),
        (&format!("after={cut}"), "after is neither"),
        ("limit=0", "limit may be 1 to 1000"),
        ("limit=1001", "limit may be 1 to 1000"),
        ("waitMs=30001", "waitMs may be 0 to 30000"),
        ("waitMs=soon", "waitMs"),
        ("status=failed", "unknown field `status`"),
    ] {
        let (status, problem) = suite
            .request("GET", &format!("/shipments/endings?{query}"))
            .await;
        assert_eq!(status, 400, "{query}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{query}: {problem}");
    }
    suite.stop().await;
}
