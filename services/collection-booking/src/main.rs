//! Schedules the collection of shipments, and books it with the carrier.

use std::process::ExitCode;

use host::{Base, Binary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::main(&Binary {
        name: "collection-booking",
        about: "Schedules the collection of shipments, and books it with the carrier.",
        base: Base::OneService,
        port: |settings| settings.collection_booking.port,
        services: &[collection_booking::start],
        subcommands: None,
    })
}
