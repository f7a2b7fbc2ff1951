//! Holds `Dockerfile` and `docker-compose.yml` against the workspace.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

use crate::shell;

/// Where the image has the binaries.
const BINARIES: &str = "/usr/local/bin/";

fn file(name: &str) -> String {
    std::fs::read_to_string(shell::root().join(name)).unwrap()
}

/// The binaries that the workspace builds for users.
fn binaries() -> BTreeSet<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(shell::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    metadata
        .workspace_packages()
        .iter()
        .filter(|package| !["xtask", "system-tests", "bench"].contains(&package.name.as_str()))
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin())
        .map(|target| target.name.clone())
        .collect()
}

/// The words that follow each occurrence of `before`, up to a character that no name of a file has.
fn words_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.match_indices(before)
        .map(|(at, _)| {
            let rest = &text[at + before.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn set(words: Vec<&str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_image_holds_every_binary_of_the_workspace_and_no_other() {
    let dockerfile = file("Dockerfile");
    assert_eq!(set(words_after(&dockerfile, "--bin ")), binaries());
    assert_eq!(set(words_after(&dockerfile, "target/release/")), binaries());
}

#[test]
fn every_binary_that_is_started_in_a_container_is_one_of_the_workspace() {
    for name in ["Dockerfile", "docker-compose.yml"] {
        let started = set(words_after(&file(name), BINARIES));
        assert!(!started.is_empty(), "{name} starts nothing");
        let unknown: Vec<_> = started.difference(&binaries()).cloned().collect();
        assert!(unknown.is_empty(), "{name} starts {unknown:?}");
    }
}

#[test]
fn a_service_is_asked_for_its_health_with_its_own_binary() {
    let compose = file("docker-compose.yml");
    let mut service = "";
    for line in compose.lines() {
        match line
            .strip_prefix("  ")
            .and_then(|key| key.strip_suffix(':'))
        {
            Some(key) if !key.starts_with(' ') => {
                // Of each service there is one for each store.
                service = key.strip_suffix("-eventstoredb").unwrap_or(key);
            }
            _ => {
                for binary in words_after(line, BINARIES) {
                    assert_eq!(binary, service, "in `{}`", line.trim());
                }
            }
        }
    }
}

#[test]
fn every_path_that_the_image_is_built_from_exists() {
    let dockerfile = file("Dockerfile");
    let copied = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|arguments| !arguments.contains("--from="))
        .flat_map(|arguments| {
            let mut paths: Vec<_> = arguments.split_whitespace().collect();
            paths.pop(); // where to
            paths
        });
    for path in copied {
        assert!(
            shell::root().join(path).exists(),
            "Dockerfile copies {path}"
        );
    }
    let ignored = file(".dockerignore");
    for path in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(
            shell::root().join(path).exists(),
            ".dockerignore lets {path} in"
        );
    }
}

#[test]
fn every_member_of_the_workspace_reaches_the_image() {
    let ignored = file(".dockerignore");
    let let_in: Vec<_> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let metadata = MetadataCommand::new()
        .manifest_path(shell::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    for package in metadata.workspace_packages() {
        let path = package.manifest_path.strip_prefix(shell::root()).unwrap();
        let top = path.components().next().unwrap().as_str();
        assert!(let_in.contains(&top), ".dockerignore keeps {top} out");
    }
}
