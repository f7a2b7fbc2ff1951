//! What each message costs the processor, path by path, without a server: `cargo bench -p bench`.
//!
//! Everything is measured with what one shipment made of it that the suite has run, in [`shipment`], so that
//! sizes and mixture are those of real work. docs/benchmarks/README.md says what each measures.
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be done here ends the run, as in a test"
)]

mod deciding;
mod json;
mod log;
mod shipment;

use criterion::Criterion;

use crate::shipment::Shipment;

/// The services run on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let shipment = Shipment::run();
    for paths in [
        deciding::fold,
        deciding::settle,
        deciding::handle,
        json::encode,
        json::decode,
        log::outgoing,
        log::follow,
    ] {
        paths(&mut criterion, &shipment);
    }
    criterion.final_summary();
}
