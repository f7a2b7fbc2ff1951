//! Commands know who is asked.

use serde_json::value::RawValue;

use crate::{MessageSet, ServiceName, carrier, collection, manifestation};

/// A command that can be sent.
pub trait Command {
    /// The service that is asked.
    fn to(&self) -> ServiceName;

    /// The name of the command's type.
    fn type_name(&self) -> &'static str;

    /// The command as JSON, without its type.
    ///
    /// # Errors
    /// As [`MessageSet::encode`].
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error>;
}

/// Addresses every message of a set to one service.
macro_rules! addressed {
    ($($set:ty => $service:expr),+ $(,)?) => {
        $(impl Command for $set {
            fn to(&self) -> ServiceName {
                $service
            }

            fn type_name(&self) -> &'static str {
                MessageSet::type_name(self)
            }

            fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
                MessageSet::encode(self)
            }
        })+
    };
}

addressed! {
    manifestation::ManifestationCommand => manifestation::SERVICE,
    collection::CollectionCommand => collection::SERVICE,
    carrier::CarrierCommand => carrier::SERVICE,
}

/// The command of a service that sends none.
impl Command for std::convert::Infallible {
    fn to(&self) -> ServiceName {
        match *self {}
    }

    fn type_name(&self) -> &'static str {
        match *self {}
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match *self {}
    }
}
