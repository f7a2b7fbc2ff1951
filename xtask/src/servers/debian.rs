//! Servers from the packages of Debian and Ubuntu.
//!
//! Only the programs come from the packages: each server runs in a folder of its own, with its own
//! data and configuration on free ports, and no service manager is needed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::guard::Guard;
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

/// A command as a line for a shell, with its folder and the environment that it adds.
pub(super) fn as_text(command: &Command) -> String {
    let mut line = String::new();
    if let Some(folder) = command.get_current_dir() {
        line = format!("cd {} && ", quoted(folder.as_os_str()));
    }
    line += "env";
    for (name, value) in command.get_envs() {
        let value = value.map(OsStr::to_string_lossy).unwrap_or_default();
        let setting = format!("{}={value}", name.to_string_lossy());
        line += &format!(" {}", quoted(OsStr::new(&setting)));
    }
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        line += &format!(" {}", quoted(word));
    }
    line
}

/// A word as a shell reads it: whatever is in it.
pub(super) fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

/// Ends a server with this line for a shell, and removes its folder unless that is to be kept.
pub(super) fn guard(end: &str, folder: &Path) -> Result<Guard> {
    let script = format!("{end}; cd /; [ -n \"$KEEP\" ] || rm -rf \"$1\"");
    let words: [&OsStr; 5] = [
        "sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        "sh".as_ref(),
        folder.as_ref(),
    ];
    Guard::new(words)
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
    fn a_command_is_the_same_as_a_line_for_a_shell() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "printf '%s|' \"$PWD\" \"$SAID\" \"$@\"", "sh"])
            .args(["it's", "two words", "$HOME", ""])
            .env("SAID", "a \"b\" 'c'")
            .current_dir("/");
        let line = as_text(&command);
        let of_line = shell::output(Command::new("sh").args(["-c", &line])).unwrap();
        assert_eq!(of_line, "/|a \"b\" 'c'|it's|two words|$HOME||");
        assert_eq!(of_line, shell::output(&mut command).unwrap());
    }

    #[test]
    fn debian_and_what_is_made_from_it_are_recognised() {
        assert!(is_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(is_debian("ID=pop\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\n"));
        assert!(!is_debian(""));
    }
}
