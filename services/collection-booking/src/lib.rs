//! Schedules the collection of a shipment, and books it with the carrier.
