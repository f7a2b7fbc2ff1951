//! A subscription to `$all`, which with a filter tells how far it is.

use std::sync::Arc;

use crate::core::Core;
use crate::filter::{Filter, PAGE};
use crate::log::Record;
use crate::output::{Closed, Output};
use crate::reading::{Place, all_forward};
use crate::status;
use crate::subscription::{Checkpoints, LIVE_BUFFER, Live};
use crate::wire::streams::read_resp::{CaughtUp, Checkpoint, Content};

#[derive(Debug)]
pub(crate) struct OfAll {
    pub(crate) core: Arc<Core>,
    pub(crate) output: Output,
    pub(crate) filter: Filter,
    pub(crate) checkpoints: Option<Checkpoints>,
    /// The place of the last event or checkpoint that was sent.
    pub(crate) sent: Place,
    pub(crate) last_checkpoint: Option<Place>,
    pub(crate) live: Live,
    /// How many live events were considered since the last live checkpoint.
    pub(crate) considered: usize,
}

impl OfAll {
    pub(crate) async fn run(&mut self) -> Result<(), Closed> {
        loop {
            self.output
                .send(Content::CaughtUp(CaughtUp::default()))
                .await?;
            self.follow().await?;
            self.checkpoint(self.sent).await?;
            self.catch_up().await?;
        }
    }

    pub(crate) async fn catch_up(&mut self) -> Result<(), Closed> {
        self.output.require_leader(&self.core).await?;
        let window = self
            .checkpoints
            .map_or(PAGE, |checkpoints| checkpoints.window);
        let mut from = self.sent.max(Place::FIRST);
        if !self.core.log().is_boundary(from.commit) {
            return self.output.fail(status::invalid_position()).await;
        }
        let mut considered = 0;
        loop {
            let page = all_forward(&self.core.log(), from, &self.filter, PAGE, window);
            for record in page.records {
                let place = Place::of(&record);
                if place > self.sent {
                    self.output.send_event(&self.core, record).await?;
                    self.sent = place;
                }
            }
            considered += page.considered;
            if page.is_end {
                self.sent = self.sent.max(from);
                return self.checkpoint(self.sent).await;
            }
            if let Some(Checkpoints { interval, .. }) = self.checkpoints
                && considered >= interval
            {
                considered %= interval;
                self.sent = self.sent.max(from);
                self.checkpoint(self.sent).await?;
            }
            from = page.next;
        }
    }

    /// Sends what is written, until it is too much at once.
    async fn follow(&mut self) -> Result<(), Closed> {
        loop {
            let more = self.live.more(&self.core, &self.output).await?;
            let messages = self.messages(more);
            if messages.len() > LIVE_BUFFER {
                return Ok(());
            }
            for message in messages {
                match message {
                    Message::Event(record) => {
                        let place = Place::of(&record);
                        if place > self.sent {
                            self.output.send_event(&self.core, record).await?;
                            self.sent = place;
                        }
                    }
                    Message::Checkpoint(place) if place >= self.sent => {
                        self.checkpoint(place).await?;
                        self.sent = place;
                    }
                    Message::Checkpoint(_) => {}
                }
            }
        }
    }

    /// Also records that were sent while catching up count for the interval.
    fn messages(&mut self, records: Vec<Arc<Record>>) -> Vec<Message> {
        let mut messages = Vec::new();
        for record in records {
            let place = Place::of(&record);
            if self.filter.allows(&record) {
                messages.push(Message::Event(record));
            }
            self.considered += 1;
            if self
                .checkpoints
                .is_some_and(|every| self.considered >= every.interval)
            {
                self.considered = 0;
                messages.push(Message::Checkpoint(place));
            }
        }
        messages
    }

    async fn checkpoint(&mut self, place: Place) -> Result<(), Closed> {
        let is_new = self.last_checkpoint.is_none_or(|last| place > last);
        if self.checkpoints.is_none() || place == Place::HEAD || !is_new {
            return Ok(());
        }
        self.last_checkpoint = Some(place);
        let checkpoint = Checkpoint {
            commit_position: place.commit as u64,
            prepare_position: place.prepare as u64,
            timestamp: None,
        };
        self.output.send(Content::Checkpoint(checkpoint)).await
    }
}

#[derive(Debug)]
enum Message {
    Event(Arc<Record>),
    Checkpoint(Place),
}
