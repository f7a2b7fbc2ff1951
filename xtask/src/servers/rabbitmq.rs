//! RabbitMQ for the tests: each of them creates a virtual host of its own there, through the
//! management API.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::docker::Container;
use super::url::Url;
use super::{Kind, Own, Running, debian, probe, wait_for};
use crate::shell;

const VARIABLE: &str = "LONGHAUL_TEST_RABBITMQ_URL";
const API_VARIABLE: &str = "LONGHAUL_TEST_RABBITMQ_API_URL";
const HOST: &str = "127.0.0.1";
const PORT: u16 = 5672;
const API_PORT: u16 = 15672;
/// The user that a new server has, who may come in from the same machine only.
const GUEST: &str = "guest";
/// The system user of Debian's package.
const OWNER: &str = "rabbitmq";
/// Where Debian's package has the script itself. The one on the `PATH` changes user and folder.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// The kind of server.
pub(super) struct RabbitMq;

impl Kind for RabbitMq {
    const NAME: &'static str = "RabbitMQ";
    const ADVICE: &'static str = "\
Start one with its management API, for instance with `docker compose up rabbitmq`, and name it in the
environment, with a user who is an administrator:
  LONGHAUL_TEST_RABBITMQ_URL=amqp://longhaul:longhaul@127.0.0.1:5672
  LONGHAUL_TEST_RABBITMQ_API_URL=http://longhaul:longhaul@127.0.0.1:15672";

    fn named() -> Option<Result<Running>> {
        let text = std::env::var(VARIABLE).ok();
        let api_text = std::env::var(API_VARIABLE).ok();
        if text.is_none() && api_text.is_none() {
            return None;
        }
        Some(check_named(text, api_text))
    }

    fn local() -> Result<Running> {
        probe::amqp(HOST, PORT)?;
        let mut origin = format!("using the one that runs at {HOST}:{PORT}");
        if let Err(silent) = probe::accepts(HOST, API_PORT) {
            enable_management().with_context(|| {
                format!(
                    "the one that runs at {HOST}:{PORT} has no management API ({silent}): \
                     `rabbitmq-plugins enable rabbitmq_management`"
                )
            })?;
            wait_for(|| probe::accepts(HOST, API_PORT))?;
            origin += ", in which the plugin rabbitmq_management was enabled";
        }
        api_lets_in(HOST, API_PORT, GUEST, GUEST)
            .with_context(|| format!("to use it, set {VARIABLE} and {API_VARIABLE}"))?;
        Ok(running(origin, PORT, API_PORT, GUEST, None))
    }

    fn docker() -> Result<Running> {
        let image = "rabbitmq:4-management";
        // The guest may not come in through Docker's network.
        let user = "longhaul";
        let variables = [
            "RABBITMQ_DEFAULT_USER=longhaul",
            "RABBITMQ_DEFAULT_PASS=longhaul",
        ];
        let container = Container::start("rabbitmq", image, &[PORT, API_PORT], &variables, &[])?;
        let (port, api_port) = (container.port(PORT)?, container.port(API_PORT)?);
        wait_for(|| answers(port, api_port, user))?;
        let origin = format!("started {image} with Docker on port {port}");
        let own = Some(container.into_own());
        Ok(running(origin, port, api_port, user, own))
    }

    fn debian() -> Result<Running> {
        debian::is_ours()?;
        let script = Path::new(SCRIPT);
        debian::installed("rabbitmq-server", || script.is_file().then_some(()))?;
        start()
    }
}

/// One on this machine, whose user has its own name as password.
fn running(origin: String, port: u16, api_port: u16, user: &str, own: Option<Own>) -> Running {
    let url = format!("amqp://{user}:{user}@{HOST}:{port}");
    let api_url = format!("http://{user}:{user}@{HOST}:{api_port}");
    Running {
        name: RabbitMq::NAME,
        origin,
        variables: vec![(VARIABLE, url), (API_VARIABLE, api_url)],
        own,
    }
}

/// Checks the server that the environment names.
fn check_named(text: Option<String>, api_text: Option<String>) -> Result<Running> {
    let (Some(text), Some(api_text)) = (text, api_text) else {
        bail!("{VARIABLE} and {API_VARIABLE} must both be set");
    };
    let url = Url::parse(&text, &[("amqp", PORT), ("amqps", 5671)])
        .with_context(|| format!("{VARIABLE} cannot be read"))?;
    let api = Url::parse(&api_text, &[("http", 80), ("https", 443)])
        .with_context(|| format!("{API_VARIABLE} cannot be read"))?;
    if url.scheme == "amqp" {
        probe::amqp(&url.host, url.port)?;
    } else {
        probe::accepts(&url.host, url.port)?;
    }
    if api.scheme == "http" {
        let user = api.user.as_deref().unwrap_or(GUEST);
        let password = api.password.as_deref().unwrap_or(GUEST);
        api_lets_in(&api.host, api.port, user, password)?;
    } else {
        probe::accepts(&api.host, api.port)?;
    }
    Ok(Running {
        name: RabbitMq::NAME,
        origin: format!("using the one that {VARIABLE} names, at {}", url.address()),
        variables: vec![(VARIABLE, text), (API_VARIABLE, api_text)],
        own: None,
    })
}

