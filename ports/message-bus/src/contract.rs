//! The suite that every adapter must pass: each promise of [`MessageBus`] is a
//! test of its own.
//!
//! An adapter's `tests/contract.rs` implements [`Harness`] and calls
//! [`message_bus_contract!`](crate::message_bus_contract).
#![expect(missing_docs, reason = "the name of a test is its promise")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::{Envelope, Kind, MessageId, ServiceContract, ServiceName, Topology, TraceParent};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout};

use crate::{Delivery, MessageBus, Receipt, Subscription};

/// How long a message may take before a test fails. Tests wait for messages, never for time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the suite needs of an adapter's test.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The bus of one service instance, over [`topology`], with at least two partitions. Calling it
    /// again is another instance.
    async fn bus(&self) -> Arc<dyn MessageBus>;

    /// Has these messages published, as the relay of their source would: returns when that is
    /// confirmed.
    async fn publish(&self, messages: &[Envelope]);

    /// Brings something that is no message of ours to the input of the receiver, concerning this
    /// instance. `false` when nothing but messages of ours can get there.
    async fn publish_unreadable(&self, receiver: &ServiceName, subject: &str) -> bool;
}

/// A service that asks and tells.
pub const SENDER: ServiceName = ServiceName::new("sender");
/// A service that takes commands, and hears one event.
pub const WORKER: ServiceName = ServiceName::new("worker");
/// A service that only hears events.
pub const LISTENER: ServiceName = ServiceName::new("listener");

/// The topology that the suite runs over.
#[must_use]
pub fn topology() -> Topology {
    let service = |name: ServiceName, stream_kind, commands_from, hears| ServiceContract {
        name,
        stream_kind,
        commands_from,
        hears,
    };
    Topology {
        services: vec![
            service(SENDER, "Sender", vec![], vec![]),
            service(WORKER, "Worker", vec![SENDER], vec![(SENDER, "Shared")]),
            service(
                LISTENER,
                "Listener",
                vec![],
                vec![(SENDER, "Shared"), (SENDER, "Own")],
            ),
        ],
    }
}

/// Declares one test for each promise. `$harness` is an async function without arguments that
/// returns a [`Harness`].
#[macro_export]
macro_rules! message_bus_contract {
    ($harness:path) => {
        $crate::message_bus_contract! { @tests $harness:
            a_message_arrives_unchanged
            a_command_reaches_only_its_service
            an_event_reaches_all_who_hear_it
            an_event_that_nobody_hears_is_confirmed
            what_was_published_before_anyone_subscribed_arrives
            messages_of_an_instance_keep_their_order
            a_batch_is_bounded_and_nothing_is_left_out
            a_cancelled_receive_loses_nothing
            what_was_not_acknowledged_comes_again
            what_was_acknowledged_does_not_come_again
            what_was_rejected_comes_again
            acknowledging_some_keeps_the_others
            publishing_again_delivers_the_same_id
            a_subscription_that_ends_hands_over_to_another
            unreadable_messages_hold_up_nothing
            what_waits_is_a_backlog_until_it_is_handled
            an_unknown_service_is_refused
            it_answers
        }
    };
    (@tests $harness:path: $($name:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::$name(&$harness().await).await;
            }
        )+
    };
}

/// A command to the worker.
#[must_use]
pub fn command(subject: &str, n: u64) -> Envelope {
    message(Kind::Command { to: WORKER }, "DoWork", subject, n)
}

/// An event of the sender.
#[must_use]
pub fn event(type_name: &str, subject: &str, n: u64) -> Envelope {
    message(Kind::Event, type_name, subject, n)
}

fn message(kind: Kind, type_name: &str, subject: &str, n: u64) -> Envelope {
    let id = MessageId::derive(&[subject, type_name, &n.to_string()]);
    let trace = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    Envelope {
        id,
        kind,
        source: SENDER,
        type_name: type_name.to_owned(),
        subject: subject.to_owned(),
        time: Timestamp::from_microsecond(1_716_800_000_123_456 + n as i64)
            .expect("a time in range"),
        correlation_id: MessageId::derive(&["correlation", subject]),
        causation_id: MessageId::derive(&["causation", &n.to_string()]),
        traceparent: trace.map(|trace| trace.continued_by(id.uuid())),
        category: Some("domestic-1.0".to_owned()),
        actor: None,
        data: RawValue::from_string(format!("{{\"n\":{n}}}")).expect("the suite writes valid JSON"),
    }
}

