//! Servers from the packages of Debian and Ubuntu.
//!
//! Only the programs come from the packages: each server runs in a folder of its own, with its own
//! data and configuration on free ports, and no service manager is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// Refuses unless this is root on Debian or a distribution made from it.
pub(super) fn is_ours() -> Result<()> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(
        is_debian(&release),
        "this is not Debian: its packages cannot be installed"
    );
    ensure!(
        shell::is_root(),
        "only root can install Debian's packages, and start servers as their users"
    );
    Ok(())
}

/// Installs a package without what it merely recommends, unless `find` finds its programs already.
///
/// The package may start a server of its own, and fail at that: in a container, or because its port
/// is taken. Only the programs are needed, so such a failure counts only when they are missing.
pub(super) fn installed<T>(package: &str, find: impl Fn() -> Option<T>) -> Result<T> {
    if let Some(found) = find() {
        return Ok(found);
    }
    println!("installing {package} with apt-get");
    apt_get(&["update"])?;
    let install = apt_get(&["install", "--yes", "--no-install-recommends", package]);
    find().map_or_else(
        || install.and_then(|()| bail!("the package {package} brought no server")),
        Ok,
    )
}

/// Makes an empty folder that only this user may enter.
pub(super) fn folder_of(user: &str) -> Result<PathBuf> {
    // The servers' users must reach it, and the workspace may be in root's own folder.
    let name = format!("longhaul-test-{user}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    if folder.exists() {
        bail!("{} is in the way", folder.display());
    }
    let mut make = Command::new("install");
    make.args(["--directory", "--mode=700", "--owner", user]);
    shell::output(make.arg(&folder))?;
    Ok(folder)
}

/// A program, to be run as this user in this folder.
pub(super) fn run_as(user: &str, folder: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("runuser");
    command.args(["--user", user, "--"]).arg(program.as_ref());
    command.current_dir(folder);
    command
}

/// The text of a log, to explain a server that did not start.
pub(super) fn log(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(20)..];
    format!("the end of its log:\n{}", last.join("\n"))
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    shell::output(&mut command)
        .with_context(|| format!("apt-get {}", arguments.join(" ")))
        .map(drop)
}

fn is_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| *key == "ID" || *key == "ID_LIKE")
        .any(|(_, value)| {
            value
                .trim_matches(['"', '\''])
                .split(' ')
                .any(|id| id == "debian")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_what_is_made_from_it_are_recognised() {
        assert!(is_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(is_debian("ID=pop\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\n"));
        assert!(!is_debian(""));
    }
}
