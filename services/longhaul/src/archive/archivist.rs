//! The work: what is over is written to a file, and what stands in the file is removed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use contracts::Topology;
use event_store::{Cursor, Entry, Error, Removal, RemoveStreams, Removed, StreamKind, Version};
use jiff::Timestamp;
use runtime::Backoff;

use super::file::{self, Lines, Part, Size};
use super::progress::Progress;
use super::readers::Readers;
use super::shipment::{self, Stays};

/// How many entries of the log are read at once.
const PAGE: usize = 500;
/// How many shipments are removed in one transaction, for which appends wait.
pub(super) const TOGETHER: usize = 100;
/// How often a call is repeated that the store cannot do at the moment.
const ATTEMPTS: u32 = 10;

pub(crate) struct Archivist {
    pub(crate) store: Arc<dyn RemoveStreams>,
    /// The first service is the one whose processes the shipments are.
    pub(crate) topology: Topology,
    pub(crate) readers: Readers,
    /// Whether a process has ended, by all entries of its stream.
    pub(crate) ended: fn(&[Entry]) -> bool,
    /// Nothing may have happened to a shipment since.
    pub(crate) before: Timestamp,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) archived: Size,
    /// How many have begun before the time, and something happened to them since.
    pub(crate) recent: u64,
    /// How many are not over.
    pub(crate) open: u64,
    /// How many some reader has not passed, and these readers.
    pub(crate) unread: u64,
    pub(crate) readers: BTreeSet<String>,
}

impl Archivist {
    /// Writes what is over to a file, which then is on the disk; there is none where nothing is.
    pub(crate) async fn write(
        &self,
        path: &Path,
        progress: &mut Progress,
    ) -> anyhow::Result<Found> {
        let part = Part::begin(path)?;
        let found = self.find(part.writer(), progress).await;
        match found {
            Ok(found) if found.archived.shipments > 0 => {
                part.finish()?;
                Ok(found)
            }
            other => {
                part.abandon()?;
                other
            }
        }
    }

    /// Writes what is over.
    pub(crate) async fn find(
        &self,
        out: impl Write,
        progress: &mut Progress,
    ) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let mut lines = Lines::new(out);
        let Some(processes) = self.topology.services.first() else {
            return Ok(found);
        };
        let kind = StreamKind::new(processes.stream_kind);
        let mut cursor = Cursor::start(self.store.partitions());
        let mut read = 0;
        loop {
            let page = persist(|| self.store.read_log(&kind, &cursor, PAGE)).await?;
            let is_old = |entry: &Entry| entry.content.recorded_at < self.before;
            // The log is in the order of time, but for what clocks differ: behind a page of what came
            // later there is nothing more worth looking for.
            if !page.entries.iter().any(|entry| is_old(entry)) {
                break;
            }
            let begins = page
                .entries
                .iter()
                .filter(|entry| entry.version == Version(1));
            let ids: Vec<_> = begins.map(|entry| entry.stream.instance()).collect();
            let shipments = persist(|| shipment::read(&*self.store, &self.topology, &ids)).await?;
            for shipment in shipments {
                match shipment.stays(&self.topology, self.ended, &self.readers, self.before) {
                    None => lines
                        .write(&shipment.streams)
                        .context("cannot write (--to)")?,
                    Some(Stays::Recent) => found.recent += 1,
                    Some(Stays::Open) => found.open += 1,
                    Some(Stays::Unread(readers)) => {
                        found.unread += 1;
                        found.readers.extend(readers);
                    }
                }
            }
            read += page.entries.len();
            cursor = page.cursor;
            let shipments = lines.size.shipments;
            progress.tell(|| format!("{read} entries looked at, {shipments} shipments are over"));
        }
        lines.flush().context("cannot write (--to)")?;
        found.archived = lines.size;
        Ok(found)
    }

    /// Removes the shipments that a file holds, unless something has happened to them since; how many are gone.
    pub(crate) async fn remove(&self, path: &Path, progress: &mut Progress) -> anyhow::Result<u64> {
        let mut gone = 0;
        let mut shipments = file::read(path)?.peekable();
        while shipments.peek().is_some() {
            let mut removals: Vec<Removal> = Vec::with_capacity(TOGETHER);
            for shipment in shipments.by_ref().take(TOGETHER) {
                let shipment = shipment?;
                removals.push(shipment::removal(
                    &self.topology,
                    &shipment.id,
                    &shipment.versions,
                ));
            }
            let removed = persist(|| self.store.remove_streams(&removals)).await?;
            let is_gone = |removed: &&Removed| **removed == Removed::Gone;
            gone += removed.iter().filter(is_gone).count() as u64;
            progress.tell(|| format!("{gone} shipments removed"));
        }
        Ok(gone)
    }
}

/// Repeats a call until the store can do it, for a while.
async fn persist<T, F>(call: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut backoff = Backoff::for_servers();
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(Error::Unavailable(_)) => backoff.wait().await,
            outcome => return Ok(outcome?),
        }
    }
    Ok(call().await?)
}
