//! What the README tells a user to type, typed.
//!
//! Its `curl` lines go to a running `longhaul` (read by a shell, sent by this test, so that no curl is
//! needed), its SQL to that one's file; its cargo and docker commands are held against what there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use host::TokenHash;
use reqwest::Method;
use system_tests::binaries::{PATIENCE, Process, eventually};
use system_tests::examples::{IDS, expected_stream, final_status};

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
}

/// The lines of the code blocks of a language.
fn lines(language: &str) -> Vec<String> {
    let readme = readme();
    let opening = format!("```{language}");
    let mut inside = false;
    let mut found = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == opening;
        } else if inside && !line.trim().is_empty() {
            found.push(line.to_owned());
        }
    }
    found
}

/// The arguments of a command as a shell reads them.
fn arguments(line: &str) -> Vec<String> {
    let script =
        format!("set_out() {{ for a in \"$@\"; do printf '%s\\0' \"$a\"; done; }}; set_out {line}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Does what curl would.
async fn curl(longhaul: &Process, line: &str) -> (u16, String) {
    let mut arguments = arguments(line).into_iter().skip(1);
    let (mut method, mut url, mut body, mut headers) = (Method::GET, None, None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-X" => method = arguments.next().unwrap().parse().unwrap(),
            "-H" => headers.push(arguments.next().unwrap()),
            "-d" => body = arguments.next(),
            _ => url = Some(argument),
        }
    }
    let url = url.unwrap();
    let path = url
        .strip_prefix("http://127.0.0.1:43210")
        .expect("the port of the API");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.request(method, longhaul.url(path));
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_requests_are_accepted_and_its_sql_finds_what_they_did() {
    let settings = [
        ("carrier_stub.delay_ms", "5"),
        ("carrier_stub.books_late_after_ms", "50"),
    ];
    let longhaul = Process::start("longhaul", &settings).await;
    let requests: Vec<_> = lines("sh")
        .into_iter()
        .filter(|l| l.starts_with("curl "))
        .collect();
    assert!(requests.len() >= 12, "{requests:?}");
    for line in &requests {
        let (status, body) = curl(&longhaul, line).await;
        assert!((200..300).contains(&status), "{line}: {status} {body}");
    }
    let own = "curl http://127.0.0.1:43210/MY_SHIPMENT";
    for line in [own, "curl http://127.0.0.1:43210/12EEQ9CS9K10"] {
        eventually("the shipment is completed", PATIENCE, async || {
            let (_, body) = curl(&longhaul, line).await;
            body.contains(r#""status":"completed""#).then_some(())
        })
        .await;
    }

    let file = longhaul.folder().join("data/longhaul.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .read_only(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    // Nothing that a user is told to type changes what the examples show.
    for id in IDS {
        eventually("the example has ended", PATIENCE, async || {
            let (_, body) = curl(&longhaul, &format!("curl http://127.0.0.1:43210/{id}")).await;
            body.contains(&format!(r#""status":"{}""#, final_status(id)))
                .then_some(())
        })
        .await;
        let query = "select event_type from mt_events where stream_id = $1 order by version";
        let found: Vec<(String,)> = sqlx::query_as(query)
            .bind(format!("{id}-Process"))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let found: Vec<_> = found.into_iter().map(|(name,)| name).collect();
        assert_eq!(found, expected_stream(id, "Process"), "{id}");
    }
    let queries = lines("sql");
    assert_eq!(queries.len(), 2, "{queries:?}");
    for query in queries {
        let rows = sqlx::query(&query)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(rows.len() >= 15, "{} rows: {query}", rows.len());
    }
}

#[test]
fn its_commands_name_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compose = std::fs::read_to_string(root.join("docker-compose.yml")).unwrap();
    for line in lines("sh") {
        let words = arguments(&line);
        match words[0].as_str() {
            "cargo" if words[1] == "xtask" => {
                let help = Command::new(env!("CARGO"))
                    .args(["xtask", &words[2], "--help"])
                    .current_dir(&root)
                    .output()
                    .unwrap();
                assert!(help.status.success(), "{line}");
            }
            "cargo" => assert!(["run", "build"].contains(&words[1].as_str()), "{line}"),
            "docker" => {
                assert_eq!(words[1], "compose", "{line}");
                for service in words.iter().filter(|word| *word == "postgres") {
                    assert!(compose.contains(&format!("\n  {service}:")), "{line}");
                }
                if let Some(at) = words.iter().position(|word| word == "--profile") {
                    assert!(compose.contains(&words[at + 1]), "{line}");
                }
            }
            "export" => assert!(words[1].starts_with("LONGHAUL__"), "{line}"),
            "curl" => {}
            program => {
                let name = Path::new(program).file_name().unwrap().to_str().unwrap();
                let folder = root.join("services").join(name);
                assert!(folder.is_dir(), "{line}: there is no {name}");
            }
        }
    }
}

#[test]
fn the_token_of_the_demonstration_is_the_one_that_is_let_in() {
    let token = lines("sh")
        .iter()
        .find_map(|line| Some(line.split_once("Bearer ")?.1.split_once('\'')?.0.to_owned()))
        .expect("a request with a token");
    let hash = TokenHash::of(&token).to_hex();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compose = std::fs::read_to_string(root.join("docker-compose.yml")).unwrap();
    for text in [compose, readme()] {
        assert!(text.contains("TOKENS__DEMO__ROLE"));
        assert!(text.contains(&hash), "{hash} is not there");
    }
}

#[test]
fn its_links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "docs/adr/README.md",
        "docs/event-stores.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let links: Vec<_> = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
            .filter(|link| !link.starts_with("http"))
            .collect();
        for link in links {
            let file = link.split('#').next().unwrap();
            let target = root.join(document).parent().unwrap().join(file);
            assert!(target.exists(), "{document} links to {link}");
        }
    }
}
