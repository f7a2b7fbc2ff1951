//! The machine that was measured on, and what ran on it.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::site::Site;

/// How often a write is made durable to see how long that takes, and how many bytes: a page of PostgreSQL.
const WRITES: usize = 200;
const PAGE: [u8; 8192] = [0; 8192];

/// What figures depend on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gb: f64,
    kernel: String,
    /// Of the folder in which SQLite and the logs are; the servers have their own.
    filesystem: String,
    /// The median time of `fdatasync` there, behind a write of 8 KiB.
    fdatasync_ms: f64,
    postgresql: String,
    rabbitmq: String,
    rustc: String,
    commit: String,
    /// How the suite was built: only `release` says anything.
    profile: &'static str,
}

impl Machine {
    /// Looks at this machine, and at the servers.
    pub(crate) async fn look(folder: &Path, site: &Site) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (postgresql, rabbitmq) = site.versions().await?;
        Ok(Self {
            processor: processor(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            memory_gb: memory_gb(&read("/proc/meminfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/mounts"), folder),
            fdatasync_ms: fdatasync(folder)?.as_secs_f64() * 1000.0,
            postgresql,
            rabbitmq,
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        })
    }
}

fn processor(info: &str) -> String {
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(':'));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, name)| name.trim().to_owned(),
    )
}

fn memory_gb(info: &str) -> f64 {
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.map_or(0.0, |kib| (kib * 1024.0 / 1e8).round() / 10.0)
}

/// The kind of filesystem that a folder is on.
fn filesystem(mounts: &str, folder: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
        folder.starts_with(place).then_some((place.len(), kind))
    });
    // The last of those that are the same.
    let closest = mounts.max_by_key(|(length, _)| *length);
    closest.map_or("unknown", |(_, kind)| kind).to_owned()
}

fn fdatasync(folder: &Path) -> Result<Duration> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        file.write_all(&PAGE)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[WRITES / 2])
}

/// What a program says of itself.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} cores, {} GB, Linux {}, {} (fdatasync {:.2} ms)",
            self.processor,
            self.cores,
            self.memory_gb,
            self.kernel,
            self.filesystem,
            self.fdatasync_ms
        )?;
        write!(
            f,
            "PostgreSQL {}\nRabbitMQ {}, {}, commit {}, {} build",
            self.postgresql, self.rabbitmq, self.rustc, self.commit, self.profile
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_and_memory_are_read_from_what_the_kernel_tells() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nmodel name\t: Another\n";
        assert_eq!(processor(info), "Some CPU @ 2.00GHz");
        assert_eq!(processor(""), std::env::consts::ARCH);
        let memory = memory_gb("MemTotal:       24683528 kB\nMemFree: 1 kB\n");
        assert!((memory - 25.3).abs() < 1e-9, "{memory}");
        assert!(memory_gb("") < 1e-9);
    }

    #[test]
    fn the_filesystem_is_that_of_the_closest_mount() {
        let mounts = "overlay / overlay rw 0 0\n/dev/a /tmp ext4 rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n\
                      tmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/tmp/bench")), "tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/tmp/x/bench")), "xfs");
        assert_eq!(filesystem(mounts, Path::new("/tmpfile")), "overlay");
        assert_eq!(filesystem("", Path::new("/")), "unknown");
    }

    #[test]
    fn a_write_takes_some_time_to_be_durable() {
        let folder = std::env::temp_dir().join(format!("bench-fdatasync-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        assert!(fdatasync(&folder).unwrap() > Duration::ZERO);
        fs::remove_dir(folder).unwrap();
    }
}
