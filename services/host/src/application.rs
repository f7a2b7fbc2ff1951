//! The life of a process that hosts services: build, run until stopped, drain.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use contracts::{ServiceName, shipment_suite};
use futures::future::{join_all, select_all};
use kernel::Registry;
use runtime::{Clock, Environment, Inbox, Runnable, Service};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

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

/// Services that were started in this process, and the address at which they listen.
pub struct Application {
    services: Vec<Service>,
    router: Router,
    listener: TcpListener,
    grace_period: Duration,
}

impl Application {
    /// Binds the address, opens the store and the bus, and starts the services.
    ///
    /// # Errors
    /// When the address is taken, or the store cannot be opened; a database server that is away is
    /// waited for.
    pub async fn build(
        settings: &Settings,
        port: u16,
        clock: Arc<dyn Clock>,
        start: &[Start],
    ) -> anyhow::Result<Self> {
        let address = SocketAddr::from((settings.http.host, port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let store = adapters::store(settings)
            .await
            .context("cannot open the event store")?;
        let bus = adapters::bus(settings, &store).context("cannot use the message bus")?;
        let environment = Environment {
            store: store.clone(),
            bus: bus.clone(),
            clock,
            settings: settings.runtime.clone(),
        };
        let mut services = Vec::new();
        let mut inboxes = BTreeMap::new();
        let mut routes = Router::new();
        for start in start {
            let hosted = start(settings, &environment)?;
            inboxes.insert(hosted.service.name().to_string(), hosted.inbox);
            routes = routes.merge(hosted.routes);
            services.push(hosted.service);
        }
        Ok(Self {
            services,
            router: http::router(routes, store, bus, inboxes, settings.http.body_limit_bytes),
            listener,
            grace_period: Duration::from_millis(settings.runtime.grace_period_ms),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Runs until `shutdown` comes, then finishes what was accepted, within the grace period.
    ///
    /// # Errors
    /// When a part ended by itself, or the grace period was too short.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            mut services,
            router,
            listener,
            grace_period,
        } = self;
        let stop_http = CancellationToken::new();
        let server = axum::serve(listener, router)
            .with_graceful_shutdown(stop_http.clone().cancelled_owned());
        let mut server = tokio::spawn(server.into_future());

        let ended_by_itself = tokio::select! {
            () = shutdown => None,
            service = a_part_of_any(&mut services) => Some(service),
            _ = &mut server => Some("http".to_owned()),
        };
        match &ended_by_itself {
            Some(part) => error!(part, "a part has ended by itself: stopping everything"),
            None => info!("stopping: finishing what was accepted"),
        }

        // Requests that were accepted are answered first: they hold the inboxes open.
        stop_http.cancel();
        services.iter().for_each(Service::stop_intake);
        let answered = server.is_finished() || timeout(grace_period, &mut server).await.is_ok();
        if !answered {
            warn!("requests were still open at the end of the grace period");
            server.abort();
        }
        let aborters: Vec<_> = services.iter().map(Service::aborter).collect();
        let mut stopping = Box::pin(join_all(services.into_iter().map(Service::stop)));
        let finished = timeout(grace_period, &mut stopping).await.is_ok();
        if !finished {
            warn!("not everything was finished in time: the rest is done at the next start");
            aborters.iter().for_each(CancellationToken::cancel);
            let _ = timeout(Duration::from_secs(1), stopping).await;
        }
        if let Some(part) = ended_by_itself {
            bail!("a part of {part} has ended by itself");
        }
        if !(answered && finished) {
            bail!("the grace period of {grace_period:?} was too short");
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
