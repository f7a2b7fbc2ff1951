//! Manifests the legs of shipments with their carriers, and generates their documents.

use std::process::ExitCode;

use host::{Base, Binary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::main(&Binary {
        name: "manifestation",
        about: "Manifests the legs of shipments with their carriers, and generates their documents.",
        base: Base::OneService,
        port: |settings| settings.manifestation.port,
        services: &[manifestation::start],
        subcommands: None,
    })
}