/// Checks that the management API answers, and lets this user in.
fn api_lets_in(host: &str, port: u16, user: &str, password: &str) -> Result<()> {
    match probe::http_status(host, port, "/api/overview", user, password)? {
        200 => Ok(()),
        401 => bail!("the management API at {host}:{port} refuses the user {user}"),
        status => bail!("the management API at {host}:{port} answers with status {status}"),
    }
}

fn answers(port: u16, api_port: u16, user: &str) -> Result<()> {
    probe::amqp(HOST, port)?;
    api_lets_in(HOST, api_port, user, user)
}

fn enable_management() -> Result<()> {
    let program = shell::on_path("rabbitmq-plugins").context("rabbitmq-plugins is not here")?;
    ensure!(shell::is_root(), "only root can enable it");
    shell::output(Command::new(program).args(["enable", "rabbitmq_management"])).map(drop)
}

/// Starts a node of our own. Debian's system node, if there is one, is left alone: this one has its
/// own name, folders and ports, and even its own port mapper.
fn start() -> Result<Running> {
    let folder = debian::folder_of(OWNER)?;
    let [port, api_port, dist_port, mapper_port] = [(); 4].map(|()| probe::free_port());
    let (port, api_port) = (port?, api_port?);
    let (dist_port, mapper_port) = (dist_port?.to_string(), mapper_port?.to_string());

    // The node and what it starts are a group of processes, whose number is known before there is a
    // node: it can be killed also while it is starting. They are gone when none is left but those whose
    // end nobody has asked for yet.
    let group = folder.join("group");
    let group = debian::quoted(group.as_os_str());
    let kill = format!(
        "group=$(cat {group}) && kill -KILL \"-$group\" || exit; \
         while grep -qs \") [^ZX] [0-9]* $group \" /proc/[0-9]*/stat; do sleep 0.1; done; \
         rm -f {group}"
    );
    let guard = debian::guard(
        &format!("({kill}); epmd -port {mapper_port} -kill"),
        &folder,
    )?;

    std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_management].\n")?;
    std::fs::write(
        folder.join("rabbitmq.conf"),
        format!(
            "listeners.tcp.test = {HOST}:{port}\n\
             management.tcp.ip = {HOST}\n\
             management.tcp.port = {api_port}\n"
        ),
    )?;
    let mut node = debian::run_as(OWNER, &folder, SCRIPT);
    node.env("HOME", &folder) // the cookie
        .env("ERL_EPMD_ADDRESS", HOST)
        .env("ERL_EPMD_PORT", &mapper_port)
        // `localhost` can always be resolved, the name of the machine not everywhere.
        .env("RABBITMQ_NODENAME", "longhaul-test@localhost")
        .env("RABBITMQ_DIST_PORT", &dist_port)
        // A file that is not there: the system's own would set the name of the system's node.
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env(
            "RABBITMQ_ADVANCED_CONFIG_FILE",
            folder.join("advanced.config"),
        )
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            folder.join("enabled_plugins"),
        )
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("logs"))
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
    // Not a pipe: the node would hold it open for as long as it lives.
    let log = folder.join("log");
    let start = format!(
        "setsid sh -c {} </dev/null >>{} 2>&1 &",
        debian::quoted(format!("echo $$ >{group}; {}", debian::as_text(&node)).as_ref()),
        debian::quoted(log.as_os_str()),
    );
    let mut begin = Command::new("sh");
    ensure!(
        shell::run(begin.args(["-c", &start]))?,
        "{}",
        debian::log(&log)
    );
    wait_for(|| answers(port, api_port, GUEST)).with_context(|| debian::log(&node_log(&folder)))?;
    let origin = format!("started one from Debian's package on port {port}");
    let own = Own {
        guard,
        kill,
        start,
        place: folder.display().to_string(),
    };
    Ok(running(origin, port, api_port, GUEST, Some(own)))
}

fn node_log(folder: &Path) -> PathBuf {
    folder.join("logs").join("longhaul-test@localhost.log")
}
