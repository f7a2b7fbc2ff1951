//! HTTPS, and TLS to database and broker, as the settings say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use host::TokenHash;
use reqwest::{Certificate, Client, StatusCode, Url};
use serde_json::Value;
use system_tests::binaries::{
    PATIENCE, Process, TOKEN, command, eventually, free_port, port_setting, variable,
};
use test_servers::certificates::{Authority, Issued};
use test_servers::postgres::database;
use test_servers::rabbitmq::virtual_host;
use test_servers::tls::{Opening, TlsProxy};

/// A user who trusts this authority, and no other.
fn user(authority: &Authority) -> Client {
    let trusted = Certificate::from_pem(&fs::read(authority.certificate()).unwrap());
    let client = Client::builder().no_proxy().timeout(PATIENCE);
    client.tls_certs_only([trusted.unwrap()]).build().unwrap()
}

fn settings(issued: &Issued) -> [(&'static str, String); 2] {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    [
        ("http.tls.certificate", path(&issued.certificate)),
        ("http.tls.key", path(&issued.key)),
    ]
}

/// Starts a binary with this certificate, without waiting.
fn spawn(name: &str, issued: &Issued, more: &[(&str, &str)]) -> Process {
    let tls = settings(issued);
    let tls = tls.iter().map(|(key, path)| (*key, path.as_str()));
    let settings: Vec<_> = tls.chain(more.iter().copied()).collect();
    Process::spawn(name, &settings)
}

fn url(process: &Process, path: &str) -> String {
    format!("https://localhost:{}{path}", process.port())
}

async fn answers(user: &Client, process: &Process, path: &str, status: StatusCode) {
    let what = format!("{path} answers {status}");
    eventually(&what, PATIENCE, async || {
        let answer = user.get(url(process, path)).send().await.ok()?;
        (answer.status() == status).then_some(())
    })
    .await;
}

/// Has its own binary ask it for its health.
fn check_health(process: &Process, issued: &Issued) -> Output {
    let mut command = command(process.name());
    for (key, path) in settings(issued) {
        command.env(variable(key), path);
    }
    let port = variable(&port_setting(process.name()));
    let command = command.env(port, process.port().to_string());
    command.arg("--check-health").output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_trusts_the_certificate_is_served_by_https() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let more = [("event_store.adapter", "memory")];
    let mut longhaul = spawn("longhaul", &issued, &more);
    let user = user(&authority);
    answers(&user, &longhaul, "/health/ready", StatusCode::OK).await;
    let start = user.post(url(&longhaul, "/12EEQ9CS9K10")).send();
    assert_eq!(start.await.unwrap().status(), StatusCode::ACCEPTED);
    let log = longhaul.log();
    assert!(log.contains("listens on https://127.0.0.1:"), "{log}");

    let stranger = self::user(&Authority::new());
    let refused = stranger.get(url(&longhaul, "/health/live")).send().await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    let plain = user.get(longhaul.url("/health/live")).send().await;
    assert!(plain.is_err(), "nothing is said in the clear");

    let asked = check_health(&longhaul, &issued);
    assert!(asked.status.success(), "{asked:?}");
    // The user keeps a connection open, on which nothing is asked.
    let status = longhaul.terminate(PATIENCE).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(!longhaul.log().contains("given up"), "{}", longhaul.log());
    let asked = check_health(&longhaul, &issued);
    assert_eq!(asked.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_its_database_is_there_it_says_by_https_that_it_lives() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let nowhere = format!("postgres://postgres@127.0.0.1:{}/postgres", free_port());
    let more = [("event_store.postgres.url", &*nowhere)];
    let mut service = spawn("manifestation", &issued, &more);
    let user = user(&authority);
    answers(&user, &service, "/health/live", StatusCode::OK).await;
    let ready = user.get(url(&service, "/health/ready")).send().await;
    assert_eq!(ready.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let asked = check_health(&service, &issued);
    assert_eq!(asked.status.code(), Some(1));
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(said.contains("not ready: HTTP/1.0 503"), "{said}");
    let status = service.terminate(PATIENCE).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_speak_tls_is_cut_off() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let more = [
        ("event_store.adapter", "memory"),
        ("http.receive_timeout_ms", "300"),
    ];
    let longhaul = spawn("longhaul", &issued, &more);
    let user = user(&authority);
    answers(&user, &longhaul, "/health/live", StatusCode::OK).await;
    let mut silent = TcpStream::connect(("127.0.0.1", longhaul.port())).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_by_setting_and_path() {
    let authority = Authority::new();
    let (one, another) = (authority.issue(&["one"]), authority.issue(&["another"]));
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let text = folder.path().join("text.pem");
    fs::write(&text, "no certificate").unwrap();
    let (certificate, key) = ("http.tls.certificate", "http.tls.key");
    for (certificate_file, key_file, at_fault) in [
        (&missing, &one.key, (certificate, &missing)),
        (&text, &one.key, (certificate, &text)),
        (&one.certificate, &missing, (key, &missing)),
        (&one.certificate, &text, (key, &text)),
        (&one.certificate, &another.key, (key, &another.key)),
    ] {
        let output = command("longhaul")
            .env(variable(certificate), certificate_file)
            .env(variable(key), key_file)
            .env(variable("shipment_process.port"), "0")
            .env(variable("event_store.adapter"), "memory")
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(at_fault.0), "{said}");
        assert!(said.contains(at_fault.1.to_str().unwrap()), "{said}");
    }
    for (given, left_out) in [("certificate", "key"), ("key", "certificate")] {
        let given = variable(&format!("http.tls.{given}"));
        let output = command("longhaul").env(given, &one.key).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("http.tls.{left_out}")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_test_sends_its_token_and_trusts_whom_it_is_told_to() {
    let authority = Authority::new();
    let issued = authority.issue(&["localhost"]);
    let hash = TokenHash::of(TOKEN).to_hex();
    let more = [
        ("event_store.adapter", "memory"),
        ("carrier_stub.delay_ms", "0"),
        ("http.tokens.load.role", "operate"),
        ("http.tokens.load.sha256", &*hash),
    ];
    let longhaul = spawn("longhaul", &issued, &more);
    let user = user(&authority);
    answers(&user, &longhaul, "/health/ready", StatusCode::OK).await;
    let report = longhaul.folder().join("report.json");
    let run = |token: &[&str], variable: Option<&str>, trusted: Option<&Authority>| {
        let mut command = command("load_test");
        command
            .args(["--workers", "1", "--shipments", "2", "--delay-ms", "0"])
            .args(["--retries", "0", "--url"])
            .arg(url(&longhaul, ""))
            .arg("--json")
            .arg(&report)
            .args(token)
            .envs(variable.map(|token| ("LOAD_TEST_TOKEN", token)));
        if let Some(authority) = trusted {
            let trusted = authority.certificate();
            command.arg("--ca-certificate").arg(trusted);
        }
        let ran = command.output().unwrap();
        let report = fs::read_to_string(&report).unwrap();
        assert!(!report.contains(TOKEN), "{report}");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8(said).unwrap())
    };
    let trusted = Some(&authority);
    let (code, said) = run(&["--token", TOKEN], None, trusted);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&[], Some(TOKEN), trusted);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&[], None, trusted);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("status 401"), "{said}");
    let stranger = Authority::new();
    for nobody in [None, Some(&stranger)] {
        let (code, said) = run(&["--token", TOKEN], None, nobody);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cannot connect"), "{said}");
    }
}

