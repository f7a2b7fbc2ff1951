//! RabbitMQ's management API.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Url};
use serde::Deserialize;

const PATIENCE: Duration = Duration::from_secs(10);

/// The queues of a broker.
pub(crate) struct Broker {
    client: Client,
    url: Url,
}

#[derive(Deserialize)]
struct Queue {
    /// Absent until the broker has counted them for the first time.
    #[serde(default)]
    messages: u64,
}

impl Broker {
    /// Those of one virtual host, or of all.
    pub(crate) fn new(base: &Url, vhost: Option<&str>) -> Self {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "queues"]);
            path.extend(vhost);
        }
        url.set_query(Some("columns=messages"));
        Self {
            // Not the client of the service: the broker must not see its token.
            client: Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .unwrap_or_default(),
            url,
        }
    }

    /// How many messages are in them.
    pub(crate) async fn messages(&self) -> anyhow::Result<u64> {
        let answer = self.client.get(self.url.clone()).send().await;
        // The address holds a password.
        let answer = answer.map_err(reqwest::Error::without_url)?;
        let answer = answer
            .error_for_status()
            .map_err(reqwest::Error::without_url)?;
        let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
        let queues: Vec<Queue> =
            serde_json::from_slice(&body).context("an answer that is no list of queues")?;
        Ok(queues.iter().map(|queue| queue.messages).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_the_virtual_host_if_one_is_asked_for() {
        let base = Url::parse("http://guest:guest@127.0.0.1:15672/").unwrap();
        let at = |vhost| Broker::new(&base, vhost).url.to_string();
        let queues = "http://guest:guest@127.0.0.1:15672/api/queues";
        assert_eq!(at(None), format!("{queues}?columns=messages"));
        assert_eq!(at(Some("/")), format!("{queues}/%2F?columns=messages"));
    }
}
