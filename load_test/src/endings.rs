//! The service's list of what has ended: followed from the beginning of the run to its end.

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::board::Status;
use crate::refusal::{Pause, Refusal};

/// The most endings in one answer, and the longest that the service waits for one, in milliseconds.
const MOST: u32 = 1_000;
const WAIT_MS: u64 = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ending {
    pub(crate) shipment_id: String,
    pub(crate) status: Status,
}

#[derive(Deserialize)]
struct Page {
    endings: Vec<Ending>,
    next: String,
}

/// A place in the list.
pub(crate) struct Endings {
    client: Client,
    url: String,
    after: String,
    wait_ms: u64,
}

impl Endings {
    /// The place behind which stands all that ends from now on.
    ///
    /// # Errors
    /// When the service does not tell it, although it was asked as often as a start is.
    pub(crate) async fn from_now_on(
        client: &Client,
        arguments: &Arguments,
    ) -> Result<Self, String> {
        let mut endings = Self {
            client: client.clone(),
            url: format!("{}/shipments/endings", arguments.url),
            after: "now".to_owned(),
            wait_ms: 0,
        };
        let mut pause = Pause::default();
        let mut retries_left = arguments.retries;
        loop {
            match endings.next().await {
                Err(refusal) if refusal.transient && retries_left > 0 => {
                    retries_left -= 1;
                    sleep(pause.after(&refusal)).await;
                }
                Err(refusal) => return Err(refusal.cause),
                Ok(_) => break,
            }
        }
        endings.wait_ms = WAIT_MS.min(arguments.request_timeout_s * 500);
        Ok(endings)
    }

    /// The next that are told, perhaps none for a while. After an error, the same are asked for again.
    pub(crate) async fn next(&mut self) -> Result<Vec<Ending>, Refusal> {
        let query = [
            ("after", self.after.as_str()),
            ("limit", &MOST.to_string()),
            ("waitMs", &self.wait_ms.to_string()),
        ];
        let answer = self.client.get(&self.url).query(&query).send().await?;
        let refusal = (answer.status() != StatusCode::OK).then(|| Refusal::of(&answer));
        let body = answer.bytes().await?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let page: Page = serde_json::from_slice(&body)
            .map_err(|_| Refusal::for_good("an answer that is no list of endings"))?;
        self.after = page.next;
        Ok(page.endings)
    }
}
