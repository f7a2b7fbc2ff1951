//! PostgreSQL for the tests: each of them creates a database of its own there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::docker::Container;
use super::probe::{self, Welcome};
use super::url::Url;
use super::{Kind, Own, Running, debian, wait_for};
use crate::shell;

const VARIABLE: &str = "LONGHAUL_TEST_POSTGRES_URL";
const HOST: &str = "127.0.0.1";
const PORT: u16 = 5432;
const USER: &str = "postgres";

/// Settings of a server that holds only test data. Its data must survive the death of its processes
/// and not that of the machine: nothing is waited for to reach the disk. Many tests run at once,
/// each with its own pool of connections.
const SETTINGS: [&str; 4] = [
    "-cfsync=off",
    "-cfull_page_writes=off",
    "-cmax_connections=500",
    "-ctimezone=UTC",
];

/// The kind of server.
pub(super) struct Postgres;

impl Kind for Postgres {
    const NAME: &'static str = "PostgreSQL";
    const ADVICE: &'static str = "\
Start one, for instance with `docker compose up postgres`, and name it in the environment, with a user
who may create databases:
  LONGHAUL_TEST_POSTGRES_URL=postgres://longhaul:longhaul@127.0.0.1:5432/longhaul";

    fn named() -> Option<Result<Running>> {
        let text = std::env::var(VARIABLE).ok()?;
        Some(check_named(&text).map(|origin| running(origin, text, None)))
    }

    fn local() -> Result<Running> {
        match probe::postgres(HOST, PORT, USER, USER)? {
            Welcome::Open => {
                let origin = format!("using the one that runs at {HOST}:{PORT}");
                Ok(running(origin, url(PORT), None))
            }
            Welcome::Password => bail!(
                "the one that runs at {HOST}:{PORT} asks for a password: to use it, set \
                 {VARIABLE}=postgres://user:password@{HOST}:{PORT}/postgres"
            ),
            Welcome::Refused(reason) => bail!(
                "the one that runs at {HOST}:{PORT} refuses the user {USER} ({reason}): to use \
                 it, set {VARIABLE}=postgres://user:password@{HOST}:{PORT}/database"
            ),
        }
    }

    fn docker() -> Result<Running> {
        let trust = ["POSTGRES_HOST_AUTH_METHOD=trust"];
        let image = "postgres:17";
        let container = Container::start("postgres", image, &[PORT], &trust, &SETTINGS)?;
        let port = container.port(PORT)?;
        wait_for(|| lets_in(port))?;
        let origin = format!("started {image} with Docker on port {port}");
        Ok(running(origin, url(port), Some(container.into_own())))
    }

    fn debian() -> Result<Running> {
        debian::is_ours()?;
        let programs = debian::installed("postgresql", newest_programs)?;
        start(&programs)
    }
}

fn running(origin: String, url: String, own: Option<Own>) -> Running {
    Running {
        name: Postgres::NAME,
        origin,
        variables: vec![(VARIABLE, url)],
        own,
    }
}

fn url(port: u16) -> String {
    format!("postgres://{USER}@{HOST}:{port}/postgres")
}

/// Checks the server that the environment names. Whether a password is right is left to the tests.
fn check_named(text: &str) -> Result<String> {
    let url = Url::parse(text, &[("postgres", PORT), ("postgresql", PORT)])
        .with_context(|| format!("{VARIABLE} cannot be read"))?;
    let address = url.address();
    let origin = format!("using the one that {VARIABLE} names, at {address}");
    if url.query.contains("sslmode=require") || url.query.contains("sslmode=verify") {
        if !probe::postgres_tls(&url.host, url.port)? {
            bail!("the one at {address} does not speak TLS, which {VARIABLE} asks for");
        }
        return Ok(origin);
    }
    let user = url.user.as_deref().unwrap_or(USER);
    let database = if url.path.is_empty() { user } else { &url.path };
    match probe::postgres(&url.host, url.port, user, database)? {
        Welcome::Open => Ok(origin),
        Welcome::Password if url.password.is_some() => Ok(origin),
        Welcome::Password => {
            bail!("the one at {address} asks {user} for a password: put it into {VARIABLE}")
        }
        Welcome::Refused(reason) => bail!("the one at {address} refuses the user {user}: {reason}"),
    }
}

fn lets_in(port: u16) -> Result<()> {
    match probe::postgres(HOST, port, USER, USER)? {
        Welcome::Open => Ok(()),
        Welcome::Password => bail!("it asks for a password"),
        Welcome::Refused(reason) => bail!("it refuses: {reason}"),
    }
}

/// Starts a cluster of our own. Debian's system cluster, if there is one, is left alone.
fn start(programs: &Path) -> Result<Running> {
    let folder = debian::folder_of(USER)?;
    let (data, log) = (folder.join("data"), folder.join("log"));
    let control = programs.join("pg_ctl");
    let mut kill = debian::run_as(USER, Path::new("/"), &control);
    kill.arg("stop").arg("--pgdata").arg(&data);
    let kill = debian::as_text(kill.args(["--mode", "immediate"]));
    let guard = debian::guard(&kill, &folder)?;

    let mut initdb = debian::run_as(USER, &folder, programs.join("initdb"));
    initdb.arg("--pgdata").arg(&data);
    initdb.args(["--username", USER, "--auth", "trust"]);
    initdb.args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]);
    shell::output(&mut initdb)?;

    let port = probe::free_port()?;
    let settings = SETTINGS.join(" ");
    let socket = folder.display();
    let mut begin = debian::run_as(USER, &folder, &control);
    begin.arg("start").arg("--pgdata").arg(&data);
    begin.arg("--log").arg(&log);
    begin.arg("--options");
    begin.arg(format!("-h {HOST} -p {port} -k {socket} {settings}"));
    shell::output(&mut begin).with_context(|| debian::log(&log))?;
    wait_for(|| lets_in(port)).with_context(|| debian::log(&log))?;
    let origin = format!(
        "started one from Debian's package ({}) on port {port}",
        programs.display()
    );
    let own = Own {
        guard,
        kill,
        start: debian::as_text(&begin),
        place: folder.display().to_string(),
    };
    Ok(running(origin, url(port), Some(own)))
}

/// The folder of the server programs of the newest version that is installed. They are not on the
/// `PATH`: Debian installs several versions side by side.
fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        // A client package leaves this folder too, without the server.
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .max()
        .map(|(_, programs)| programs)
}
