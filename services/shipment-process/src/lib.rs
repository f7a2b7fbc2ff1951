//! Decides the next step of each shipment, and delegates it.
