//! What ends a server that was started here, however this program ends.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Runs a command when it is dropped, and also when this process dies by Ctrl-C or is killed.
///
/// A shell waits for the end of its input, which the kernel closes with this process, and then runs
/// the command. That needs no signal handler, and there is only one way in which servers end. What it
/// was told until then is in the command's environment as `KEEP`.
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    /// Prepares a command, to be run at the end. It runs also when the server never came up, and
    /// so must do no harm then.
    pub(super) fn new(at_the_end: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self> {
        // Ctrl-C in a terminal reaches every process of this program: not the one that cleans up.
        let shell = Command::new("sh")
            .args(["-c", "trap '' INT TERM HUP; KEEP=$(cat) exec \"$@\"", "sh"])
            .args(at_the_end)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { shell })
    }

    /// Tells the command to end what was started, and to keep what it has left: `KEEP` is then not
    /// empty.
    pub(super) fn keep(&mut self) {
        if let Some(input) = &mut self.shell.stdin {
            // A shell that is gone has ended what there was already.
            let _ = input.write_all(b"keep");
        }
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

    fn file(name: &str) -> std::path::PathBuf {
        let name = format!("longhaul-guard-{name}-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "").unwrap();
        file
    }

    #[test]
    fn the_command_runs_at_the_end_and_not_before() {
        let file = file("runs");
        let guard = Guard::new([OsStr::new("rm"), file.as_os_str()]).unwrap();
        assert!(file.exists());
        drop(guard);
        assert!(!file.exists());
    }

    #[test]
    fn the_command_hears_of_what_is_to_be_kept() {
        for (told, content) in [(false, "()"), (true, "(keep)")] {
            let file = file("keeps");
            let script: [&OsStr; 5] = [
                "sh".as_ref(),
                "-c".as_ref(),
                "printf '(%s)' \"$KEEP\" > \"$1\"".as_ref(),
                "sh".as_ref(),
                file.as_ref(),
            ];
            let mut guard = Guard::new(script).unwrap();
            if told {
                guard.keep();
            }
            drop(guard);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
            std::fs::remove_file(&file).unwrap();
        }
    }
}
