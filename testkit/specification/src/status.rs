//! Where a process stands, as its public history tells.

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something is under way.
    Running,
    /// Everything is done.
    Completed,
    /// Everything was done, and its documents could not be generated again.
    CompletedWithoutNewDocuments,
    /// A step has failed, and nothing of what was done is left.
    Failed,
    /// It was cancelled, and nothing of what was done is left.
    Cancelled,
    /// What was done could not be undone.
    NeedsAttention,
    /// It has failed or was cancelled, and somebody has seen to what could not be undone.
    Settled,
}

impl Status {
    /// As these public events of its stream tell.
    #[must_use]
    pub fn of(process: &[&str]) -> Self {
        let mut status = Self::Running;
        // Its documents are generated again; what was done with carriers stands, whatever comes of it.
        let mut regenerates = false;
        for event in process {
            status = match *event {
                "ShipmentProcessCompleted" => Self::Completed,
                "ShipmentProcessFailed" if regenerates => Self::CompletedWithoutNewDocuments,
                "ShipmentProcessFailed" | "ShipmentProcessCompensationCompleted" => Self::Failed,
                "ShipmentProcessSettled" => Self::Settled,
                "ShipmentProcessCancelled" if status == Self::Settled => status,
                "ShipmentProcessCancelled" => Self::Cancelled,
                "ShipmentProcessCompensationFailed" => Self::NeedsAttention,
                // It stands, and nobody wants it.
                "CollectionBookingCompleted" if status == Self::NeedsAttention => status,
                // These say nothing of how far it is.
                "ProcessCategoryChanged" | "ShipmentLegsAmended" => status,
                _ => Self::Running,
            };
            regenerates = match *event {
                "DocumentsRegenerationRequested" => true,
                "ShipmentProcessCompleted"
                | "ShipmentProcessCompensationStarted"
                | "CollectionBookingFailed" => false,
                _ => regenerates,
            };
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_by_what_came_last() {
        for (process, status) in [
            (&["ShipmentProcessStarted"][..], Status::Running),
            (&["ShipmentProcessFailed"], Status::Failed),
            (
                &[
                    "ShipmentProcessFailed",
                    "ShipmentProcessCompensationStarted",
                ],
                Status::Running,
            ),
            (
                &["ShipmentProcessCompleted", "ProcessCategoryChanged"],
                Status::Completed,
            ),
            (
                &[
                    "ShipmentProcessCompleted",
                    "DocumentsRegenerationRequested",
                    "ShipmentProcessFailed",
                ],
                Status::CompletedWithoutNewDocuments,
            ),
            (
                &["ShipmentProcessCompensationFailed"],
                Status::NeedsAttention,
            ),
            (
                &[
                    "ShipmentProcessCompensationFailed",
                    "CollectionBookingCompleted",
                ],
                Status::NeedsAttention,
            ),
            (
                &[
                    "ShipmentProcessCompensationFailed",
                    "ShipmentProcessSettled",
                    "ShipmentProcessCancelled",
                ],
                Status::Settled,
            ),
            (
                &[
                    "ShipmentProcessCompensationCompleted",
                    "ShipmentProcessCancelled",
                ],
                Status::Cancelled,
            ),
        ] {
            assert_eq!(Status::of(process), status, "{process:?}");
        }
    }
}
