//! What is done at a port, and what can go wrong with it.

/// What is done at a port that outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Entries are stored.
    Append,
    /// Messages are published.
    Publish,
    /// Deliveries are acknowledged.
    Acknowledge,
    /// A reader of the log saves where it stands.
    SaveCheckpoint,
    /// An index over the log is saved.
    SaveIndex,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Append,
        Self::Publish,
        Self::Acknowledge,
        Self::SaveCheckpoint,
        Self::SaveIndex,
    ];
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What is done.
    pub kind: Kind,
    /// Its number among those of its kind in this life, from 0.
    pub nth: usize,
    /// What it is about: the same when it is done again in another life.
    pub identity: String,
}

/// What stands between a reader and where it stands, in what a save is about.
pub(super) const AT: &str = " at ";

impl Operation {
    /// The reader that saves where it stands.
    #[must_use]
    pub fn reader(&self) -> Option<&str> {
        match self.kind {
            Kind::SaveCheckpoint | Kind::SaveIndex => Some(self.identity.split_once(AT)?.0),
            Kind::Append | Kind::Publish | Kind::Acknowledge => None,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It is not done, and everything stops, as a process does that is killed there.
    StopBefore,
    /// It is done, and everything stops before it is answered.
    StopAfter,
    /// It is done, and answered as if that were unknown.
    LoseAnswer,
    /// It is not done, and answered as if that were unknown. What was to be acknowledged comes again.
    Fail,
}
