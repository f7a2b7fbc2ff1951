//! What ends a server that was started here, however this program ends.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Runs a command when it is dropped, and also when this process dies by Ctrl-C or is killed.
///
/// A shell waits for the end of its input, which the kernel closes with this process, and then runs
/// the command. That needs no signal handler, and there is only one way in which servers end.
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    /// Prepares a command, to be run at the end. It runs also when the server never came up, and
    /// so must do no harm then.
    pub(super) fn new(at_the_end: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self> {
        // Ctrl-C in a terminal reaches every process of this program: not the one that cleans up.
        let shell = Command::new("sh")
            .args(["-c", "trap '' INT TERM HUP; cat; exec \"$@\"", "sh"])
            .args(at_the_end)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing can be done here about a clean-up that failed.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_runs_at_the_end_and_not_before() {
        let name = format!("longhaul-guard-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "").unwrap();
        let guard = Guard::new([OsStr::new("rm"), file.as_os_str()]).unwrap();
        assert!(file.exists());
        drop(guard);
        assert!(!file.exists());
    }
}
