//! Serves until Ctrl-C, for trying things by hand.
//!
//! `cargo run -p eventstoredb-double --example serve -- [ADDRESS]`

use std::env;
use std::net::SocketAddr;

use eventstoredb_double::Double;

const DEFAULT_ADDRESS: &str = "127.0.0.1:2113";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a command-line tool")]
async fn main() -> anyhow::Result<()> {
    let address = env::args().nth(1);
    let address: SocketAddr = address.as_deref().unwrap_or(DEFAULT_ADDRESS).parse()?;
    let double = Double::start_at(address).await?;
    println!("{}", double.connection_string());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
