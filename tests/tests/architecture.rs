//! The arrows between the crates, held against what cargo says of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The groups of crates, and the groups that each may depend on.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("kernel", &[]),
    ("contracts", &[]),
    ("ports", &["contracts"]),
    ("adapters", &["ports", "contracts"]),
    ("runtime", &["kernel", "contracts", "ports"]),
    // Services share `host`, which names the adapters; the all-in-one hosts the others.
    (
        "services",
        &[
            "services",
            "runtime",
            "adapters",
            "ports",
            "kernel",
            "contracts",
        ],
    ),
    ("testkit", &["runtime", "kernel", "ports", "contracts"]),
    // It runs the suite as it is, over the adapter that keeps everything in memory.
    (
        "testkit/simulation",
        &[
            "testkit",
            "services",
            "runtime",
            "adapters",
            "ports",
            "kernel",
            "contracts",
        ],
    ),
    (
        "tests",
        &[
            "services",
            "testkit",
            "runtime",
            "adapters",
            "ports",
            "kernel",
            "contracts",
        ],
    ),
    // It starts services as the tests do.
    ("bench", &["tests", "testkit", "runtime", "contracts"]),
    ("load_test", &[]),
    ("xtask", &[]),
];

struct Crate {
    group: String,
    ours: BTreeSet<String>,
    others: BTreeSet<String>,
}

/// Every crate of the workspace with what it is built from; what only its tests need is left out.
fn crates() -> BTreeMap<String, Crate> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let root = metadata.workspace_root.clone();
    let names: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    let crates = metadata.packages.iter().map(|package| {
        let folder = package.manifest_path.strip_prefix(&root).unwrap();
        let of = |(group, _): &&(&str, &[&str])| folder.starts_with(group);
        let closest = ALLOWED
            .iter()
            .filter(of)
            .max_by_key(|(group, _)| group.len());
        let (group, _) = closest.unwrap_or_else(|| panic!("of {folder} nothing is said"));
        let group = (*group).to_owned();
        let built_from = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.clone());
        let (ours, others) = built_from.partition(|name| names.contains(name));
        (
            package.name.to_string(),
            Crate {
                group,
                ours,
                others,
            },
        )
    });
    crates.collect()
}

#[test]
fn every_arrow_points_towards_what_changes_least() {
    let crates = crates();
    assert!(crates.len() > 15, "cargo names {} crates", crates.len());
    for (name, package) in &crates {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(group, _)| *group == package.group)
            .unwrap();
        for other in &package.ours {
            let to = &crates[other].group;
            assert!(
                allowed.contains(&to.as_str()),
                "{name} ({}) depends on {other} ({to}): a new arrow is a decision, and is written \
                 down here",
                package.group
            );
        }
    }
}

#[test]
fn services_know_each_other_only_where_one_process_hosts_them_all() {
    let crates = crates();
    for (name, package) in &crates {
        if package.group == "services" && name != "longhaul" {
            let another = |o: &&String| crates[*o].group == "services" && *o != "host";
            assert_eq!(
                package.ours.iter().find(another),
                None,
                "{name} knows another service"
            );
        }
    }
}

#[test]
fn only_the_host_names_adapters() {
    let crates = crates();
    for (name, package) in &crates {
        let names_adapters = package
            .ours
            .iter()
            .any(|other| crates[other].group == "adapters");
        let may = name == "host" || ["tests", "testkit/simulation"].contains(&&*package.group);
        assert!(!names_adapters || may, "{name} names an adapter");
    }
}

#[test]
fn the_kernel_and_the_contracts_do_no_io() {
    let io = [
        "tokio", "sqlx", "lapin", "axum", "reqwest", "futures", "tracing", "config",
    ];
    let crates = crates();
    for name in ["kernel", "contracts"] {
        let found = io.iter().find(|io| crates[name].others.contains(**io));
        assert_eq!(found, None, "{name} is pure");
    }
}

#[test]
fn ports_and_runtime_do_not_know_technologies() {
    let technologies = ["sqlx", "lapin", "axum", "reqwest", "kurrentdb"];
    for (name, package) in crates() {
        if ["ports", "runtime"].contains(&package.group.as_str()) {
            let found = technologies.iter().find(|t| package.others.contains(**t));
            assert_eq!(found, None, "{name} speaks of what can be done, not of how");
        }
    }
}

#[test]
fn the_kernel_and_the_runtime_have_no_word_about_shipments() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut pending: Vec<_> = ["kernel", "runtime"]
        .iter()
        .map(|f| std::path::Path::new(root).join(f))
        .collect();
    let mut read = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for word in ["shipment", "carrier", "manifest", "parcel"] {
                assert!(!text.contains(word), "{} speaks of {word}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 15, "{read} files were read");
}
