//! What `longhaul` can be told to do in place of running the services.

use clap::{ArgMatches, FromArgMatches, Subcommand};
use futures::FutureExt;
use host::Subcommands;

use crate::token;

// Each is a variant here, and a module of its own.
#[derive(Debug, Subcommand)]
enum Command {
    Token(token::Token),
}

/// All of them.
pub(crate) const SUBCOMMANDS: Subcommands = Subcommands {
    augment: Command::augment_subcommands,
    run: |matches| run(matches).boxed(),
};

async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match Command::from_arg_matches(matches).unwrap_or_else(|error| error.exit()) {
        Command::Token(token) => token.print(),
    }
}
