//! The whole program, over real servers, with so little that its figures say nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use system_tests::binaries;

/// Runs it to its end; it would end early if its input did.
fn run(command: &mut Command) -> Output {
    let piped = command.stdin(Stdio::piped());
    let mut running = piped
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = running.stdin.take();
    let output = running.wait_with_output().unwrap();
    drop(input);
    output
}

#[test]
fn the_floor_and_the_suite_are_measured_and_do_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("results.json");
    let mut bench = Command::new(binaries::path("bench"));
    bench.args(["--shipments", "20", "--stored", "30", "--json"]);
    bench.arg(&json);
    for scenario in ["floor", "throughput", "sqlite", "growth"] {
        bench.args(["--only", scenario]);
    }
    let output = run(&mut bench);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("| share of the floor "), "{text}");

    let results: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let scenarios = results["scenarios"].as_object().unwrap();
    let names: Vec<_> = scenarios.keys().map(String::as_str).collect();
    assert_eq!(names, ["floor", "growth", "sqlite", "throughput"]);
    for (name, outcome) in scenarios {
        let per_second = &outcome["figures"]["shipmentsPerSecond"];
        assert!(per_second.as_f64().unwrap() > 0.0, "{name}: {outcome}");
        assert_eq!(outcome["faults"], serde_json::json!([]), "{name}");
    }
    let note = results["scenarios"]["throughput"]["notes"][0].as_str();
    assert!(
        note.unwrap().starts_with("the floor does the same"),
        "{note:?}"
    );
    assert!(results["table"][0]["ofFloor"].as_f64().unwrap() > 0.0);
    let machine = &results["machine"];
    assert!(machine["fdatasyncMs"].as_f64().unwrap() > 0.0, "{machine}");
    assert!(
        machine["postgresql"].as_str().unwrap().contains("fsync"),
        "{machine}"
    );
}

#[test]
fn without_a_server_it_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Command::new(binaries::path("bench"));
    // What a run that failed leaves is left there.
    bench.env("TMPDIR", folder.path());
    bench.env(
        "LONGHAUL_TEST_POSTGRES_URL",
        "postgres://nobody@127.0.0.1:1/none",
    );
    let output = run(&mut bench);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no PostgreSQL"), "{said}");
}
