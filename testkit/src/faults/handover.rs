//! How often, and when, a message is handed over.

use contracts::MessageId;

/// A message that arrives for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number among all that arrive at any service, from 0.
    pub nth: usize,
    /// Its id.
    pub id: MessageId,
}

/// How a message is handed over. A copy has a receipt of its own, of which the bus knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// As it comes.
    Once,
    /// With a copy right behind it.
    Twice,
    /// With a copy that comes after everything else that came with it.
    Again,
    /// With a copy when what is held back is released.
    AgainLate,
    /// Not before what is held back is released, and then with a copy behind it.
    Late,
}
