//! The life of a process that hosts services: build, run until stopped, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use contracts::{ServiceName, shipment_suite};
use futures::future::{join_all, select_all};
use kernel::Registry;
use runtime::{Clock, Environment, Inbox, Runnable, Service};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::access::Access;
use crate::directory::Directory;
use crate::server::{self, Serving};
use crate::{Settings, adapters, http};

/// A service that was started, with its routes.
pub struct Hosted {
    /// The service.
    pub service: Service,
    /// Where inputs from within are handed in.
    pub inbox: Inbox,
    /// What it answers over HTTP, beside what every service does.
    pub routes: Router,
}

impl Hosted {
    /// Starts the service of this name with its processes; it has no routes of its own.
    ///
    /// # Errors
    /// When the suite has no service of this name.
    pub fn start<P: Runnable>(
        name: &ServiceName,
        registry: Arc<Registry<P>>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let suite = shipment_suite();
        let contract = suite
            .service(name)
            .with_context(|| format!("the suite has no service {name}"))?;
        let (service, inbox) = Service::start(contract, registry, environment);
        Ok(Self {
            service,
            inbox,
            routes: Router::new(),
        })
    }
}

/// Starts a service; each service's library has one.
pub type Start = fn(&Settings, &Environment) -> anyhow::Result<Hosted>;

/// Services that were started in this process, and the server at whose address they listen.
pub struct Application {
    services: Vec<Service>,
    server: Serving,
    grace_period: Duration,
}

/// How long services may take to end once they no longer wait for anybody.
const LAST_MOMENT: Duration = Duration::from_secs(1);

impl Application {
    /// Binds the address and answers that the process lives, opens the store and the bus, and starts
    /// the services.
    ///
    /// # Errors
    /// When the address is taken, certificate and key cannot be used, or the store cannot be opened; a
    /// database server that is away is waited for.
    pub async fn build(
        settings: &Settings,
        port: u16,
        clock: Arc<dyn Clock>,
        start: &[Start],
    ) -> anyhow::Result<Self> {
        let gate = http::Gate::default();
        let server = server::serve(&settings.http, port, gate.router())?;
        let access = Access::of(settings);
        access.announce(server.address);

        let adapters::Stores {
            log: store,
            indexes,
        } = adapters::stores(settings).await?;
        let bus = adapters::bus(settings, &store).context("cannot use the message bus")?;
        let environment = Environment {
            store: store.clone(),
            indexes,
            bus: bus.clone(),
            clock,
            settings: settings.runtime.clone(),
        };
        let mut services = Vec::new();
        let patience = Duration::from_millis(settings.http.request_timeout_ms);
        let mut directory = Directory::new(store.clone(), patience);
        let mut routes = Router::new();
        for start in start {
            let hosted = start(settings, &environment)?;
            directory.add(&hosted.service, hosted.inbox);
            routes = routes.merge(hosted.routes);
            services.push(hosted.service);
        }
        gate.open(http::router(
            routes,
            store,
            bus,
            directory,
            &settings.http,
            access,
        ));
        let grace_period = Duration::from_millis(settings.runtime.grace_period_ms);
        Ok(Self {
            services,
            server,
            grace_period,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Runs until `shutdown` comes, then finishes what was accepted, within the grace period. What a
    /// server that is away keeps from being finished is stored, and done at the next start.
    ///
    /// # Errors
    /// When a part ended by itself, or does not end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            mut services,
            mut server,
            grace_period,
        } = self;
        let ended_by_itself = tokio::select! {
            () = shutdown => None,
            service = a_part_of_any(&mut services) => Some(service),
            _ = &mut server.task => Some("http".to_owned()),
        };
        match &ended_by_itself {
            Some(part) => error!(part, "a part has ended by itself: stopping everything"),
            None => info!("stopping: finishing what was accepted"),
        }

        let end = Instant::now() + grace_period;
        server.handle.graceful_shutdown(None);
        services.iter().for_each(Service::stop_intake);
        // Whoever has sent a request gets the answer, but half of the time is for what comes after.
        let answered = timeout(grace_period / 2, &mut server.task);
        if ended_by_itself.is_none() && answered.await.is_err() {
            warn!("requests that are still open are given up");
        }
        let aborters: Vec<_> = services.iter().map(Service::aborter).collect();
        let mut stopping = Box::pin(join_all(services.into_iter().map(Service::stop)));
        if timeout_at(end, &mut stopping).await.is_err() {
            warn!("not everything could be finished in time: the rest is done at the next start");
            aborters.iter().for_each(CancellationToken::cancel);
            if timeout(LAST_MOMENT, stopping).await.is_err() {
                bail!("a part does not end");
            }
        }
        if let Some(part) = ended_by_itself {
            bail!("a part of {part} has ended by itself");
        }
        info!("stopped");
        Ok(())
    }
}

/// The service of which a part has ended.
async fn a_part_of_any(services: &mut [Service]) -> String {
    let parts = services.iter_mut().map(|service| {
        Box::pin(async {
            service.part_ended().await;
            service.name().to_string()
        })
    });
    select_all(parts).await.0
}
