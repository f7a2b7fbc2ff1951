//! What `longhaul` can be told to do in place of running the services.

use clap::{ArgMatches, FromArgMatches, Subcommand};
use futures::FutureExt;
use host::Subcommands;

use crate::archive::Archive;
use crate::operations::{
    Amend, Cancel, Discard, History, OfInstance, OfShipment, Parked, Rebook, Settle, Switch,
};
use crate::token;

#[derive(Debug, Subcommand)]
enum Command {
    Token(token::Token),
    Archive(Archive),
    /// Show what has become of a shipment
    Show(OfShipment),
    /// Cancel a shipment, and undo what was done for it
    Cancel(Cancel),
    /// Send other legs than those that were asked for, which are not manifested yet
    Amend(Amend),
    /// Book the collection anew, after its booking has failed
    Rebook(Rebook),
    /// Try the step at which a shipment has failed again, or the undo that has
    Retry(OfShipment),
    /// End a shipment, since somebody has seen to what could not be undone
    Settle(Settle),
    /// Generate the documents of a completed shipment again
    Documents(OfShipment),
    /// Go on under another category or version of the process
    Switch(Switch),
    /// Show a stream, with what was ignored or refused, and why
    History(History),
    /// List what is parked, or all that waits in one instance
    Parked(Parked),
    /// Try again what is parked in an instance, in order
    Redrive(OfInstance),
    /// Give up the first parked input of an instance, and try the rest
    Discard(Discard),
}

/// All of them.
pub(crate) const SUBCOMMANDS: Subcommands = Subcommands {
    augment: Command::augment_subcommands,
    run: |matches| run(matches).boxed(),
};

async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match Command::from_arg_matches(matches).unwrap_or_else(|error| error.exit()) {
        Command::Token(token) => token.print(),
        Command::Archive(archive) => archive.run().await,
        Command::Show(shipment) => shipment.show().await,
        Command::Cancel(cancel) => cancel.run().await,
        Command::Amend(amend) => amend.run().await,
        Command::Rebook(rebook) => rebook.run().await,
        Command::Retry(shipment) => shipment.retry().await,
        Command::Settle(settle) => settle.run().await,
        Command::Documents(shipment) => shipment.documents().await,
        Command::Switch(switch) => switch.run().await,
        Command::History(history) => history.run().await,
        Command::Parked(parked) => parked.run().await,
        Command::Redrive(instance) => instance.redrive().await,
        Command::Discard(discard) => discard.run().await,
    }
}
