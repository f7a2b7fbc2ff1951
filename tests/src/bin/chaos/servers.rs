//! The servers, and how they are killed and started again.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lapin::{Connection as Broker, ConnectionProperties};
use sqlx::{Connection, PgConnection};
use system_tests::binaries::eventually;
use tokio::process::Command;
use tokio::time::timeout;

/// Seconds between two signs of life of a service, which is gone for the broker after two to three times as long.
const HEARTBEAT_S: u32 = 2;

/// How long a server may take to come back, on a machine that has much to do.
const COMING_BACK: Duration = Duration::from_secs(90);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A server that may be killed.
#[derive(Debug)]
pub(crate) struct Server {
    /// What people call it.
    pub(crate) name: &'static str,
    /// How the services reach it.
    pub(crate) url: String,
    kill: String,
    start: String,
    log: PathBuf,
}

impl Server {
    /// The database that the environment names.
    pub(crate) fn database(folder: &Path) -> Result<Self> {
        Self::new("PostgreSQL", "LONGHAUL_TEST_POSTGRES_URL", folder, |url| {
            url
        })
    }

    /// The broker that the environment names.
    pub(crate) fn broker(folder: &Path) -> Result<Self> {
        Self::new("RabbitMQ", "LONGHAUL_TEST_RABBITMQ_URL", folder, |url| {
            format!("{url}/%2f?heartbeat={HEARTBEAT_S}")
        })
    }

    fn new(
        name: &'static str,
        url: &'static str,
        folder: &Path,
        whole: impl FnOnce(String) -> String,
    ) -> Result<Self> {
        let read = |variable: String| {
            env::var(&variable).with_context(|| {
                format!("{variable} is not set: start this with `cargo xtask chaos`")
            })
        };
        let command = |what| read(format!("LONGHAUL_CHAOS_{}_{what}", name.to_uppercase()));
        Ok(Self {
            name,
            url: whole(read(url.to_owned())?),
            kill: command("KILL")?,
            start: command("START")?,
            log: folder.join(format!("{name}.commands.log")),
        })
    }

    /// Ends it at once.
    pub(crate) async fn kill(&self) -> Result<()> {
        self.shell(&self.kill).await?;
        let gone = !timeout(ANSWER, self.answers()).await.unwrap_or_default();
        ensure!(gone, "{} was killed, and still answers", self.name);
        Ok(())
    }

    /// Starts it again, and returns once it answers.
    pub(crate) async fn start(&self) -> Result<()> {
        self.shell(&self.start).await?;
        let what = format!("{} answers again", self.name);
        eventually(&what, COMING_BACK, async || {
            timeout(ANSWER, self.answers()).await.ok()?.then_some(())
        })
        .await;
        Ok(())
    }

    async fn answers(&self) -> bool {
        if self.url.starts_with("amqp") {
            let connected = Broker::connect(&self.url, ConnectionProperties::default()).await;
            match connected {
                Ok(connection) => connection.close(200, "".into()).await.is_ok(),
                Err(_) => false,
            }
        } else {
            match PgConnection::connect(&self.url).await {
                Ok(connection) => connection.close().await.is_ok(),
                Err(_) => false,
            }
        }
    }

    async fn shell(&self, line: &str) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let status = Command::new("sh")
            .args(["-c", line])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .await?;
        ensure!(
            status.success(),
            "{}: `{line}` failed ({status}); see {}",
            self.name,
            self.log.display()
        );
        Ok(())
    }
}
