//! The real handlers of the four services.

use std::sync::Arc;

use anyhow::Context;
use contracts::{ServiceContract, Topology, carrier, collection, manifestation, process};
use event_store::{EventStore, StreamKind};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use host::Settings;
use jiff::SignedDuration;
use kernel::Registry;
use runtime::{Clock, Failure, Handled, Handler, Input, Runnable};
use tokio_util::sync::CancellationToken;

/// What becomes of each input of a batch, and the worker, which can then take the next.
pub(crate) type Working = LocalBoxFuture<'static, (Box<dyn Worker>, Vec<Result<Handled, Failure>>)>;

/// A handler of whichever service.
pub(crate) trait Worker {
    /// Handles a batch.
    fn handle(self: Box<Self>, inputs: Vec<Input>) -> Working;
}

impl<P: Runnable> Worker for Handler<P> {
    fn handle(mut self: Box<Self>, inputs: Vec<Input>) -> Working {
        async move {
            let results = Handler::handle(&mut *self, inputs).await;
            (self as Box<dyn Worker>, results)
        }
        .boxed_local()
    }
}

/// Makes the handler of an instance, over its store and by its clock.
pub(crate) type Hire = Box<dyn Fn(Arc<dyn EventStore>, Arc<dyn Clock>) -> Box<dyn Worker>>;

/// A service: what it takes in, and how a handler of it is made.
pub(crate) struct Service {
    pub(crate) contract: ServiceContract,
    pub(crate) kind: StreamKind,
    pub(crate) hire: Hire,
}

/// The four, with the processes that they run in production.
pub(crate) fn services(topology: &Topology, settings: &Settings) -> anyhow::Result<Vec<Service>> {
    let process = &settings.shipment_process;
    let rebooking_window = SignedDuration::from_millis(process.rebooking_window_ms);
    let steps = shipment_process::steps(settings);
    Ok(vec![
        service(
            topology,
            &process::SERVICE,
            shipment_process::registry(steps, rebooking_window)?,
            settings,
        )?,
        service(
            topology,
            &manifestation::SERVICE,
            ::manifestation::registry(&settings.manifestation)?,
            settings,
        )?,
        service(
            topology,
            &collection::SERVICE,
            collection_booking::registry(&settings.collection_booking)?,
            settings,
        )?,
        service(
            topology,
            &carrier::SERVICE,
            carrier_stub::registry(&settings.carrier_stub)?,
            settings,
        )?,
    ])
}

fn service<P: Runnable>(
    topology: &Topology,
    name: &contracts::ServiceName,
    registry: Registry<P>,
    settings: &Settings,
) -> anyhow::Result<Service> {
    let contract = topology
        .service(name)
        .with_context(|| format!("there is no service {name}"))?
        .clone();
    let kind = StreamKind::new(contract.stream_kind);
    let (name, registry, settings) = (name.clone(), Arc::new(registry), settings.runtime.clone());
    let of = kind.clone();
    let hire: Hire = Box::new(move |store, clock| {
        Box::new(Handler::new(
            name.clone(),
            of.clone(),
            registry.clone(),
            store,
            clock,
            &settings,
            CancellationToken::new(),
        ))
    });
    Ok(Service {
        contract,
        kind,
        hire,
    })
}
