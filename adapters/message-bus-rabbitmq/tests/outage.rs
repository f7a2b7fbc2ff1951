//! What happens when the broker, or the way to it, goes away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use message_bus::contract::{LISTENER, WORKER, command, event};
use message_bus::{Delivery, Error, Subscription};
use message_bus_rabbitmq::Settings;
use support::{bus, bus_with, ids, publish_until_confirmed, receive, settings};
use test_servers::proxy::Proxy;
use test_servers::rabbitmq::virtual_host;

/// Acknowledges what was delivered. A cut may be found out only now; then it may come again.
async fn acknowledge(subscription: &mut dyn Subscription, batch: &[Delivery]) {
    let receipts: Vec<_> = batch.iter().map(|delivery| delivery.receipt).collect();
    match subscription.acknowledge(&receipts).await {
        Ok(()) | Err(Error::Unavailable(_)) => {}
        Err(refused) => panic!("{refused:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_goes_on_after_its_connection_is_cut() {
    let host = virtual_host().await;
    let proxy = Proxy::open(host.url()).await;
    let publishing = bus(host.url());
    let mut worker = bus(proxy.url()).subscribe(&WORKER).await.unwrap();
    let (mut sent, mut finished) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..5 {
        let batch: Vec<_> = (0..40)
            .map(|n| command(&format!("I{}", n % 7), round * 100 + n))
            .collect();
        publish_until_confirmed(&*publishing, &batch).await;
        sent.extend(batch.iter().map(|message| message.id));
        // Some are finished, some are held, and some are on their way when it is cut. What is held is
        // never acknowledged, so all of it must come again.
        let held = receive(&mut *worker, 10).await;
        let (done, _open) = held.split_at(held.len() / 2);
        acknowledge(&mut *worker, done).await;
        finished.extend(ids(done));
        proxy.cut();
    }
    while finished != sent {
        let batch = receive(&mut *worker, 100).await;
        acknowledge(&mut *worker, &batch).await;
        finished.extend(ids(&batch));
        assert!(finished.is_subset(&sent));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_from_before_the_cut_is_ignored() {
    let host = virtual_host().await;
    let proxy = Proxy::open(host.url()).await;
    let over_proxy = bus(proxy.url());
    publish_until_confirmed(&*bus(host.url()), &[command("A", 1)]).await;
    let mut worker = over_proxy.subscribe(&WORKER).await.unwrap();
    let first = receive(&mut *worker, 10).await;
    proxy.cut();
    let again = receive(&mut *worker, 10).await;
    assert_eq!(ids(&again), ids(&first));
    assert!(again[0].receipt.session > first[0].receipt.session);

    // The broker numbers both the same; only the session tells them apart.
    assert_eq!(again[0].receipt.number, first[0].receipt.number);
    worker.acknowledge(&[first[0].receipt]).await.unwrap();
    worker.reject(&[first[0].receipt]).await.unwrap();
    drop(worker);
    let mut other = over_proxy.subscribe(&WORKER).await.unwrap();
    assert_eq!(ids(&receive(&mut *other, 10).await), ids(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_goes_on_after_its_connection_is_cut() {
    let host = virtual_host().await;
    let mut proxy = Proxy::open(host.url()).await;
    let publishing = bus(proxy.url());
    let mut worker = bus(host.url()).subscribe(&WORKER).await.unwrap();
    let mut sent = BTreeSet::new();
    for round in 0..5 {
        let batch: Vec<_> = (0..200)
            .map(|n| command(&format!("I{}", n % 7), round * 1_000 + n))
            .collect();
        // Wherever in the batch the cut falls, the whole of it is published again.
        let cutting = async {
            tokio::task::yield_now().await;
            proxy.cut();
        };
        tokio::join!(publish_until_confirmed(&*publishing, &batch), cutting);
        sent.extend(batch.iter().map(|message| message.id));
    }
    let mut found = BTreeSet::new();
    while found != sent {
        let batch = receive(&mut *worker, 500).await;
        acknowledge(&mut *worker, &batch).await;
        found.extend(ids(&batch));
        assert!(found.is_subset(&sent));
    }

    proxy.close().await;
    let publisher = publishing.publisher().unwrap();
    let refused = publisher.publish(&[command("A", 1)]).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_starts_while_the_broker_is_away() {
    let host = virtual_host().await;
    let mut proxy = Proxy::closed(host.url()).await;
    let early = bus(proxy.url());
    let mut worker = early.subscribe(&WORKER).await.unwrap();
    assert!(matches!(early.ping().await, Err(Error::Unavailable(_))));
    let unsent = early.publisher().unwrap().publish(&[command("A", 1)]).await;
    assert!(matches!(unsent, Err(Error::Unavailable(_))), "{unsent:?}");

    proxy.restore().await;
    publish_until_confirmed(&*early, &[command("A", 1)]).await;
    assert_eq!(ids(&receive(&mut *worker, 10).await), [command("A", 1).id]);
    early.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_accepts_and_says_nothing_counts_as_away() {
    let host = virtual_host().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("amqp://guest:guest@127.0.0.1:{port}/{}", host.name());
    let bus = bus_with(&Settings {
        connect_timeout_ms: 50,
        ..settings(&url)
    });
    let refused = tokio::time::timeout(Duration::from_secs(10), bus.ping())
        .await
        .unwrap();
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_no_longer_says_anything_is_missed_before_its_heartbeat() {
    let host = virtual_host().await;
    let proxy = Proxy::open(host.url()).await;
    let over_proxy = bus(proxy.url());
    over_proxy.ping().await.unwrap();
    proxy.hold();
    let asked = std::time::Instant::now();
    let (one, another) = tokio::join!(over_proxy.ping(), over_proxy.ping());
    for silent in [one, another] {
        assert!(matches!(silent, Err(Error::Unavailable(_))), "{silent:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(5));
    proxy.release();
    over_proxy.ping().await.unwrap();
    publish_until_confirmed(&*over_proxy, &[command("A", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_that_somebody_deleted_are_put_back() {
    let host = virtual_host().await;
    let over = bus(host.url());
    publish_until_confirmed(&*over, &[command("A", 1)]).await;
    let mut worker = over.subscribe(&WORKER).await.unwrap();
    assert_eq!(ids(&receive(&mut *worker, 10).await), [command("A", 1).id]);
    let (_connection, admin) = support::channel(host.url()).await;
    for queue in ["worker.0", "worker.1", "listener.0", "listener.1"] {
        admin
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }

    // Nobody listens to "Own" here, so nobody but the publisher puts back the listener's queues.
    let lost = over
        .publisher()
        .unwrap()
        .publish(&[event("Own", "A", 2), command("B", 3)])
        .await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    publish_until_confirmed(&*over, &[event("Own", "A", 2), command("B", 3)]).await;
    assert_eq!(ids(&receive(&mut *worker, 10).await), [command("B", 3).id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_there_with_other_arguments_is_used_as_it_is() {
    let host = virtual_host().await;
    let (_connection, admin) = support::channel(host.url()).await;
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    for queue in ["worker.0", "worker.1"] {
        admin
            .queue_declare(queue.into(), durable, FieldTable::default())
            .await
            .unwrap();
    }
    let over = bus(host.url());
    over.publisher()
        .unwrap()
        .publish(&[command("A", 1)])
        .await
        .unwrap();
    let mut worker = over.subscribe(&WORKER).await.unwrap();
    assert_eq!(ids(&receive(&mut *worker, 10).await), [command("A", 1).id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_published_is_refused() {
    let host = virtual_host().await;
    let over = bus(host.url());
    let publisher = over.publisher().unwrap();
    let mut nobody = command("A", 1);
    nobody.kind = contracts::Kind::Command {
        to: contracts::ServiceName::new("nobody"),
    };
    let mut endless = event("Shared", "A", 1);
    endless.type_name = "x".repeat(300);
    for message in [nobody, endless] {
        let refused = publisher.publish(&[message]).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_of_deliveries_is_too_many() {
    let host = virtual_host().await;
    let over = bus(host.url());
    publish_until_confirmed(&*over, &[command("A", 1)]).await;
    let mut worker = over.subscribe(&WORKER).await.unwrap();
    // RabbitMQ 4 drops a message after 20, unless the queue says otherwise.
    for _ in 0..50 {
        let batch = receive(&mut *worker, 10).await;
        assert_eq!(ids(&batch), [command("A", 1).id]);
        worker.reject(&[batch[0].receipt]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_may_all_start_at_once_on_a_new_broker() {
    let host = virtual_host().await;
    let mut started = tokio::task::JoinSet::new();
    for n in 0..6 {
        let over = bus(host.url());
        started.spawn(async move {
            let listener = over.subscribe(&LISTENER).await.unwrap();
            let sent = event("Own", &format!("I{n}"), n);
            publish_until_confirmed(&*over, std::slice::from_ref(&sent)).await;
            let worker = over.subscribe(&WORKER).await.unwrap();
            publish_until_confirmed(&*over, &[command(&format!("I{n}"), n)]).await;
            drop((worker, listener));
        });
    }
    while let Some(finished) = started.join_next().await {
        finished.unwrap();
    }
    let over = bus(host.url());
    for (service, sent) in [
        (
            &WORKER,
            (0..6)
                .map(|n| command(&format!("I{n}"), n).id)
                .collect::<BTreeSet<_>>(),
        ),
        (
            &LISTENER,
            (0..6)
                .map(|n| event("Own", &format!("I{n}"), n).id)
                .collect(),
        ),
    ] {
        let mut subscription = over.subscribe(service).await.unwrap();
        let mut found = BTreeSet::new();
        while found != sent {
            found.extend(ids(&receive(&mut *subscription, 10).await));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_counted_in_messages_and_over_queues_that_somebody_deleted() {
    let host = virtual_host().await;
    let over = bus(host.url());
    assert_eq!(over.backlog(1_000).await.unwrap(), 0);
    let (_connection, admin) = support::channel(host.url()).await;
    admin
        .queue_delete("listener.0".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    assert_eq!(over.backlog(1_000).await.unwrap(), 0);
    // All at once, and so a few parcels.
    let sent: Vec<_> = (0..100).map(|n| event("Own", "A", n)).collect();
    publish_until_confirmed(&*over, &sent).await;
    let end = tokio::time::Instant::now() + support::PATIENCE;
    while over.backlog(1_000).await.unwrap() != 100 {
        assert!(tokio::time::Instant::now() < end, "100 messages wait");
    }
}
