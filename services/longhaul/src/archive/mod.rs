//! `longhaul archive`: moves shipments that are over from the store to a file.

mod archivist;
mod file;
mod progress;
mod readers;
mod shipment;
#[cfg(test)]
mod tests;
mod when;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use contracts::shipment_suite;
use host::{Base, Settings};
use indicatif::BinaryBytes;
use runtime::{Clock, SystemClock};

use self::archivist::{Archivist, Found};
use self::progress::Progress;
use self::readers::Readers;
use self::when::When;

/// Move shipments that are over from the store to a file
///
/// It works on the store that the settings name (PostgreSQL or SQLite), while the services run. A shipment is over when
/// it has ended, no service waits for anything any more, nothing of it is parked, and nothing has happened to it since
/// the time that is given. All that every service has recorded of such shipments is written to the file, a line of JSON
/// for each entry, and the file is on the disk before anything is removed from the store.
///
/// An archived shipment is forgotten: asked for, it is not there (404), the list of what has ended no longer tells of it, and
/// its id may be used again, also by a request that comes a second time.
///
/// It can be ended at any moment, and run again with another file: nothing is lost, and what was written and not removed is
/// written once more.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// Nothing may have happened to the shipment since: a day (2024-05-27, as it begins in UTC), a time
    /// (2024-05-27T10:00:00Z), or so long ago (90d, 12mo); at least a day ago
    #[arg(long, value_name = "WHEN")]
    ended_before: When,
    /// The file, which must not exist; while it is written, its name ends with .part
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    to: Option<PathBuf>,
    /// Only say what would be archived
    #[arg(long)]
    dry_run: bool,
    /// A TOML file that is laid over the settings that are compiled in, as for the services
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Archive {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let settings = Settings::load(Base::AllInOne, self.config.as_deref())?;
        let before = self.ended_before.before(SystemClock.now())?;
        let store = host::removable_log(&settings).await?;
        let topology = shipment_suite();
        let partitions = store.partitions();
        let readers = Readers::load(&*store, partitions, &topology, settings.bus.adapter).await?;
        let archivist = Archivist {
            store,
            topology,
            readers,
            ended: shipment_process::has_ended,
            before,
        };
        let mut progress = Progress::new();
        let found = self.archive(&archivist, &mut progress).await;
        progress.clear();
        let (found, said) = found?;
        tell(&found, &said);
        if found.unread == 0 {
            return Ok(());
        }
        let readers: Vec<_> = found.readers.iter().map(String::as_str).collect();
        bail!(
            "{} shipments that are over were left alone, since not all of their entries were read by {}: readers say \
             every few seconds how far they are. Does each of them run, and are these its settings (bus.adapter)? One that is \
             gone for good stands in the table checkpoints until it is deleted there",
            found.unread,
            readers.join(", ")
        )
    }

    /// What was found, and what has become of it.
    async fn archive(
        &self,
        archivist: &Archivist,
        progress: &mut Progress,
    ) -> anyhow::Result<(Found, String)> {
        let path = match &self.to {
            Some(path) if !self.dry_run => path,
            Some(_) | None => {
                let found = archivist.find(std::io::sink(), progress).await?;
                return Ok((found, "would be archived".to_owned()));
            }
        };
        let found = archivist.write(path, progress).await?;
        if found.archived.shipments == 0 {
            return Ok((found, "archived".to_owned()));
        }
        let gone = archivist.remove(path, progress).await?;
        let said = match found.archived.shipments - gone {
            0 => format!("archived to {}", path.display()),
            stay => format!(
                "archived to {}; {stay} of them are still in the store too, since something has just happened to them",
                path.display()
            ),
        };
        Ok((found, said))
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn tell(found: &Found, said: &str) {
    let size = found.archived;
    println!(
        "{} shipments ({} entries, {}) {said}",
        size.shipments,
        size.entries,
        BinaryBytes(size.bytes)
    );
    println!(
        "left alone: {} that are not over, {} that something has happened to since",
        found.open, found.recent
    );
}