async fn subscribe(harness: &impl Harness, service: &ServiceName) -> Box<dyn Subscription> {
    harness
        .bus()
        .await
        .subscribe(service)
        .await
        .expect("the bus answers")
}

async fn receive(subscription: &mut dyn Subscription, max: usize) -> Vec<Delivery> {
    let batch = timeout(PATIENCE, subscription.receive(max))
        .await
        .expect("a message arrives in time")
        .expect("the bus answers");
    assert!(
        !batch.is_empty() && batch.len() <= max,
        "{} of {max}",
        batch.len()
    );
    batch
}

/// Receives and acknowledges until `count` messages have come.
async fn take(subscription: &mut dyn Subscription, count: usize) -> Vec<Envelope> {
    let mut found = Vec::new();
    while found.len() < count {
        let batch = receive(subscription, count - found.len()).await;
        let receipts: Vec<_> = batch.iter().map(|d| d.receipt).collect();
        found.extend(
            batch
                .into_iter()
                .map(|d| d.message.expect("a message of ours")),
        );
        subscription
            .acknowledge(&receipts)
            .await
            .expect("the bus answers");
    }
    found
}

fn ids(messages: &[Envelope]) -> BTreeSet<MessageId> {
    messages.iter().map(|m| m.id).collect()
}

fn delivered(batch: &[Delivery]) -> Vec<MessageId> {
    batch
        .iter()
        .map(|d| d.message.as_ref().expect("a message of ours").id)
        .collect()
}

fn receipts(batch: &[Delivery]) -> Vec<Receipt> {
    batch.iter().map(|d| d.receipt).collect()
}

/// Shows that nothing else is waiting: a message published now is the next to come.
async fn assert_nothing_else(harness: &impl Harness, subscription: &mut dyn Subscription) {
    // One in each of many instances, so that every partition is asked.
    let probes: Vec<_> = (0..64).map(|n| command(&format!("probe{n}"), 0)).collect();
    harness.publish(&probes).await;
    let found = take(subscription, probes.len()).await;
    assert_eq!(ids(&found), ids(&probes));
}

pub async fn a_message_arrives_unchanged(harness: &impl Harness) {
    let sent = [command("A", 1), event("Shared", "A", 2)];
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let found = take(&mut *worker, 2).await;
    assert_eq!(found[0], sent[0]);
    assert_eq!(found[1], sent[1]);
}

pub async fn a_command_reaches_only_its_service(harness: &impl Harness) {
    let mut listener = subscribe(harness, &LISTENER).await;
    let mut worker = subscribe(harness, &WORKER).await;
    harness
        .publish(&[command("A", 1), event("Own", "A", 2)])
        .await;
    assert_eq!(take(&mut *worker, 1).await[0].type_name, "DoWork");
    assert_eq!(take(&mut *listener, 1).await[0].type_name, "Own");
}

pub async fn an_event_reaches_all_who_hear_it(harness: &impl Harness) {
    let mut listener = subscribe(harness, &LISTENER).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let sent = [event("Shared", "A", 1)];
    harness.publish(&sent).await;
    assert_eq!(ids(&take(&mut *worker, 1).await), ids(&sent));
    assert_eq!(ids(&take(&mut *listener, 1).await), ids(&sent));
}

pub async fn an_event_that_nobody_hears_is_confirmed(harness: &impl Harness) {
    let mut worker = subscribe(harness, &WORKER).await;
    harness
        .publish(&[event("Unheard", "A", 1), command("A", 2)])
        .await;
    assert_eq!(take(&mut *worker, 1).await[0].type_name, "DoWork");
}

pub async fn what_was_published_before_anyone_subscribed_arrives(harness: &impl Harness) {
    let sent: Vec<_> = (0..20).map(|n| command(&format!("I{n}"), n)).collect();
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    assert_eq!(ids(&take(&mut *worker, 20).await), ids(&sent));
}

