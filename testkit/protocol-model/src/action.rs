//! The steps. Between any two of them an instance may crash, and the other may do anything.

use crate::log::{Entry, Input};

/// One of the two instances: 0 or 1.
pub type Who = usize;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The queue delivers an input that nobody holds.
    Receive(Who, Input),
    /// The queue delivers an input that is acknowledged, as when the acknowledgement was lost, or that the
    /// other instance holds, as when both believe that they own its partition.
    ReceiveAgain(Who, Input),
    /// The stream of the input in hand is read and folded.
    Load(Who),
    /// The cached fold is used instead.
    UseCached(Who),
    /// The input is recognised, or decided on the fold.
    Decide(Who),
    /// Only when [broken](crate::Protocol::PublishFromHandler): what was decided is published.
    PublishDecision(Who),
    /// The store does the append, and its answer arrives.
    Append(Who),
    /// The store does the append, and its answer is lost.
    AppendUnanswered(Who),
    /// The append is sent, and given up before the store has done it.
    AppendDelayed(Who),
    /// The store does an append that was given up.
    Land(Entry),
    /// Only when [broken](crate::Protocol::ReappendAtReloadedVersion): the append is moved to the version
    /// that the stream has now.
    MoveAppend(Who),
    /// The queue is told that the input is stored.
    Acknowledge(Who),
    /// The relay starts behind the saved checkpoint.
    LoadCheckpoint(Who),
    /// The relay passes an entry that says nothing to others.
    Pass(Who),
    /// Only when [broken](crate::Protocol::CheckpointBeforePublish): the relay saves that it has passed
    /// an entry that it will publish.
    SaveAhead(Who),
    /// The bus takes in what the entry says.
    Publish(Who),
    /// The relay hears that the bus has it, and moves on.
    Confirm(Who),
    /// The relay does not hear it, and will publish again.
    LoseConfirmation(Who),
    /// The relay passes an entry that the other instance may publish.
    Hold(Who),
    /// The relay finds in the checkpoint that something is published that it holds.
    Hear(Who),
    /// The bus takes in what the first entry says that the relay holds.
    PublishHeld(Who),
    /// The relay saves what is published.
    SaveCheckpoint(Who),
    /// The carrier receives a command, and does what it says.
    Carry(Entry),
    /// An instance loses everything that it holds.
    Crash(Who),
    /// It is started again.
    Restart(Who),
}

impl Action {
    /// Whether this is something that nobody may rely on: a fault, or a help from outside. Without any of
    /// these, everything must get done.
    #[must_use]
    pub fn is_chance(self) -> bool {
        match self {
            Self::ReceiveAgain(..)
            | Self::AppendUnanswered(_)
            | Self::AppendDelayed(_)
            | Self::Land(_)
            | Self::LoseConfirmation(_)
            | Self::Hold(_)
            | Self::Crash(_)
            | Self::Restart(_) => true,
            Self::Receive(..)
            | Self::Load(_)
            | Self::UseCached(_)
            | Self::Decide(_)
            | Self::PublishDecision(_)
            | Self::Append(_)
            | Self::MoveAppend(_)
            | Self::Acknowledge(_)
            | Self::LoadCheckpoint(_)
            | Self::Pass(_)
            | Self::SaveAhead(_)
            | Self::Publish(_)
            | Self::Confirm(_)
            | Self::Hear(_)
            | Self::PublishHeld(_)
            | Self::SaveCheckpoint(_)
            | Self::Carry(_) => false,
        }
    }
}
