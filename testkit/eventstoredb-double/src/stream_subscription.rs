//! A subscription to one stream.

use std::sync::Arc;

use crate::core::Core;
use crate::filter::PAGE;
use crate::log::{Record, TOMBSTONE_TYPE};
use crate::output::{Closed, Output};
use crate::reading::{StreamPage, stream_forward};
use crate::status;
use crate::subscription::{LIVE_BUFFER, Live};
use crate::wire::streams::read_resp::{CaughtUp, Content};

#[derive(Debug)]
pub(crate) struct OfStream {
    pub(crate) core: Arc<Core>,
    pub(crate) output: Output,
    pub(crate) name: String,
    /// The number of the last event that was sent.
    pub(crate) sent: i64,
    pub(crate) live: Live,
}

impl OfStream {
    pub(crate) async fn run(&mut self) -> Result<(), Closed> {
        loop {
            self.output
                .send(Content::CaughtUp(CaughtUp::default()))
                .await?;
            self.follow().await?;
            self.catch_up().await?;
        }
    }

    pub(crate) async fn catch_up(&mut self) -> Result<(), Closed> {
        self.output.require_leader(&self.core).await?;
        let mut from = self.sent + 1;
        loop {
            let page = stream_forward(&self.core.log(), &self.name, from, PAGE);
            match page {
                StreamPage::NoStream => return Ok(()),
                StreamPage::Deleted => {
                    return self.output.fail(status::stream_deleted(&self.name)).await;
                }
                StreamPage::Events {
                    records,
                    next,
                    is_end,
                    ..
                } => {
                    for record in records {
                        self.send(record).await?;
                    }
                    if is_end {
                        return Ok(());
                    }
                    from = next;
                }
            }
        }
    }

    /// Sends what is written, until it is too much at once.
    async fn follow(&mut self) -> Result<(), Closed> {
        loop {
            let mut more = self.live.more(&self.core, &self.output).await?;
            more.retain(|record| *record.stream == *self.name && record.number > self.sent);
            if more.len() > LIVE_BUFFER {
                return Ok(());
            }
            for record in more {
                self.send(record).await?;
            }
        }
    }

    async fn send(&mut self, record: Arc<Record>) -> Result<(), Closed> {
        self.sent = record.number;
        let is_tombstone = record.event.event_type == TOMBSTONE_TYPE;
        self.output.send_event(&self.core, record).await?;
        if is_tombstone {
            return self.output.fail(status::stream_deleted(&self.name)).await;
        }
        Ok(())
    }
}