pub async fn messages_of_an_instance_keep_their_order(harness: &impl Harness) {
    let mut worker = subscribe(harness, &WORKER).await;
    for round in 0..5 {
        let sent: Vec<_> = (0..40)
            .map(|n| command(&format!("I{}", n % 7), round * 1_000 + n))
            .collect();
        harness.publish(&sent).await;
    }
    let mut seen: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for message in take(&mut *worker, 200).await {
        let instance = seen.entry(message.subject.clone()).or_default();
        instance.push(message.time);
    }
    assert_eq!(seen.len(), 7);
    for (instance, times) in seen {
        assert!(times.is_sorted(), "{instance}: {times:?}");
    }
}

pub async fn a_batch_is_bounded_and_nothing_is_left_out(harness: &impl Harness) {
    let sent: Vec<_> = (0..300)
        .map(|n| command(&format!("I{}", n % 20), n))
        .collect();
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let mut found = BTreeSet::new();
    while found.len() < sent.len() {
        let batch = receive(&mut *worker, 7).await;
        found.extend(delivered(&batch));
        worker
            .acknowledge(&receipts(&batch))
            .await
            .expect("the bus answers");
    }
    assert_eq!(found, ids(&sent));
    assert_nothing_else(harness, &mut *worker).await;
}

pub async fn a_cancelled_receive_loses_nothing(harness: &impl Harness) {
    let mut worker = subscribe(harness, &WORKER).await;
    for _ in 0..3 {
        tokio::select! {
            biased;
            batch = worker.receive(10) => panic!("nothing was published, but {batch:?} came"),
            () = tokio::task::yield_now() => {}
        }
    }
    let sent: Vec<_> = (0..50).map(|n| command(&format!("I{n}"), n)).collect();
    let mut found = BTreeSet::new();
    let publishing = harness.publish(&sent);
    tokio::pin!(publishing);
    let mut published = false;
    while found.len() < sent.len() {
        let batch = tokio::select! {
            biased;
            () = &mut publishing, if !published => { published = true; continue; }
            () = tokio::task::yield_now(), if !published => continue,
            batch = timeout(PATIENCE, worker.receive(3)) => batch,
        };
        let batch = batch
            .expect("a message arrives in time")
            .expect("the bus answers");
        found.extend(delivered(&batch));
        worker
            .acknowledge(&receipts(&batch))
            .await
            .expect("the bus answers");
    }
    assert_eq!(found, ids(&sent));
}

pub async fn what_was_not_acknowledged_comes_again(harness: &impl Harness) {
    let sent = [command("A", 1), command("B", 2)];
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        seen.extend(delivered(&receive(&mut *worker, 10).await));
    }
    drop(worker);
    let mut again = subscribe(harness, &WORKER).await;
    assert_eq!(ids(&take(&mut *again, 2).await), ids(&sent));
}

pub async fn what_was_acknowledged_does_not_come_again(harness: &impl Harness) {
    let sent: Vec<_> = (0..20).map(|n| command(&format!("I{n}"), n)).collect();
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    take(&mut *worker, 20).await;
    drop(worker);
    let mut again = subscribe(harness, &WORKER).await;
    assert_nothing_else(harness, &mut *again).await;
}

pub async fn what_was_rejected_comes_again(harness: &impl Harness) {
    let sent = [command("A", 1), command("A", 2), command("B", 3)];
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    for _ in 0..3 {
        let mut seen = BTreeSet::new();
        while seen.len() < 3 {
            let batch = receive(&mut *worker, 10).await;
            seen.extend(delivered(&batch));
            worker
                .reject(&receipts(&batch))
                .await
                .expect("the bus answers");
        }
        assert_eq!(seen, ids(&sent));
    }
    assert_eq!(ids(&take(&mut *worker, 3).await), ids(&sent));
}

pub async fn acknowledging_some_keeps_the_others(harness: &impl Harness) {
    let sent: Vec<_> = (0..10).map(|n| command("A", n)).collect();
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let mut all = Vec::new();
    while all.len() < 10 {
        all.extend(receive(&mut *worker, 10).await);
    }
    // The later half is finished first: the earlier half must stay unfinished.
    worker
        .acknowledge(&receipts(&all[5..]))
        .await
        .expect("the bus answers");
    drop(worker);
    let mut again = subscribe(harness, &WORKER).await;
    let mut found = BTreeSet::new();
    while !ids(&sent[..5]).is_subset(&found) {
        let batch = receive(&mut *again, 10).await;
        found.extend(delivered(&batch));
        again
            .acknowledge(&receipts(&batch))
            .await
            .expect("the bus answers");
    }
}

