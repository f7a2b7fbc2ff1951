//! Generates the gRPC server, and a client for the tests, from `proto/`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let described = protox::compile(["streams.proto", "server_features.proto"], ["proto"])?;
    tonic_build::configure().compile_fds(described)?;
    Ok(())
}
