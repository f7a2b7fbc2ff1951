//! Where the answers of a read go.

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::Status;

use crate::convert;
use crate::core::Core;
use crate::wire::streams::ReadResp;
use crate::wire::streams::read_resp::Content;

/// How many answers wait for a caller that reads slowly.
pub(crate) const BUFFER: usize = 32;

/// The call has ended.
#[derive(Debug)]
pub(crate) struct Closed;

/// The way back to the caller, and what it wants of events.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) core: Arc<Core>,
    pub(crate) answers: mpsc::Sender<Result<ReadResp, Status>>,
    pub(crate) follows_links: bool,
    pub(crate) ids_as_text: bool,
    pub(crate) requires_leader: bool,
}

impl Output {
    pub(crate) async fn send(&self, content: Content) -> Result<(), Closed> {
        self.send_response(convert::response(content)).await
    }

    /// Waits while the server is stalled.
    pub(crate) async fn send_response(&self, response: ReadResp) -> Result<(), Closed> {
        self.core.faults.pass().await;
        self.answers.send(Ok(response)).await.map_err(|_| Closed)
    }

    pub(crate) async fn send_status(&self, status: Status) {
        self.core.faults.pass().await;
        // A caller that has gone needs no error.
        let _ = self.answers.send(Err(status)).await;
    }

    /// Waits until the caller has gone.
    pub(crate) async fn closed(&self) {
        self.answers.closed().await;
    }
}
