//! TLS between the bus and its broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::error::Error as _;
use std::fs;
use std::path::Path;

use lapin::uri::{AMQPScheme, AMQPUri};
use message_bus::Error;
use message_bus::contract::{WORKER, command};
use message_bus_rabbitmq::{RabbitMqBus, Settings};
use support::{bus_with, ids, partitions, publish_until_confirmed, receive, settings};
use test_servers::certificates::{Authority, Issued};
use test_servers::rabbitmq::{VirtualHost, virtual_host};
use test_servers::tls::{Opening, TlsProxy};

/// The broker, behind one that speaks TLS.
struct Behind {
    host: VirtualHost,
    proxy: TlsProxy,
}

async fn behind(shown: &Issued, guests: Option<&Authority>) -> Behind {
    let host = virtual_host().await;
    let uri: AMQPUri = host.url().parse().unwrap();
    let server = (&*uri.authority.host, uri.authority.port);
    let proxy = TlsProxy::before(server, Opening::Nothing, shown, guests).await;
    Behind { host, proxy }
}

impl Behind {
    /// Settings that lead there, trusting this authority.
    fn settings(&self, authority: Option<&Path>) -> Settings {
        let mut uri: AMQPUri = self.host.url().parse().unwrap();
        uri.scheme = AMQPScheme::AMQPS;
        uri.authority.host = "localhost".to_owned();
        uri.authority.port = self.proxy.port();
        Settings {
            ca_certificate: authority.map(Path::to_owned),
            ..settings(&uri.to_string())
        }
    }
}

/// The whole of an error.
fn said(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

/// Why it cannot be used for now.
async fn why_not(settings: &Settings) -> String {
    let error = bus_with(settings).ping().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    said(&error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_whose_authority_is_trusted_is_used() {
    let authority = Authority::new();
    let broker = behind(&authority.issue(&["localhost"]), None).await;
    let bus = bus_with(&broker.settings(Some(authority.certificate())));
    let sent = command("A", 1);
    publish_until_confirmed(&*bus, std::slice::from_ref(&sent)).await;
    let mut worker = bus.subscribe(&WORKER).await.unwrap();
    assert_eq!(ids(&receive(&mut *worker, 10).await), [sent.id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_an_unknown_authority_is_not_used() {
    let broker = behind(&Authority::new().issue(&["localhost"]), None).await;
    let another = Authority::new();
    for authority in [Some(another.certificate()), None] {
        let why = why_not(&broker.settings(authority)).await;
        assert!(why.contains("UnknownIssuer"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_with_the_certificate_of_another_name_is_not_used() {
    let authority = Authority::new();
    let broker = behind(&authority.issue(&["another.example"]), None).await;
    let why = why_not(&broker.settings(Some(authority.certificate()))).await;
    assert!(why.contains("not valid for name"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_asks_for_a_certificate_is_shown_one() {
    let authority = Authority::new();
    let broker = behind(&authority.issue(&["localhost"]), Some(&authority)).await;
    let mut settings = broker.settings(Some(authority.certificate()));
    why_not(&settings).await;
    let own = authority.issue(&["longhaul"]);
    settings.client_certificate = Some(own.certificate);
    settings.client_key = Some(own.key);
    bus_with(&settings).ping().await.unwrap();
}

#[test]
fn files_that_are_of_no_use_are_refused_by_setting_and_path() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = authority.issue(&["longhaul"]);
    let (missing, text) = (
        folder.path().join("missing.pem"),
        folder.path().join("text"),
    );
    fs::write(&text, "no certificate").unwrap();
    let refused = |url: &str, ca: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>| {
        let settings = Settings {
            ca_certificate: ca.map(Path::to_owned),
            client_certificate: certificate.map(Path::to_owned),
            client_key: key.map(Path::to_owned),
            ..settings(url)
        };
        let topology = message_bus::contract::topology();
        let error = RabbitMqBus::new(&settings, topology, partitions()).unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        said(&error)
    };
    let tls = "amqps://localhost";
    let shown: Option<&Path> = Some(&good.certificate);
    for file in [&*missing, &text] {
        for (said, key) in [
            (refused(tls, Some(file), None, None), "ca_certificate"),
            (
                refused(tls, None, Some(file), Some(&good.key)),
                "client_certificate",
            ),
            (refused(tls, None, shown, Some(file)), "client_key"),
        ] {
            assert!(said.contains(&format!("bus.rabbitmq.{key}")), "{said}");
            assert!(said.contains(file.to_str().unwrap()), "{said}");
        }
    }
    let half = refused(tls, None, shown, None);
    assert!(half.contains("need each other"), "{half}");
    let plain = refused("amqp://localhost", shown, None, None);
    assert!(plain.contains("amqps://"), "{plain}");
}
