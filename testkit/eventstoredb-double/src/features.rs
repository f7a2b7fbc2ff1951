//! What this server says it can do.

use tonic::{Request, Response, Status};

use crate::core::Core;
use crate::wire::Empty;
use crate::wire::server_features::server_features_server::ServerFeatures;
use crate::wire::server_features::{SupportedMethod, SupportedMethods};
use std::sync::Arc;

/// The version whose behaviour this is.
const VERSION: &str = "23.10.0";

/// Names are in lower case. Appending in batches is not among them, because it is not done here.
const METHODS: [(&str, &[&str]); 4] = [
    ("read", &["position", "events"]),
    ("append", &[]),
    ("delete", &[]),
    ("tombstone", &[]),
];

#[derive(Debug)]
pub(crate) struct FeaturesService {
    pub(crate) core: Arc<Core>,
}

#[tonic::async_trait]
impl ServerFeatures for FeaturesService {
    async fn get_supported_methods(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<SupportedMethods>, Status> {
        self.core.faults.pass().await;
        let streams = METHODS.map(|(method, features)| {
            supported(method, "event_store.client.streams.streams", features)
        });
        let mut methods = Vec::from(streams);
        methods.push(supported(
            "getsupportedmethods",
            "event_store.client.server_features.serverfeatures",
            &[],
        ));
        Ok(Response::new(SupportedMethods {
            methods,
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}

fn supported(method: &str, service: &str, features: &[&str]) -> SupportedMethod {
    SupportedMethod {
        method_name: method.to_owned(),
        service_name: service.to_owned(),
        features: features.iter().map(|&feature| feature.to_owned()).collect(),
    }
}
