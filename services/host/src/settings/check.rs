//! What must hold of settings that were read.

use anyhow::bail;

use super::{Base, BusAdapter, Settings, StoreAdapter};

impl Settings {
    /// What does not fit, and what does not go together, by the keys.
    pub(super) fn check(&self, base: Base) -> anyhow::Result<()> {
        if base == Base::OneService && self.bus.adapter == BusAdapter::Embedded {
            bail!(
                "bus.adapter = \"embedded\" joins services within one process only: start `longhaul`, or \
                 set bus.adapter = \"rabbitmq\""
            );
        }
        if base == Base::OneService && self.event_store.adapter == StoreAdapter::Memory {
            bail!(
                "event_store.adapter = \"memory\" keeps nothing for the other services: start `longhaul`, or set \
                 event_store.adapter = \"postgres\""
            );
        }
        for (key, value, least) in self.times_of_services() {
            if value < least {
                bail!("{key} is {value}, but must be at least {least}");
            }
        }
        let positive = [
            ("runtime.max_batch", self.runtime.max_batch as u64),
            ("runtime.poll_interval_ms", self.runtime.poll_interval_ms),
            (
                "event_store.postgres.max_connections",
                u64::from(self.event_store.postgres.max_connections),
            ),
            (
                "event_store.postgres.timeout_ms",
                self.event_store.postgres.timeout_ms,
            ),
            (
                "event_store.eventstoredb.timeout_ms",
                self.event_store.eventstoredb.timeout_ms,
            ),
            (
                "event_store.eventstoredb.max_append_bytes",
                self.event_store.eventstoredb.max_append_bytes as u64,
            ),
            (
                "projections.postgres.max_connections",
                u64::from(self.projections.postgres.max_connections),
            ),
            (
                "projections.postgres.timeout_ms",
                self.projections.postgres.timeout_ms,
            ),
            (
                "bus.rabbitmq.confirm_timeout_ms",
                self.bus.rabbitmq.confirm_timeout_ms,
            ),
            (
                "bus.rabbitmq.connect_timeout_ms",
                self.bus.rabbitmq.connect_timeout_ms,
            ),
        ];
        for (key, value) in positive {
            if value == 0 {
                bail!("{key} is 0, but must be at least 1");
            }
        }
        let files = [
            ("event_store.sqlite.path", &self.event_store.sqlite.path),
            ("projections.sqlite.path", &self.projections.sqlite.path),
        ];
        for (key, path) in files {
            if path.as_os_str().is_empty() {
                bail!("{key} is empty, but must name a file");
            }
        }
        self.http.check()
    }
}
