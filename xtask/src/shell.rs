//! Running other programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The folder of the workspace: every command runs there, wherever it was called.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that started this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root());
    // What cargo has told this program of itself: build scripts that look at it would run again, and
    // with them half of the workspace, each time that cargo is called from here and then by hand.
    let of_this_package = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if of_this_package
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Whether cargo has this subcommand installed.
pub(crate) fn cargo_has(subcommand: &str) -> bool {
    succeeds(cargo().args([subcommand, "--version"]))
}

/// Runs a command with its output shown, and tells whether it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(status.success())
}

/// Builds a program of the workspace with the services, together as the tests do, so that what is built for
/// the one is there for the other; answers where the program is.
pub(crate) fn program(name: &str, release: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bins", "--exclude", "xtask"]);
    if release {
        build.arg("--release");
    }
    ensure!(run(&mut build)?, "the services cannot be built");
    // Beside this one: {target}/debug/xtask.
    let own = std::env::current_exe()?;
    let mut folder = own
        .parent()
        .context("this program is in no folder")?
        .to_owned();
    if release {
        folder.set_file_name("release");
    }
    Ok(folder.join(name))
}

/// Runs a command without showing its output, and tells whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a command writes to standard output, trimmed.
///
/// # Errors
///
/// When it cannot be run or fails: with what it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed ({}): {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where on the `PATH` a program is.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether this program runs as root.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}
