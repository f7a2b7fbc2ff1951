//! Hints that a log has grown, within one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::StreamKind;

/// The sending side, for adapters: one channel for each kind of streams.
#[derive(Debug, Default)]
pub struct WakeUps {
    kinds: Mutex<HashMap<String, watch::Sender<()>>>,
}

impl WakeUps {
    /// Listens for one kind.
    #[must_use]
    pub fn listen(&self, kind: &StreamKind) -> WakeUp {
        WakeUp {
            changed: self.sender(kind.as_str()).subscribe(),
        }
    }

    /// Tells the listeners of these kinds that something was stored.
    pub fn stored<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) {
        let mut kinds: Vec<&str> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            self.sender(kind).send_replace(());
        }
    }

    fn sender(&self, kind: &str) -> watch::Sender<()> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = kinds.get(kind) {
            return sender.clone();
        }
        kinds.entry(kind.to_owned()).or_default().clone()
    }
}

/// The listening side.
#[derive(Clone, Debug)]
pub struct WakeUp {
    changed: watch::Receiver<()>,
}

impl WakeUp {
    /// Returns when the log has grown since the last call, or since listening began. Cancelling it
    /// loses no hint.
    pub async fn woken(&mut self) {
        if self.changed.changed().await.is_err() {
            // The store is gone, and nothing will grow any more.
            std::future::pending::<()>().await;
        }
    }
}
