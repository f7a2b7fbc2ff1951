//! Who hears what: the routes between services, known before any of them starts.
//!
//! Because every service can declare every route, a message is kept for a service that has not
//! started yet, and a publisher knows that somebody holds what it sent.

use crate::{Envelope, Kind, ServiceName, carrier, collection, manifestation, process};

/// What one service takes in, and which streams it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceContract {
    /// Its name.
    pub name: ServiceName,
    /// The kind of its streams: `Process` for `{instance}-Process`.
    pub stream_kind: &'static str,
    /// The services that send it commands.
    pub commands_from: Vec<ServiceName>,
    /// The events it hears: the service that tells them, and their type.
    pub hears: Vec<(ServiceName, &'static str)>,
}

impl ServiceContract {
    /// Whether the service takes in this message.
    #[must_use]
    pub fn receives(&self, message: &Envelope) -> bool {
        match &message.kind {
            Kind::Command { to } => *to == self.name,
            Kind::Event => self
                .hears
                .iter()
                .any(|(source, name)| *source == message.source && *name == message.type_name),
        }
    }

    /// The services that it takes anything from.
    pub fn sources(&self) -> impl Iterator<Item = &ServiceName> {
        let mut all: Vec<_> = self
            .commands_from
            .iter()
            .chain(self.hears.iter().map(|(source, _)| source))
            .collect();
        all.sort();
        all.dedup();
        all.into_iter()
    }
}

/// All services of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// One each.
    pub services: Vec<ServiceContract>,
}

impl Topology {
    /// The contract of a service, when there is such a service.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceContract> {
        self.services.iter().find(|service| service.name == *name)
    }

    /// The services that receive a message.
    pub fn receivers(&self, message: &Envelope) -> impl Iterator<Item = &ServiceContract> {
        self.services
            .iter()
            .filter(move |service| service.receives(message))
    }
}

/// The shipment suite.
#[must_use]
pub fn shipment_suite() -> Topology {
    let from = |source: ServiceName, names: &[&'static str]| {
        names
            .iter()
            .map(|name| (source.clone(), *name))
            .collect::<Vec<_>>()
    };
    Topology {
        services: vec![
            ServiceContract {
                name: process::SERVICE,
                stream_kind: process::STREAM_KIND,
                commands_from: vec![],
                hears: [
                    from(manifestation::SERVICE, manifestation::OUTCOMES),
                    from(collection::SERVICE, collection::OUTCOMES),
                ]
                .concat(),
            },
            ServiceContract {
                name: manifestation::SERVICE,
                stream_kind: manifestation::STREAM_KIND,
                commands_from: vec![process::SERVICE],
                hears: from(carrier::SERVICE, carrier::MANIFESTATION_ANSWERS),
            },
            ServiceContract {
                name: collection::SERVICE,
                stream_kind: collection::STREAM_KIND,
                commands_from: vec![process::SERVICE],
                hears: from(carrier::SERVICE, carrier::BOOKING_ANSWERS),
            },
            ServiceContract {
                name: carrier::SERVICE,
                stream_kind: carrier::STREAM_KIND,
                commands_from: vec![manifestation::SERVICE, collection::SERVICE],
                hears: vec![],
            },
        ],
    }
}
