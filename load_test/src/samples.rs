//! What is looked at from outside, once a second, where it was asked for: how many messages wait at the
//! broker, and how much memory processes take. What cannot be had is left out, and said.

mod broker;
mod memory;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use broker::Broker;
use memory::Process;

const EVERY: Duration = Duration::from_secs(1);

/// What was seen at one moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the first start was due.
    pub(crate) at_s: f64,
    /// Messages in all queues, delivered ones that are not acknowledged included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queued: Option<u64>,
    /// Bytes of resident memory, by process.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) memory: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Samples {
    pub(crate) seen: Vec<Sample>,
    /// What is left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// Looks until `over`.
pub(crate) async fn sample(
    arguments: &Arguments,
    begin: Instant,
    over: &CancellationToken,
) -> Samples {
    let mut samples = Samples::default();
    let (processes, missing) = memory::find(&arguments.processes);
    samples.left_out.extend(missing);
    let broker = arguments.rabbitmq_management_url.as_ref();
    let mut broker = broker.map(|url| Broker::new(url, arguments.rabbitmq_vhost.as_deref()));
    if processes.is_empty() && broker.is_none() {
        return samples;
    }
    let mut due = interval_at(begin, EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while over.run_until_cancelled(due.tick()).await.is_some() {
        let at_s = begin.elapsed().as_secs_f64();
        let queued = match &broker {
            None => None,
            // The run is not held up by a broker that does not answer.
            Some(asked) => match over.run_until_cancelled(asked.messages()).await {
                None => break,
                Some(Ok(messages)) => Some(messages),
                Some(Err(error)) => {
                    let from = format!("queue depth from {at_s:.0} s on: {error:#}");
                    samples.left_out.push(from);
                    broker = None;
                    None
                }
            },
        };
        let memory = processes.iter().filter_map(Process::measured).collect();
        samples.seen.push(Sample {
            at_s,
            queued,
            memory,
        });
    }
    samples
}