/// The address of a server, and where it is reached by TLS.
async fn behind(server: &str, scheme: &str, opening: Opening, shown: &Issued) -> (TlsProxy, Url) {
    let mut url = Url::parse(server).unwrap();
    let host = url.host_str().unwrap().to_owned();
    let port = url.port().unwrap_or(5672);
    let proxy = TlsProxy::before((&host, port), opening, shown, None).await;
    url = Url::parse(&url.as_str().replacen(url.scheme(), scheme, 1)).unwrap();
    url.set_host(Some("localhost")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    (proxy, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_and_broker_are_reached_by_tls_with_what_the_platform_trusts() {
    let authority = Authority::new();
    let shown = authority.issue(&["localhost"]);
    let (database, host) = tokio::join!(database(), virtual_host());
    let (_postgres, mut postgres) =
        behind(&database.url(), "postgres", Opening::SslRequest, &shown).await;
    postgres.set_query(Some("sslmode=verify-full"));
    let (_broker, broker) = behind(host.url(), "amqps", Opening::Nothing, &shown).await;
    let settings = [
        ("event_store.postgres.url", postgres.as_str()),
        ("bus.rabbitmq.url", broker.as_str()),
    ];
    let trusted = authority.certificate().to_str().unwrap();
    // What the platform trusts, as OpenSSL and others have it named too.
    let environment = [("SSL_CERT_FILE", trusted)];
    let mut service = Process::spawn_within("shipment-process", &settings, &environment);
    service.ready().await;
    let start = Client::builder().no_proxy().build().unwrap();
    let start = start.post(service.url("/12EEQ9CS9K10")).bearer_auth(TOKEN);
    assert_eq!(start.send().await.unwrap().status(), StatusCode::ACCEPTED);
    service.terminate(PATIENCE).await;

    // Without it, nothing is trusted that could be anybody; and that is said.
    let service = Process::spawn("shipment-process", &settings);
    eventually("it says what is wrong", PATIENCE, async || {
        let log = service.log();
        log.contains("invalid peer certificate: UnknownIssuer")
            .then_some(())
    })
    .await;
    let ready = reqwest::get(service.url("/health/ready")).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem: Value = ready.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("event store"));
}
