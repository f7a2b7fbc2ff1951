//! Decides the next step of each shipment, and delegates it; the HTTP API is here.

use std::process::ExitCode;

use host::{Base, Binary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::main(&Binary {
        name: "shipment-process",
        about: "Decides the next step of each shipment, and delegates it; the HTTP API is here.",
        base: Base::OneService,
        port: |settings| settings.shipment_process.port,
        services: &[shipment_process::start],
        subcommands: None,
    })
}
