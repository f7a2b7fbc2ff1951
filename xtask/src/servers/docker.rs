//! Servers from Docker.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::guard::Guard;
use super::{Own, probe};
use crate::shell;

/// A container that runs, until it is dropped.
pub(super) struct Container {
    name: String,
    guard: Guard,
}

impl Container {
    /// Starts one, with these ports of it on free ports of 127.0.0.1, which it has again when it is
    /// started again.
    ///
    /// `role` becomes part of its name; `arguments` follow the image.
    pub(super) fn start(
        role: &str,
        image: &str,
        ports: &[u16],
        variables: &[&str],
        arguments: &[&str],
    ) -> Result<Self> {
        ensure!(
            shell::succeeds(Command::new("docker").arg("info")),
            "no Docker engine answers (`docker info`)"
        );
        // Several of these may run at once, each with its own servers.
        let name = format!("longhaul-test-{role}-{}", std::process::id());
        let end = "if [ -n \"$KEEP\" ]; then docker stop \"$1\"; \
                   else docker rm --force --volumes \"$1\"; fi";
        let guard = Guard::new(["sh", "-c", end, "sh", &name])?;
        println!("{role}: starting {image} with Docker");
        let mut run = Command::new("docker");
        run.args(["run", "--detach", "--name", &name, "--hostname", role]);
        for port in ports {
            // Not one that Docker chooses: it chooses another one at each start.
            let outer = probe::free_port()?;
            run.args(["--publish", &format!("127.0.0.1:{outer}:{port}")]);
        }
        for variable in variables {
            run.args(["--env", variable]);
        }
        shell::output(run.arg(image).args(arguments))
            .with_context(|| format!("Docker does not start {image}"))?;
        Ok(Self { name, guard })
    }

    /// The port of 127.0.0.1 that leads to one of its ports.
    pub(super) fn port(&self, inner: u16) -> Result<u16> {
        let listed =
            shell::output(Command::new("docker").args(["port", &self.name, &inner.to_string()]))?;
        published_port(&listed)
    }

    /// What removes the container, and how to kill it and start it again, for when all is known of it.
    pub(super) fn into_own(self) -> Own {
        let Self { name, guard } = self;
        Own {
            guard,
            kill: format!("docker kill {name}"),
            start: format!("docker start {name}"),
            place: format!("container {name} (`docker logs {name}`)"),
        }
    }
}

/// Reads what `docker port` prints: an address a line.
fn published_port(listed: &str) -> Result<u16> {
    listed
        .lines()
        .next()
        .and_then(|line| line.trim().rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok())
        .with_context(|| format!("`docker port` names no port: {listed:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_port_is_read() {
        assert_eq!(published_port("127.0.0.1:49153").unwrap(), 49153);
        assert_eq!(
            published_port("0.0.0.0:49153\n[::]:49153\n").unwrap(),
            49153
        );
        assert!(published_port("").is_err());
    }
}
