//! Subscriptions to a stream and to `$all`: what was written before, then what is written.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::Status;
use uuid::Uuid;

use crate::all_subscription::OfAll;
use crate::convert;
use crate::core::Core;
use crate::filter::Filter;
use crate::log::{NONE, Record};
use crate::output::{Closed, Output};
use crate::reading::{Place, resolve};
use crate::status;
use crate::stream_subscription::OfStream;
use crate::wire::streams::read_resp::{Content, SubscriptionConfirmation};

/// How many live messages wait for a subscription; with more it reads the log again.
pub(crate) const LIVE_BUFFER: usize = 32;

/// What is subscribed to, from where; the start itself is not delivered.
#[derive(Debug)]
pub(crate) enum Subscription {
    Stream {
        name: String,
        from: StreamStart,
    },
    All {
        from: AllStart,
        filter: Filter,
        checkpoints: Option<Checkpoints>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum StreamStart {
    Start,
    End,
    After(i64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum AllStart {
    Start,
    End,
    After(Place),
}

/// When a filtered subscription tells how far it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkpoints {
    /// How many events a page considers.
    pub(crate) window: usize,
    /// After how many considered events there is a checkpoint.
    pub(crate) interval: usize,
}

/// Serves a subscription until its caller has gone or it fails.
pub(crate) async fn serve(
    core: Arc<Core>,
    subscription: Subscription,
    output: Output,
) -> Result<(), Closed> {
    let growth = core.growth();
    let confirmed = core.log().records().len();
    let confirmation = Content::Confirmation(SubscriptionConfirmation {
        subscription_id: Uuid::now_v7().to_string(),
    });
    match subscription {
        Subscription::Stream { name, from } => {
            let last = core.log().last_number(&name);
            output.send(confirmation).await?;
            let sent = match from {
                StreamStart::Start => NONE,
                StreamStart::End => last,
                StreamStart::After(number) => number,
            };
            let live = Live {
                growth,
                next: confirmed,
            };
            let mut stream = OfStream {
                core,
                output,
                name,
                sent,
                live,
            };
            if sent < last {
                stream.catch_up().await?;
            }
            stream.run().await
        }
        Subscription::All {
            from,
            filter,
            checkpoints,
        } => {
            let last = Place::at(core.log().last_position());
            output.send(confirmation).await?;
            let sent = match from {
                AllStart::Start => Place::HEAD,
                AllStart::End => last,
                AllStart::After(place) => place,
            };
            let live = Live {
                growth,
                next: confirmed,
            };
            let mut all = OfAll {
                core,
                output,
                filter,
                checkpoints,
                sent,
                last_checkpoint: None,
                live,
                considered: 0,
            };
            if sent < last {
                all.catch_up().await?;
            }
            all.run().await
        }
    }
}

/// What is written while a subscription lives.
#[derive(Debug)]
pub(crate) struct Live {
    growth: watch::Receiver<usize>,
    /// The index of the next record.
    next: usize,
}

impl Live {
    /// Waits for more, and returns it.
    pub(crate) async fn more(
        &mut self,
        core: &Core,
        output: &Output,
    ) -> Result<Vec<Arc<Record>>, Closed> {
        let next = self.next;
        tokio::select! {
            grown = self.growth.wait_for(|count| *count > next) => { grown.map_err(|_| Closed)?; }
            () = output.closed() => return Err(Closed),
        }
        let more = core.log().records()[next..].to_vec();
        self.next += more.len();
        Ok(more)
    }
}

impl Output {
    /// Sends an event, with its link followed if that was asked for.
    pub(crate) async fn send_event(&self, core: &Core, record: Arc<Record>) -> Result<(), Closed> {
        let resolved = resolve(&core.log(), record, self.follows_links);
        self.send_response(convert::event(&resolved, self.ids_as_text))
            .await
    }

    /// Fails the call when it wants the leader and this is not it.
    pub(crate) async fn require_leader(&self, core: &Core) -> Result<(), Closed> {
        match core.faults.leader() {
            Some(leader) if self.requires_leader => self.fail(status::not_leader(&leader)).await,
            _ => Ok(()),
        }
    }

    /// Ends the call with an error.
    pub(crate) async fn fail<T>(&self, status: Status) -> Result<T, Closed> {
        self.send_status(status).await;
        Err(Closed)
    }
}
