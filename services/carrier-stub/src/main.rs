//! Stands for the carriers' systems, and answers their requests after a while.

use std::process::ExitCode;

use host::{Base, Binary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::main(&Binary {
        name: "carrier-stub",
        about: "Stands for the carriers' systems, and answers their requests after a while.",
        base: Base::OneService,
        port: |settings| settings.carrier_stub.port,
        services: &[carrier_stub::start],
        subcommands: None,
    })
}
