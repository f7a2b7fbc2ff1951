//! All four services of the shipment suite in one process.

mod archive;
mod client;
mod commands;
mod operations;
mod token;

use std::process::ExitCode;

use host::{Base, Binary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::main(&Binary {
        name: "longhaul",
        about: "Runs the shipment suite: all four services in one process, on a store in a file.",
        base: Base::AllInOne,
        port: |settings| settings.shipment_process.port,
        services: &longhaul::SERVICES,
        subcommands: Some(commands::SUBCOMMANDS),
    })
}
