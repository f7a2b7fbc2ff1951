//! The names under which the readers of a log keep their places. They are stored.

use contracts::ServiceName;

use crate::StreamKind;

/// The one that publishes what a service says to others.
#[must_use]
pub fn relay(service: &ServiceName) -> String {
    format!("relay/{service}")
}

/// The one that feeds the indexes of a service.
#[must_use]
pub fn indexes(service: &ServiceName) -> String {
    format!("indexes/{service}")
}

/// The one that takes in for a service what is in the log of others, where no broker stands between.
#[must_use]
pub fn receiver(service: &ServiceName, kind: &StreamKind) -> String {
    format!("bus/{service}/{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changing a name makes its reader begin anew.
    #[test]
    fn stored_names_are_frozen() {
        let service = ServiceName::new("carrier-stub");
        assert_eq!(relay(&service), "relay/carrier-stub");
        assert_eq!(indexes(&service), "indexes/carrier-stub");
        let kind = StreamKind::new("Shipment");
        assert_eq!(receiver(&service, &kind), "bus/carrier-stub/Shipment");
    }
}
