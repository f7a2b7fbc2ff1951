//! What the binaries answer to their command line and settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use system_tests::binaries::{
    Process, SERVICES, command, eventually, free_port, port_setting, variable,
};

/// The binaries that have settings.
const HOSTS: [&str; 5] = [
    "longhaul",
    "shipment-process",
    "manifestation",
    "collection-booking",
    "carrier-stub",
];

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs it in a folder of its own, where it must end by itself; what it says of its failure.
fn refusal(command: &mut Command) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = run(command.current_dir(folder.path()));
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn assert_names(said: &str, names: &[&str]) {
    for name in names {
        assert!(said.contains(name), "{name:?} is not in: {said}");
    }
}

#[test]
fn each_binary_explains_itself_and_tells_its_version() {
    for name in HOSTS.into_iter().chain(["load_test"]) {
        let help = run(command(name).arg("--help"));
        assert!(help.status.success(), "{name}");
        let said = text(&help.stdout);
        assert_names(&said, &["Usage:", name, "--help", "--version"]);
        let version = run(command(name).arg("--version"));
        assert!(version.status.success(), "{name}");
        let expected = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(text(&version.stdout), expected);
    }
    for name in HOSTS {
        let said = text(&run(command(name).arg("--help")).stdout);
        assert_names(&said, &["--config <FILE>", "--check-health", "LONGHAUL__"]);
        let package = format!(
            "{}/../services/{name}/src/main.rs",
            env!("CARGO_MANIFEST_DIR")
        );
        let about = said.lines().next().unwrap();
        assert_names(&fs::read_to_string(package).unwrap(), &[about]);
    }
}

#[test]
fn an_unknown_option_is_refused_by_name() {
    for name in HOSTS.into_iter().chain(["load_test"]) {
        let said = refusal(command(name).arg("--colour"));
        assert_names(&said, &["--colour", "--help"]);
    }
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "[event_store\nkind = ").unwrap();
    for name in HOSTS {
        let missing = folder.path().join("missing.toml");
        let said = refusal(command(name).arg("--config").arg(&missing));
        assert_names(&said, &[name, missing.to_str().unwrap()]);
        let said = refusal(command(name).arg("--config").arg(&broken));
        assert_names(&said, &[name, "broken.toml"]);
    }
}

#[test]
fn unknown_keys_are_refused_by_name_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longhaul.toml");
    fs::write(&file, "[event_store]\nkindd = \"sqlite\"\n").unwrap();
    for name in HOSTS {
        let said = refusal(command(name).arg("--config").arg(&file));
        assert_names(&said, &[name, "kindd"]);
        let said = refusal(command(name).env("LONGHAUL__STORAGE__KIND", "sqlite"));
        assert_names(&said, &[name, "storage"]);
        let said = refusal(command(name).env("LONGHAUL__CARRIER_STUB__DELAY", "1"));
        assert_names(&said, &[name, "delay"]);
        // One underscore too few would else be ignored without a word.
        let said = refusal(command(name).env("LONGHAUL_STORE_KIND", "sqlite"));
        assert_names(&said, &[name, "LONGHAUL_STORE_KIND", "LONGHAUL__"]);
    }
}

#[test]
fn values_that_do_not_fit_are_refused_by_their_key() {
    for name in HOSTS {
        for (setting, value) in [
            ("event_store.adapter", "oracle"),
            ("carrier_stub.delay_ms", "soon"),
            ("carrier_stub.delay_ms", "-1"),
            ("log.partitions", "0"),
            ("http.host", "here"),
            (&*port_setting(name), "70000"),
            ("telemetry.format", "xml"),
        ] {
            let said = refusal(command(name).env(variable(setting), value));
            assert_names(&said, &[name, setting]);
        }
    }
}

#[test]
fn a_choice_that_there_is_not_is_answered_with_those_that_there_are() {
    for (setting, choices) in [
        (
            "event_store.adapter",
            &["sqlite", "postgres", "eventstoredb", "memory"][..],
        ),
        ("projections.adapter", &["sqlite", "postgres"]),
        ("bus.adapter", &["embedded", "rabbitmq"]),
        ("telemetry.format", &["text", "json"]),
    ] {
        let said = refusal(command("longhaul").env(variable(setting), "other"));
        assert_names(&said, choices);
    }
}

