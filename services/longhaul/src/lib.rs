//! The shipment suite in one process.
//!
//! It adds nothing to the four services, and runs the same code as their own binaries do. Start with
//! [`SERVICES`].

use host::Start;

/// What is hosted.
pub const SERVICES: [Start; 4] = [
    shipment_process::start,
    manifestation::start,
    collection_booking::start,
    carrier_stub::start,
];
