//! The group of processes that the services belong to, which ends with this program, however it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// A shell that leads the group. It waits for the end of its input, which the kernel closes with this
/// program, and then kills the group: nobody who stands still or hangs is left behind, and no number
/// of a process that has ended is used. Ctrl-C in a terminal does not reach the group, but this.
#[derive(Debug)]
pub struct Group {
    shell: Child,
    folder: PathBuf,
}

/// What is needed to add to the group.
#[derive(Clone, Debug)]
pub struct GroupPlace {
    /// The number of the group.
    pub number: i32,
    /// For what its members log, and keep.
    pub folder: PathBuf,
}

impl Group {
    /// A new group of this program, and a folder for what its members log, which is removed at the end.
    ///
    /// # Errors
    /// When the folder cannot be made, or a shell not be run.
    pub fn begin(program: &str) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longhaul-{program}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let at_the_end = "keep=$(cat); [ -n \"$keep\" ] || rm -rf \"$1\"; kill -KILL 0";
        let shell = Command::new("sh")
            .args(["-c", at_the_end, "sh"])
            .arg(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { shell, folder })
    }

    /// Where members are added.
    ///
    /// # Panics
    /// Never: the number of a process is small enough.
    #[must_use]
    pub fn place(&self) -> GroupPlace {
        GroupPlace {
            number: i32::try_from(self.shell.id()).unwrap(),
            folder: self.folder.clone(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps the folder.
    pub fn keep(&mut self) {
        if let Some(input) = &mut self.shell.stdin {
            // If nobody hears it, nobody removes anything.
            let _ = input.write_all(b"keep");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing can be done here about an end that failed.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_end_with_the_group_and_the_folder_stays_only_if_it_is_kept() {
        for kept in [false, true] {
            let mut group = Group::begin("test").unwrap();
            let mut member = Command::new("sleep");
            let member = member.arg("1000").process_group(group.place().number);
            let mut member = member.spawn().unwrap();
            let mut stop = Command::new("kill");
            stop.args(["-STOP", &member.id().to_string()]);
            assert!(stop.status().unwrap().success());
            assert!(member.try_wait().unwrap().is_none());
            let folder = group.folder().to_owned();
            if kept {
                group.keep();
            }
            drop(group);
            assert_eq!(member.wait().unwrap().code(), None, "it was killed");
            assert_eq!(folder.exists(), kept);
            if kept {
                std::fs::remove_dir(folder).unwrap();
            }
        }
    }
}
