//! The file: a line of JSON for each entry, those of a shipment together.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use contracts::{MessageId, Partition};
use event_store::{Entry, Metadata, Position, StreamName, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An entry as it is written. The names of the fields are stored names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    stream: &'a str,
    version: Version,
    partition: Partition,
    position: Position,
    id: MessageId,
    #[serde(rename = "type")]
    type_name: &'a str,
    recorded_at: Timestamp,
    data: &'a RawValue,
    metadata: &'a Metadata,
}

/// What of it is read back.
#[derive(Deserialize)]
struct Place {
    stream: String,
    version: Version,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) shipments: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Writes lines, and counts.
pub(crate) struct Lines<W> {
    out: W,
    pub(crate) size: Size,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W) -> Self {
        let size = Size::default();
        Self { out, size }
    }

    /// Hands on what waits to be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes all of a shipment.
    pub(crate) fn write(&mut self, streams: &[Vec<Entry>]) -> io::Result<()> {
        for entry in streams.iter().flatten() {
            let content = &entry.content;
            let mut line = serde_json::to_vec(&Line {
                stream: entry.stream.as_str(),
                version: entry.version,
                partition: entry.partition,
                position: entry.position,
                id: content.id,
                type_name: &content.type_name,
                recorded_at: content.recorded_at,
                data: &content.data,
                metadata: &content.metadata,
            })?;
            // Data is kept as it was given. Within JSON, a break can only stand between two tokens.
            for byte in &mut line {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
            line.push(b'\n');
            self.out.write_all(&line)?;
            self.size.entries += 1;
            self.size.bytes += line.len() as u64;
        }
        self.size.shipments += 1;
        Ok(())
    }
}

/// A file that has its name only once it is whole and on the disk.
pub(crate) struct Part {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl Part {
    /// Begins a file under another name. One that a run has left which was ended is begun anew: nothing
    /// that stands there was removed from anywhere.
    ///
    /// # Errors
    /// When the file exists, another run is writing it, or it cannot be made.
    pub(crate) fn begin(path: &Path) -> anyhow::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let name = part.display();
        let mut options = OpenOptions::new();
        // What people have sent is nobody else's business.
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options
            .open(&part)
            .with_context(|| format!("cannot write {name} (--to)"))?;
        file.try_lock()
            .with_context(|| format!("{name} is being written by another run (--to)"))?;
        // Looked for under the lock, which belongs to the file under either name.
        if path
            .try_exists()
            .with_context(|| format!("cannot look for {}", path.display()))?
        {
            bail!(
                "{} exists already: name another file (--to)",
                path.display()
            );
        }
        file.set_len(0)
            .with_context(|| format!("cannot write {name}"))?;
        let path = path.to_owned();
        Ok(Self { path, part, file })
    }

    /// Where to write.
    pub(crate) fn writer(&self) -> impl Write + use<'_> {
        BufWriter::with_capacity(1 << 20, &self.file)
    }

    /// Has all of it on the disk, and then under its name.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let name = self.path.display();
        let finish = || {
            self.file.sync_all()?;
            std::fs::rename(&self.part, &self.path)?;
            let folder = self
                .path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        finish().with_context(|| format!("cannot finish {name}"))
    }

    /// Leaves nothing behind.
    pub(crate) fn abandon(self) -> anyhow::Result<()> {
        let name = self.part.display();
        std::fs::remove_file(&self.part).with_context(|| format!("cannot remove {name}"))
    }
}

/// A shipment as the file has it: its id, and the last version of each of its streams.
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) versions: Vec<(StreamName, Version)>,
}

/// What a file holds, shipment by shipment: only what can be read back is removed.
pub(crate) fn read(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Kept>>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let told = name.clone();
    let mut lines = BufReader::with_capacity(1 << 20, file).lines().zip(1..);
    let mut next = move || -> anyhow::Result<Option<(StreamName, Version)>> {
        let Some((line, number)) = lines.next() else {
            return Ok(None);
        };
        let place: Place = line
            .map_err(anyhow::Error::from)
            .and_then(|line| Ok(serde_json::from_str(&line)?))
            .with_context(|| format!("cannot read line {number} of {told}"))?;
        Ok(Some((StreamName::parse(place.stream)?, place.version)))
    };
    let mut first: Option<(StreamName, Version)> = None;
    let mut shipment = move || -> anyhow::Result<Option<Kept>> {
        let Some((stream, version)) = first
            .take()
            .map_or_else(&mut next, |first| Ok(Some(first)))?
        else {
            return Ok(None);
        };
        let id = stream.instance().to_owned();
        let mut versions = vec![(stream, version)];
        while let Some((stream, version)) = next()? {
            if stream.instance() != id {
                first = Some((stream, version));
                break;
            }
            match versions.last_mut() {
                Some((last, at)) if *last == stream => {
                    ensure!(
                        at.plus(1) == version,
                        "{stream} has a gap before {version} in {name}"
                    );
                    *at = version;
                }
                Some(_) | None => versions.push((stream, version)),
            }
        }
        Ok(Some(Kept { id, versions }))
    };
    Ok(std::iter::from_fn(move || shipment().transpose()))
}
