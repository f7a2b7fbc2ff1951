//! Values that several services speak of.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Round, ShipmentId};

/// One part of a shipment's journey. Its position in the shipment identifies it: two legs may use
/// the same carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leg {
    /// The carrier that takes it.
    pub carrier_id: Uuid,
    /// Who sends.
    pub sender: String,
    /// Who receives.
    pub receiver: String,
    /// Where the parcel is collected.
    pub collection: String,
}

/// A leg that its carrier has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestedLeg {
    /// Position in the shipment, from 1.
    pub position: u32,
    /// The leg.
    pub leg: Leg,
    /// The carrier's tracking number.
    pub tracking_number: String,
}

/// A payload that says nothing beyond its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Why something failed, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The reason; it names the step.
    pub failure: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

impl Failure {
    /// A failure for this reason.
    #[must_use]
    pub fn because(failure: impl Into<String>) -> Self {
        Self {
            failure: failure.into(),
            round: Round::FIRST,
        }
    }

    /// The same, of this round.
    #[must_use]
    pub fn in_round(self, round: Round) -> Self {
        Self { round, ..self }
    }
}

/// Where a generated document is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Its address.
    pub address: String,
    /// Which time it is.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// Work that is undone, or to be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Which time the work was done.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// That work is undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// Which time the work was done.
    #[serde(default, skip_serializing_if = "Round::is_first")]
    pub round: Round,
}

/// A step was not answered in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepTimedOut {
    /// The step's name.
    pub step: String,
    /// How many attempts have met with silence by now.
    pub attempt: u32,
}

/// A step was asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRetried {
    /// The step's name.
    pub step: String,
    /// How many attempts have met with silence before.
    pub attempt: u32,
}

/// Declares a newtype payload over one of the shared values, so that each event is a type of its own.
macro_rules! payloads {
    ($shared:ty: $($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub $shared);

            impl From<$shared> for $name {
                fn from(shared: $shared) -> Self {
                    Self(shared)
                }
            }
        )+
    };
}
pub(crate) use payloads;
