//! From the bus to the handler, and back to the bus once everything is stored.

use std::sync::Arc;
use std::time::Duration;

use contracts::{ServiceContract, ServiceName};
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt};
use message_bus::{Delivery, MessageBus, Receipt, Subscription};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::handler::chain;
use crate::share::Share;
use crate::{Backoff, Failure, Handled, Inbox, Input};

/// How many batches may be on their way through the handler: one that is stored, and one that is
/// fetched meanwhile.
const IN_FLIGHT: usize = 2;

type Handling = BoxFuture<'static, (Vec<Receipt>, Vec<Result<Handled, Failure>>)>;

/// Takes in what the bus has for a service, until `stop` is cancelled; what is in the handler by then
/// is still acknowledged.
pub(crate) async fn run(
    contract: ServiceContract,
    bus: Arc<dyn MessageBus>,
    inbox: Inbox,
    max_batch: usize,
    share: Share,
    stop: CancellationToken,
) {
    let service = contract.name.clone();
    let contract = Arc::new(contract);
    let mut backoff = Backoff::for_servers();
    let mut subscription = loop {
        let subscribed = tokio::select! {
            () = stop.cancelled() => return,
            subscribed = bus.subscribe(&service) => subscribed,
        };
        match subscribed {
            Ok(subscription) => break subscription,
            Err(error) => warn!(%service, error = chain(&error), "cannot subscribe: trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = backoff.wait() => {}
        }
    };
    backoff.reset();
    let mut handling: FuturesOrdered<Handling> = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some((receipts, results)) = handling.next() => {
                if answer(&service, &mut *subscription, &receipts, &results).await {
                    backoff.reset();
                } else {
                    backoff.wait().await;
                }
            }
            () = stop.cancelled() => break,
            batch = subscription.receive(max_batch), if handling.len() < IN_FLIGHT => match batch {
                Ok(batch) => {
                    let messages = batch.iter().filter_map(|delivery| delivery.message.as_ref().ok());
                    share.receives(messages.map(|message| message.subject.as_str()));
                    handling.push_back(Box::pin(hand_in(contract.clone(), inbox.clone(), batch)));
                }
                Err(error) => {
                    warn!(%service, error = chain(&error), "cannot receive: trying again");
                    backoff.wait().await;
                }
            },
        }
    }
    drop(inbox);
    while let Some((receipts, results)) = handling.next().await {
        answer(&service, &mut *subscription, &receipts, &results).await;
    }
}

async fn hand_in(
    contract: Arc<ServiceContract>,
    inbox: Inbox,
    batch: Vec<Delivery>,
) -> (Vec<Receipt>, Vec<Result<Handled, Failure>>) {
    let receipts = batch.iter().map(|delivery| delivery.receipt).collect();
    let results = inbox
        .submit(
            batch
                .into_iter()
                .map(|delivery| Input::from_bus(&contract, delivery.message))
                .collect(),
        )
        .await;
    (receipts, results)
}

/// Acknowledges what is stored, and hands back what is not. Whether everything was stored.
async fn answer(
    service: &ServiceName,
    subscription: &mut dyn Subscription,
    receipts: &[Receipt],
    results: &[Result<Handled, Failure>],
) -> bool {
    let of = |stored: bool| -> Vec<Receipt> {
        let answers = receipts.iter().zip(results);
        answers
            .filter(|(_, result)| result.is_ok() == stored)
            .map(|(r, _)| *r)
            .collect()
    };
    let (done, failed) = (of(true), of(false));
    if !done.is_empty()
        && let Err(error) = subscription.acknowledge(&done).await
    {
        warn!(%service, error = chain(&error), "cannot acknowledge: these will come again");
    }
    if failed.is_empty() {
        return true;
    }
    // Before handing back, so that what cannot be stored does not come round without a pause.
    tokio::time::sleep(Duration::from_millis(100)).await;
    if let Err(error) = subscription.reject(&failed).await {
        warn!(%service, error = chain(&error), "cannot hand back: these will come again");
    }
    false
}