#[test]
fn projections_that_cannot_be_opened_are_not_taken_for_the_event_store() {
    let double = tokio::runtime::Runtime::new().unwrap();
    let double = (
        double.block_on(eventstoredb_double::Double::start()),
        double,
    );
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    fs::write(&text, "no database".repeat(1_000)).unwrap();
    let path = text.to_str().unwrap();
    for (setting, value) in [
        ("projections.sqlite.path", path),
        ("projections.postgres.url", "http://h/d"),
    ] {
        let adapter = setting.split('.').nth(1).unwrap();
        let mut command = command("longhaul");
        command
            .env(variable("event_store.adapter"), "eventstoredb")
            .env(
                variable("event_store.eventstoredb.connection_string"),
                double.0.connection_string(),
            )
            .env(variable("shipment_process.port"), "0")
            .env(variable("projections.adapter"), adapter)
            .env(variable(setting), value);
        let said = refusal(&mut command);
        assert_names(&said, &["cannot open the projections", setting]);
        assert!(!said.contains("event store"), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for name in HOSTS {
        let port = address.port().to_string();
        let said = refusal(command(name).env(variable(&port_setting(name)), port));
        assert_names(
            &said,
            &[name, "cannot listen", &address.to_string(), "in use"],
        );
    }
}

#[test]
fn a_service_alone_refuses_what_joins_services_within_one_process_only() {
    for name in SERVICES {
        let said = refusal(command(name).env("LONGHAUL__BUS__ADAPTER", "embedded"));
        assert_names(&said, &[name, "bus.adapter", "longhaul", "rabbitmq"]);
        let said = refusal(command(name).env("LONGHAUL__EVENT_STORE__ADAPTER", "memory"));
        assert_names(
            &said,
            &[name, "event_store.adapter", "longhaul", "postgres"],
        );
    }
}

#[tokio::test]
async fn a_process_can_be_asked_for_its_health_by_its_own_binary() {
    let ask = |port: u16| {
        let setting = variable(&port_setting("longhaul"));
        let mut command = command("longhaul");
        run(command.arg("--check-health").env(setting, port.to_string()))
    };
    let nobody = free_port();
    let away = ask(nobody);
    assert_eq!(away.status.code(), Some(1));
    let said = text(&away.stderr);
    assert_names(&said, &["nothing answers", &nobody.to_string()]);

    let process = Process::start("longhaul", &[("event_store.adapter", "memory")]).await;
    let there = ask(process.port());
    assert_eq!(there.status.code(), Some(0), "{}", text(&there.stderr));
}

#[tokio::test]
async fn a_process_whose_database_is_away_waits_for_it_and_can_be_stopped() {
    let nowhere = format!("postgres://postgres@127.0.0.1:{}/postgres", free_port());
    let mut process = Process::spawn("manifestation", &[("event_store.postgres.url", &nowhere)]);
    let said = "the event store does not answer: trying again";
    eventually(said, Duration::from_secs(20), async || {
        process.log().contains(said).then_some(())
    })
    .await;
    let live = reqwest::get(process.url("/health/live")).await.unwrap();
    assert_eq!(live.status(), 200);
    for path in ["/health/ready", "/12EEQ9CS9K10"] {
        let answer = reqwest::get(process.url(path)).await.unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let status = process.terminate(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn a_request_that_is_never_sent_to_its_end_does_not_keep_a_process_from_stopping() {
    use std::io::Write;
    let settings = [
        ("event_store.adapter", "memory"),
        ("runtime.grace_period_ms", "1000"),
    ];
    let mut process = Process::start("longhaul", &settings).await;
    let mut half = std::net::TcpStream::connect(("127.0.0.1", process.port())).unwrap();
    half.write_all(b"POST /shipments HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();
    let live = reqwest::get(process.url("/health/live")).await.unwrap();
    assert_eq!(live.status(), 200);
    let status = process.terminate(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        process
            .log()
            .contains("requests that are still open are given up")
    );
}

#[test]
fn the_load_test_reads_its_options_from_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.toml");
    let nobody = free_port();
    let options = format!(
        "url = \"http://127.0.0.1:{nobody}\"\nworkers = 2\nshipments = 5\nretries = 0\nno_wait = true\n"
    );
    fs::write(&file, options).unwrap();
    let ran = run(command("load_test").arg("--config").arg(&file).args([
        "--shipments",
        "1",
        "--delay-ms",
        "0",
    ]));
    let said = text(&ran.stdout);
    assert_names(&said, &["2 workers x 1 shipments", &nobody.to_string()]);
    fs::write(&file, "wrokers = 2\n").unwrap();
    let ran = run(command("load_test").arg("--config").arg(&file));
    assert_eq!(ran.status.code(), Some(2));
    assert_names(&text(&ran.stderr), &["--wrokers"]);
}

#[tokio::test]
async fn in_an_empty_folder_the_suite_makes_its_file_and_answers() {
    let mut process = Process::start("longhaul", &[]).await;
    let file = process.folder().join("data/longhaul.db");
    assert!(Path::exists(&file));
    let answer = reqwest::get(process.url("/health/ready")).await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], "ready");
    let answer = reqwest::get(process.url("/12EEQ9CS9K10")).await.unwrap();
    assert_eq!(answer.status(), 404);
    let status = process.terminate(Duration::from_secs(12)).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(process.log().contains("listens on http://127.0.0.1:"));
}

#[tokio::test]
async fn a_file_and_the_environment_are_laid_over_what_is_compiled_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longhaul.toml");
    let port = free_port();
    let settings = format!(
        "[event_store.sqlite]\npath = \"elsewhere.db\"\n[shipment_process]\nport = {port}\n"
    );
    fs::write(&file, settings).unwrap();
    let mut process = Process::start("longhaul", &[("telemetry.format", "json")]).await;
    // The file's port is that of nobody: the environment has another.
    let asked = run(command("longhaul")
        .arg("--check-health")
        .arg("--config")
        .arg(&file));
    assert_eq!(asked.status.code(), Some(1));
    assert_names(&text(&asked.stderr), &[&port.to_string()]);
    let setting = variable(&port_setting("longhaul"));
    let asked = run(command("longhaul")
        .args(["--check-health", "--config"])
        .arg(&file)
        .env(setting, process.port().to_string()));
    assert_eq!(asked.status.code(), Some(0), "{}", text(&asked.stderr));
    process.terminate(Duration::from_secs(12)).await;
    for line in process.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