pub async fn publishing_again_delivers_the_same_id(harness: &impl Harness) {
    let sent = [command("A", 1)];
    harness.publish(&sent).await;
    harness.publish(&sent).await;
    let mut worker = subscribe(harness, &WORKER).await;
    let first = take(&mut *worker, 1).await;
    assert_eq!(ids(&first), ids(&sent));
    // Whether it comes once or twice is free; nothing else may come.
    harness.publish(&[command("A", 2)]).await;
    loop {
        let next = take(&mut *worker, 1).await.remove(0);
        if next.id == command("A", 2).id {
            break;
        }
        assert_eq!(next.id, sent[0].id);
    }
}

pub async fn a_subscription_that_ends_hands_over_to_another(harness: &impl Harness) {
    let mut first = subscribe(harness, &WORKER).await;
    harness.publish(&[command("A", 1)]).await;
    let held = receive(&mut *first, 10).await;
    assert_eq!(delivered(&held), [command("A", 1).id]);
    let mut second = subscribe(harness, &WORKER).await;
    drop(first);
    let found = take(&mut *second, 1).await;
    assert_eq!(found[0].id, command("A", 1).id);
}

pub async fn unreadable_messages_hold_up_nothing(harness: &impl Harness) {
    let mut worker = subscribe(harness, &WORKER).await;
    harness.publish(&[command("A", 1)]).await;
    let expected = usize::from(harness.publish_unreadable(&WORKER, "A").await);
    harness.publish(&[command("A", 2)]).await;
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    while read.len() + unreadable.len() < 2 + expected {
        let batch = receive(&mut *worker, 10).await;
        worker
            .acknowledge(&receipts(&batch))
            .await
            .expect("the bus answers");
        for delivery in batch {
            match delivery.message {
                Ok(message) => read.push(message.id),
                Err(found) => unreadable.push(found),
            }
        }
    }
    assert_eq!(read, [command("A", 1).id, command("A", 2).id]);
    assert_eq!(unreadable.len(), expected);
    for found in unreadable {
        assert!(
            !found.reason.is_empty() && !found.raw.is_empty(),
            "{found:?}"
        );
    }
}

pub async fn what_waits_is_a_backlog_until_it_is_handled(harness: &impl Harness) {
    let bus = harness.bus().await;
    let becomes = async |what: &str, fits: &dyn Fn(usize) -> bool| {
        let end = Instant::now() + PATIENCE;
        loop {
            let backlog = bus.backlog(1_000).await.expect("the bus answers");
            if fits(backlog) {
                return;
            }
            assert!(Instant::now() < end, "the backlog is {backlog}, not {what}");
            // Messages are waited for, and whoever counts them may look a moment later.
            sleep(Duration::from_millis(10)).await;
        }
    };
    becomes("0 at the start", &|backlog| backlog == 0).await;
    // One at a time, so that none is packed together with another. An entry of a log may be counted for
    // each service that follows that.
    for n in 0..20 {
        harness.publish(&[command(&format!("I{n}"), n)]).await;
    }
    becomes("about 20", &|backlog| (20..=40).contains(&backlog)).await;
    let some = bus.backlog(5).await.expect("the bus answers");
    assert!(some >= 5, "counted up to 5: {some}");

    let mut worker = subscribe(harness, &WORKER).await;
    let mut listener = subscribe(harness, &LISTENER).await;
    harness.publish(&[event("Own", "I0", 20)]).await;
    take(&mut *worker, 20).await;
    take(&mut *listener, 1).await;
    // What follows a log gets past what does not concern it as long as it receives.
    tokio::select! {
        more = worker.receive(1) => panic!("nothing else was published, but {more:?} came"),
        more = listener.receive(1) => panic!("nothing else was published, but {more:?} came"),
        () = becomes("0 at the end", &|backlog| backlog == 0) => {}
    }
}

pub async fn an_unknown_service_is_refused(harness: &impl Harness) {
    let bus = harness.bus().await;
    let refused = bus.subscribe(&ServiceName::new("nobody")).await.map(|_| ());
    assert!(
        matches!(refused, Err(crate::Error::Refused(_))),
        "{refused:?}"
    );
}

pub async fn it_answers(harness: &impl Harness) {
    harness.bus().await.ping().await.expect("the bus answers");
}
