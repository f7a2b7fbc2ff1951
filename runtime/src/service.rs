//! The parts of a service, put together.

use std::sync::Arc;

use contracts::ServiceContract;
use event_store::{Checkpoints, EventStore, StreamKind};
use kernel::Registry;
use message_bus::MessageBus;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::followed::Followed;
use crate::indexes::IndexReader;
use crate::parked::ParkedInstances;
use crate::relay::Relay;
use crate::share::Share;
use crate::{Clock, Handler, Health, Inbox, Pressure, Runnable, Settings, consumer};

/// What a service runs on.
#[derive(Clone)]
pub struct Environment {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Where indexes over the log are kept: in the store itself, unless it is no place for them.
    pub indexes: Arc<dyn Checkpoints>,
    /// The bus.
    pub bus: Arc<dyn MessageBus>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Sizes and times.
    pub settings: Settings,
}

/// A service that runs: handler, consumer, indexes and relay.
///
/// It stops in the order in which work flows: nothing more comes in; what came in is handled; what was
/// decided is published.
pub struct Service {
    intake: JoinSet<()>,
    handling: JoinSet<()>,
    relay: JoinSet<()>,
    stop_intake: CancellationToken,
    stop_handling: CancellationToken,
    stop_relay: CancellationToken,
    abort: CancellationToken,
    name: contracts::ServiceName,
    kind: StreamKind,
    parked: ParkedInstances,
    followed: Followed,
    pressure: Pressure,
    health: Health,
}

impl Service {
    /// Starts a service on the current runtime; inputs from within are handed to the inbox, until the
    /// service is stopped.
    pub fn start<P: Runnable>(
        contract: &ServiceContract,
        registry: Arc<Registry<P>>,
        environment: &Environment,
    ) -> (Self, Inbox) {
        let Environment {
            store,
            indexes,
            bus,
            clock,
            settings,
        } = environment.clone();
        let name = contract.name.clone();
        let kind = StreamKind::new(contract.stream_kind);
        let mut service = Self {
            intake: JoinSet::new(),
            handling: JoinSet::new(),
            relay: JoinSet::new(),
            stop_intake: CancellationToken::new(),
            stop_handling: CancellationToken::new(),
            stop_relay: CancellationToken::new(),
            abort: CancellationToken::new(),
            name: name.clone(),
            kind: kind.clone(),
            parked: ParkedInstances::default(),
            followed: Followed::default(),
            pressure: Pressure {
                bus: bus.clone(),
                store: store.clone(),
                kind: kind.clone(),
                published: Followed::default(),
            },
            health: Health::default(),
        };
        let (inbox, waiting) = Inbox::new();
        let share = Share::new(store.partitions());
        let publisher = bus.publisher();
        let mut handler = Handler::new(
            name.clone(),
            kind.clone(),
            registry,
            store.clone(),
            clock.clone(),
            &settings,
            service.abort.clone(),
        );
        if publisher.is_some() {
            handler = handler.sharing(share.clone());
        }
        service.health = handler.health();
        let stop_handling = service.stop_handling.clone();
        service
            .handling
            .spawn(waiting.run(handler, settings.max_batch, stop_handling));
        let reader = IndexReader {
            service: name.clone(),
            kind: kind.clone(),
            store: store.clone(),
            checkpoints: indexes,
            clock,
            inbox: inbox.clone(),
            settings: settings.clone(),
            share: share.clone(),
            parked: service.parked.clone(),
            followed: service.followed.clone(),
        };
        service
            .intake
            .spawn(reader.run(service.stop_intake.clone()));
        service.intake.spawn(consumer::run(
            contract.clone(),
            bus.clone(),
            inbox.clone(),
            settings.max_batch,
            share.clone(),
            service.stop_intake.clone(),
        ));
        if let Some(publisher) = publisher {
            let relay = Relay {
                service: name,
                kind,
                store,
                publisher,
                settings,
                share,
                published: service.pressure.published.clone(),
            };
            service
                .relay
                .spawn(relay.run(service.stop_relay.clone(), service.abort.clone()));
        }
        (service, inbox)
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &contracts::ServiceName {
        &self.name
    }

    /// The kind of its streams.
    #[must_use]
    pub fn kind(&self) -> &StreamKind {
        &self.kind
    }

    /// Whether it gets on with what it takes in.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Its parked instances.
    #[must_use]
    pub fn parked(&self) -> ParkedInstances {
        self.parked.clone()
    }

    /// How far it has followed its log.
    #[must_use]
    pub fn followed(&self) -> Followed {
        self.followed.clone()
    }

    /// What waits behind it.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        self.pressure.clone()
    }

    /// Is cancelled when the service takes nothing more in: nobody should wait for what it will do.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop_intake.child_token()
    }

    /// Returns when a part of the service has ended, which none should before it is stopped.
    pub async fn part_ended(&mut self) {
        tokio::select! {
            Some(_) = self.intake.join_next() => {}
            Some(_) = self.handling.join_next() => {}
            Some(_) = self.relay.join_next() => {}
        }
    }

    /// Takes nothing more in. What waits in the inbox is still handled.
    pub fn stop_intake(&self) {
        self.stop_intake.cancel();
    }

    /// Stops, and returns once what was taken in is handled and published. Cancelling the
    /// [`aborter`](Self::aborter) gives up waiting for servers; what is left is done at the next start.
    pub async fn stop(mut self) {
        self.stop_intake.cancel();
        while self.intake.join_next().await.is_some() {}
        self.stop_handling.cancel();
        while self.handling.join_next().await.is_some() {}
        self.stop_relay.cancel();
        while self.relay.join_next().await.is_some() {}
    }

    /// What to cancel when there is no more time: the parts then no longer wait for servers.
    #[must_use]
    pub fn aborter(&self) -> CancellationToken {
        self.abort.clone()
    }
}
